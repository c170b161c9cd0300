"""What hand-ins are worth: a row for each, in a CSV file. Pure."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum

from lab.exercises.exercise import Exercise, PoolEntry
from lab.exercises.handin import HandIn
from lab.state.marking import Replay

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A cell that begins with one of these is computed by spreadsheets:
https://owasp.org/www-community/attacks/CSV_Injection."""


class Status(StrEnum):
    OK = "ok"
    DUPLICATE = "duplicate"
    FOREIGN = "foreign"
    TAMPERED = "tampered"
    NONE = "no hand-in"


@dataclass(frozen=True)
class Received:
    """A file of the folder, opened or not."""

    file: str
    """Its path in the folder."""
    digest: str
    """SHA-256 of the file."""
    student: str = ""
    """Of a file that could not be opened: as its label says."""
    handin: HandIn | None = None
    failed: tuple[int, int] = (0, 0)
    """Failing checks in its reports before and after; -1 without a report."""
    status: Status = Status.OK
    note: str = ""


@dataclass(frozen=True)
class Truth:
    """What was wrong in a student's lab."""

    entries: tuple[PoolEntry, ...]
    nodes: tuple[str, ...]
    """Where it was: nodes, `cluster` or `lan`."""
    replayable: bool
    """Whether a script on the nodes can correct it."""


@dataclass(frozen=True)
class Mark:
    """A row: what a hand-in is worth, and why."""

    file: str
    student: str
    status: str
    points: int
    of_points: int
    claimed: int
    """What the check on the student's machine gave."""
    how: str
    found: str
    was: str
    right_nodes: str
    failed_before: str
    failed_after: str
    started: str
    handed_in: str
    replay: str
    note: str


def settle_duplicates(received: Sequence[Received]) -> tuple[Received, ...]:
    """Of several hand-ins of one student the last one counts; the others are duplicates and say of which.

    Same reports and scripts of different students are noted.
    """
    opened = [each for each in received if each.handin is not None]
    by_student: defaultdict[str, list[Received]] = defaultdict(list)
    for each in opened:
        by_student[each.student].append(each)
    counts = {student: max(those, key=_handed_in) for student, those in by_student.items()}
    settled = []
    for each in received:
        counting = counts.get(each.student)
        if each.handin is None or counting is None:
            settled.append(each)
        elif counting is not each:
            same = "the same file as" if each.digest == counting.digest else "a later one is"
            settled.append(_with(each, Status.DUPLICATE, f"{same} {counting.file}"))
        else:
            settled.append(_with(each, Status.OK, _copied(each, counts.values())))
    return tuple(settled)


def mark_of(received: Received, truth: Truth | None, exercise: Exercise, replay: Replay | str | None) -> Mark:
    """The row of a hand-in; `replay` is why there is none, or None when nothing is replayed at all."""
    handin, counts = received.handin, received.status is Status.OK
    claimed = exercise.points if handin and _by_hand(received) else 0
    points, said = claimed, ""
    if isinstance(replay, Replay):
        points = exercise.points if replay.healthy and handin and not handin.claim.returns else 0
        said = "; ".join((_replayed(replay), *replay.symptoms))
    elif replay is not None:
        points, said = (claimed if truth and not truth.replayable else 0), replay
    return Mark(
        file=received.file,
        student=received.student,
        status=received.status,
        points=points if counts else 0,
        of_points=exercise.points,
        claimed=claimed,
        how=_how(received),
        found="; ".join(f"{each.node}: {each.cause}" for each in handin.found) if handin else "",
        was=" ".join(map(str, truth.entries)) if truth else "",
        right_nodes=_right_nodes(handin, truth),
        failed_before=_number(received.failed[0]) if handin else "",
        failed_after=_number(received.failed[1]) if handin else "",
        started=handin.started if handin else "",
        handed_in=handin.handed_in if handin else "",
        replay=said if counts else "",
        note=received.note,
    )


def csv_of(marks: Iterable[Mark]) -> str:
    """A header and a line for each, which a spreadsheet reads as text and numbers and nothing else."""
    names = [each.name for each in fields(Mark)]
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(names)
    for mark in marks:
        writer.writerow([_cell(getattr(mark, name)) for name in names])
    return target.getvalue()


def counted(marks: Iterable[Mark]) -> Mapping[str, int]:
    """How many there are of each status."""
    number: defaultdict[str, int] = defaultdict(int)
    for mark in marks:
        number[mark.status] += 1
    return dict(number)


def _cell(value: object) -> str:
    text = " ".join(str(value).split())
    return f"'{text}" if text.startswith(FORMULA) else text


def _handed_in(received: Received) -> str:
    return received.handin.handed_in if received.handin else ""


def _with(received: Received, status: Status, note: str) -> Received:
    said = "; ".join(each for each in (received.note, note) if each)
    return Received(
        received.file, received.digest, received.student, received.handin, received.failed, status, said
    )


def _copied(received: Received, others: Iterable[Received]) -> str:
    """Which other students have handed in the same report or script."""
    notes = []
    for what in ("report", "script"):
        own = received.handin.digests.get(what) if received.handin else None
        same = sorted(
            each.student
            for each in others
            if own and each is not received and each.handin and each.handin.digests.get(what) == own
        )
        if same:
            notes.append(f"the same {what} as {', '.join(same)}")
    return "; ".join(notes)


def _by_hand(received: Received) -> bool:
    if received.handin is None:
        return False
    claim = received.handin.claim
    return claim.judged and claim.healthy and not claim.returns and received.failed[1] == 0


def _how(received: Received) -> str:
    handin = received.handin
    if handin is None:
        return ""
    if not handin.claim.judged:
        return "not judged: the cluster was too slow"
    if handin.claim.returns:
        returns = "; ".join(f"{each.when} {each.how}" for each in handin.claim.returns)
        return f"{'healthy' if handin.claim.healthy else 'not healthy'}, not by hand: {returns}"
    return "corrected by hand" if _by_hand(received) else "not healthy"


def _replayed(replay: Replay) -> str:
    health = "healthy" if replay.healthy else "not healthy"
    return f"{health} after {replay.seconds:.0f} s, script: {replay.script}"


def _right_nodes(handin: HandIn | None, truth: Truth | None) -> str:
    """How many of the places were named, and how many of those that were named are none."""
    if handin is None or truth is None:
        return ""
    named = {each.node for each in handin.found}
    wrong = len(named - set(truth.nodes))
    right = f"{len(named & set(truth.nodes))} of {len(set(truth.nodes))}"
    return f"{right}, {wrong} wrong" if wrong else right


def _number(failed: int) -> str:
    return "no report" if failed < 0 else str(failed)
