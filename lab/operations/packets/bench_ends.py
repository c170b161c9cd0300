"""Between whom `lab bench` measures: nodes, pods on them, a Service, and the LAN host."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address

from lab.bench.result import BASE
from lab.bench.session import PROTOCOLS, Pair
from lab.bench.talker import PORT
from lab.bench.wire import READ, Passed, read_passed
from lab.cluster.api import Manifest
from lab.foundation.errors import WrongUseError
from lab.foundation.process import run
from lab.operations.context import Lab
from lab.operations.packets.capturing import pod_spot
from lab.operations.packets.probe_pods import ProbePod, make_probe_pods, probe_nodes
from lab.operations.packets.trace_ends import lan_host_spot, node_spot
from lab.topology.plan import NodePlan, Plan

NAMESPACE = "lab-bench"
ASKS, BESIDE, ECHOES = "asks", "beside", "echoes"
LAN_BASE = "lan-host-to-node"
# All programs but systemd, those that ssh has started, and those that carry packets themselves, which hold
# a tun device.
_KEEP_STILL = """\
for process in /proc/[0-9]*; do
  pid=${process#/proc/}
  [ "$pid" != 1 ] && readlink "$process/exe" >/dev/null 2>&1 || continue
  grep -q /ssh.service "$process/cgroup" && continue
  ls -l "$process/fd" 2>/dev/null | grep -q net/tun && continue
  kill -STOP "$pid"
done
true
"""
STILL_LIMIT = 60.0


@dataclass(frozen=True)
class TwoNodes:
    """Those between which is measured."""

    asks: NodePlan
    echoes: NodePlan


def two_nodes(plan: Plan) -> TwoNodes:
    """Two workers, or the only one and the control plane. Raises WrongUseError when there is one node."""
    able = probe_nodes(plan)
    if len(able) < 2:
        raise WrongUseError(
            f"lab bench measures between two nodes, {plan.topology} has one",
            resolution="use a topology with two nodes or more",
        )
    return TwoNodes(able[0], able[1])


def make_pods(lab: Lab, nodes: TwoNodes) -> Sequence[Pair]:
    """Pods on both nodes and a Service before one of them; who asks whom, bases first.

    Raises TimedOutError when the pods do not become ready.
    """
    pods = [
        ProbePod(ASKS, nodes.asks.name),
        ProbePod(BESIDE, nodes.asks.name),
        ProbePod(ECHOES, nodes.echoes.name),
    ]
    addresses = make_probe_pods(lab, NAMESPACE, pods, [_service()])
    asks, beside, echoes = (pod_spot(lab, f"{NAMESPACE}/{name}") for name in (ASKS, BESIDE, ECHOES))
    node, other = node_spot(lab, nodes.asks.name), node_spot(lab, nodes.echoes.name)
    address = IPv4Address(str(nodes.echoes.internal_address))
    pod = addresses[ECHOES]
    service = lab.api.read(f"/api/v1/namespaces/{NAMESPACE}/services/{ECHOES}")["spec"]["clusterIP"]
    pairs = [
        Pair(BASE, node, other, address, BASE),
        Pair("pod-to-pod-same-node", asks, beside, addresses[BESIDE], BASE),
        Pair("pod-to-pod", asks, echoes, pod, BASE),
        Pair("pod-to-service", asks, echoes, IPv4Address(service), BASE, pings=False),
    ]
    if (lan_host := lan_host_spot(lab)) is not None:
        pairs += [
            Pair(LAN_BASE, lan_host, other, address, LAN_BASE),
            Pair("lan-host-to-pod", lan_host, echoes, pod, LAN_BASE),
        ]
    return pairs


def keep_still(lab: Lab, nodes: TwoNodes) -> None:
    """Let all programs that no packet needs stand still on both nodes, until they are brought back.

    What they do by themselves, kubelet above all, is more than what a round trip costs.
    """
    for node in (nodes.asks, nodes.echoes):
        run(node_spot(lab, node.name).machine.command(_KEEP_STILL), timeout=STILL_LIMIT)


def wire_of(lab: Lab, node: str) -> Callable[[], Passed]:
    """Reads what has passed the NICs of the node, on the host's side of them."""
    taps = frozenset(lab.machines.taps(node))
    command = lab.site.network_command(READ)
    return lambda: read_passed(command, taps)


def _service() -> Manifest:
    ports = [{"name": str(each), "port": PORT, "protocol": each.upper()} for each in PROTOCOLS]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": ECHOES, "namespace": NAMESPACE},
        "spec": {"selector": {"app": ECHOES}, "ports": ports},
    }
