"""Benchmarks of whole commands, as figures with their shares: a table for people or JSON for programs."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

NAME = "bench"


@dataclass(frozen=True)
class Run:
    """One `lab up`: seconds of the whole command, and of each step by name."""

    seconds: float
    steps: dict[str, float]


@dataclass(frozen=True)
class Machine:
    processor: str
    cores: int
    memory_gib: float


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("what", choices=["up"], help="up: from no lab to Ready, box in the cache")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--topology", default="underlay-3node")
    parser.add_argument("--json", action="store_true", dest="as_json")
    arguments = parser.parse_args()
    _lab("box", "build")
    runs = [_measure_up(arguments.topology) for _ in range(arguments.runs)]
    if arguments.as_json:
        report = {"machine": asdict(_machine()), "runs": [asdict(run) for run in runs]}
        sys.stdout.write(json.dumps(report, indent=2) + "\n")
    else:
        _show(runs)


def _measure_up(topology: str) -> Run:
    started = time.monotonic()
    try:
        printed = _lab("up", "--topology", topology, "--name", NAME, "--json")
        seconds = time.monotonic() - started
    finally:
        _lab("down", "--name", NAME)
    steps = {step["name"]: step["seconds"] for step in json.loads(printed)["steps"]}
    return Run(seconds, steps)


def _lab(*words: str) -> str:
    return subprocess.run(["lab", *words], check=True, stdout=subprocess.PIPE, text=True).stdout


def _machine() -> Machine:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line for line in lines if line.startswith("model name")]
    processor = models[0].partition(": ")[2] if models else platform.processor()
    return Machine(processor, os.cpu_count() or 1, round(memory, 1))


def _show(runs: list[Run]) -> None:
    machine = _machine()
    out = sys.stdout
    out.write(f"{machine.processor}, {machine.cores} cores, {machine.memory_gib} GiB; {len(runs)} run(s)\n")
    out.write(f"{'step':44} {'median s':>9} {'min':>7} {'max':>7} {'share':>6}\n")
    total = statistics.median(run.seconds for run in runs)
    for name in runs[0].steps:
        times = [run.steps[name] for run in runs if name in run.steps]
        median = statistics.median(times)
        out.write(f"{name:44} {median:9.1f} {min(times):7.1f} {max(times):7.1f} {median / total:6.1%}\n")
    whole = [run.seconds for run in runs]
    out.write(f"{'all':44} {total:9.1f} {min(whole):7.1f} {max(whole):7.1f} {1:6.0%}\n")


if __name__ == "__main__":
    main()
