"""Benchmarks of whole commands: figures with their spread and ratios, as a table or as JSON for programs."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

NAME = "bench"
OTHER_MODE = "flannel-vxlan"


@dataclass(frozen=True)
class Run:
    """One command: its seconds as a whole, and of each step by name where it has steps."""

    seconds: float
    steps: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Machine:
    processor: str
    cores: int
    memory_gib: float


class Bench:
    """Measures commands on one lab. Each measurement brings the lab where it has to begin, uncounted."""

    def __init__(self, topology: str, mode: str) -> None:
        self._topology = topology
        self._mode = mode
        self._is_up = False

    def up_cold(self) -> Run:
        """From no lab to Ready, software and box in the cache, the lab itself not."""
        self.take_down()
        return self._up("--cold")

    def up_warm(self) -> Run:
        """From no lab to Ready, with the lab in the cache."""
        self._ensure_up()
        self.take_down()
        return self._up()

    def rebuild(self) -> Run:
        """Back to the clean cluster in its mode."""
        self._ensure_up()
        return _timed("rebuild", "--name", NAME)

    def mode_switch(self) -> Run:
        """Into a mode that the lab has been in before."""
        self._ensure_up()
        _timed("rebuild", "--name", NAME, "--mode", OTHER_MODE)
        return _timed("rebuild", "--name", NAME, "--mode", self._mode)

    def suite(self) -> Run:
        """The acceptance suite of the mode."""
        self._ensure_up()
        return _timed("test", "--name", NAME, "--", "-q")

    def down(self) -> Run:
        """From Ready to nothing left."""
        self._ensure_up()
        return self.take_down()

    def take_down(self) -> Run:
        self._is_up = False
        return _timed("down", "--name", NAME) if self._exists() else Run(0.0)

    def _up(self, *words: str) -> Run:
        started = time.monotonic()
        printed = _lab(
            *("up", "--topology", self._topology, "--mode", self._mode, "--name", NAME, "--json"), *words
        )
        seconds = time.monotonic() - started
        self._is_up = True
        steps = {step["name"]: step["seconds"] for step in json.loads(printed)["steps"]}
        return Run(seconds, steps)

    def _ensure_up(self) -> None:
        if not self._is_up:
            self._up()

    def _exists(self) -> bool:
        return any(lab["name"] == NAME for lab in json.loads(_lab("list", "--json")))


MEASUREMENTS: dict[str, Callable[[Bench], Run]] = {
    "up-cold": Bench.up_cold,
    "rebuild": Bench.rebuild,
    "mode-switch": Bench.mode_switch,
    "suite": Bench.suite,
    "down": Bench.down,
    "up-warm": Bench.up_warm,
}
"""In an order in which each begins where the one before ended."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument(
        "what",
        nargs="*",
        type=lambda word: "up-cold" if word == "up" else word,
        choices=[*MEASUREMENTS, []],
        metavar="COMMAND",
        help=f"default: all of {', '.join(MEASUREMENTS)}; up is up-cold",
    )
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--topology", default="underlay-3node")
    parser.add_argument("--mode", default="macvlan")
    parser.add_argument("--json", action="store_true", dest="as_json")
    arguments = parser.parse_args()
    wanted = [name for name in MEASUREMENTS if name in (arguments.what or MEASUREMENTS)]
    _lab("box", "build")
    runs = _measure(Bench(arguments.topology, arguments.mode), wanted, arguments.runs)
    if arguments.as_json:
        figures = {name: [asdict(run) for run in found] for name, found in runs.items()}
        sys.stdout.write(json.dumps({"machine": asdict(_machine()), "runs": figures}, indent=2) + "\n")
    else:
        _show(runs)


def _measure(bench: Bench, wanted: Sequence[str], count: int) -> dict[str, list[Run]]:
    runs: dict[str, list[Run]] = {name: [] for name in wanted}
    try:
        for _ in range(count):
            for name in wanted:
                runs[name].append(MEASUREMENTS[name](bench))
    finally:
        bench.take_down()
    return runs


def _timed(*words: str) -> Run:
    started = time.monotonic()
    _lab(*words)
    return Run(time.monotonic() - started)


def _lab(*words: str) -> str:
    return subprocess.run(["lab", *words], check=True, stdout=subprocess.PIPE, text=True).stdout


def _machine() -> Machine:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line for line in lines if line.startswith("model name")]
    processor = models[0].partition(": ")[2] if models else platform.processor()
    return Machine(processor, os.cpu_count() or 1, round(memory, 1))


def _show(runs: dict[str, list[Run]]) -> None:
    machine = _machine()
    out = sys.stdout
    out.write(f"{machine.processor}, {machine.cores} cores, {machine.memory_gib} GiB\n")
    cold = statistics.median(run.seconds for run in runs["up-cold"]) if "up-cold" in runs else None
    out.write(f"{'command':44} {'runs':>4} {'median s':>9} {'min':>7} {'max':>7} {'up-cold is':>12}\n")
    for name, found in runs.items():
        whole = [run.seconds for run in found]
        median = statistics.median(whole)
        ratio = f"{cold / median:.1f} times" if cold else ""
        out.write(f"{name:44} {len(found):4} {median:9.1f} {min(whole):7.1f} {max(whole):7.1f} {ratio:>12}\n")
    for name, found in runs.items():
        if any(run.steps for run in found):
            _show_steps(name, found)


def _show_steps(name: str, runs: list[Run]) -> None:
    out = sys.stdout
    total = statistics.median(run.seconds for run in runs)
    out.write(f"\n{'steps of ' + name:44} {'':>4} {'median s':>9} {'min':>7} {'max':>7} {'share':>12}\n")
    for step in dict.fromkeys(step for run in runs for step in run.steps):
        times = [run.steps[step] for run in runs if step in run.steps]
        median = statistics.median(times)
        share = median / total
        out.write(f"{step:44} {'':4} {median:9.1f} {min(times):7.1f} {max(times):7.1f} {share:12.1%}\n")


if __name__ == "__main__":
    main()
