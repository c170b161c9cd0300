"""Captures of packets anywhere in a lab."""

from __future__ import annotations

import difflib
import threading
from collections.abc import Callable, Sequence

from lab.cluster.api import ApiError
from lab.foundation.errors import WrongUseError
from lab.operations.context import Lab
from lab.packets.capture import Captures, Ended, Seen
from lab.packets.spots import (
    ANY_DEVICE,
    HostSide,
    LanHostMachine,
    NodeMachine,
    Spot,
    require_distinct,
)

LAN, LAN_HOST = "lan", "lan-host"
POD = "pod/"


def capture(
    lab: Lab,
    where: Sequence[str],
    take: Callable[[Seen], None],
    *,
    packet_filter: str = "",
    seconds: float | None = None,
) -> tuple[Ended, ...]:
    """Capture at all these places at once, and hand each frame to `take`; returns what was counted.

    `where`: NODE, NODE:DEVICE, pod/NAMESPACE/NAME, lan, lan-host or the name of a network. It ends after
    `seconds`, at Ctrl-C, or when `take` raises BrokenPipeError: nobody reads any more. Raises WrongUseError
    for a place or filter that does not exist, LabError when a capture cannot begin or breaks off.
    """
    lab.require_awake()
    spots = [spot_of(lab, each) for each in where]
    require_distinct(spots)
    wanted = f" and ({packet_filter})" if packet_filter else ""
    with Captures(spots, without_captures(lab) + wanted) as captures:
        lab.progress.note(f"capturing on {', '.join(map(str, spots))}; Ctrl-C ends it")
        timer = threading.Timer(seconds, captures.stop) if seconds is not None else None
        if timer is not None:
            timer.start()
        try:
            _drain(captures, take)
        finally:
            if timer is not None:
                timer.cancel()
        return captures.ended()


def without_captures(lab: Lab) -> str:
    """A filter that leaves out the ssh connections by which captures come from the nodes.

    Each captured frame would otherwise make new ones.
    """
    return f"not (tcp port 22 and net {lab.plan.uplink.cidr})"


def _drain(captures: Captures, take: Callable[[Seen], None]) -> None:
    """All frames up to the end; Ctrl-C is one."""
    frames = captures.frames()
    try:
        for seen in frames:
            take(seen)
    except BrokenPipeError:
        captures.stop()
        for _ in captures.frames():
            pass
    except KeyboardInterrupt:
        captures.stop()
        for seen in captures.frames():
            take(seen)


def spot_of(lab: Lab, where: str) -> Spot:
    """The place that a user names. Raises WrongUseError when there is none of that name."""
    if where.startswith(POD):
        return pod_spot(lab, where.removeprefix(POD))
    name, _, device = where.partition(":")
    if name in [node.name for node in lab.plan.nodes]:
        return Spot(name, NodeMachine(name, lab.folder.ssh_config), device or ANY_DEVICE)
    if name == LAN_HOST and lab.lan_host is not None:
        return Spot(LAN_HOST, LanHostMachine(lab.lan_host), device or ANY_DEVICE)
    networks = {network.name: network for network in lab.plan.networks}
    if lab.plan.underlay is not None:
        networks.setdefault(LAN, lab.plan.underlay)
    if where in networks:
        return Spot(where, HostSide(lab.site), networks[where].bridge)
    known = [*(node.name for node in lab.plan.nodes), *networks]
    known += [LAN_HOST] if lab.lan_host is not None else []
    near = difflib.get_close_matches(name, known, n=1)
    raise WrongUseError(
        f"there is no {where} to capture on",
        details=f"did you mean {near[0]}?" if near else None,
        resolution=f"use one of: {', '.join(known)}; NODE:DEVICE; pod/NAMESPACE/NAME",
    )


def pod_spot(lab: Lab, pod: str) -> Spot:
    """The network of the pod NAMESPACE/NAME; that of its node where it has none of its own.

    Raises WrongUseError when there is no such pod, or it has no node.
    """
    namespace, _, name = pod.rpartition("/")
    namespace = namespace or "default"
    try:
        found = lab.api.read(f"/api/v1/namespaces/{namespace}/pods/{name}")
    except ApiError as error:
        if error.status != 404:
            raise
        raise WrongUseError(
            f"there is no pod {namespace}/{name}", resolution="see `lab kubectl get pods -A`"
        ) from error
    node = str(found["spec"].get("nodeName", ""))
    if not node:
        raise WrongUseError(
            f"the pod {namespace}/{name} runs on no node yet",
            resolution=f"see `lab kubectl describe pod -n {namespace} {name}`",
        )
    machine = NodeMachine(node, lab.folder.ssh_config)
    if found["spec"].get("hostNetwork"):
        return Spot(node, machine)
    return Spot(f"{namespace}/{name}", machine, pod_uid=str(found["metadata"]["uid"]))
