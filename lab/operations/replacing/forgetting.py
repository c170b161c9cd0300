"""What names a control plane: taken away while it is dead, and put back when another is in its place.

What kubeadm writes of the address of a control plane: https://kubernetes.io/docs/reference/setup-tools/kubeadm/.
Certificates go on bearing its address and name, which are those of the machine that comes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import yaml

from lab.cluster.api import ApiError
from lab.cluster.balancer import UNITS, balancer_files, balancing_nodes
from lab.cluster.binaries.control_plane import etcd_unit
from lab.cluster.binaries.work import Installation
from lab.cluster.configuration import LAB
from lab.cluster.credentials import api_server_addresses, api_server_names
from lab.cluster.kubeadm import CONFIGURATION, STATIC_PODS
from lab.cluster.programs import ETCD, FUNCTIONS, after_change
from lab.cluster.tuning import Part
from lab.foundation.progress import StepContext
from lab.foundation.wait import Deadline, wait_for
from lab.nodes.connection import Script
from lab.nodes.files import NodeFile, write_files
from lab.nodes.prepare import hosts_file
from lab.operations.cluster_steps import SERVING_LIMIT
from lab.operations.context import Lab
from lab.operations.etcd_members import EtcdMember, EtcdMembers, peer_url
from lab.topology.plan import NodePlan, Plan

KUBEADM_CONFIG = "/api/v1/namespaces/kube-system/configmaps/kubeadm-config"
ETCD_MANIFEST = f"{STATIC_PODS}/{Part.ETCD}.yaml"
ASIDE = f"{LAB}/{Part.ETCD}.yaml"
RESTART_SECONDS = 900.0


def addresses_of(node: NodePlan) -> tuple[str, ...]:
    return tuple(str(address.ip) for nic in node.nics for address in nic.addresses)


def forget(lab: Lab, gone: NodePlan, at: StepContext) -> EtcdMember | None:
    """Let the cluster know nothing of a control plane that is off; the member of etcd that it had.

    Raises LabError when etcd or the API does not answer.
    """
    rest, members = lab.plan.without(gone), EtcdMembers(lab)
    asked = rest.first_control_plane
    at.doing("its member of etcd")
    member = members.of(gone, asked)
    if member is not None:
        members.remove(member, asked)
    at.doing("files of the others")
    lab.nodes.on_each(rest.nodes, lambda node: _rewrite(lab, rest, node, (gone,)))
    for node in rest.control_planes:
        at.doing(f"etcd on {node.name}")
        lab.nodes[node.name].run(_other_members(lab, node, gone), timeout=RESTART_SECONDS)
    at.doing("its objects")
    _patiently("kubeadm knows who is left", at, lambda: _tell_kubeadm(lab, rest))
    _patiently(f"the objects of {gone.name} are gone", at, lambda: _delete_objects(lab, gone))
    return member


def know_again(lab: Lab, at: StepContext) -> None:
    """Let all files be as the plan says; etcd's first members are of no use any more."""
    lab.nodes.on_each(lab.plan.nodes, lambda node: _rewrite(lab, lab.plan, node, lab.plan.control_planes))
    _patiently("kubeadm knows all", at, lambda: _tell_kubeadm(lab, lab.plan))


def _patiently(what: str, at: StepContext, change: Callable[[], None]) -> None:
    """The API is away for a while when etcd is started anew, and its address may move to who has come."""
    wait_for(change, what=what, deadline=Deadline(SERVING_LIMIT), retry_on=(ApiError,), on_wait=at.doing)


def _rewrite(lab: Lab, plan: Plan, node: NodePlan, about: Sequence[NodePlan]) -> None:
    """The files of a node that name all control planes, as they are in that plan."""
    lab.nodes[node.name].run(rewriting(lab, plan, node, about))


