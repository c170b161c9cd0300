"""`lab handin`: what a student found and did, judged once more, in one file for the teacher."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from lab.exercises.exercise import Exercise
from lab.exercises.handin import MAXIMUM_BYTES, SUFFIX, Claim, Found, HandIn, NodeFacts, handin_text
from lab.foundation.errors import LabError, WrongUseError
from lab.foundation.files import read_at_most, write_output
from lab.foundation.paths import LabFolder
from lab.foundation.progress import Progress, SilentProgress
from lab.foundation.redaction import Redactor
from lab.foundation.seal import unseal
from lab.nodes.connection import Script
from lab.operations.context import Lab
from lab.operations.exercises.check import Verdict, judge_exercise
from lab.operations.exercises.lifecycle import exercise_of, require_exercise
from lab.operations.keeping.keep import plan_digest
from lab.operations.report import commit_of_checkout
from lab.operations.support.known_secrets import known_secrets
from lab.state.exercise import ExerciseRecord
from lab.state.records import now

LARGEST_REPORT = 256 << 10
LARGEST_SCRIPT = 20 << 10
"""Bytes."""
LONGEST_CAUSE = 2000
"""Characters."""
FACTS_SECONDS = 60.0
FACTS = """\
uname -r
cat /proc/sys/kernel/random/boot_id
cut -d. -f1 /proc/uptime
kubelet --version
"""
EVERYWHERE = ("cluster", "lan")
"""Where a cause may be that is on no one node."""


@dataclass(frozen=True)
class HandInRequest:
    """What a student gives."""

    report: Path
    script: Path | None = None
    found: tuple[Found, ...] = ()
    target: Path | None = None
    """By default EXERCISE-STUDENT.handin in the current folder."""


@dataclass(frozen=True)
class HandedIn:
    """The file that was written, and what is in it."""

    path: Path
    size: int
    """Bytes."""
    digest: str
    verdict: Verdict
    parts: Mapping[str, int]
    """Bytes by what it is."""
    redactions: int
    """How many secrets were left out."""


def hand_in(folder: LabFolder, request: HandInRequest, progress: Progress) -> HandedIn:
    """Judge the lab and write the file, which belongs to the user who called sudo.

    All that was given is checked before the suite, which takes minutes. Raises WrongUseError when no exercise
    runs, when it was not started from a teacher's file, and for a report or script that cannot be handed in;
    LabError when the lab or the suite does not run.
    """
    record = require_exercise(folder)
    exercise = exercise_of(record)
    if not exercise.public_key:
        raise WrongUseError(
            f"the exercise {exercise.name} was not started from a teacher's file",
            details="that file has the key that a hand-in is closed with",
            resolution="start it from the file NAME.exercise that lab exercise make has written",
        )
    lab = Lab.open(folder, SilentProgress())
    redactor = Redactor(known_secrets(folder))
    report, in_report = redactor.redact(_text(request.report, LARGEST_REPORT, "report"))
    script = _script(request.script, redactor)
    found, in_found = _found(lab, request.found, redactor)
    target = request.target or Path(f"{exercise.name}-{record.student}{SUFFIX}")
    if not target.parent.is_dir():
        raise WrongUseError(f"there is no folder {target.parent}", resolution="make it first")
    judgement = judge_exercise(folder, progress)
    with progress.step("facts of the nodes"):
        nodes = _facts(lab)
    record = require_exercise(folder)
    (before, in_before), (after, in_after) = map(redactor.redact, (_before(record), judgement.junit))
    verdict = judgement.verdict
    parts = {"report": report, "script": script, "before": before, "after": after}
    handin = HandIn(
        student=record.student,
        started=record.started,
        handed_in=now(),
        found=found,
        report=report,
        script=script,
        claim=Claim(verdict.healthy, verdict.judged, verdict.returns),
        before=before,
        after=after,
        nodes=nodes,
        program=" ".join(("lab", version("lab"), commit_of_checkout())).strip(),
        digests={
            **{name: hashlib.sha256(text.encode()).hexdigest() for name, text in parts.items() if text},
            "plan": plan_digest(lab.plan),
            "box": lab.record.box_digest,
        },
    )
    text = _whole(handin, exercise)
    write_output(target, text)
    return HandedIn(
        path=target,
        size=len(text.encode()),
        digest=hashlib.sha256(text.encode()).hexdigest(),
        verdict=verdict,
        parts={name: len(part.encode()) for name, part in parts.items() if part},
        redactions=in_report + in_found + in_before + in_after,
    )


def _whole(handin: HandIn, exercise: Exercise) -> str:
    try:
        text = handin_text(handin, exercise)
    except ValueError:
        raise LabError(
            "the exercise has no key that anything can be closed with", resolution="get its file again"
        ) from None
    if len(text.encode()) > MAXIMUM_BYTES:
        raise LabError(
            f"the hand-in would have {len(text.encode())} bytes, more than {MAXIMUM_BYTES}",
            resolution="make the report shorter",
        )
    return text


def _text(path: Path, largest: int, what: str) -> str:
    """Raises WrongUseError when it cannot be handed in."""
    raw = read_at_most(path, largest + 1)
    if len(raw) > largest:
        raise WrongUseError(
            f"the {what} {path} is larger than {largest >> 10} KiB",
            resolution="hand in text, without pictures",
        )
    try:
        text = raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise WrongUseError(
            f"the {what} {path} is no text", details=str(error), resolution="save it as UTF-8"
        ) from None
    if not text.strip():
        raise WrongUseError(f"the {what} {path} is empty", resolution="write something into it")
    return text


def _script(path: Path | None, redactor: Redactor) -> str:
    if path is None:
        return ""
    text = _text(path, LARGEST_SCRIPT, "script")
    if redactor.has_secret(text.encode()):
        raise WrongUseError(
            f"the script {path} has a key or token of this lab in it",
            details="it would mean nothing in another lab, and is not for others to read",
            resolution="take it out; on control planes KUBECONFIG is set for the script",
        )
    return text


def _found(lab: Lab, given: Sequence[Found], redactor: Redactor) -> tuple[tuple[Found, ...], int]:
    """Without secrets, and how many there were. Raises WrongUseError for a node that there is not."""
    kept, secrets = [], 0
    for each in given:
        if each.node not in EVERYWHERE:
            lab.node_named(each.node)
        cause, count = redactor.redact(each.cause.strip())
        if not cause or len(cause) > LONGEST_CAUSE:
            raise WrongUseError(
                f"the cause on {each.node} has {len(cause)} characters",
                resolution=f"say it in 1 to {LONGEST_CAUSE}; the report may be longer",
            )
        kept.append(Found(each.node, cause))
        secrets += count
    return tuple(kept), secrets


def _before(record: ExerciseRecord) -> str:
    try:
        return unseal(record.before) if record.before else ""
    except ValueError:
        return ""


def _facts(lab: Lab) -> tuple[NodeFacts, ...]:
    """Of a node that does not answer, its name."""

    def ask(name: str) -> NodeFacts:
        try:
            printed = lab.nodes[name].run(Script(FACTS, "facts"), check=False, timeout=FACTS_SECONDS).stdout
            kernel, boot, up, kubelet = printed.splitlines()
            return NodeFacts(name, kernel, boot, int(up), kubelet)
        except (LabError, ValueError):
            return NodeFacts(name)

    asked = lab.nodes.on_each(lab.plan.nodes, lambda node: ask(node.name))
    return tuple(asked[node.name] for node in lab.plan.nodes)
