"""A day of course work: a lab comes up, goes back and goes down over and over, and is killed on its way.

LAB_CYCLES is how often (default 3), LAB_KILLS how many restores are ended by SIGKILL (default 3). What may
grow is looked at after each cycle: processes, mounts, devices, namespaces, memory, files outside the cache.
Started by `scripts/real-lab-test --endurance`, never by `scripts/test`.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from lab_under_test import TOPOLOGY, HostTrace, Lab

pytestmark = [pytest.mark.real_lab, pytest.mark.endurance]

CYCLES = int(os.environ.get("LAB_CYCLES", "3"))
KILLS = int(os.environ.get("LAB_KILLS", "3"))
SEED = int(os.environ.get("LAB_SEED", "1"))
MODE = "macvlan"
UP = ("up", "--topology", TOPOLOGY, "--mode", MODE)
MEMORY_SLACK = 200 * 2**20
"""Bytes that the kernel may use more or less between two moments."""
TEMPORARY = Path("/tmp")


@dataclass(frozen=True)
class Footprint:
    """What a lab that is gone must not leave more of."""

    trace: HostTrace
    memory: int
    """Bytes in use, without the page cache."""
    temporary: frozenset[str]
    cached: frozenset[str]
    """Files of labs in the cache."""

    @classmethod
    def now(cls) -> Footprint:
        return cls(HostTrace.now(), _memory_in_use(), frozenset(_temporary()), frozenset(_kept_labs()))

    def assert_as(self, before: Footprint) -> None:
        self.trace.assert_as(before.trace)
        assert self.memory - before.memory < MEMORY_SLACK
        assert self.temporary == before.temporary
        assert self.cached == before.cached


def _memory_in_use() -> int:
    """Anonymous memory and that of the kernel, https://docs.kernel.org/filesystems/proc.html#meminfo."""
    lines = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
    values = {name.rstrip(":"): int(value) * 1024 for name, value, *_ in lines}
    return values["AnonPages"] + values["SUnreclaim"] + values["Shmem"]


def _temporary() -> Iterator[str]:
    """Folders of programs that end with this test are its own."""
    return (path.name for path in TEMPORARY.iterdir() if not path.name.startswith("pytest-"))


def _kept_labs() -> Iterator[str]:
    cache = Path(os.environ.get("LAB_CACHE", Path.home() / ".cache" / "lab"))
    return (str(path.relative_to(cache)) for path in (cache / "labs").rglob("*"))


def assert_works(lab: Lab) -> None:
    """All nodes are Ready, and their clocks are right."""
    status = json.loads(lab("status", "--json"))
    assert {node["condition"] for node in status["nodes"]} == {"Ready"}
    for node in status["nodes"]:
        told = float(lab("exec", node["name"], "--", "date", "+%s.%N"))
        assert abs(told - time.time()) < 3


@pytest.fixture(scope="module")
def empty(lab: Lab, before: HostTrace) -> Footprint:
    """The host without the lab, which is in the cache."""
    lab(*UP)
    lab("down")
    return Footprint.now()


@pytest.mark.parametrize("cycle", range(CYCLES))
def test_a_cycle_leaves_nothing(lab: Lab, empty: Footprint, cycle: int) -> None:
    lab(*UP)
    lab("rebuild")
    assert_works(lab)
    lab("down")
    Footprint.now().assert_as(empty)


@pytest.mark.parametrize("kill", range(KILLS))
def test_a_restore_may_be_killed_at_any_moment(lab: Lab, empty: Footprint, kill: int) -> None:
    """Even ones are killed in `lab up` from the cache, odd ones in `lab rebuild`."""
    moments = random.Random(f"{SEED} {kill}")
    words = UP if kill % 2 == 0 else ("rebuild",)
    if kill % 2 == 1:
        lab(*UP)
    killed = subprocess.Popen(["lab", *words], stdout=subprocess.DEVNULL)
    seconds = moments.uniform(0.2, 10.0)
    try:
        killed.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        killed.kill()
    print(f"lab {words[0]} killed after {seconds:.1f} s: status {killed.wait()}")  # noqa: T201
    lab(*words)
    assert_works(lab)
    lab("down")
    Footprint.now().assert_as(empty)
