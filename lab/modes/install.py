"""Putting a mode on a cluster that has no pod network yet."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace

from lab.cluster.api import ClusterApi
from lab.cluster.objects import Workload
from lab.cluster.pki import KeyPair
from lab.cluster.readiness import COREDNS, KUBE_PROXY
from lab.foundation.progress import StepContext
from lab.modes.enforcer import with_enforcer
from lab.modes.mode import Images, Mode, ModeSetup
from lab.modes.trust import serving_secret, with_trust
from lab.nodes.connection import Command, Script
from lab.nodes.files import NodeFile, write_files
from lab.nodes.pool import Nodes
from lab.topology.models import KubeProxy
from lab.topology.plan import NodePlan, Plan

MARK = "/etc/lab/mode"


def arrange_mode(mode: Mode, plan: Plan, images: Images) -> ModeSetup:
    """The mode arranged for the plan. Raises WrongUseError when the plan lacks what the mode needs."""
    mode.check(plan)
    setup = with_enforcer(mode.arrange(plan, images), plan, images)
    if plan.kubernetes.kube_proxy is KubeProxy.NONE:
        # Without it the DNS never finds the API, by its ClusterIP.
        return _without(setup, KUBE_PROXY, COREDNS)
    # From binaries it is no workload of the cluster, but a unit of each node.
    return _without(setup, KUBE_PROXY) if plan.from_binaries else setup


def _without(setup: ModeSetup, *workloads: Workload) -> ModeSetup:
    return replace(setup, workloads=tuple(each for each in setup.workloads if each not in workloads))


def install_mode(
    nodes: Nodes, api: ClusterApi, setup: ModeSetup, authority: KeyPair, at: StepContext
) -> None:
    """Apply the mode's objects and put its files on all nodes at once; may be repeated.

    `authority` signs the certificates that the mode's servers show to the API server.
    Raises LabError when the API refuses an object, or a node's part of the mode does not come up.
    """
    if any(part.before for part in setup.nodes.values()):
        at.doing("waiting until the nodes are ready for it")
        nodes.on_each(nodes.plan.nodes, lambda node: nodes[node.name].run(script_before(node, setup)))
    if setup.manifests:
        at.doing("objects in the cluster")
        secrets = [serving_secret(certificate, authority) for certificate in setup.certificates]
        api.apply([*secrets, *(with_trust(manifest, authority) for manifest in setup.manifests)])
    at.doing("devices and CNI configuration on the nodes")
    nodes.on_each(nodes.plan.nodes, lambda node: nodes[node.name].run(node_script(node, setup)))


def programs_of(mode: Mode, setup: ModeSetup) -> ModeSetup:
    """The setup without the networks that users may make themselves."""
    kept = tuple(manifest for manifest in setup.manifests if manifest["kind"] not in mode.network_kinds)
    return replace(setup, manifests=kept)


def mode_installed(nodes: Nodes, setup: ModeSetup) -> bool:
    """True when every node has had its part of this very setup."""

    def installed(node: NodePlan) -> bool:
        found = nodes[node.name].run(Command(("cat", MARK)), check=False)
        return found.status == 0 and found.stdout.strip() == _digest(setup)

    return all(nodes.on_each(nodes.plan.nodes, installed).values())


def script_before(node: NodePlan, setup: ModeSetup) -> Script:
    """What one node must come to before the mode's objects are applied."""
    return Script(setup.nodes[node.name].before, f"network mode on {node.name}: what it needs")


def node_script(node: NodePlan, setup: ModeSetup) -> Script:
    """One node's part of the mode; it may run again at any time."""
    part = setup.nodes[node.name]
    mark = NodeFile(MARK, _digest(setup) + "\n")
    text = write_files(part.files) + part.start + part.ready + write_files((part.cni, mark))
    return Script(text, f"network mode on {node.name}")


def _digest(setup: ModeSetup) -> str:
    return hashlib.sha256(json.dumps(asdict(setup), sort_keys=True).encode()).hexdigest()
