"""Exercises of a course: made by a teacher, worked on by students."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from lab.cli.common import (
    console,
    discard_option,
    json_option,
    name_option,
    print_json,
    say,
    show_rows,
    supply_option,
    the_lab,
)
from lab.cli.tables import show_rows as show_table
from lab.foundation.language import said
from lab.operations.exercises.check import Verdict, check_exercise
from lab.operations.exercises.lifecycle import (
    exercise_rows,
    make_exercise,
    open_exercise,
    start_exercise,
    stop_exercise,
)


@click.group()
def exercise() -> None:
    """Exercises: a lab in which something is wrong that you find and correct by hand."""


@exercise.command()
@click.argument("recipe")
@click.option(
    "--to",
    "target",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write it here (default: NAME.exercise in the current folder).",
)
@click.option(
    "--key",
    "key_file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Your key for `lab mark` (default: NAME.key in the current folder); one that is there stays.",
)
def make(recipe: str, target: Path | None, key_file: Path | None) -> None:
    """Check a teacher's recipe (YAML, or the name of one of the project) and write the file for students.

    The file hides what is wrong at a glance. It is not encrypted. The key opens what students hand in: it is
    for you alone.

    \b
    Example: lab exercise make exercise-2.yaml
    Example: lab exercise make exercise-2.yaml --to handout/exercise-2.exercise
    """
    made = make_exercise(recipe, target, key_file)
    exercise = made.exercise
    say(f"wrote {made.path}: {len(exercise.faults)} in the pool, {exercise.draw} for each student")
    say(f"digest {exercise.digest}")
    say(f"{made.key} opens what is handed in: keep it, and give it to nobody")


@exercise.command()
@click.argument("file")
@click.option("--student", required=True, metavar="ID", help="Your student number: it decides what is wrong.")
@supply_option
@click.option(
    "--name", envvar="LAB_NAME", metavar="LAB", help="Name of the lab (default: its topology's name)."
)
@discard_option
def start(*, file: str, student: str, supply: str | None, name: str | None, discard: bool) -> None:
    """Start the exercise in FILE, or one of the project, in your own lab, which is built if there is none.

    A lab of that name is rebuilt; what you made in it is listed, and kept in the save point `undo`.

    \b
    Example: lab exercise start exercise-2.exercise --student 2023001
    Example: lab exercise start coursework-1 --student 2023001
    """
    started = start_exercise(open_exercise(file), student, name, supply, console(), discard=discard)
    work = started.exercise
    click.echo(f"{work.name}: {work.title}\n\n{work.text}\n")
    say(f"Student {started.student}, {work.points} points, digest {work.digest[:12]}")
    say("lab exercise check says what fails; lab exercise stop ends it.")
    say("lab rebuild and lab snapshot restore cost the points.")
    if work.public_key:
        say("lab handin REPORT.md writes what you hand in, before lab exercise stop.")


@exercise.command()
@json_option
@name_option
def check(name: str | None, as_json: bool) -> None:
    """Judge the lab with the whole acceptance suite: what fails, not why, and the points.

    Exit status 0: healthy and corrected by hand; 1: not; 6: the cluster was too slow to be judged.

    \b
    Example: lab exercise check
    """
    verdict = check_exercise(the_lab(name), console())
    if as_json:
        print_json(verdict.as_json())
    else:
        _show(verdict)
    sys.exit(verdict.exit_status)


@exercise.command()
@name_option
def stop(name: str | None) -> None:
    """End the exercise and return to a healthy cluster; says what was wrong if the teacher allows it.

    \b
    Example: lab exercise stop
    """
    stopped = stop_exercise(the_lab(name), console())
    say(f"The exercise {stopped.record.name} has ended; the lab is the clean cluster again.")
    for cause in stopped.causes:
        say(f"It was: {cause}")


@exercise.command("list")
@json_option
def list_exercises(as_json: bool) -> None:
    """List the exercises that come with the project.

    \b
    Example: lab exercise list
    """
    columns = ("exercise", "topology", "mode", "points", "title")
    show_rows(
        exercise_rows(),
        lambda rows: show_table(
            columns, [(row.name, row.topology, row.mode, str(row.points), row.title) for row in rows]
        ),
        as_json=as_json,
    )


def _show(verdict: Verdict) -> None:
    say(f"Exercise {verdict.exercise} of {verdict.student}, digest {verdict.digest[:12]}")
    for symptom in verdict.symptoms:
        click.secho(said(f"{said(symptom.topic)}: {symptom.failed} of {symptom.judged} fail"), fg="red")
        for where in symptom.where:
            click.echo(f"  {where}")
    for each in verdict.returns:
        say(f"{each.when}: the lab {each.how}")
    if not verdict.judged:
        say("Not judged: the cluster was too slow. Run the same command again.")
        return
    points, most = verdict.points, verdict.of_points
    if verdict.by_hand:
        say(f"The lab is healthy, corrected by hand: {points} of {most} points")
    elif verdict.healthy:
        say(f"The lab is healthy, but not by hand, as its machines were put back: {points} of {most} points")
    else:
        say(f"The lab is not healthy: {points} of {most} points")


COMMANDS = (exercise,)
