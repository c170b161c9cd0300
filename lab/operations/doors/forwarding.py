"""Forwards: ports of the host that lead into a lab, in this process or in the background."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from lab.doors.listening import ANY_PORT, PortTakenError, listen
from lab.doors.places import Ways
from lab.doors.record import Forward, end_forwards, running_forwards
from lab.doors.relay import relay
from lab.doors.spec import LOOPBACKS, ForwardSpec, authority
from lab.foundation.errors import LabError, WrongUseError
from lab.foundation.paths import LabFolder
from lab.foundation.wait import Deadline, NotYetError, wait_for
from lab.host.daemon import last_words, start_daemon
from lab.host.process_identity import ProcessIdentity
from lab.machines.machines import MachineState
from lab.operations.context import Lab
from lab.operations.doors.forward_targets import Destination, Target, target_named
from lab.state.records import existing_labs, now

FORWARDER = "lab.operations.doors.forwarder"
LOG = "forward.log"
START_LIMIT = 60.0


@dataclass(frozen=True)
class OpenPort:
    """Listening sockets at one port, and whom the user wants behind them."""

    doors: tuple[socket.socket, ...]
    target: str

    @property
    def listens(self) -> tuple[str, ...]:
        """`ADDRESS:PORT`, one for each address."""
        return tuple(authority(address, self.number) for address in self.addresses)

    @property
    def addresses(self) -> tuple[str, ...]:
        return tuple(door.getsockname()[0] for door in self.doors)

    @property
    def number(self) -> int:
        return int(self.doors[0].getsockname()[1])

    def close(self) -> None:
        for door in self.doors:
            door.close()


def open_ports(specs: Sequence[ForwardSpec], stack: ExitStack) -> tuple[OpenPort, ...]:
    """Listen at all of them, until the stack is closed.

    Nothing else is looked at. Raises LabError that tells of all ports that are taken, and by whom.
    """
    ports, taken = [], []
    for spec in specs:
        try:
            port = OpenPort(listen(spec), spec.target)
        except PortTakenError as error:
            taken.append(error)
        else:
            stack.callback(port.close)
            ports.append(port)
    if taken:
        raise LabError(
            "; ".join(error.brief for error in taken),
            details="\n".join(filter(None, map(_who_holds, taken))) or None,
            resolution="; ".join(dict.fromkeys(map(_how_to_free, taken))),
        )
    return tuple(ports)


def targets_of(lab: Lab, names: Sequence[str]) -> tuple[Target, ...]:
    """Whom the names mean.

    Raises LabError when not all machines of the lab run, or for one that is nowhere.
    """
    _require_open(lab)
    targets = tuple(target_named(lab, name) for name in names)
    for target in targets:
        target.where()
    return targets


def serve(
    lab: Lab,
    ports: Sequence[OpenPort],
    targets: Sequence[Target],
    *,
    background: bool,
    tell: Callable[[str], None],
) -> None:
    """Forward in this process, on record, until the record is removed, as it is with the lab's folder."""
    addresses = {node.name: str(node.nic_on(lab.plan.uplink.name).primary.ip) for node in lab.plan.nodes}
    ways = Ways(lab.site, addresses, lab.key_files)
    process = ProcessIdentity.of(os.getpid())
    assert process is not None
    forwards, reaches = [], {}
    for port, target in zip(ports, targets, strict=True):
        forwards.append(Forward(port.listens, port.number, str(target), background, now(), process))
        reaches.update(dict.fromkeys(port.doors, Destination(target, ways).connect))
    try:
        for forward in forwards:
            forward.write(lab.folder)
        relay(reaches, lambda: all(forward.recorded(lab.folder) for forward in forwards), tell)
    finally:
        for forward in forwards:
            forward.forget(lab.folder)


def serve_in_background(
    lab: Lab, ports: Sequence[OpenPort], targets: Sequence[Target]
) -> tuple[Forward, ...]:
    """A process for each port, which outlives this one. Returns once all serve.

    Raises LabError with what it said when one ended instead.
    """
    return tuple(_start(lab, port, target) for port, target in zip(ports, targets, strict=True))


