"""While an exercise runs, no output, log, page or file of `lab` tells its fault, by name or by cause."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import click
import pytest

from lab.cli.main import cli
from lab.exercises.exercise import PoolEntry, drawn
from lab.faults.registry import FAULTS
from lab.foundation.errors import LabError
from lab.foundation.seal import unseal
from lab.operations import health
from lab.operations.packets.tracing import without_reasons
from lab.operations.status import lab_status
from lab.packets.reasons import Code, Confidence, Reason
from lab.packets.sightings import Way
from lab.packets.trace import Lost, TracedWay
from lab.packets.way import Chain
from lab.state.exercise import read_exercise, remove_exercise
from lab.state.faults import read_faults
from lab.state.records import write_record
from scripts.fault_table.words import WORDS
from tests.exercises.telling import causes_in, students_with
from tests.operations.lab_with_exercise import SHIPPED, ExerciseLab
from tests.stand_in_site import PaperParts

EVERY = [(name, entry) for name, exercise in SHIPPED.items() for entry in exercise.faults]
_Commands = Iterator[tuple[click.Command, click.Context]]
REFUSED: tuple[tuple[str, ...], ...] = (
    ("fault", "list"),
    ("fault", "list", "--json"),
    ("fault", "clear"),
    ("fault", "inject", "coredns-zero"),
    ("test",),
    ("test", "--mode", "macvlan"),
    ("support",),
    ("snapshot", "save", "mine"),
    ("bench",),
    ("drill", "run", "power-off"),
    ("drill", "undo"),
    ("node", "replace", "k8s-master1"),
    ("certificates", "list"),
    ("certificates", "renew"),
)
SHOWN: tuple[tuple[str, ...], ...] = (
    ("status",),
    ("status", "--json"),
    ("list",),
    ("logs",),
    ("logs", "lab"),
    ("inventory",),
    ("inventory", "--json"),
    ("cache", "list"),
    ("kubeconfig",),
    ("exercise", "list"),
    ("exercise", "check"),
    ("exercise", "check", "--json"),
    ("exercise", "start", "coursework-1", "--student", "1", "--name", "a"),
    ("handin", "{home}/report.md", "--found", "cluster", "I do not know", "--to", "{home}/mine.handin"),
)


def files_of(folder: Path) -> dict[str, str]:
    return {str(path): path.read_text(errors="replace") for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("name", "entry"), EVERY, ids=[f"{name}-{entry}" for name, entry in EVERY])
def test_no_command_and_no_file_tells_the_fault(name: str, entry: str, exercise_lab: ExerciseLab) -> None:
    student = students_with(SHIPPED[name], entry)[0]
    hidden = drawn(SHIPPED[name], student)
    home = exercise_lab.home
    file, key, report = (home / each for each in ("a.exercise", "a.key", "report.md"))
    exercise_lab.run("exercise", "make", name, "--to", str(file), "--key", str(key))
    report.write_text("# I have seen nothing yet\n")
    status, said = exercise_lab.run(
        "exercise", "start", str(file), "--student", student, "--name", "a", "--verbose"
    )
    assert (status, causes_in(said, hidden)) == (0, [])
    assert [fault.name for fault in read_faults(exercise_lab.folder)] == [each.fault for each in hidden]
    for words in REFUSED:
        status, said = exercise_lab.run(*words)
        assert (status, causes_in(said, hidden)) == (2, []), words
        assert f"the exercise {name} runs in the lab a, and this command would" in said
        assert "lab exercise check" in said
    for words in SHOWN:
        _, said = exercise_lab.run(*(word.format(home=home) for word in words))
        assert causes_in(said, hidden) == [], words
    record = read_exercise(exercise_lab.folder)
    assert record is not None
    assert causes_in(unseal(record.before), hidden) != []
    for each in (file, key, home / "mine.handin"):
        assert causes_in(each.read_text(), hidden) == [], each
    told = {path: causes_in(text, hidden) for path, text in files_of(exercise_lab.folder.root).items()}
    assert {path: causes for path, causes in told.items() if causes} == {}
    # The suite leaves neither report nor cache.
    assert files_of(Path.cwd()) == {}
    assert list(exercise_lab.home.rglob(".pytest_cache")) == []
    exercise_lab.rebuild()
    assert causes_in((exercise_lab.folder.log).read_text(), hidden) == []


def test_the_search_finds_what_it_looks_for(exercise_lab: ExerciseLab) -> None:
    """Without an exercise, a fault is told everywhere."""
    exercise_lab.run("exercise", "start", "coursework-2", "--student", "1", "--name", "a")
    exercise_lab.run("exercise", "stop")
    entries = (PoolEntry("forward-drop", ""),)
    for words in (("fault", "inject", "forward-drop"), ("fault", "list"), ("logs", "lab")):
        status, said = exercise_lab.run(*words)
        assert status == 0
        assert causes_in(said, entries) != [], words
    assert causes_in(exercise_lab.folder.faults.read_text(), entries) != []
    assert causes_in("FORWARD policy is DROP on k8s-node2", entries) != []


def test_no_help_names_a_fault_of_an_exercise() -> None:
    entries = tuple(PoolEntry.parse(entry) for _, entry in EVERY)
    helps = {context.command_path: command.get_help(context) for command, context in _commands(cli)}
    assert len(helps) > 30
    assert {name: causes_in(text, entries) for name, text in helps.items()} == {name: [] for name in helps}


def _commands(command: click.Command, parent: click.Context | None = None) -> _Commands:
    context = click.Context(command, parent=parent, info_name=command.name)
    yield command, context
    if isinstance(command, click.Group):
        for each in command.commands.values():
            yield from _commands(each, context)


def test_every_fault_has_words_to_search_for() -> None:
    assert {fault.name for fault in FAULTS} == set(WORDS)


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError, LabError])
def test_a_start_that_fails_does_not_tell_why(error: type[BaseException], exercise_lab: ExerciseLab) -> None:
    exercise_lab.breaks = error
    hidden = drawn(SHIPPED["coursework-2"], "1")
    status, said = exercise_lab.run("exercise", "start", "coursework-2", "--student", "1", "--name", "a")
    assert (status != 0, causes_in(said, hidden)) == (True, [])
    assert causes_in(exercise_lab.folder.log.read_text(), hidden) == []


def test_a_lab_that_runs_is_not_set_up_again(
    exercise_lab: ExerciseLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    exercise_lab.run("exercise", "start", "large-answers", "--student", "1")
    up = ("up", "--topology", "underlay-3node", "--mode", "flannel-vxlan")
    running, stopped = PaperParts(exercise_lab.folder), PaperParts(exercise_lab.folder, running=False)
    monkeypatch.setattr("lab.operations.up.LocalParts", lambda folder: running)
    status, said = exercise_lab.run(*up)
    assert status == 2
    assert "this command would repair what the student is to find" in said
    # After the host was booted, the lab is another one.
    monkeypatch.setattr("lab.operations.up.LocalParts", lambda folder: stopped)
    monkeypatch.setattr("lab.operations.up.run_steps", lambda *_: ())
    exercise_lab.run(*up)
    record = read_exercise(exercise_lab.folder)
    assert record is not None
    assert [each.how for each in record.returns] == ["was made anew"]


def test_a_trace_says_where_and_not_why() -> None:
    reason = Reason(Code.FIREWALL, "-P FORWARD DROP of k8s-node2 +1", Confidence.CERTAIN)
    lost = Lost(3, "k8s-node2", "cni0", (reason,))
    way = without_reasons(TracedWay(Way.REQUEST, cast(Chain, None), lost))
    assert way.lost is not None
    assert (way.lost.place, way.lost.device) == ("k8s-node2", "cni0")
    assert "DROP" not in str(way.lost.reasons)
    assert without_reasons(replace(way, lost=None)).lost is None


def test_status_and_doctor_say_that_an_exercise_runs(
    exercise_lab: ExerciseLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "host_findings", lambda: [])
    exercise_lab.run("exercise", "start", "large-answers", "--student", "1", "--name", "a")
    record = exercise_lab.open().record
    write_record(exercise_lab.folder, replace(record, mode="macvlan"))  # which needs no images
    status = lab_status(exercise_lab.folder)
    assert (status.problems, status.exercise) == ((), "large-answers")
    (note,) = status.notes
    assert note.startswith("the exercise large-answers of 1 runs")
    (of_lab,) = health.findings()
    assert (of_lab.ok, "was not looked at" in of_lab.found) == (True, True)
    remove_exercise(exercise_lab.folder)
    # What it would have said: there is no kube-proxy on that node.
    assert any(
        "kube-proxy is not running on k8s-node1" in each for each in lab_status(exercise_lab.folder).problems
    )
