"""Faults of the programs that a node's network needs: gone, or there and doing nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace

from lab.cluster.objects import Workload
from lab.cluster.readiness import KUBE_PROXY
from lab.faults.fault import Before, Fault, Site, daemon_pods, fits_every_mode, pods_on
from lab.foundation.wait import NotYetError
from lab.modes.mode import Mode
from lab.topology.models import KubeProxy
from lab.topology.plan import NodePlan, Plan

HOST_NAME = "kubernetes.io/hostname"
METRICS = "http://127.0.0.1:10249/metrics"
"""kube-proxy's own, where KubeProxyConfiguration says nothing about metricsBindAddress."""

UNIT = "kube-proxy.service"
"""What it is in a cluster from binaries."""

SYNCED = re.compile(r"^kubeproxy_sync_proxy_rules_last_timestamp_seconds(?:\{.*\})? (\S+)$", re.MULTILINE)

WorkloadOf = Callable[[Site], Workload]


def _kube_proxy(site: Site) -> Workload:
    return KUBE_PROXY


def _mode_daemon(site: Site) -> Workload:
    assert site.mode.daemon is not None, "Fault.unfit comes first"
    return site.mode.daemon


def _no_daemon(plan: Plan, mode: Mode) -> str:
    return "" if mode.daemon is not None else "it has no daemon"


def _no_kube_proxy(plan: Plan, mode: Mode) -> str:
    return "there is no kube-proxy" if plan.kubernetes.kube_proxy is KubeProxy.NONE else ""


def _leaving(
    name: str,
    summary: str,
    workload_of: WorkloadOf,
    back: Callable[[Site, NodePlan, str], None],
    unfit: Callable[[Plan, Mode], str] = fits_every_mode,
) -> Fault:
    """A DaemonSet's pod leaves one node; those of the other nodes are not touched.

    `back` waits until the program has done its work again since a moment on the node's clock, in seconds.
    """

    def remember(site: Site, node: NodePlan) -> Before:
        spec = site.api.read(workload_of(site).path)["spec"]
        affinity = spec["template"]["spec"].get("affinity")
        return {"affinity": json.dumps(affinity), "strategy": json.dumps(spec["updateStrategy"])}

    def inject(site: Site, node: NodePlan, before: Before) -> None:
        workload = workload_of(site)
        elsewhere = {"key": HOST_NAME, "operator": "NotIn", "values": [node.name]}
        terms = {"nodeSelectorTerms": [{"matchExpressions": [elsewhere]}]}
        affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}
        # With OnDelete the pods of the other nodes are not replaced by such with the new affinity.
        _change(site, workload, affinity, {"type": "OnDelete", "rollingUpdate": None})

        def gone() -> None:
            left = [pod.name for pod in pods_on(site, workload, node)]
            if left:
                raise NotYetError(f"{', '.join(left)} is still on {node.name}")

        site.wait(gone, f"{workload} leaves {node.name}")

    def clear(site: Site, node: NodePlan, before: Before) -> None:
        workload, since = workload_of(site), _node_time(site, node)
        _change(site, workload, json.loads(before["affinity"]), json.loads(before["strategy"]))

        def there() -> None:
            if not daemon_pods(site, workload, node):
                raise NotYetError(f"no pod of {workload} is ready on {node.name}")

        site.wait(there, f"{workload} is back on {node.name}")
        back(site, node, since)

    return Fault(name, summary, inject, clear, remember, unfit)


def _change(site: Site, workload: Workload, affinity: object, strategy: object) -> None:
    change = {"updateStrategy": strategy, "template": {"spec": {"affinity": affinity}}}
    site.api.merge(workload.path, {"spec": change})


