"""Who still names a control plane that is gone: files on nodes, objects of the API, members of etcd."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from lab.foundation.errors import LabError
from lab.foundation.wait import Deadline, NotYetError, TimedOutError, wait_for
from lab.nodes.connection import Script
from lab.operations.context import Lab
from lab.operations.etcd_members import EtcdMember, EtcdMembers
from lab.operations.replacing.forgetting import addresses_of
from lab.topology.plan import NodePlan, Plan

FORGOTTEN_SECONDS = 240.0
"""Until the endpoints of the API are without it: its API server's lease lasts 15 s, and the others look each
10 s, reconcilers/lease.go."""
FOLDERS = ("/etc", "/usr/local/sbin", "/var/lib/kubelet", "/var/lib/kube-proxy")
LEFT_OUT = ("pods", "pki", "plugins", "plugins_registry")
"""Of a pod on the node's network, kubelet keeps a copy of /etc/hosts for as long as the pod is there."""
OBJECTS = (
    "/api/v1/nodes",
    "/api/v1/pods",
    "/api/v1/endpoints",
    "/api/v1/services",
    "/api/v1/configmaps",
    "/apis/discovery.k8s.io/v1/endpointslices",
    "/apis/coordination.k8s.io/v1/leases",
)


@dataclass(frozen=True)
class Traces:
    """Where it is named, and how much was looked at."""

    found: tuple[str, ...]
    nodes: int
    objects: int
    members: int

    @property
    def looked_at(self) -> str:
        return f"files of {self.nodes} nodes, {self.objects} objects, {self.members} members of etcd"


def wait_until_forgotten(lab: Lab, gone: NodePlan, member: EtcdMember | None) -> Traces:
    """What still names it when all that goes by itself should have gone. Raises LabError."""
    seen: Traces | None = None

    def forgotten() -> None:
        nonlocal seen
        seen = traces_of(lab, gone, member)
        if seen.found:
            raise NotYetError("; ".join(seen.found))

    try:
        wait_for(
            forgotten,
            what=f"nothing names {gone.name}",
            deadline=Deadline(FORGOTTEN_SECONDS),
            retry_on=(LabError,),
        )
    except TimedOutError:
        if seen is None:
            raise
    assert seen is not None
    return seen


def traces_of(lab: Lab, gone: NodePlan, member: EtcdMember | None) -> Traces:
    """Raises LabError when a node, the API or a member of etcd does not answer."""
    rest = lab.plan.without(gone)
    files = list(_files(lab, rest, gone))
    words = (*addresses_of(gone), gone.name, *([member.hexadecimal] if member else []))
    items = [item for path in OBJECTS for item in _items(lab, path)]
    objects = [f"{where} names {word}" for where, text in items for word in words if mentions(text, word)]
    members = list(_members(lab, rest, gone))
    found = (*files, *dict.fromkeys(objects), *members)
    return Traces(found, len(rest.nodes), len(items), len(rest.control_planes))


def mentions(text: str, word: str) -> bool:
    """Whether the text has it, and not only as a part of a longer name, address or number."""
    return re.search(rf"(?<![\w.-]){re.escape(word)}(?![\w-]|\.\w)", text.replace("_", " ")) is not None


def _files(lab: Lab, rest: Plan, gone: NodePlan) -> Iterator[str]:
    words = " ".join(f"-e {shlex.quote(address)}" for address in addresses_of(gone))
    without = " ".join(f"--exclude-dir={name}" for name in LEFT_OUT)
    grep = "grep --recursive --files-with-matches --word-regexp --fixed-strings --binary-files=without-match"
    text = f"{grep} --no-messages {without} {words} {' '.join(FOLDERS)} || true\n"
    for node, result in lab.nodes.on_each(
        rest.nodes, lambda node: lab.nodes[node.name].run(Script(text, f"look for {gone.name}"))
    ).items():
        for path in result.stdout.split():
            yield f"{path} on {node}"


def _items(lab: Lab, path: str) -> Iterator[tuple[str, str]]:
    for item in json.loads(lab.api.text(path)).get("items", ()):
        metadata = item["metadata"]
        metadata.pop("managedFields", None)
        where = "/".join(part for part in (metadata.get("namespace", ""), metadata["name"]) if part)
        yield f"{path.rpartition('/')[2]} {where}", json.dumps(item)


def _members(lab: Lab, rest: Plan, gone: NodePlan) -> Iterator[str]:
    members = EtcdMembers(lab)
    for node in rest.control_planes:
        if members.of(gone, node) is not None:
            yield f"etcd on {node.name} knows a member of {gone.name}"
