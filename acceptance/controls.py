"""Control questions: silence counts only where the sender was heard at the same time.

Who cannot send, or hears nothing, gets no answer from anybody. So a question that must not be answered is put
in one batch with one that must be, from the same sender by the same protocol.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from acceptance.asking import Answers
from acceptance.evidence import Evidence
from acceptance.matrix import Endpoint, EndpointKind, pairs
from acceptance.probes import Answer, Probe, Protocol
from acceptance.questions import matrix_probe
from acceptance.wanted import Wanted


def controls(wanted: Sequence[Wanted], evidence: Evidence) -> list[Wanted]:
    """A question more for each sender and protocol that would have only such as must not be answered."""
    heard = {(each.sender, each.probe.protocol) for each in wanted if each.must_answer}
    lonely = dict.fromkeys((each.sender, each.probe.protocol) for each in wanted if not each.must_answer)
    return [
        Wanted(sender, _control(sender, protocol, evidence), must_answer=True)
        for sender, protocol in lonely
        if (sender, protocol) not in heard
    ]


def proven(answers: Answers, wanted: Sequence[Wanted]) -> Answers:
    """The answers of one batch, where silence that proves nothing counts as not asked.

    `wanted` are all questions of the batch, controls too.
    """
    heard = {
        (each.sender, each.probe.protocol)
        for each in wanted
        if each.must_answer and (answer := answers.get((each.sender, each.probe.key))) and answer.answered
    }
    doubted: Answers = {
        (each.sender, each.probe.key): Answer.unasked(
            f"no answer, but nobody who must answer {each.sender} by {each.probe.protocol} did either"
        )
        for each in wanted
        if not each.must_answer and (each.sender, each.probe.protocol) not in heard
        if (answer := answers.get((each.sender, each.probe.key))) and answer.silent
    }
    return {**answers, **doubted}


def _control(sender: Endpoint, protocol: Protocol, evidence: Evidence) -> Probe:
    """Whoever has answered the sender before; else the first who must; where there is nobody, the sender."""
    probes = list(_must_answer(sender, protocol, evidence))
    answered = [probe for probe in probes if _has_answered(sender, probe, evidence)]
    probe = next(iter((*answered, *probes)), None) or _itself(sender, protocol, evidence)
    return replace(probe, key=f"control:{protocol}")


def _must_answer(sender: Endpoint, protocol: Protocol, evidence: Evidence) -> Iterator[Probe]:
    """Questions to those that stay: not the pod that is replaced, nor the uplink's server."""
    for pair in pairs(evidence.inventory, evidence.expectations):
        target = pair.target
        if pair.sender != sender or target.second or target.kind is EndpointKind.UPLINK:
            continue
        if target not in evidence.addresses or evidence.problem_of(target) is not None:
            continue
        probe = matrix_probe(pair, protocol, evidence.addresses[target])
        if probe is not None and evidence.expected(pair).answers:
            yield probe


def _has_answered(sender: Endpoint, probe: Probe, evidence: Evidence) -> bool:
    answer = evidence.answers.get((sender, probe.key))
    return answer is not None and answer.answered


def _itself(sender: Endpoint, protocol: Protocol, evidence: Evidence) -> Probe:
    """Only where the mode lets it reach nobody: what it sends to its own address, it must receive."""
    address = evidence.addresses[sender]
    return Probe("itself", protocol, str(address.ip), address.port(protocol))
