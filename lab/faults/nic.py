"""Faults around a node's NIC: another one than meant, and an MTU that the network does not carry."""

from __future__ import annotations

import json

from lab.cluster.objects import Workload
from lab.faults.fault import Before, Fault, Site
from lab.faults.kernel import needs_underlay
from lab.foundation.wait import NotYetError
from lab.modes.mode import CNI_FOLDER, Mode, NicSetting
from lab.topology.plan import NodePlan, Plan

TOO_LARGE_BY = 100
FLANNEL_FILE = "/run/flannel/subnet.env"
"""What flannel's CNI plugin reads whenever it sets up a pod."""

IFACE = "--iface="
PUBLIC_IP = "flannel.alpha.coreos.com/public-ip"
ARGUMENTS = "arguments"
STRATEGY = "strategy"
RIGHT_NIC = "nic"
"""What names it: a device, or for a daemon whatever its option says."""


def _no_choice(plan: Plan, mode: Mode) -> str:
    if mode.nic_setting is None:
        return "it has no setting that names a NIC"
    return "" if len(plan.networks) > 1 else "nodes have only one NIC"


def _daemon(site: Site) -> Workload:
    assert site.mode.daemon is not None, "a mode whose daemon names the NIC has one"
    return site.mode.daemon


def _nic_before(site: Site, node: NodePlan) -> Before:
    if site.mode.nic_setting is NicSetting.CNI:
        script = f'sed -En \'s/.*"master": "([^"]*)".*/\\1/p\' {CNI_FOLDER}/*.conflist'
        return {RIGHT_NIC: site.run(node, script, "read the CNI configuration")}
    spec = site.api.read(_daemon(site).path)["spec"]
    arguments = spec["template"]["spec"]["containers"][0]["args"]
    return {
        RIGHT_NIC: next(word.removeprefix(IFACE) for word in arguments if word.startswith(IFACE)),
        ARGUMENTS: json.dumps(arguments),
        STRATEGY: json.dumps(spec["updateStrategy"]),
    }


def _wrong_nic(site: Site, node: NodePlan, before: Before) -> None:
    # The uplink is every node's first NIC, so one name is right for all daemons.
    uplink = site.plan.uplink.name
    _use_nic(site, node, before, node.nic_on(uplink).device, uplink)


def _right_nic(site: Site, node: NodePlan, before: Before) -> None:
    _use_nic(site, node, before, before[RIGHT_NIC], site.plan.node_network)


def _use_nic(site: Site, node: NodePlan, before: Before, nic: str, network: str) -> None:
    if site.mode.nic_setting is NicSetting.CNI:
        change = f's/("master": )"[^"]*"/\\1"{nic}"/'
        site.run(node, f"sed -Ei '{change}' {CNI_FOLDER}/*.conflist", f"pods on {nic}")
    else:
        _tell_daemons(site, before, nic, network)


def _tell_daemons(site: Site, before: Before, nic: str, network: str) -> None:
    """All daemons of the mode at once: each node's is started anew with that NIC, which is on `network`."""
    daemon = _daemon(site)
    words = [f"{IFACE}{nic}" if word.startswith(IFACE) else word for word in json.loads(before[ARGUMENTS])]
    container = site.api.read(daemon.path)["spec"]["template"]["spec"]["containers"][0]
    at_once = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "100%"}}
    # A merge patch replaces a list whole.
    site.api.merge(
        daemon.path,
        {
            "spec": {
                "updateStrategy": at_once,
                "template": {"spec": {"containers": [{**container, "args": words}]}},
            }
        },
    )

    def rolled_out() -> None:
        state = site.api.rollout(daemon)
        if state is None or not state.observed or state.ready < state.wanted:
            raise NotYetError(f"{daemon}: {state.ready if state else 0} of its pods are new and ready")

    site.wait(rolled_out, f"the pods of {daemon} use the NIC on {network}")
    for node in site.plan.nodes:
        _wait_until_announced(site, node, network)
    site.api.merge(daemon.path, {"spec": {"updateStrategy": json.loads(before[STRATEGY])}})


def _wait_until_announced(site: Site, node: NodePlan, network: str) -> None:
    """Wait until flannel tells the other nodes that this one is to be reached on that network."""
    address = str(node.nic_on(network).ipv4.ip)

    def announced() -> None:
        said = site.api.read(f"/api/v1/nodes/{node.name}")["metadata"].get("annotations", {}).get(PUBLIC_IP)
        if said != address:
            raise NotYetError(f"{node.name} is announced as {said}, not yet as {address}")

    site.wait(announced, f"{node.name} is announced as {address}")


def _sizes_before(site: Site, node: NodePlan) -> Before:
    """The MTU of the underlay NIC, of the tunnel over it, and of new pods, as far as they are there."""
    nic = node.nic_on(site.underlay.name).device
    tunnel = site.mode.encapsulation.device_over(nic) if site.mode.encapsulation is not None else ""
    script = f"""\
for device in {nic} {tunnel}; do
  if [ -e "/sys/class/net/$device" ]; then echo "$device $(cat "/sys/class/net/$device/mtu")"; fi
done
{{ cat {FLANNEL_FILE} {CNI_FOLDER}/*.conflist 2>/dev/null || true; }} |
  sed -En 's/^FLANNEL_MTU=([0-9]+)$/pods \\1/p; s/.*"mtu": ([0-9]+).*/pods \\1/p'
"""
    return dict(line.split() for line in site.run(node, script, "read the MTUs").splitlines())


def _too_large(site: Site, node: NodePlan, before: Before) -> None:
    _set_sizes(site, node, {name: int(size) + TOO_LARGE_BY for name, size in before.items()})


def _right_size(site: Site, node: NodePlan, before: Before) -> None:
    _set_sizes(site, node, {name: int(size) for name, size in before.items()})


def _set_sizes(site: Site, node: NodePlan, sizes: dict[str, int]) -> None:
    lines = [f"ip link set {name} mtu {size}" for name, size in sizes.items() if name != "pods"]
    if (pods := sizes.get("pods")) is not None:
        change = f"sed -Ei 's/^FLANNEL_MTU=.*/FLANNEL_MTU={pods}/' {FLANNEL_FILE}"
        lines.append(f"if [ -e {FLANNEL_FILE} ]; then {change}; fi")
        lines.append(f"sed -Ei 's/(\"mtu\": )[0-9]+/\\1{pods}/' {CNI_FOLDER}/*.conflist")
    site.run(node, "\n".join(lines), "set the MTUs")


NIC_FAULTS = (
    Fault(
        "wrong-nic",
        "pods' packets take the NIC of the default route in place of the underlay's",
        _wrong_nic,
        _right_nic,
        remember=_nic_before,
        unfit=_no_choice,
    ),
    Fault(
        "mtu-too-large",
        f"a node's NIC and its new pods have an MTU {TOO_LARGE_BY} bytes larger than the network carries",
        _too_large,
        _right_size,
        remember=_sizes_before,
        unfit=needs_underlay,
    ),
)
