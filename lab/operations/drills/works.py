"""What `lab` does to a lab as a whole in a drill."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from lab.cluster.credentials import PKI, api_server_certificate
from lab.cluster.pki import KeyPair
from lab.cluster.served import seen_from_host, served_of
from lab.drills.drill import Found
from lab.foundation.wait import Deadline, NotYetError, wait_for
from lab.nodes.connection import Script
from lab.nodes.files import NodeFile, write_files
from lab.operations.certificates import expired_certificates, renew
from lab.operations.context import Lab
from lab.operations.replacing.replace import replace_control_plane
from lab.topology.plan import NodePlan
from lab.topology.planner import API_PORT

ENDS_AFTER = timedelta(seconds=20)
SERVED_SECONDS = 180.0
"""Until an API server serves another certificate: it looks at its files once a minute."""


class LabWorks:
    """Of a lab that is open, locked and watched."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def replace(self, node: NodePlan) -> Found:
        traces = replace_control_plane(self._lab, node)
        return Found(traces.found, traces.looked_at)

    def renew(self) -> Found:
        renewal = renew(self._lab)
        return Found(renewal.unchanged, f"{len(renewal.after)} ports")

    def let_expire(self, node: NodePlan) -> None:
        ends = datetime.now(UTC) + ENDS_AFTER
        pair = api_server_certificate(self._lab.plan, self._lab.secrets, ends=ends)
        self._serve(node, pair)

        def over() -> None:
            if datetime.now(UTC) <= ends:
                raise NotYetError(f"until {ends:%H:%M:%S} UTC")

        wait_for(over, what="the certificate runs out", deadline=Deadline(2 * ENDS_AFTER.total_seconds()))

    def put_back(self, node: NodePlan) -> None:
        self._serve(node, api_server_certificate(self._lab.plan, self._lab.secrets))

    def expired(self) -> Found:
        nodes = self._lab.plan.nodes
        return Found(expired_certificates(self._lab, nodes), f"{len(nodes)} nodes")

    def _serve(self, node: NodePlan, pair: KeyPair) -> None:
        files = (
            NodeFile(f"{PKI}/apiserver.crt", pair.certificate),
            NodeFile(f"{PKI}/apiserver.key", pair.key, 0o600),
        )
        script = Script(write_files(files), f"another certificate for the API server on {node.name}")
        self._lab.nodes[node.name].run(script)
        wanted = served_of(pair.certificate)

        def served() -> None:
            sights = seen_from_host(self._lab.site, (node,), self._lab.secrets.etcd_authority)
            if not any(port.number == API_PORT and seen == wanted for port, seen in sights.items()):
                raise NotYetError(f"the API server on {node.name} still serves the one that it had")

        what = f"the API server on {node.name} serves another certificate"
        wait_for(served, what=what, deadline=Deadline(SERVED_SECONDS))
