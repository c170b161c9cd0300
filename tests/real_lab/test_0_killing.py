"""A command is killed in the step in which it was to be: no lab is needed for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.foundation.progress import ConsoleProgress
from lab.foundation.wait import Deadline, NotYetError, wait_for
from tests.real_lab.killing import Moment, kill_at, under_way

SCRIPT = """
echo "... first" >&2; echo "    ok  first  0.1 s" >&2
echo "... second" >&2; touch {reached}; {then}
"""


def _words(reached: Path, then: str) -> tuple[str, ...]:
    return ("sh", "-c", SCRIPT.format(reached=reached, then=then))


def test_it_is_killed_in_its_step_when_the_condition_holds(tmp_path: Path) -> None:
    reached, log = tmp_path / "reached", tmp_path / "log"
    kill_at(Moment("second", reached.exists), _words(reached, "exec sleep 600"), log)
    assert under_way(log) == ["second"]


def test_a_command_that_ends_before_the_moment_is_no_killed_one(tmp_path: Path) -> None:
    reached, log = tmp_path / "reached", tmp_path / "log"
    with pytest.raises(pytest.fail.Exception, match="ended before 'third'"):
        kill_at(Moment("third", reached.exists), _words(reached, "exit 0"), log)


def test_a_command_that_was_killed_in_another_step_is_told(tmp_path: Path) -> None:
    """The condition is seen too late: the step is over by then."""
    log, asked = tmp_path / "log", tmp_path / "asked"
    over = 'echo "    ok  second  0.1 s" >&2; echo "... third" >&2; exec sleep 600'
    words = _words(tmp_path / "reached", f"until [ -e {asked} ]; do sleep 0.05; done; {over}")

    def seen_late() -> bool:
        asked.touch()
        return under_way(log) == ["third"]

    def late() -> bool:
        wait_for(lambda: _require(seen_late()), what="the next step", deadline=Deadline(60), interval=0.05)
        return True

    with pytest.raises(AssertionError, match="third"):
        kill_at(Moment("second", late), words, log)


def _require(seen: bool) -> None:
    if not seen:
        raise NotYetError("not yet")


def test_the_steps_under_way_are_read_as_lab_writes_them(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("w") as stream:
        progress = ConsoleProgress(stream)
        with progress.step("kubeadm init"):
            pass
        with progress.step("kubeadm init of the second"):
            stream.flush()
            assert under_way(log) == ["kubeadm init of the second"]
        with pytest.raises(ValueError, match="no"), progress.step("labels"):
            raise ValueError("no")
        progress.note("ok")
    assert under_way(log) == []
