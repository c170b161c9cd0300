"""The processor time that an idle lab takes: of each machine from the host, of each process in its node."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from lab.foundation.wait import Deadline, NotYetError, wait_for
from lab.host.enclosure import Enclosure
from lab.machines.libvirt_api import Libvirt
from lab.state.records import lab_folder
from scripts.benchmarks.runs import Program, Run

MINUTE = 60.0
WINDOW = 20.0
"""Seconds over which machines are watched while they come to rest."""
AT_REST = 0.1
"""Two windows that differ by less than this share are alike."""
REST_LIMIT = 900.0
LEAST = 0.3
"""Seconds of a minute, half a percent of a processor: a process that takes less is not told."""

_STATISTICS = "getconf CLK_TCK; cat /proc/[0-9]*/stat 2>/dev/null || true"

Seconds = Mapping[str, float]


@dataclass(frozen=True)
class Moment:
    """What machines and their processes have used until now: seconds of processor time by name."""

    machines: Seconds
    processes: Seconds


def measure_idle(program: Program, name: str) -> Run:
    """CPU seconds in a minute once the lab has come to rest: all its machines, each, and their processes.

    Processes are told as `NODE: NAME`, in the processor time of their node, which is the host's too when a
    guest is emulated. Raises TimedOutError when the machines do not come to rest.
    """
    nodes = [node["name"] for node in json.loads(program.lab("status", "--name", name, "--json"))["nodes"]]

    def moment() -> Moment:
        return Moment(libvirt.processor_seconds(), _processes(program, name, nodes))

    with Libvirt(Enclosure(lab_folder(name)).libvirt_uri) as libvirt:
        _come_to_rest(libvirt.processor_seconds)
        began, before = time.monotonic(), moment()
        time.sleep(MINUTE)
        after, minutes = moment(), (time.monotonic() - began) / MINUTE
    machines = _rates(before.machines, after.machines, minutes)
    processes = _rates(before.processes, after.processes, minutes)
    told = {name: used for name, used in _most_first(processes).items() if used >= LEAST}
    return Run(sum(machines.values()), {**_most_first(machines), **told})


def read_statistics(text: str) -> Seconds:
    """Seconds of processor time by the name of the process; those of one name are added up.

    What programs took that a process started, and that have ended, is counted as its own. `text` is what
    getconf CLK_TCK and then /proc/PID/stat of all processes say (proc(5): utime, stime, cutime and cstime).
    """
    ticks, *lines = text.splitlines()
    used: dict[str, float] = {}
    for line in lines:
        head, _, rest = line.rpartition(")")
        fields = rest.split()
        name = head.partition("(")[2]
        used[name] = used.get(name, 0.0) + sum(map(int, fields[11:15])) / int(ticks)
    return used


def _processes(program: Program, lab: str, nodes: Iterable[str]) -> Seconds:
    return {
        f"{node}: {name}": used
        for node in nodes
        for name, used in read_statistics(program.lab("ssh", "--name", lab, node, _STATISTICS)).items()
    }


def _come_to_rest(read: Callable[[], Seconds]) -> None:
    """Wait until the machines take as much in one window as in the one before."""
    windows: list[float] = []

    def like_the_last() -> None:
        before = read()
        time.sleep(WINDOW)
        windows.append(sum(_rates(before, read(), WINDOW / MINUTE).values()))
        if len(windows) < 2 or abs(windows[-1] - windows[-2]) > AT_REST * windows[-2]:
            raise NotYetError(f"{windows[-1] / MINUTE:.2f} processors of {os.cpu_count()} in use")

    wait_for(
        like_the_last,
        what="the machines to come to rest",
        deadline=Deadline(REST_LIMIT),
        interval=0.0,
        resolution="leave the host alone while it is measured",
    )


def _rates(before: Seconds, after: Seconds, minutes: float) -> Seconds:
    """Seconds in a minute; what began in between has used nothing before."""
    return {name: max(0.0, used - before.get(name, 0.0)) / minutes for name, used in after.items()}


def _most_first(used: Seconds) -> Seconds:
    return dict(sorted(used.items(), key=lambda item: item[1], reverse=True))
