"""Where packets can be seen: a network namespace of the lab, all its devices or one of them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lab.foundation.errors import WrongUseError
from lab.host.lan_host import LanHost
from lab.host.site import Site

ANY_DEVICE = "any"
"""tcpdump's name for all of them."""
HOST_SIDE = "lab-host"
"""The lab's network on the host, and the machine on which it is."""


class Machine(Protocol):
    """Runs shell text as root where a network namespace can be entered."""

    @property
    def name(self) -> str:
        """Machines of the same name have the same clock and kernel."""
        ...

    def command(self, script: str) -> list[str]:
        """The words that run bash with this text, its standard streams connected to theirs."""
        ...


@dataclass(frozen=True)
class NodeMachine:
    """A node, by its name in an OpenSSH client configuration."""

    name: str
    ssh_config: Path

    def command(self, script: str) -> list[str]:
        words = ["ssh", "-F", str(self.ssh_config), "-o", "BatchMode=yes", "-o", "ConnectTimeout=30"]
        return [*words, self.name, f"exec bash -c {shlex.quote(script)}"]


@dataclass(frozen=True)
class HostSide:
    """The lab's network on the host side, where the bridges and the machines' TAP devices are."""

    site: Site
    name: str = HOST_SIDE

    def command(self, script: str) -> list[str]:
        return self.site.network_command(["bash", "-c", script])


@dataclass(frozen=True)
class LanHostMachine:
    lan_host: LanHost
    name: str = HOST_SIDE

    def command(self, script: str) -> list[str]:
        return self.lan_host.command(["bash", "-c", script])


@dataclass(frozen=True)
class Spot:
    """One or all devices of a network namespace."""

    name: str
    """Of the namespace: `k8s-node1`, `default/web-0`, `lan-host`, or of a network: `underlay`."""
    machine: Machine
    device: str = ANY_DEVICE
    pod_uid: str | None = None
    """Of the pod on that machine whose namespace it is; None for the machine's own."""

    def __str__(self) -> str:
        return self.name if self.device == ANY_DEVICE else f"{self.name}:{self.device}"

    @property
    def enter(self) -> str:
        """Shell text that sets `enter`, an array of words that run a program in the namespace.

        It ends the shell when the pod has no process on the machine.
        """
        if self.pod_uid is None:
            return "enter=()\n"
        return _ENTER_POD.format(
            pattern=shlex.quote(_control_group(self.pod_uid)), said=shlex.quote(f"{self.name}: {NO_PROCESS}")
        )


NO_PROCESS = "no process of the pod runs on its node"

# A container's control group bears its pod's uid, with "_" for "-" where systemd makes it.
_ENTER_POD = """\
pid=$(grep -lsE {pattern} /proc/[0-9]*/cgroup | head -n 1)
[ -n "$pid" ] || {{ echo {said} >&2; exit 1; }}
pid=${{pid#/proc/}} pid=${{pid%/cgroup}}
enter=(nsenter --target "$pid" --net --)
"""


def _control_group(uid: str) -> str:
    return f"pod({uid}|{uid.replace('-', '_')})"


def require_distinct(spots: Sequence[Spot]) -> None:
    """Raises WrongUseError when two are the same."""
    seen = set[tuple[str, str]]()
    for spot in spots:
        if (spot.name, spot.device) in seen:
            raise WrongUseError(f"{spot} is named twice", resolution="name each place once")
        seen.add((spot.name, spot.device))
