"""Putting all questions side by side, within one limit."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from queue import Empty, SimpleQueue

from lab.foundation.process import StoppedError
from lab.foundation.progress import Progress, StepContext
from lab.foundation.wait import Deadline
from lab.supply.mirror.mirrors import NextSourceError, silent_hosts
from lab.supply.probe.questions import Question, Wanted
from lab.supply.probe.result import Answer, Found, ProbeResult

WORKERS = 8
LIMIT_SECONDS = 60.0
END_SECONDS = 1.0
"""How long questions that are under way at the limit may take to end."""
UNREACHABLE = "unreachable"


def probe(wanted: Sequence[Wanted], progress: Progress, limit: float = LIMIT_SECONDS) -> ProbeResult:
    """Ask every source for every thing, for at most `limit` seconds and the seconds that hosts are tried.

    Hosts that do not answer at all within seconds are asked for nothing. Raises ProgramMissingError when
    there are images to ask for and skopeo is not installed.
    """
    started = time.monotonic()
    questions = [question for each in wanted for question in each.questions]
    with progress.step(f"asking sources ({len(questions)} questions)") as step:
        silent = silent_hosts(question.source for question in questions)
        asked = [question for question in questions if question.source.host not in silent]
        answers = _ask(asked, Deadline(limit), step)
    found = tuple(
        Found(each, tuple(_answer(question, silent, answers, limit) for question in each.questions))
        for each in wanted
    )
    return ProbeResult(found, silent, time.monotonic() - started)


def _answer(
    question: Question, silent: Mapping[str, str], answers: Mapping[Question, Answer], limit: float
) -> Answer:
    host = question.source.host
    if host in silent:
        return Answer(host, UNREACHABLE, 0.0)
    return answers.get(question) or Answer(host, f"no answer within the {limit:.0f} s of the whole", limit)


def _ask(questions: Sequence[Question], deadline: Deadline, step: StepContext) -> Mapping[Question, Answer]:
    """The answers that came before the deadline; the same question is put once."""
    left: SimpleQueue[Question] = SimpleQueue()
    came: SimpleQueue[tuple[Question, Answer | Exception]] = SimpleQueue()
    distinct = tuple(dict.fromkeys(questions))
    for question in distinct:
        left.put(question)
    stop = threading.Event()
    # No pool: its threads would keep the program from ending while a server sends a byte now and then.
    threads = [
        threading.Thread(target=_work, args=(left, came, stop), daemon=True)
        for _ in range(min(WORKERS, len(distinct)))
    ]
    for thread in threads:
        thread.start()
    try:
        return _collect(came, len(distinct), deadline, step)
    finally:
        stop.set()
        end = Deadline(END_SECONDS)
        for thread in threads:
            thread.join(end.left)


def _work(
    left: SimpleQueue[Question],
    came: SimpleQueue[tuple[Question, Answer | Exception]],
    stop: threading.Event,
) -> None:
    while not stop.is_set():
        try:
            question = left.get_nowait()
        except Empty:
            return
        started, why_not = time.monotonic(), ""
        try:
            question.ask(stop)
        except NextSourceError as why:
            why_not = str(why)
        except StoppedError:
            return
        except Exception as error:
            came.put((question, error))
            return
        came.put((question, Answer(question.source.host, why_not, round(time.monotonic() - started, 2))))


def _collect(
    came: SimpleQueue[tuple[Question, Answer | Exception]], number: int, deadline: Deadline, step: StepContext
) -> Mapping[Question, Answer]:
    answers: dict[Question, Answer] = {}
    while len(answers) < number:
        try:
            question, answer = came.get(timeout=deadline.left)
        except Empty:
            break
        if isinstance(answer, Exception):
            raise answer
        answers[question] = answer
        step.doing(question.source.host)
        step.advance(len(answers), number)
    return answers
