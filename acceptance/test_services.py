"""ClusterIP, the API's ClusterIP, DNS, NodePort, headless Services, and a pod that is replaced."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address

import pytest

from acceptance.evidence import Evidence
from acceptance.expectations import ServiceWay
from acceptance.inventory import Node
from acceptance.manifests import BACKEND
from acceptance.matrix import Endpoint, EndpointKind
from acceptance.probes import Answer
from acceptance.problems import Problem, Unasked
from acceptance.questions import ServiceQuestion, headless_name
from acceptance.report import SEEN, Record, causes, when
from acceptance.verdicts import wrong_answer

BACKEND_POD = Endpoint(EndpointKind.POD, second=True)


def _fail(evidence: Evidence, sender: Endpoint, text: str) -> None:
    nodes = (sender.node, evidence.inventory.backend_node.name)
    pytest.fail(f"{text}\n{causes(evidence, nodes)}", pytrace=False)


def _answer(question: ServiceQuestion, answer: Answer) -> str:
    said = (
        f"answered{when(answer)}: {answer.body}"
        if answer.answered
        else f"no answer{when(answer)}, as expected"
    )
    return f"{question.sender} to {question.about}: {said}"


def _check(evidence: Evidence, question: ServiceQuestion, answer: Answer, backend: str) -> None:
    expected = evidence.expected_answer(question)
    wrong = wrong_answer(question, answer, expected, backend)
    if wrong is not None:
        _fail(evidence, question.sender, f"{question.sender} to {question.about}: {wrong} ({question.way})")


def test_service(asked: tuple[Endpoint, str], evidence: Evidence, record_property: Record) -> None:
    """A Service answers, or does not, as the mode's expectations say; the right pod answers."""
    sender, key = asked
    if isinstance(evidence.service, Problem):
        pytest.fail(f"the Service could not be made: {evidence.service}", pytrace=False)
    question = next(q for q in evidence.questions if q.sender == sender and q.probe.key == key)
    answer = evidence.answers.get((sender, key))
    if answer is None:
        _fail(evidence, sender, f"{sender} to {question.about}: not tried: {evidence.problem_of(sender)}")
    elif BACKEND in evidence.pod_problems and question.by_backend:
        _fail(evidence, sender, f"the Service has no backend: {evidence.pod_problems[BACKEND]}")
    else:
        backend = evidence.pods[BACKEND].name if BACKEND in evidence.pods else ""
        _check(evidence, question, answer, backend)
        record_property(SEEN, _answer(question, answer))


def test_headless(node: Node, evidence: Evidence) -> None:
    """A headless Service's name resolves to the addresses of all its pods, in a pod on every node."""
    sender = Endpoint(EndpointKind.POD, node.name, group=evidence.expectations.group)
    seen = evidence.names.get(sender, evidence.problem_of(sender) or Unasked("nobody asked there"))
    expected = evidence.expectations.services[ServiceWay.HEADLESS]
    asked = f"{headless_name(evidence.inventory)} in {sender}"
    if isinstance(seen, Unasked) or sender not in evidence.names:
        _fail(evidence, sender, f"{asked}: not asked: {seen}")
    if not expected.answers:
        if not isinstance(seen, Problem):
            _fail(evidence, sender, f"{asked} resolves, but no answer is expected ({expected.because})")
        return
    wanted = evidence.headless_addresses
    if isinstance(seen, Problem):
        _fail(evidence, sender, f"{asked}: {seen}")
    elif seen != wanted:
        _fail(evidence, sender, f"{asked} is {_listed(seen)}, expected {_listed(wanted)}")


def test_endpoints_follow_a_replaced_pod(evidence: Evidence) -> None:
    """The pod behind a Service is deleted: the endpoints are those of the pod that takes its place."""
    replacement = evidence.replacement
    if isinstance(replacement, Problem):
        _fail(evidence, BACKEND_POD, f"the pod behind the Service was not replaced: {replacement}")
    elif replacement.endpoints_problem is not None:
        _fail(evidence, BACKEND_POD, str(replacement.endpoints_problem))


def test_replaced_pod_answers(sender: Endpoint, evidence: Evidence) -> None:
    """The ClusterIP leads to the new pod, from everywhere."""
    replacement = evidence.replacement
    if isinstance(replacement, Problem):
        _fail(evidence, sender, f"the pod behind the Service was not replaced: {replacement}")
        return
    mine = [question for question in replacement.questions if question.sender == sender]
    if not mine:
        _fail(evidence, sender, f"{sender} could not ask: {evidence.problem_of(sender)}")
    for question in mine:
        _check(evidence, question, replacement.answers[sender, question.probe.key], replacement.new.name)


def test_a_deleted_pod_is_gone(evidence: Evidence) -> None:
    """Nobody answers any more under the address of the pod that was deleted."""
    replacement = evidence.replacement
    if isinstance(replacement, Problem):
        _fail(evidence, BACKEND_POD, f"the pod behind the Service was not replaced: {replacement}")
        return
    answers = replacement.old_address_answers
    assert answers or replacement.old_address_probe is None, "nobody asked the address of the deleted pod"
    wrong = [
        f"still answers {sender}" if answer.answered else f"was not asked by {sender}: {answer.error}"
        for sender, answer in answers.items()
        if not answer.silent
    ]
    if wrong:
        said = "\n".join(f"{replacement.old.address} of the deleted pod {line}" for line in wrong)
        _fail(evidence, BACKEND_POD, said)


def _listed(addresses: Iterable[IPv4Address]) -> str:
    return ", ".join(map(str, sorted(addresses))) or "empty"
