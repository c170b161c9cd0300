"""Which questions of the matrix and about Services are put, and which of them again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from acceptance.evidence import Evidence
from acceptance.expectations import Reach
from acceptance.matrix import Cell, Endpoint, must_be_silent, needs_another_try
from acceptance.probes import Probe, Protocol
from acceptance.questions import matrix_probe

Probes = dict[Endpoint, list[Probe]]
"""By who asks."""


@dataclass(frozen=True)
class Wanted:
    """A question that is to be put."""

    sender: Endpoint
    probe: Probe
    must_answer: bool
    """Whether an answer is expected; else silence is."""


def everything(evidence: Evidence) -> list[Wanted]:
    """All questions of the evidence's scope that can be put."""
    wanted = [
        Wanted(pair.sender, probe, evidence.expected(pair).answers)
        for pair in evidence.pairs
        if evidence.problem_of(pair.sender) is None and pair.target in evidence.addresses
        for protocol in Protocol
        if (probe := matrix_probe(pair, protocol, evidence.addresses[pair.target])) is not None
    ]
    wanted += [
        Wanted(question.sender, question.probe, evidence.expected_answer(question).answers)
        for question in evidence.questions
        if evidence.problem_of(question.sender) is None
    ]
    return wanted


def unsettled(evidence: Evidence) -> list[Wanted]:
    """What was not asked, and what should have been answered and was not."""
    wanted = _of_cells(evidence, needs_another_try)
    for question in evidence.questions:
        answer = evidence.answers.get((question.sender, question.probe.key))
        must_answer = evidence.expected_answer(question).answers
        if answer is not None and not answer.settles(must_answer):
            wanted.append(Wanted(question.sender, question.probe, must_answer))
    return wanted


def silent_as_expected(evidence: Evidence) -> list[Wanted]:
    """What should not be answered and was not."""
    wanted = _of_cells(evidence, must_be_silent)
    for question in evidence.questions:
        answer = evidence.answers.get((question.sender, question.probe.key))
        if answer is not None and answer.silent and not evidence.expected_answer(question).answers:
            wanted.append(Wanted(question.sender, question.probe, must_answer=False))
    return wanted


def _of_cells(evidence: Evidence, which: Callable[[Cell, Reach], Sequence[Protocol]]) -> list[Wanted]:
    return [
        Wanted(pair.sender, probe, expected.answers)
        for pair in evidence.pairs
        for expected in (evidence.expected(pair),)
        for protocol in which(evidence.cell(pair), expected)
        if (probe := matrix_probe(pair, protocol, evidence.addresses[pair.target])) is not None
    ]


def by_sender(wanted: Iterable[Wanted]) -> Probes:
    probes: Probes = {}
    for each in wanted:
        probes.setdefault(each.sender, []).append(each.probe)
    return probes
