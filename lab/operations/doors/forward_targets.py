"""What a port is forwarded to: what a user names, and where in the lab it is at present."""

from __future__ import annotations

import difflib
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from ipaddress import AddressValueError, IPv4Address

from lab.cluster.api import ApiError
from lab.doors.places import Place, Ways
from lab.doors.streams import Stream
from lab.foundation.errors import WrongUseError
from lab.host.lan_host import HTTP_PORT
from lab.host.lan_host import NAME as LAN_HOST
from lab.operations.context import Lab
from lab.operations.named import SERVICE
from lab.operations.packets.cluster_places import place_at, place_of_pod, place_of_service, place_of_workload

API = "api"
POD = "pod/"
WORKLOADS = {
    **dict.fromkeys(("deploy/", "deployment/"), "deployments"),
    **dict.fromkeys(("sts/", "statefulset/"), "statefulsets"),
    **dict.fromkeys(("ds/", "daemonset/"), "daemonsets"),
}
"""Plural names in the API, of the prefixes by which workloads are named."""
_OBJECT = re.compile(r"[a-z0-9-]+/[a-z0-9.-]+")
"""NAMESPACE/NAME: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/."""
KNOWN_SECONDS = 5.0
"""How long a place is used without asking the API server again: an address may be given to another pod."""
RESOLUTION = (
    "use svc/[NAMESPACE/]NAME[:PORT], deploy/[NAMESPACE/]NAME[:PORT], pod/[NAMESPACE/]NAME[:PORT], "
    "NODE:PORT, ADDRESS:PORT of the lab, lan-host[:PORT] or api"
)


@dataclass(frozen=True)
class Target:
    """Who a forward is for."""

    name: str
    """As the user wrote it, with the namespace, and without the port."""
    port: str
    """A number, the name of a port, or "" for the usual one."""
    where: Callable[[], Place]
    """Where it is now, from the API server if that must be asked. Raises WrongUseError when it is nowhere."""

    def __str__(self) -> str:
        """As it may be written to `lab forward`."""
        return f"{self.name}:{self.port}" if self.port else self.name


@dataclass
class Destination:
    """A target, and where it was seen last. Safe to share between threads."""

    target: Target
    ways: Ways
    _seen: tuple[float, Place] | None = field(default=None, init=False)

    def connect(self) -> Stream:
        """A connection to where the target is. Raises OSError or LabError when there is none."""
        place = self._place(KNOWN_SECONDS)
        try:
            return self.ways.connect(place)
        except OSError:
            newer = self._place(0.0)
            if newer == place:
                raise
            return self.ways.connect(newer)

    def _place(self, age: float) -> Place:
        now = time.monotonic()
        if self._seen is not None and now - self._seen[0] < age:
            return self._seen[1]
        try:
            place = self.target.where()
        except ApiError as error:
            if error.status is not None or self._seen is None:
                raise
            # Without the API server, pods and Services are still where they were.
            return self._seen[1]
        self._seen = now, place
        return place


def target_named(lab: Lab, text: str) -> Target:
    """Whom the user means; the API server is not asked yet. Raises WrongUseError when it can be nobody."""
    name, _, port = text.partition(":")
    if port.isdecimal() and not 0 < int(port) < 2**16:
        raise WrongUseError(f"{text}: there is no port {port}", resolution=RESOLUTION)
    found = _machine(lab, text) or _in_cluster(lab, text)
    if found is None:
        near = difflib.get_close_matches(name, [*_machines(lab), API], n=1)
        raise WrongUseError(
            f"there is no {text} in the lab",
            details=f"did you mean {near[0]}?" if near else None,
            resolution=RESOLUTION,
        )
    return found


def _machines(lab: Lab) -> Mapping[str, str]:
    """Addresses by name."""
    nodes = {node.name: str(node.internal_address) for node in lab.plan.nodes}
    lan_host = lab.lan_host
    return nodes if lan_host is None else {**nodes, LAN_HOST: str(lan_host.address)}


def _machine(lab: Lab, text: str) -> Target | None:
    """The API server, a node, the LAN host or an address."""
    name, _, port = text.partition(":")
    if text == API:
        api = lab.plan.kubernetes.api
        return Target(API, "", lambda: Place(str(api.address), api.port, direct=True))
    machine = _machines(lab).get(name)
    if machine is None and not _is_address(name):
        return None
    if name == LAN_HOST:
        port = port or str(HTTP_PORT)
    if not port.isdecimal():
        raise WrongUseError(f"{text} has no port that is known", resolution=f"name one: {name}:PORT")
    place = place_at(lab, name, int(port)) if machine is None else Place(machine, int(port), direct=True)
    return Target(name, port, lambda: place)


def _in_cluster(lab: Lab, text: str) -> Target | None:
    """A Service, a workload or a pod."""
    written, _, port = text.partition(":")
    prefix = next((each for each in (SERVICE, POD, *WORKLOADS) if written.startswith(each)), "")
    name = written.removeprefix(prefix)
    full = name if "/" in name else f"default/{name}"
    if not _OBJECT.fullmatch(full) or not (prefix or "/" in written):
        return None
    if prefix == SERVICE:
        return Target(f"{prefix}{full}", port, partial(place_of_service, lab, full, port))
    if prefix in WORKLOADS:
        plural = WORKLOADS[prefix]
        return Target(f"{prefix}{full}", port, partial(place_of_workload, lab, plural, full, port))
    return Target(full, port, partial(place_of_pod, lab, full, port))


def _is_address(text: str) -> bool:
    try:
        IPv4Address(text)
    except AddressValueError:
        return False
    return True
