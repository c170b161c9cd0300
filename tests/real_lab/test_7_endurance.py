"""A day of course work: a lab comes up, goes back and goes down over and over, and is killed on its way.

LAB_CYCLES is how often (default 3), LAB_KILLS how many restores are ended by SIGKILL (default 3), LAB_SEED
chooses the moments. What may grow is looked at after each cycle: see footprint.py.
Started by `scripts/real-lab-test --endurance`, never by `scripts/test`.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.real_lab.footprint import MIB, Footprint, adopt_orphans, digests, kept_bytes, newest_kept
from tests.real_lab.killing import under_way
from tests.real_lab.lab_under_test import TOPOLOGY, HostTrace, Lab

pytestmark = [pytest.mark.real_lab, pytest.mark.endurance]

CYCLES = int(os.environ.get("LAB_CYCLES", "3"))
KILLS = int(os.environ.get("LAB_KILLS", "3"))
SEED = int(os.environ.get("LAB_SEED", "1"))
MODE = "macvlan"
UP = ("up", "--topology", TOPOLOGY, "--mode", MODE)
REBUILD = ("rebuild",)
CLOCK_SECONDS = 3.0
"""How far a node's clock may be from the host's, with the time that asking takes."""
ATTEMPTS = 10
"""How often a command may come to its end before the moment at which it was to be killed."""


@dataclass(frozen=True)
class Start:
    """The host without a lab, but with one in the cache, and how long commands take then."""

    kept_lab: Path
    empty: Footprint
    digests: dict[str, str]
    up_seconds: float
    rebuild_seconds: float

    def assert_all_is_as_it_was(self) -> None:
        now = Footprint.now(self.kept_lab)
        more, kept = (now.memory - self.empty.memory) / MIB, kept_bytes() / MIB
        print(f"{more:+.0f} MiB of memory, {kept:.0f} MiB of kept labs")  # noqa: T201
        now.assert_as(self.empty)


@pytest.fixture(scope="module")
def times() -> Iterator[dict[str, list[float]]]:
    """Seconds of each command, by its name; shown at the end."""
    found: dict[str, list[float]] = defaultdict(list)
    yield found
    for name, all_of_it in found.items():
        middle = statistics.median(all_of_it)
        print(f"{name}: {len(all_of_it)} times, median {middle:.1f} s, ", end="")  # noqa: T201
        print(f"{min(all_of_it):.1f} to {max(all_of_it):.1f} s")  # noqa: T201


@pytest.fixture(scope="module", autouse=True)
def own_temporary_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    adopt_orphans()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(tmp_path_factory.mktemp("temporary")))
        yield


@pytest.fixture(scope="module")
def start(lab: Lab, before: HostTrace, own_temporary_files: None) -> Start:
    lab(*UP)
    lab("down")
    up_seconds = timed(lab, *UP)
    rebuild_seconds = timed(lab, *REBUILD)
    lab("down")
    kept_lab = newest_kept()
    return Start(kept_lab, Footprint.now(kept_lab), digests(kept_lab), up_seconds, rebuild_seconds)


def timed(lab: Lab, *words: str) -> float:
    began = time.monotonic()
    lab(*words)
    return time.monotonic() - began


def assert_works(lab: Lab) -> None:
    """All nodes are Ready, and their clocks are right."""
    nodes = json.loads(lab("status", "--json"))["nodes"]
    assert {node["condition"] for node in nodes} == {"Ready"}
    with ThreadPoolExecutor() as pool:
        for name, off in pool.map(lambda node: (node["name"], clock_error(lab, node["name"])), nodes):
            assert abs(off) < CLOCK_SECONDS, name


def clock_error(lab: Lab, node: str) -> float:
    """Seconds by which the node's clock is behind; some of them are those of asking."""
    told = float(lab("exec", node, "--", "date", "+%s.%N"))
    return time.time() - told


@pytest.mark.parametrize("cycle", range(CYCLES))
def test_a_cycle_leaves_nothing(lab: Lab, start: Start, times: dict[str, list[float]], cycle: int) -> None:
    times["up"].append(timed(lab, *UP))
    times["rebuild"].append(timed(lab, *REBUILD))
    assert_works(lab)
    times["down"].append(timed(lab, "down"))
    start.assert_all_is_as_it_was()


@pytest.mark.parametrize("kill", range(KILLS))
def test_a_restore_may_be_killed_at_any_moment(lab: Lab, start: Start, kill: int, tmp_path: Path) -> None:
    """Even ones are killed in `lab up` from the cache, odd ones in `lab rebuild`; in which step is told."""
    log = tmp_path / "stderr"
    moments = random.Random(f"{SEED} {kill}")
    words: tuple[str, ...]
    if kill % 2 == 0:
        words, usual = UP, start.up_seconds
    else:
        words, usual = REBUILD, start.rebuild_seconds
        lab(*UP)
    for _ in range(ATTEMPTS):
        seconds = moments.uniform(0.1, usual)
        if killed_after(seconds, log, *words):
            break
        if words == UP:
            lab("down")
    else:
        pytest.fail(f"lab {words[0]} ended before it was killed, {ATTEMPTS} times")
    where = ", ".join(under_way(log)) or "between two steps"
    print(f"lab {words[0]} killed after {seconds:.1f} of about {usual:.1f} s: {where}")  # noqa: T201
    lab(*words)
    assert_works(lab)
    lab("down")
    start.assert_all_is_as_it_was()


def killed_after(seconds: float, log: Path, *words: str) -> bool:
    """Whether the command was still running after that time; then it was ended by SIGKILL.

    What it says on stderr goes to `log`.
    """
    with log.open("w") as stderr:
        command = subprocess.Popen(["lab", *words], stdout=subprocess.DEVNULL, stderr=stderr)
    try:
        command.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        command.kill()
        command.wait()
        return True
    assert command.returncode == 0, log.read_text()
    return False


def test_the_kept_lab_is_as_it_was(start: Start) -> None:
    assert digests(start.kept_lab) == start.digests