def rewriting(lab: Lab, plan: Plan, node: NodePlan, about: Sequence[NodePlan]) -> Script:
    """kubeadm's own file, which nobody reads any more, only loses what is not in the plan."""
    balances = node in balancing_nodes(lab.plan)
    files = [NodeFile("/etc/hosts", hosts_file(plan))]
    if balances:
        named = {file.path for file in balancer_files(lab.plan, node, lab.tuning) if _names(file, about)}
        files += [file for file in balancer_files(plan, node, lab.tuning) if file.path in named]
    assert lab.plan.load_balancer is not None
    unit = UNITS[lab.plan.load_balancer][0]
    lost = [each for each in about if each not in plan.nodes]
    items = [word for each in lost for word in (each.name, *addresses_of(each))]
    forgotten = "".join(f"/^ *- {word.replace('.', '[.]')}$/d;" for word in items)
    text = write_files(files)
    if balances:
        text += f"systemctl reload-or-restart {unit}\n"
    if forgotten:
        text += f"if [ -e {CONFIGURATION} ]; then sed --in-place '{forgotten}' {CONFIGURATION}; fi\n"
    return Script(text, f"rewrite what names control planes on {node.name}")


def _names(file: NodeFile, about: Sequence[NodePlan]) -> bool:
    return any(address in file.content for node in about for address in addresses_of(node))


def _other_members(lab: Lab, node: NodePlan, gone: NodePlan) -> Script:
    """etcd's own list of its first members, which it reads no more.

    kubelet starts a static pod anew whose file has changed; systemd does not.
    """
    name = f"etcd on {node.name} names {gone.name} no more"
    if lab.plan.from_binaries:
        rest = Installation(lab.plan.without(gone), lab.membership, lab.record.images)
        file = etcd_unit(rest, node).file
        return Script(f"{write_files((file,))}systemctl daemon-reload\n", name)
    element = f"{gone.name}={peer_url(gone)}".replace(".", "[.]")
    change = f"""\
sed 's#,{element}##; s#{element},##' {ETCD_MANIFEST} > {ASIDE}
if cmp --quiet {ETCD_MANIFEST} {ASIDE}; then rm {ASIDE}; else changed=yes; mv {ASIDE} {ETCD_MANIFEST}; fi
"""
    return Script(FUNCTIONS + after_change(ETCD, change), name)


def _tell_kubeadm(lab: Lab, plan: Plan) -> None:
    """Its ConfigMap has all names and addresses that an API server's certificate bears."""
    if lab.plan.from_binaries:
        return
    key = "ClusterConfiguration"
    found = yaml.safe_load(lab.api.read(KUBEADM_CONFIG)["data"][key])
    found["apiServer"]["certSANs"] = [*api_server_names(plan), *map(str, api_server_addresses(plan))]
    text = yaml.safe_dump(found, sort_keys=False, width=10_000)
    lab.api.merge(KUBEADM_CONFIG, {"data": {key: text}})


def _delete_objects(lab: Lab, gone: NodePlan) -> None:
    for path in _objects(lab, gone):
        lab.api.delete(path, query=[("gracePeriodSeconds", "0")])


def _objects(lab: Lab, gone: NodePlan) -> Sequence[str]:
    """Paths of what would go by itself, only later: the node's own objects, and the pods that were on it.

    Since v1.26 an API server has a lease, which is kept for an hour after its last renewal.
    """
    pods = _listed(lab, "/api/v1/pods", ("fieldSelector", f"spec.nodeName={gone.name}"))
    leases = "/apis/coordination.k8s.io/v1/namespaces"
    of_server = _listed(
        lab, f"{leases}/kube-system/leases", ("labelSelector", f"kubernetes.io/hostname={gone.name}")
    )
    return [
        f"/api/v1/nodes/{gone.name}",
        f"{leases}/kube-node-lease/leases/{gone.name}",
        *(f"{leases}/kube-system/leases/{name}" for _, name in of_server),
        *(f"/api/v1/namespaces/{namespace}/pods/{name}" for namespace, name in pods),
    ]


def _listed(lab: Lab, path: str, selector: tuple[str, str]) -> Sequence[tuple[str, str]]:
    """Namespaces and names."""
    found = json.loads(lab.api.text(path, query=[selector]))["items"]
    return [(each["metadata"]["namespace"], each["metadata"]["name"]) for each in found]