def _leaving_kube_proxy() -> Fault:
    """As a DaemonSet's pod or, in a cluster from binaries, as the unit that it is there."""
    as_pod = _leaving(
        "kube-proxy-gone", "kube-proxy has left a node", _kube_proxy, _rules_written, _no_kube_proxy
    )

    def remember(site: Site, node: NodePlan) -> Before:
        return {} if site.plan.from_binaries else as_pod.remember(site, node)

    def inject(site: Site, node: NodePlan, before: Before) -> None:
        if site.plan.from_binaries:
            site.run(node, f"systemctl --quiet disable --now {UNIT}", "stop kube-proxy")
        else:
            as_pod.inject(site, node, before)

    def clear(site: Site, node: NodePlan, before: Before) -> None:
        if site.plan.from_binaries:
            _start_unit(site, node)
        else:
            as_pod.clear(site, node, before)

    return replace(as_pod, remember=remember, inject=inject, clear=clear)


def _start_unit(site: Site, node: NodePlan) -> None:
    since = _node_time(site, node)
    site.run(node, f"systemctl --quiet enable {UNIT}\nsystemctl restart {UNIT}", "start kube-proxy")
    _rules_written(site, node, since)


def _halt(site: Site, node: NodePlan, before: Before) -> None:
    found = '[ -n "$found" ] || { echo "there is no process kube-proxy" >&2; exit 1; }'
    site.run(node, _signal("STOP") + found, "halt kube-proxy")


def _replace(site: Site, node: NodePlan, before: Before) -> None:
    """Let it go on, so that it ends when asked to, and wait for the pod or process that takes its place.

    One that only goes on writes its rules when something changes: there would be nothing to wait for.
    """
    site.run(node, _signal("CONT"), "let kube-proxy go on")
    if site.plan.from_binaries:
        _start_unit(site, node)
        return
    since = _node_time(site, node)
    halted = {pod.name for pod in pods_on(site, KUBE_PROXY, node)}
    for name in halted:
        site.api.delete(f"/api/v1/namespaces/{KUBE_PROXY.namespace}/pods/{name}")

    def replaced() -> None:
        if not set(daemon_pods(site, KUBE_PROXY, node)) - halted:
            raise NotYetError(f"no new pod of {KUBE_PROXY} is ready on {node.name}")

    site.wait(replaced, f"a new pod of {KUBE_PROXY} on {node.name}")
    _rules_written(site, node, since)


def _signal(signal: str) -> str:
    """Bash that signals kube-proxy, and sets `found` where there is one."""
    return f"""\
found=
for comm in /proc/[0-9]*/comm; do
  read -r name 2>/dev/null <"$comm" || continue
  if [ "$name" = kube-proxy ]; then kill -{signal} "$(basename "${{comm%/comm}}")"; found=yes; fi
done
"""


def _node_time(site: Site, node: NodePlan) -> str:
    return site.run(node, "date +%s.%N", "read the clock")


def _rules_written(site: Site, node: NodePlan, since: str) -> None:
    """Wait until kube-proxy has written its rules since that moment."""

    def written() -> None:
        said = site.run(node, f"curl --silent --show-error {METRICS} 2>&1 || true", "kube-proxy's metrics")
        found = SYNCED.search(said)
        if found is None:
            raise NotYetError(f"kube-proxy on {node.name} does not report when it wrote its rules")
        if float(found[1]) <= float(since):
            raise NotYetError(f"kube-proxy on {node.name} has not written its rules yet")

    site.wait(written, f"kube-proxy on {node.name} writes its rules")


def _ready_is_enough(site: Site, node: NodePlan, since: str) -> None:
    """The pod of a mode's daemon is ready: its work is seen in the cluster's own readiness."""


PROGRAM_FAULTS = (
    _leaving_kube_proxy(),
    Fault(
        "kube-proxy-halted",
        "kube-proxy of a node is there and does nothing",
        _halt,
        _replace,
        unfit=_no_kube_proxy,
    ),
    _leaving(
        "cni-daemon-stopped",
        "the mode's own daemon has left a node",
        _mode_daemon,
        _ready_is_enough,
        _no_daemon,
    ),
)
