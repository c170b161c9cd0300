"""scripts/bench: which measurements, how often, and in which form."""

from __future__ import annotations

import argparse
import sys

from benchmarks.commands import MEASUREMENTS, Commands
from benchmarks.report import as_json, as_markdown, as_text
from benchmarks.runs import Run, lab
from benchmarks.scale import COUNTS, measure_scale

SCALE = "scale"
DAILY = [name for name in MEASUREMENTS if name != "by-hand"]


def main() -> None:
    arguments = _parser().parse_args()
    wanted = arguments.what or DAILY
    lab("box", "build")
    runs = _measure(Commands(arguments.topology, arguments.mode), wanted, arguments.runs)
    if SCALE in wanted:
        low, _, high = arguments.nodes.partition("-")
        for name, run in measure_scale(range(int(low), int(high or low) + 1), arguments.mode):
            runs.setdefault(name, []).append(run)
    if arguments.form == "json":
        text = as_json(runs)
    elif arguments.form == "markdown":
        text = as_markdown(runs, sys.argv[1:])
    else:
        text = as_text(runs)
    sys.stdout.write(text.rstrip("\n") + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measures whole commands of lab.")
    parser.add_argument(
        "what",
        nargs="*",
        choices=[*MEASUREMENTS, SCALE, []],
        metavar="MEASUREMENT",
        help=f"any of {', '.join([*MEASUREMENTS, SCALE])}; default: all but by-hand and scale",
    )
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--topology", default="underlay-3node")
    parser.add_argument("--mode", default="macvlan")
    parser.add_argument("--nodes", default=f"{COUNTS[0]}-{COUNTS[-1]}", help="of scale, as in 1-6")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_const", dest="form", const="json")
    form.add_argument(
        "--markdown",
        action="store_const",
        dest="form",
        const="markdown",
        help="print the page docs/performance.md",
    )
    return parser


def _measure(commands: Commands, wanted: list[str], count: int) -> dict[str, list[Run]]:
    names = [name for name in MEASUREMENTS if name in wanted]
    runs: dict[str, list[Run]] = {name: [] for name in names}
    try:
        for _ in range(count):
            for name in names:
                runs[name].append(MEASUREMENTS[name](commands))
    finally:
        commands.end()
    return runs


if __name__ == "__main__":
    main()
