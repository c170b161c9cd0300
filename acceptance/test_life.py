"""Pods come in numbers, much is sent, a node is booted anew: the network still does what the mode says."""

from __future__ import annotations

import pytest

from acceptance.evidence import AfterReboot, Evidence
from acceptance.manifests import AT_ONCE, BACKEND
from acceptance.problems import Problem
from acceptance.questions import headless_name
from acceptance.report import SEEN, Record, causes, judge, matrix_table
from acceptance.transfer import MEGABYTES
from acceptance.verdicts import wrong_answer

pytestmark = pytest.mark.life


def test_ten_pods_at_once(evidence: Evidence, record_property: Record) -> None:
    """Ten pods that start at the same moment all run and answer, each under its own address."""
    crowd = evidence.crowd
    if isinstance(crowd, Problem):
        pytest.fail(f"not tried: {crowd}\n{causes(evidence, ())}", pytrace=False)
    wrong = [str(problem) for problem in crowd.problems.values()]
    assert crowd.answers or wrong, "no sender could ask"
    started = len(crowd.pods) + len(crowd.problems)
    assert started >= AT_ONCE, f"only {started} were started"
    for (sender, role), answer in crowd.answers.items():
        if answer.body != crowd.pods[role].name:
            said = f"{answer.body} answered" if answer.answered else f"{answer.outcome}: {answer.error}"
            wrong.append(f"{sender} to {role} ({crowd.pods[role].address}): {said}")
    addresses = {pod.address for pod in crowd.pods.values()}
    if len(addresses) < len(crowd.pods):
        wrong.append(f"{len(crowd.pods)} pods have only {len(addresses)} addresses")
    if wrong:
        said = "\n".join(wrong)
        pytest.fail(f"{said}\n{causes(evidence, ())}", pytrace=False)
    record_property(
        SEEN, f"{len(crowd.pods)} pods answer with their own names, {len(crowd.answers)} times asked"
    )


def test_large_transfer(evidence: Evidence, record_property: Record) -> None:
    """100 MB arrive at a pod of another node as they were sent."""
    if len(evidence.inventory.nodes) == 1:
        pytest.skip("there is only one node")
    assert evidence.transfers, "nothing was sent"
    seen, wrong = [], []
    for transfer in evidence.transfers:
        if isinstance(transfer, Problem):
            wrong.append(str(transfer))
        elif not transfer.intact:
            wrong.append(
                f"{MEGABYTES} MB from {transfer.sender} to {transfer.receiver} have the MD5 digest"
                f" {transfer.received}, but {transfer.sent} was sent"
            )
        else:
            seen.append(
                f"{MEGABYTES} MB from {transfer.sender} to {transfer.receiver} intact,"
                f" {transfer.megabytes_per_second:.0f} MB/s"
            )
    if wrong:
        nodes = [node.name for node in evidence.inventory.nodes[-2:]]
        said = "\n".join(wrong)
        pytest.fail(f"{said}\n{causes(evidence, nodes)}", pytrace=False)
    record_property(SEEN, "\n".join(seen))


def _after(seen: AfterReboot | Problem) -> AfterReboot:
    if isinstance(seen, Problem):
        pytest.fail(f"not as before: {seen}", pytrace=False)
    return seen


@pytest.mark.reboot
def test_pods_return_after_a_reboot(after_reboot: AfterReboot | Problem, record_property: Record) -> None:
    """The node boots, and all its pods run again."""
    seen = _after(after_reboot)
    evidence = seen.evidence
    if evidence.pod_problems:
        said = "\n".join(map(str, evidence.pod_problems.values()))
        pytest.fail(f"{said}\n{causes(evidence, (seen.node,))}", pytrace=False)
    record_property(SEEN, f"{seen.node} answers {seen.seconds:.0f} s after its reboot began")


@pytest.mark.reboot
def test_matrix_after_a_reboot(after_reboot: AfterReboot | Problem, record_property: Record) -> None:
    """Every cell of the matrix that touches the node is as the mode's expectations say."""
    evidence = _after(after_reboot).evidence
    record_property(SEEN, matrix_table(evidence))
    wrong = [(pair, lines) for pair in evidence.pairs if (lines := judge(evidence, pair))]
    if wrong:
        nodes = [endpoint.node for pair, _ in wrong for endpoint in (pair.sender, pair.target)]
        said = "\n".join(f"{pair.label}: {line}" for pair, lines in wrong for line in lines)
        pytest.fail(
            f"{len(wrong)} of {len(evidence.pairs)} cells are not as expected:\n{said}\n\n"
            f"{matrix_table(evidence)}\n\n{causes(evidence, nodes)}",
            pytrace=False,
        )


@pytest.mark.reboot
def test_services_after_a_reboot(after_reboot: AfterReboot | Problem, record_property: Record) -> None:
    """ClusterIP, NodePort and names by way of the node answer, or do not, as the mode's expectations say."""
    evidence = _after(after_reboot).evidence
    assert evidence.questions, "nothing was asked"
    backend = evidence.pods[BACKEND].name if BACKEND in evidence.pods else ""
    wrong = []
    for question in evidence.questions:
        asked = f"{question.sender} to {question.about}"
        answer = evidence.answers.get((question.sender, question.probe.key))
        if answer is None:
            wrong.append(f"{asked}: not tried: {evidence.problem_of(question.sender)}")
        elif said := wrong_answer(question, answer, evidence.expected_answer(question), backend):
            wrong.append(f"{asked}: {said}")
    for sender, resolved in evidence.wrong_names.items():
        said = str(resolved) if isinstance(resolved, Problem) else ", ".join(map(str, sorted(resolved)))
        wrong.append(f"{headless_name(evidence.inventory)} in {sender}: {said or 'no address'}")
    if wrong:
        said = "\n".join(wrong)
        pytest.fail(f"{said}\n{causes(evidence, ())}", pytrace=False)
    record_property(SEEN, f"{len(evidence.questions)} questions answered as expected")


@pytest.mark.reboot
def test_data_path_after_a_reboot(after_reboot: AfterReboot | Problem) -> None:
    """Devices, routes and rules of the node are there."""
    seen = _after(after_reboot)
    evidence = seen.evidence
    wrong = [finding.text for found in evidence.findings.values() for finding in found]
    wrong += [
        f"{node} cannot be asked: {facts}"
        for node, facts in evidence.facts.items()
        if isinstance(facts, Problem)
    ]
    if seen.node not in evidence.facts:
        wrong.append(f"{seen.node} was not asked")
    assert not wrong, "\n".join(wrong)
