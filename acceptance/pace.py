"""How fast the machines and the API server of a cluster work, measured: limits follow it.

A lab without KVM on a busy computer works at a fraction of its usual speed. What takes longer there is no
fault of the network; and below some speed nothing can be said of the network at all.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from acceptance.api_answers import API_ERRORS, api_reason
from acceptance.cluster import Api
from acceptance.problems import Problem, SuiteError
from acceptance.shell import Shell

ROUNDS = 20000
WORK = f"""
began=${{EPOCHREALTIME//[.,]/}}
for ((round = 0; round < {ROUNDS}; round++)); do :; done
echo $(( ${{EPOCHREALTIME//[.,]/}} - began ))
"""
"""Prints the microseconds of an empty loop in bash; the clock of a virtual machine goes on while it waits."""

WORK_LIMIT = 120.0
USUAL_WORK = 2.0
"""Seconds of the loop on three nodes at once, without KVM, on two processors: measured in hybridnet."""
USUAL_READ = 0.5
"""Seconds of one read of the API server from etcd there: measured, 0.3 to 1.1."""
READS = 3
READ_LIMIT = 65.0
STARVED = 8.0
"""How many times slower than usual nothing is judged any more."""
MOST = 10.0
"""Limits are stretched to this many times their length at most."""


@dataclass(frozen=True)
class HostLoad:
    """What this machine, on which the suite runs, says of itself."""

    load: float
    """Processes that run or wait to run, over the last minute."""
    processors: int
    stolen: float
    """The share of its processors' time that went to other virtual machines, 0 to 1."""

    def __str__(self) -> str:
        return f"load {self.load:.1f} on {self.processors} processors, {self.stolen:.0%} stolen"


@dataclass(frozen=True)
class Pace:
    """One measurement."""

    work: Mapping[str, float | Problem]
    """Seconds of the loop, by node."""
    read: float | Problem
    """Seconds of a read from etcd by way of the API server, the middle one of several."""
    host: HostLoad

    @property
    def ratio(self) -> float:
        """How many times slower than usual; what could not be measured does not count."""
        seen = [seconds / USUAL_WORK for seconds in self.work.values() if isinstance(seconds, float)]
        if isinstance(self.read, float):
            seen.append(self.read / USUAL_READ)
        return max(seen, default=1.0)

    def stretch(self, seconds: float) -> float:
        """A limit of the usual speed, at this one."""
        return seconds * min(max(self.ratio, 1.0), MOST)

    @property
    def starved(self) -> bool:
        return self.ratio >= STARVED

    def __str__(self) -> str:
        read = self.read if isinstance(self.read, Problem) else f"{self.read:.2f} s"
        loops = ", ".join(
            f"{node} {seconds if isinstance(seconds, Problem) else f'{seconds:.2f} s'}"
            for node, seconds in self.work.items()
        )
        return (
            f"{self.ratio:.1f} times slower than usual: the API server reads from etcd in {read}"
            f" (usual {USUAL_READ} s), a loop of {ROUNDS} rounds takes {loops} (usual {USUAL_WORK} s);"
            f" the suite's own machine: {self.host}"
        )


def measure(shells: Sequence[Shell], api: Api | None) -> Pace:
    """Let all nodes work and the API server read at once. Never raises for what does not answer."""
    before = _ticks()
    with ThreadPoolExecutor(max_workers=len(shells) + 1) as pool:
        working = {shell.name: pool.submit(_work, shell) for shell in shells}
        reading = pool.submit(_read, api)
        work = {name: future.result() for name, future in working.items()}
        read = reading.result()
    return Pace(work, read, _host_load(before, _ticks()))


def _work(shell: Shell) -> float | Problem:
    try:
        return int(shell.bash(WORK, WORK_LIMIT)) / 1e6
    except SuiteError as error:
        return Problem(str(error))


def _read(api: Api | None) -> float | Problem:
    if api is None:
        return Problem("there is no connection to the API server")
    seconds: list[float] = []
    for _ in range(READS):
        started = time.monotonic()
        try:
            api.read_from_etcd(READ_LIMIT)
        except API_ERRORS as error:
            return Problem(api_reason(error))
        seconds.append(time.monotonic() - started)
    return sorted(seconds)[READS // 2]


@dataclass(frozen=True)
class _Ticks:
    """Processor time since this machine booted, in clock ticks: https://man7.org/linux/man-pages/man5/proc_stat.5.html."""

    all: int
    stolen: int


def _ticks() -> _Ticks:
    fields = [
        int(field) for field in Path("/proc/stat").read_text(encoding="utf-8").split("\n", 1)[0].split()[1:]
    ]
    return _Ticks(sum(fields[:8]), fields[7])


def _host_load(before: _Ticks, after: _Ticks) -> HostLoad:
    passed = after.all - before.all
    stolen = (after.stolen - before.stolen) / passed if passed else 0.0
    return HostLoad(os.getloadavg()[0], os.cpu_count() or 1, stolen)
