"""The page docs/performance.md, made of the records and of nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from scripts.benchmarks.by_hand import STORY, SameOnWorkers
from scripts.benchmarks.figures import RECORDS, SPREAD_RUNS, Measured, Record, Told, load_record, load_told
from scripts.benchmarks.tables import LABELS, command_rows, find, markdown, size_rows, step_rows

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"
COMMANDS, SIZES = "commands", "sizes"
"""Names of the records that scripts/bench --write writes."""
ENDURANCE = "endurance.yaml"

_INTRODUCTION = f"""\
# Performance

This page is printed whole by `scripts/bench --page` from the records in `scripts/benchmarks/records/`;
`scripts/bench --write` measures and replaces them. Times are in seconds, and those of the machine that is
named. Of several runs the median is given; min and max are given from {SPREAD_RUNS} runs on, and `1 run` is a
single figure, of which nobody knows how it varies.
"""

_COMMANDS = """\
## Whole commands

From the shell's prompt to the next; the software and the box are in the cache. All figures are of one call,
so ratios compare like with like.
"""

_SIZES = """\
## Numbers of nodes

Topologies like `underlay-3node`: one control plane, the other nodes workers like its own.
"""


def page_of(folder: Path = RECORDS) -> str:
    """The page. Raises ValidationError when a record is not well-formed."""
    commands, sizes = load_record(COMMANDS, folder), load_record(SIZES, folder)
    endurance = load_told(folder / ENDURANCE) if (folder / ENDURANCE).exists() else None
    parts = [_INTRODUCTION]
    if not any(record.machine.kvm for record in (commands, sizes, endurance) if record):
        parts.append("No figure is from a host with KVM.")
    if commands:
        parts += _commands(commands)
    if sizes:
        parts += [_SIZES, _origin(sizes), markdown(size_rows(sizes.measured)), sizes.note]
    if endurance:
        parts += _told(endurance)
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def _commands(record: Record) -> Iterator[str]:
    yield from (_COMMANDS, _origin(record), markdown(command_rows(record.measured)))
    yield "\n".join(_without_surplus(record.measured))
    yield record.note
    by_hand = [each for each in record.measured if each.name == "by-hand"]
    if by_hand:
        yield from ("## The cluster by hand", STORY)
    for each in record.measured:
        if each.steps:
            label = LABELS[each.name]
            yield f"## {label.parts} of {label.text}, mode {each.mode}"
            yield markdown(step_rows(each))


def _origin(record: Record | Told) -> str:
    return f"`{record.command}`, {record.day}, on\n\n> {record.machine}"


def _without_surplus(measured: Sequence[Measured]) -> Iterator[str]:
    """What by hand would have taken without the step that only the coursework's list of images brings."""
    for each in measured:
        cold = find(measured, each.mode, "up-cold")
        if each.name == "by-hand" and cold and (surplus := each.steps.get(SameOnWorkers.name)):
            less = each.whole.seconds - surplus.seconds
            yield (
                f"By hand in mode {each.mode}, without the step `{SameOnWorkers.name}`: {less:.0f} s, "
                f"{less / cold.whole.seconds:.1f} times as long as built anew."
            )


def _told(told: Told) -> Iterator[str]:
    yield from (f"## {told.title}", _origin(told), told.before)
    yield markdown(command_rows(told.measured))
    yield told.after
