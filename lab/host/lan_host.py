"""Third parties on the underlay network, each in a network namespace of its own.

The LAN host is one that every lab has: it is neither node nor gateway, so what it reaches and what reaches it
is what any machine of that LAN sees.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path

from lab.foundation.errors import LabError
from lab.foundation.process import run
from lab.foundation.wait import Deadline, NotYetError, wait_for
from lab.host.daemon import start_daemon
from lab.host.process_identity import ProcessIdentity
from lab.host.site import Site
from lab.topology.plan import NetworkPlan, Plan

NAME = "lan-host"
HTTP_PORT = 8080
UDP_PORT = 8081
START_LIMIT = 20.0
STOP_LIMIT = 10.0
DEVICE = "eth0"
# Records this process's number on the host, whose /proc is mounted here, then becomes what it is to run.
RECORD_AND_EXEC = 'read -r pid rest < /proc/self/stat; echo "$pid" > "$0"; hostname "$1"; shift; exec "$@"'


class LanMember:
    """A machine of a lab's underlay that is no node; it ends with the lab's enclosure."""

    def __init__(self, site: Site, underlay: NetworkPlan, name: str, address: IPv4Interface) -> None:
        """`name`, at most 15 characters, is its host name and its veth's on the lab's side."""
        self._site = site
        self._underlay = underlay
        self._name = name
        self._address = address
        self._record = site.layout.lan_member_record(name)
        self._log = site.layout.lan_member_log(name)

    @property
    def address(self) -> IPv4Address:
        return self._address.ip

    @property
    def running(self) -> bool:
        return self._identity() is not None

    @property
    def pid(self) -> int | None:
        """A process in its namespaces, by the host's number; None when it does not run."""
        identity = self._identity()
        return identity.pid if identity is not None else None

    def run(self, program: Sequence[str]) -> None:
        """Start it, with that program, on the underlay's bridge, which must be there.

        Nothing to do when it runs.
        """
        if self.running:
            return
        self._end_unfinished()
        identity = self._hold_namespaces(program)
        self._connect(identity.pid)
        # Recorded last: what has a record is whole.
        identity.write(self._record)
        self._pid_file.unlink()

    def stop(self) -> None:
        """End it and wait until it has ended; harmless when it does not run."""
        self._end_unfinished()
        identity = self._identity()
        if identity is not None:
            os.kill(identity.pid, signal.SIGKILL)
            wait_for(
                lambda: _check_ended(identity),
                what=f"end of {self._name}",
                deadline=Deadline(STOP_LIMIT),
                interval=0.05,
            )
        self._record.unlink(missing_ok=True)

    def command(self, words: Sequence[str]) -> list[str]:
        """`words`, to be run as on that machine. Raises LabError when it does not run."""
        if self.pid is None:
            raise LabError(f"{self._name} is not running", resolution="run `lab up`")
        return _inside(self.pid, words)

    @property
    def _pid_file(self) -> Path:
        """Where the process that holds the namespaces reports its number while all is being set up."""
        return self._record.with_suffix(".started")

    def _identity(self) -> ProcessIdentity | None:
        identity = ProcessIdentity.read(self._record)
        return identity if identity is not None and identity.alive else None

    def _end_unfinished(self) -> None:
        """End what an interrupted start left; its number counts only if it lives in this lab."""
        left = _reported(self._pid_file)
        init_pid = self._site.init_pid
        init = ProcessIdentity.of(init_pid) if init_pid is not None else None
        if left is not None and init is not None and left.namespace("pid") == init.namespace("pid"):
            os.kill(left.pid, signal.SIGKILL)
        self._pid_file.unlink(missing_ok=True)

    def _hold_namespaces(self, program: Sequence[str]) -> ProcessIdentity:
        start_daemon(
            self._site.hosted_command(
                [
                    # --fork hands the process over to the enclosure's init.
                    *("setsid", "--fork", "unshare", "--net", "--uts", "--"),
                    *("sh", "-c", RECORD_AND_EXEC, str(self._pid_file), self._name, *program),
                ]
            ),
            self._log,
        )
        return wait_for(
            lambda: _started(self._pid_file),
            what=f"start of {self._name}",
            deadline=Deadline(START_LIMIT),
            interval=0.05,
            resolution=f"read {self._log}",
        )

    def _connect(self, pid: int) -> None:
        mtu = str(self._underlay.mtu)
        for words in (
            # The veth of an earlier one may not be gone yet, and its name with it.
            ["sh", "-c", f"ip link delete {self._name} 2>/dev/null || true"],
            [
                *("ip", "link", "add", self._name, "mtu", mtu, "type", "veth"),
                *("peer", "name", DEVICE, "mtu", mtu, "netns", str(pid)),
            ],
            ["ip", "link", "set", self._name, "master", self._underlay.bridge, "up"],
        ):
            run(self._site.network_command(words))
        for words in (
            ["ip", "link", "set", "lo", "up"],
            ["ip", "address", "add", str(self._address), "dev", DEVICE],
            ["ip", "link", "set", DEVICE, "up"],
            ["ip", "route", "replace", "default", "via", str(self._underlay.host_address.ip)],
        ):
            run(_inside(pid, words))


class LanHost(LanMember):
    """The LAN host of one lab."""

    def __init__(self, site: Site, plan: Plan) -> None:
        """Raises LabError when the plan has no underlay with a LAN host."""
        underlay = plan.underlay
        if underlay is None or underlay.lan_host is None:
            raise LabError(
                f"the topology {plan.topology} has no LAN host",
                resolution="give its underlay network a `lan_host` address",
            )
        super().__init__(site, underlay, NAME, underlay.lan_host)

    def start(self, agnhost: Path | None = None) -> None:
        """Start the LAN host on the underlay's bridge, which must be there; nothing to do when it runs.

        With `agnhost`, the Kubernetes project's test server, it serves HTTP on port 8080 and UDP on 8081.
        """
        if self.running:
            return
        if agnhost is None:
            self.run(("sleep", "infinity"))
            return
        if shutil.which(agnhost) is None:
            raise LabError(f"{agnhost} is not a program", resolution="run `lab supply fetch`")
        self.run((str(agnhost), "netexec", f"--http-port={HTTP_PORT}", f"--udp-port={UDP_PORT}"))


def _inside(pid: int, words: Sequence[str]) -> list[str]:
    return ["nsenter", "--target", str(pid), "--net", "--uts", "--", *words]


def _reported(pid_file: Path) -> ProcessIdentity | None:
    try:
        return ProcessIdentity.of(int(pid_file.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError):
        return None


def _started(pid_file: Path) -> ProcessIdentity:
    identity = _reported(pid_file)
    if identity is None:
        raise NotYetError("its process has not reported")
    return identity


def _check_ended(identity: ProcessIdentity) -> None:
    if identity.alive:
        raise NotYetError(f"process {identity.pid} is still there")
