"""`lab mark`: a folder of hand-ins becomes one CSV file, whatever is among them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from filelock import FileLock, Timeout

from lab.exercises.exercise import Exercise, PoolEntry, drawn
from lab.exercises.handin import (
    MAXIMUM_BYTES,
    SUFFIX,
    ForeignError,
    HandIn,
    NoHandInError,
    TamperedError,
    read_handin,
)
from lab.exercises.marks import Mark, Received, Status, Truth, csv_of, mark_of, settle_duplicates
from lab.exercises.teacher_key import TeacherKey, read_key_file
from lab.faults.fault import Scope
from lab.faults.registry import fault_named
from lab.faults.target import target_of
from lab.foundation.errors import LabError, WrongUseError, refused_by_system
from lab.foundation.files import give_to_caller, is_plain_file, read_at_most, write_output
from lab.foundation.progress import Progress
from lab.operations.down import take_down
from lab.operations.exercises.lifecycle import topology_file
from lab.operations.exercises.replaying import NotReplayedError, Place, replay
from lab.operations.planning import plan_of
from lab.operations.suite_page import Outcome, checks_of, judged
from lab.state.marking import MarkingState, Replay, read_marking, write_marking
from lab.state.records import lab_folder, read_record
from lab.topology.mode_choice import ModeChoice
from lab.topology.plan import Plan

STATE_SUFFIX = ".state"
PENDING = "not replayed yet"
NO_SCRIPT = "no script to replay"
NOT_ON_NODES = "not replayed: what was wrong is on no node, so no script on the nodes can correct it"


@dataclass(frozen=True)
class ReplayRequest:
    """How scripts are replayed."""

    minutes: int
    name: str | None = None
    """Of the lab that is made for it; by default mark-EXERCISE."""
    supply: str | None = None


@dataclass(frozen=True)
class Marked:
    """The CSV file that was written."""

    path: Path
    marks: tuple[Mark, ...]
    others: int
    """Files of the folder that are named as no hand-in."""
    replayed: int
    """How many were replayed now."""


def mark_folder(
    folder: Path, key_file: Path, target: Path, request: ReplayRequest | None, progress: Progress
) -> Marked:
    """Open all hand-ins below the folder and write the CSV; with a request, replay their scripts.

    The CSV is written before the first replay and after each one, and so is a state file beside it: a run
    that was ended goes on where it was. What fails with one hand-in stands in its row. Raises WrongUseError
    for a folder or key that is none, and for a state file of another key.
    """
    key = read_key_file(key_file)
    received = _received(folder, key)
    plan = _plan(key.exercise)
    truths = {
        each.student: _truth(key.exercise, each.student, plan) for each in received if each.handin is not None
    }
    state_file = target.with_name(f"{target.name}{STATE_SUFFIX}")
    with _alone(state_file):
        state = _state(state_file, key, request)
        desk = _Desk(key.exercise, received, truths, target, state_file)
        replayed = 0
        if request is None:
            desk.write(state, {}, replaying=bool(state and state.replays))
        else:
            assert state is not None
            replayed = desk.replay_all(state, request, progress)
    return Marked(target, desk.marks, _others(folder), replayed)


class _Desk:
    """The hand-ins of one folder, and the files that are written about them."""

    def __init__(
        self,
        exercise: Exercise,
        received: Sequence[Received],
        truths: Mapping[str, Truth],
        target: Path,
        state_file: Path,
    ) -> None:
        self._exercise = exercise
        self._received = received
        self._truths = truths
        self._target = target
        self._state_file = state_file
        self.marks: tuple[Mark, ...] = ()

    def replay_all(self, state: MarkingState, request: ReplayRequest, progress: Progress) -> int:
        """Those that were not replayed yet; how many."""
        wanted = [each for each in self._received if self._can_be_replayed(each)]
        left = [each for each in wanted if each.digest not in state.replays]
        done = len(wanted) - len(left)
        failed: dict[str, str] = {}
        self.write(state, failed, replaying=True)
        if left:
            _require_own_lab(state, existed=self._state_file.exists())
            self._remember(state)
        place = Place(state.lab, request.minutes, request.supply)
        for number, each in enumerate(left, start=done + 1):
            assert each.handin is not None
            progress.note(f"replay {number} of {len(wanted)}: {each.file}")
            try:
                ended = replay(self._exercise, each.handin, place, progress)
            except NotReplayedError as error:
                failed[each.digest] = f"not replayed: {error.brief}"
                progress.note(failed[each.digest])
            else:
                state = replace(state, replays={**state.replays, each.digest: ended})
                self._remember(state)
            self.write(state, failed, replaying=True)
        if lab_folder(state.lab).root.exists():
            take_down(lab_folder(state.lab), progress)
        return len(left) - len(failed)

    def _remember(self, state: MarkingState) -> None:
        write_marking(self._state_file, state)
        give_to_caller(self._state_file)

    def write(self, state: MarkingState | None, failed: Mapping[str, str], *, replaying: bool) -> None:
        """The CSV as it is now; `failed` says why hand-ins could not be replayed, by digest."""
        replays = state.replays if state else {}
        self.marks = tuple(
            mark_of(
                each,
                self._truths.get(each.student) if each.handin else None,
                self._exercise,
                self._replay_of(each, replays, failed) if replaying else None,
            )
            for each in self._received
        )
        write_output(self._target, csv_of(self.marks))

    def _replay_of(
        self, received: Received, replays: Mapping[str, Replay], failed: Mapping[str, str]
    ) -> Replay | str:
        if received.handin is None or not received.handin.script:
            return NO_SCRIPT if received.handin else ""
        if not self._truths[received.student].replayable:
            return NOT_ON_NODES
        return replays.get(received.digest) or failed.get(received.digest, PENDING)

    def _can_be_replayed(self, received: Received) -> bool:
        return (
            received.status is Status.OK
            and received.handin is not None
            and bool(received.handin.script)
            and self._truths[received.student].replayable
        )


def _received(folder: Path, key: TeacherKey) -> tuple[Received, ...]:
    if not folder.is_dir():
        raise WrongUseError(f"there is no folder {folder}", resolution="name the folder with the hand-ins")
    files = sorted(path for path in folder.rglob(f"*{SUFFIX}") if is_plain_file(path))
    if not files:
        raise WrongUseError(
            f"there is no hand-in below {folder}", resolution=f"the name of a hand-in ends with {SUFFIX}"
        )
    return settle_duplicates([_open(path, str(path.relative_to(folder)), key) for path in files])


def _open(path: Path, name: str, key: TeacherKey) -> Received:
    try:
        digest = hashlib.sha256(read_at_most(path, MAXIMUM_BYTES + 1)).hexdigest()
        handin = read_handin(path, key)
        drawn(key.exercise, handin.student)
    except (ForeignError, TamperedError) as error:
        status = Status.FOREIGN if isinstance(error, ForeignError) else Status.TAMPERED
        return Received(name, digest, error.label.student, status=status, note=error.brief)
    except NoHandInError as error:
        return Received(name, digest, status=Status.NONE, note=error.brief)
    except LabError as error:
        return Received(name, "", status=Status.NONE, note=error.brief)
    before, after = _failed(handin.before), _failed(handin.after)
    return Received(name, digest, handin.student, handin, (before, after), note=_odd(handin, after))


def _failed(junit: str) -> int:
    """How many checks of the report failed; -1 without a report in which one was run."""
    try:
        checks = judged(checks_of(junit)) if junit else ()
    except ValueError:
        checks = ()
    return sum(check.outcome is Outcome.FAILED for check in checks) if checks else -1


def _odd(handin: HandIn, failed_after: int) -> str:
    """What does not fit together in a hand-in."""
    if handin.claim.healthy and failed_after != 0:
        return "it says healthy, and its report does not"
    return ""


def _others(folder: Path) -> int:
    return sum(path.is_file() and path.suffix != SUFFIX for path in folder.rglob("*"))


def _plan(exercise: Exercise) -> Plan:
    with topology_file(exercise) as source:
        return plan_of(source).in_mode(ModeChoice.parse(exercise.mode))


def _truth(exercise: Exercise, student: str, plan: Plan) -> Truth:
    entries = drawn(exercise, student)
    scopes = [fault_named(entry.fault).scope for entry in entries]
    return Truth(entries, tuple(_place(entry, plan) for entry in entries), Scope.LAN not in scopes)


def _place(entry: PoolEntry, plan: Plan) -> str:
    fault = fault_named(entry.fault)
    if fault.scope is Scope.NODE:
        return target_of(fault, entry.node or None, plan).name
    return "lan" if fault.scope is Scope.LAN else "cluster"


def _state(path: Path, key: TeacherKey, request: ReplayRequest | None) -> MarkingState | None:
    """What was replayed so far. Raises WrongUseError when it is of another key or with another time."""
    state = read_marking(path)
    if state is None:
        if request is None:
            return None
        return MarkingState(
            key.id, request.name or f"mark-{key.exercise.name}"[:40].rstrip("-"), request.minutes
        )
    if state.key != key.id:
        raise WrongUseError(
            f"{path} tells of replays with another key", resolution="name another CSV file, or remove it"
        )
    if request is not None and request.minutes != state.minutes:
        raise WrongUseError(
            f"{path} tells of scripts that got {state.minutes} minutes, not {request.minutes}",
            resolution=f"give --minutes {state.minutes}, or remove that file: then all is replayed again",
        )
    return state


def _require_own_lab(state: MarkingState, *, existed: bool) -> None:
    """Raises WrongUseError when a lab of that name was there before the marking began."""
    if not existed and read_record(lab_folder(state.lab)) is not None:
        raise WrongUseError(
            f"there is already a lab {state.lab}, and a replay would end what is in it",
            resolution="give another name with --name, or lab down first",
        )


@contextmanager
def _alone(state_file: Path) -> Iterator[None]:
    """Nobody else marks into the same CSV meanwhile. Raises LabError at once when somebody does."""
    lock = FileLock(state_file.with_name(f".{state_file.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise LabError(
            f"another lab mark writes beside {state_file}", resolution="wait until it has ended"
        ) from None
    except OSError as error:
        raise refused_by_system(f"cannot write into {state_file.parent}", error) from error
    try:
        yield
    finally:
        lock.release()
        Path(lock.lock_file).unlink(missing_ok=True)
