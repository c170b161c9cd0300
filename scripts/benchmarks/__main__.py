"""scripts/bench: which measurements, how often, and in which form."""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import dataclass

from benchmarks.commands import MEASUREMENTS, Commands
from benchmarks.report import Machine, Runs, as_json, as_markdown, as_text
from benchmarks.runs import Run, lab
from benchmarks.scale import COUNTS, measure_scale

SCALE = "scale"
LONG = ("by-hand", SCALE)
KNOWN = (*MEASUREMENTS, SCALE)


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


def main() -> int:
    arguments = _parser().parse_args()
    wishes = arguments.what or [Wish(name) for name in KNOWN if name not in LONG]
    counts = {wish.name: wish.runs or arguments.runs for wish in wishes}
    lab("box", "build")
    machine = Machine.this()
    runs, failed = measure(Commands(arguments.topology, arguments.mode), counts)
    if SCALE in counts:
        try:
            for name, run in measure_scale(arguments.nodes, arguments.mode):
                runs.setdefault(name, []).append(run)
        except subprocess.CalledProcessError as error:
            failed.append(_failure(SCALE, error))
    sys.stdout.write(_text(runs, machine, arguments.form).rstrip("\n") + "\n")
    return 1 if failed else 0


def _text(runs: Runs, machine: Machine, form: str | None) -> str:
    if form == "json":
        return as_json(runs, machine)
    return as_markdown(runs, machine, sys.argv[1:]) if form == "markdown" else as_text(runs, machine)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measures whole commands of lab.")
    parser.add_argument(
        "what",
        nargs="*",
        type=Wish.parse,
        metavar="MEASUREMENT[:RUNS]",
        help=f"any of {', '.join(KNOWN)}, as in rebuild:5; default: all but {' and '.join(LONG)}",
    )
    parser.add_argument("--runs", type=int, default=1, help="of measurements that do not say it themselves")
    parser.add_argument("--topology", default="underlay-3node")
    parser.add_argument("--mode", default="macvlan")
    parser.add_argument("--nodes", type=_numbers, default=COUNTS, help="of scale, as in 1,3,6")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_const", dest="form", const="json")
    form.add_argument(
        "--markdown",
        action="store_const",
        dest="form",
        const="markdown",
        help="print the page docs/performance.md, or its part for scale",
    )
    return parser


def measure(commands: Commands, counts: dict[str, int]) -> tuple[dict[str, list[Run]], list[str]]:
    """The runs of each measurement; one that fails is named, and the others go on."""
    names = [name for name in MEASUREMENTS if name in counts]
    runs: dict[str, list[Run]] = {}
    failed: list[str] = []
    try:
        for name in names:
            try:
                for _ in range(counts[name]):
                    run = MEASUREMENTS[name](commands)
                    runs.setdefault(name, []).append(run)
            except subprocess.CalledProcessError as error:
                failed.append(_failure(name, error))
    finally:
        commands.end()
    return runs, failed


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def _failure(name: str, error: subprocess.CalledProcessError) -> str:
    sys.stderr.write(f"{name} failed: {error}\n")
    return name


if __name__ == "__main__":
    sys.exit(main())