def forwarded(lab: Lab, target: str, port: int = ANY_PORT) -> Forward:
    """What forwards a port of both loopbacks to that target: one that runs, else a new one in the background.

    A new one has that port, or another if it is taken. Raises LabError like `targets_of`.
    """
    (found,) = targets_of(lab, [target])
    for forward in running_forwards(lab.folder):
        at_loopback = forward.listens[0] == authority(LOOPBACKS[0], forward.port)
        if forward.background and at_loopback and forward.target == str(found):
            return forward
    with ExitStack() as stack:
        try:
            ports = open_ports([ForwardSpec(LOOPBACKS, port, target)], stack)
        except LabError:
            ports = open_ports([ForwardSpec(LOOPBACKS, ANY_PORT, target)], stack)
        (forward,) = serve_in_background(lab, ports, [found])
    return forward


def stop_forwards(folder: LabFolder, ports: Sequence[int]) -> tuple[Forward, ...]:
    """End the forwards of these ports, or all; those that were ended.

    A process that serves several ports ends as a whole. Raises WrongUseError for a port that is none's.
    """
    running = running_forwards(folder)
    unknown = [str(port) for port in ports if port not in {forward.port for forward in running}]
    if unknown:
        there = ", ".join(str(forward.port) for forward in running)
        raise WrongUseError(
            f"the lab {folder.name} forwards no port {', '.join(unknown)}",
            details=f"forwarded: {there}" if there else "it forwards none at all",
            resolution="`lab status` lists its forwards",
        )
    ending = {forward.process for forward in running if not ports or forward.port in ports}
    ended = tuple(forward for forward in running if forward.process in ending)
    end_forwards(folder, ended)
    return ended


def _require_open(lab: Lab) -> None:
    resting = [
        f"{name} ({state.value})"
        for name, state in lab.require_awake().items()
        if state is not MachineState.RUNNING
    ]
    if resting:
        raise LabError(
            f"not all machines of the lab {lab.folder.name} run: {', '.join(resting)}",
            resolution=f"lab up --topology {lab.plan.topology} --name {lab.folder.name}",
        )


def _start(lab: Lab, port: OpenPort, target: Target) -> Forward:
    files = [door.fileno() for door in port.doors]
    log = lab.folder.logs / LOG
    child = start_daemon(
        [sys.executable, "-m", FORWARDER, lab.folder.root, str(target), *map(str, files)], log, files=files
    )

    def serves() -> Forward:
        for forward in running_forwards(lab.folder):
            if forward.process.pid == child.pid:
                return forward
        if child.poll() is not None:
            raise LabError(
                f"what was to forward to {target} ended while it started",
                details=last_words(log),
                resolution="`lab logs lab` tells more",
            )
        raise NotYetError("its process does not serve yet")

    try:
        return wait_for(serves, what=f"forward to {target}", deadline=Deadline(START_LIMIT), interval=0.05)
    except BaseException:
        _end(child)
        raise


def _end(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait()


def _who_holds(taken: PortTakenError) -> str | None:
    if taken.holder is None:
        return None
    found = _forward_of(taken.holder.pid)
    if found is None:
        return taken.details
    folder, forward = found
    what = f"port {forward.port} to {forward.target} (process {forward.process.pid})"
    return f"the lab {folder.name} forwards {what}"


def _how_to_free(taken: PortTakenError) -> str:
    found = _forward_of(taken.holder.pid) if taken.holder is not None else None
    if found is None:
        return taken.resolution or ""
    folder, forward = found
    return f"lab forward --stop {forward.port} --name {folder.name}"


def _forward_of(pid: int) -> tuple[LabFolder, Forward] | None:
    for folder in existing_labs():
        for forward in running_forwards(folder):
            if forward.process.pid == pid:
                return folder, forward
    return None
