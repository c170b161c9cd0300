"""scripts/bench: which measurements, how often, in which modes, and in which form."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime

from lab.foundation.errors import LabError
from lab.topology.loader import find_topology, load_topology
from lab.topology.planner import make_plan
from scripts.benchmarks.against import program_of
from scripts.benchmarks.commands import MEASUREMENTS, Commands
from scripts.benchmarks.figures import SPREAD_RUNS, Record, save_record
from scripts.benchmarks.machine import Machine
from scripts.benchmarks.page import COMMANDS, PAGE, SIZES, page_of
from scripts.benchmarks.report import Results, as_json, as_text
from scripts.benchmarks.runs import Program, Run
from scripts.benchmarks.scale import COUNTS, measure_scale

SCALE = "scale"
LONG = ("by-hand", SCALE)
KNOWN = (*MEASUREMENTS, SCALE)
ONLY_WHEN_NAMED = (*LONG, "image", "image-by-hand")
TOPOLOGY = "underlay-3node"

Runs = dict[tuple[str, str], list[Run]]
"""By mode and measurement."""


@dataclass(frozen=True)
class Wish:
    """A measurement, and how often; None is as often as the others."""

    name: str
    runs: int | None = None

    @classmethod
    def parse(cls, text: str) -> Wish:
        """NAME or NAME:RUNS. Raises ArgumentTypeError that says what is known."""
        name, _, runs = text.partition(":")
        if name not in KNOWN or (runs and not (runs.isdecimal() and int(runs))):
            raise argparse.ArgumentTypeError(
                f"{text} is not NAME or NAME:RUNS, NAME one of {', '.join(KNOWN)}"
            )
        return cls(name, int(runs) if runs else None)


@dataclass(frozen=True)
class Call:
    """What is measured: each measurement so often, in each of the modes."""

    counts: Mapping[str, int]
    topology: str
    modes: Sequence[str]
    nodes: Sequence[int]
    against: str | None = None
    """A commit that is measured too."""

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Call:
        wishes = arguments.what or [Wish(name) for name in KNOWN if name not in ONLY_WHEN_NAMED]
        counts = {wish.name: wish.runs or arguments.runs for wish in wishes}
        modes = arguments.modes or [mode_of(arguments.topology)]
        return cls(counts, arguments.topology, modes, arguments.nodes, arguments.against)

    def __str__(self) -> str:
        """The command line that says all of it."""
        words = [name if name == SCALE else f"{name}:{count}" for name, count in self.counts.items()]
        words += ["--topology", self.topology, "--modes", ",".join(self.modes)]
        if SCALE in self.counts:
            words += ["--nodes", ",".join(map(str, self.nodes))]
        if self.against is not None:
            words += ["--against", self.against]
        return " ".join(("scripts/bench", *words))


def main(words: Sequence[str] | None = None) -> int:
    parser = _parser()
    arguments = parser.parse_args(words)
    if arguments.form == "page":
        PAGE.write_text(page_of())
        return 0
    call = Call.of(arguments)
    if call.against is not None and (arguments.form == "write" or not call.counts.keys().isdisjoint(LONG)):
        parser.error(f"--against goes with neither --write nor {' nor '.join(LONG)}")
    Program().lab("box", "build")
    machine = Machine.this()
    results = measure(call)
    form = as_json if arguments.form == "json" else as_text
    sys.stdout.write(form(results, machine, str(call)))
    if arguments.form == "write" and not results.failed:
        write_records(call, machine, results)
    return 1 if results.failed else 0


def mode_of(topology: str) -> str:
    """The mode that the topology itself names. Raises WrongUseError for an unknown topology."""
    return str(make_plan(load_topology(find_topology(topology))).choice)


def write_records(call: Call, machine: Machine, results: Results) -> None:
    """Put the figures of this call in the place of those that the page had of their kind."""
    day = datetime.now(UTC).date().isoformat()
    for name, measured in ((COMMANDS, results.of_commands), (SIZES, results.of_sizes)):
        if measured:
            save_record(name, Record(str(call), day, machine, measured))
    PAGE.write_text(page_of())


def measure(call: Call) -> Results:
    """The runs of each measurement; one that fails is named, and the others go on."""
    runs: Runs = {}
    then: Runs = {}
    failed: list[str] = []
    with ExitStack() as stack:
        sides = [(runs, Program())]
        if call.against is not None:
            sides.append((then, stack.enter_context(program_of(call.against))))
        for mode in call.modes:
            labs = [(kept, Commands(call.topology, mode, program)) for kept, program in sides]
            try:
                for name in (name for name in MEASUREMENTS if name in call.counts):
                    _measure_command(name, mode, call.counts[name], labs, failed)
            finally:
                for _, lab in labs:
                    lab.end()
            if SCALE in call.counts:
                _measure_scale(call.nodes, mode, runs, failed)
    return Results(runs, failed, then, call.against)


def _measure_command(
    name: str, mode: str, count: int, labs: Sequence[tuple[Runs, Commands]], failed: list[str]
) -> None:
    """Of two programs in turn, so that both have the same share of a host whose speed changes."""
    try:
        for _ in range(count):
            for kept, lab in labs:
                run = MEASUREMENTS[name](lab)
                kept.setdefault((mode, name), []).append(run)
                if len(labs) > 1:
                    lab.end()
    except (subprocess.CalledProcessError, LabError) as error:
        failed.append(_failure(name, mode, error))


def _measure_scale(nodes: Sequence[int], mode: str, runs: Runs, failed: list[str]) -> None:
    try:
        for name, run in measure_scale(nodes, mode):
            runs.setdefault((mode, name), []).append(run)
    except subprocess.CalledProcessError as error:
        failed.append(_failure(SCALE, mode, error))


def _failure(name: str, mode: str, error: subprocess.CalledProcessError | LabError) -> str:
    sys.stderr.write(f"{name} in mode {mode} failed: {error}\n")
    return name


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measures whole commands of lab.")
    parser.add_argument(
        "what",
        nargs="*",
        type=Wish.parse,
        metavar="MEASUREMENT[:RUNS]",
        help=f"any of {', '.join(KNOWN)}, as in rebuild:7; default: all but {', '.join(ONLY_WHEN_NAMED)}",
    )
    parser.add_argument(
        "--runs",
        type=int,
        default=SPREAD_RUNS,
        help="of measurements that do not say it themselves (default: %(default)s); "
        "min and max are given from that number on",
    )
    parser.add_argument("--topology", default=TOPOLOGY)
    parser.add_argument("--modes", type=_names, help="as in macvlan,routed; default: the topology's own mode")
    parser.add_argument("--nodes", type=_numbers, default=COUNTS, help="of scale, as in 1,3,6")
    parser.add_argument(
        "--against",
        metavar="COMMIT",
        help="measure that commit too, in turn with this checkout, and print the ratios",
    )
    form = parser.add_mutually_exclusive_group()
    for name, what in (
        ("json", "print every run as JSON"),
        ("write", "keep the figures as records, and print docs/performance.md anew from all records"),
        ("page", "measure nothing, and print docs/performance.md anew from the records"),
    ):
        form.add_argument(f"--{name}", action="store_const", dest="form", const=name, help=what)
    return parser


def _names(text: str) -> Sequence[str]:
    return text.split(",")


def _numbers(text: str) -> Iterable[int]:
    return [int(number) for number in text.split(",")]


if __name__ == "__main__":
    sys.exit(main())
