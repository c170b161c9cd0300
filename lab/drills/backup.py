"""The drill in which etcd goes back to a backup: https://etcd.io/docs/v3.5/op-guide/recovery/."""

from __future__ import annotations

import shlex

from lab.cluster.credentials import PKI
from lab.drills.drill import Before, Course, Drill, Ground, Mark
from lab.drills.observation import Row
from lab.drills.static_pods import API_SERVER, ETCD, start_static_pod, stop_static_pod
from lab.topology.plan import NodePlan

Nodes = tuple[NodePlan, ...]

FOLDER = "lab-drill"
SHARED = f"/var/log/{FOLDER}"
"""What kubelet serves to those who may read a node's logs: so all nodes get the backup of one."""
CONTROL = f"{SHARED}/etcdctl"
BACKUP = f"{SHARED}/backup.db"
DATA = "/var/lib/etcd"
NEW_DATA = f"{DATA}/restored"
KUBELET_PORT = 10250
PEER_PORT = 2380
WRITE_ON_SECONDS = 15.0
"""After the backup, so that there is something to forget."""
READ_THE_STORE = ("kube-controller", "kube-scheduler", "kube-proxy", "flanneld")
"""Processes that keep a copy of the store, newer than the store is then: they are started again."""

_GIVE_UP = f"{{ tail --lines=5 {SHARED}/log >&2; exit 1; }}"
_ETCDCTL = (
    f"ETCDCTL_API=3 {CONTROL} --endpoints https://127.0.0.1:2379 --cacert {PKI}/etcd/ca.crt"
    f" --cert {PKI}/etcd/healthcheck-client.crt --key {PKI}/etcd/healthcheck-client.key"
)


def _back_up(ground: Ground, nodes: Nodes) -> None:
    """On the first node, which has the leader; then all have it, and lose etcd."""
    ground.nodes.on_each(nodes, lambda node: _take_etcdctl(ground, node))
    ground.mark(Mark.BACKUP_BEGINS)
    ground.run(
        nodes[0], f"{_ETCDCTL} snapshot save {BACKUP} >{SHARED}/log 2>&1 || {_GIVE_UP}", "back up etcd"
    )
    ground.mark(Mark.BACKUP_ENDS)
    ground.nodes.on_each(nodes[1:], lambda node: _fetch(ground, node, nodes[0]))
    ground.rest(WRITE_ON_SECONDS)
    ground.nodes.on_each(nodes, lambda node: _damage(ground, node))


def _take_etcdctl(ground: Ground, node: NodePlan) -> None:
    """Out of etcd's container: it is a program that needs nothing else."""
    script = f"""\
rm -rf {SHARED}
mkdir -p {SHARED}
for comm in /proc/[0-9]*/comm; do
  read -r name 2>/dev/null <"$comm" || continue
  if [ "$name" = {ETCD} ]; then cp "${{comm%/comm}}/root/usr/local/bin/etcdctl" {CONTROL}; exit 0; fi
done
echo "etcd does not run" >&2
exit 1
"""
    ground.run(node, script, "take etcdctl")


def _fetch(ground: Ground, node: NodePlan, source: NodePlan) -> None:
    url = f"https://{source.internal_address}:{KUBELET_PORT}/logs/{FOLDER}/backup.db"
    client = f"--cert {PKI}/apiserver-kubelet-client.crt --key {PKI}/apiserver-kubelet-client.key"
    words = f"curl --silent --show-error --fail --insecure {client} --output {BACKUP} {url}"
    ground.run(node, words, "fetch the backup")


def _damage(ground: Ground, node: NodePlan) -> None:
    """Nothing is left of the store, and nobody serves it."""
    for name in (API_SERVER, ETCD):
        stop_static_pod(ground, node, name)
    ground.run(node, f"rm -rf {DATA}/member", "remove the data")


def _restore(ground: Ground, nodes: Nodes) -> None:
    """All members from the same backup, as a new cluster of the same names."""
    ground.nodes.on_each(nodes, lambda node: _restore_member(ground, node))
    for name in (ETCD, API_SERVER):
        ground.nodes.on_each(nodes, lambda node, name=name: start_static_pod(ground, node, name))  # type: ignore[misc]
    ground.nodes.on_each(nodes, lambda node: _start_again(ground, node))


def _restore_member(ground: Ground, node: NodePlan) -> None:
    """Does nothing where it is restored already."""
    planes = ground.plan.control_planes
    members = ",".join(f"{each.name}={_peer(each)}" for each in planes)
    options = {
        "name": node.name,
        "initial-cluster": members,
        "initial-advertise-peer-urls": _peer(node),
        "data-dir": NEW_DATA,
    }
    words = " ".join(f"--{name} {shlex.quote(value)}" for name, value in options.items())
    script = f"""\
if [ ! -e {BACKUP} ] || [ -e {SHARED}/restored ]; then exit 0; fi
rm -rf {NEW_DATA} {DATA}/member
ETCDCTL_API=3 {CONTROL} snapshot restore {BACKUP} {words} >{SHARED}/log 2>&1 || {_GIVE_UP}
mv {NEW_DATA}/member {DATA}/member
rm -rf {NEW_DATA}
touch {SHARED}/restored
"""
    ground.run(node, script, "restore etcd")


def _peer(node: NodePlan) -> str:
    return f"https://{node.internal_address}:{PEER_PORT}"


def _start_again(ground: Ground, node: NodePlan) -> None:
    script = f"""\
for comm in /proc/[0-9]*/comm; do
  read -r name 2>/dev/null <"$comm" || continue
  case "$name" in {"|".join(READ_THE_STORE)}) kill "$(basename "${{comm%/comm}}")" || true;; esac
done
systemctl restart kubelet.service
rm -rf {SHARED}
"""
    ground.run(node, script, "start again what reads the store")


def _all_gone(row: Row, before: Before, nodes: Nodes) -> bool:
    return row.api.failed and all(row.members[node.name].failed for node in nodes)


BACKUP_DRILLS = (
    Drill(
        "etcd-restore",
        "etcd is backed up and written to, loses its data on all control planes, and goes back to the backup",
        aim=lambda before: (before.node(before.leader), *before.others(before.leader)),
        injure=_back_up,
        heal=_restore,
        shows=_all_gone,
        detection=lambda configured: configured.member_gone,
        course=Course.GOES_BACK,
    ),
)
