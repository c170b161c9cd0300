"""What students hand in, and the marks of it."""

from __future__ import annotations

from pathlib import Path

import click

from lab.cli.common import console, name_option, say, supply_option, the_lab
from lab.exercises.handin import Found
from lab.exercises.marks import counted
from lab.operations.exercises.handing_in import HandInRequest, hand_in
from lab.operations.exercises.marking import ReplayRequest, mark_folder

file_to_read = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("report", type=file_to_read)
@click.option("--script", type=file_to_read, help="Bash that corrects it: runs on each node, with $NODE set.")
@click.option(
    "--found",
    nargs=2,
    multiple=True,
    metavar="NODE CAUSE",
    help="What is wrong and where: a node, `cluster` or `lan`, and the cause in your words. May be repeated.",
)
@click.option(
    "--to",
    "target",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write it here (default: EXERCISE-STUDENT.handin in the current folder).",
)
@name_option
def handin(
    report: Path,
    script: Path | None,
    found: tuple[tuple[str, str], ...],
    target: Path | None,
    name: str | None,
) -> None:
    """Judge the lab once more and write one file for the teacher, before `lab exercise stop`.

    In it: REPORT, the script, what you found, the results of the suite at your first check and now, facts
    about the nodes. No key of the lab is in it. Only the teacher can read it.

    \b
    Example: lab handin report.md --script fix.sh --found k8s-node2 "its firewall drops what it forwards"
    """
    request = HandInRequest(report, script, tuple(Found(*each) for each in found), target)
    written = hand_in(the_lab(name), request, console())
    for part, size in written.parts.items():
        say(f"{part}: {size} bytes")
    if written.redactions:
        say(f"{written.redactions} secrets left out")
    verdict = written.verdict
    if not verdict.judged:
        say("Not judged: the cluster was too slow. Run the same command again if there is time.")
    else:
        say("Healthy and by hand: yes" if verdict.by_hand else "Healthy and by hand: no")
    say(f"wrote {written.path}, {written.size} bytes, SHA-256 {written.digest}")


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--key", required=True, type=file_to_read, help="What lab exercise make wrote beside the exercise."
)
@click.option(
    "--csv",
    "target",
    required=True,
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the marks here.",
)
@click.option(
    "--replay", is_flag=True, help="Run each script in a new lab with the same fault, and judge that."
)
@click.option(
    "--minutes",
    type=click.IntRange(1, 240),
    default=10,
    show_default=True,
    help="How long a script may take, on all nodes together.",
)
@supply_option
@click.option("--name", metavar="LAB", help="Name of the lab for replays (default: mark-EXERCISE).")
def mark(
    *,
    folder: Path,
    key: Path,
    target: Path,
    replay: bool,
    minutes: int,
    supply: str | None,
    name: str | None,
) -> None:
    """Open all hand-ins below FOLDER and write one CSV file, a row for each.

    Files that were changed, are of another exercise, or are not a student's last one have a row that says so.
    With --replay, points are given for what the script does in a new lab. If that is interrupted, run the
    same command again: what was replayed stands in FILE.state.

    \b
    Example: lab mark hand-ins --key exercise-2.key --csv marks.csv
    Example: lab mark hand-ins --key exercise-2.key --csv marks.csv --replay --minutes 5
    """
    request = ReplayRequest(minutes, name, supply) if replay else None
    marked = mark_folder(folder, key, target, request, console())
    numbers = ", ".join(f"{number} {status}" for status, number in sorted(counted(marked.marks).items()))
    say(f"wrote {marked.path}: {len(marked.marks)} rows: {numbers}")
    if marked.others:
        say(f"{marked.others} other files are no hand-ins by their names, and were not looked at")
    if replay:
        say(f"{marked.replayed} replayed now")


COMMANDS = (handin, mark)
