"""The checks of Services: what an answer, silence and a question that was not put come to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from acceptance import test_services as services
from acceptance.evidence import Evidence
from acceptance.expectations import Expectations, ServiceReach, ServiceWay, load_expectations
from acceptance.inventory import Inventory, Node
from acceptance.manifests import HOST_PORT, HTTP_PORT, Manifests
from acceptance.matrix import Endpoint, EndpointKind
from acceptance.netexec import NODE_HTTP_PORT, NODE_UDP_PORT
from acceptance.probes import Answer
from acceptance.problems import Problem, Unasked
from acceptance.questions import ServiceQuestion, cluster_ip_questions, service_questions
from acceptance.verdicts import wrong_answer
from acceptance.wanted import Wanted, silent_as_expected, unsettled
from acceptance.workload import BackendService

POD = Endpoint(EndpointKind.POD, "k8s-node1")
REFUSED = Answer.unasked("commands on k8s-node1 failed: Connection refused")
MUST = ServiceReach(answers=True)
MUST_NOT = ServiceReach(answers=False, because="no netfilter")


@pytest.fixture
def question(healthy: Evidence) -> ServiceQuestion:
    assert isinstance(healthy.service, BackendService)
    return cluster_ip_questions(POD, ServiceWay.POD_TO_CLUSTERIP_HERE, healthy.service)[0]


def test_what_was_not_asked_is_never_right(question: ServiceQuestion) -> None:
    for expected in (MUST, MUST_NOT):
        assert wrong_answer(question, REFUSED, expected, "backend") == f"not asked: {REFUSED.error}"
    assert wrong_answer(question, Answer.silence("timeout"), MUST_NOT, "backend") is None
    assert wrong_answer(question, Answer.silence("timeout"), MUST, "backend") == "no answer: timeout"
    assert wrong_answer(question, Answer.heard("backend"), MUST, "backend") is None


def test_a_question_that_was_not_put_fails_where_silence_is_expected(
    without_shim: Evidence, question: ServiceQuestion
) -> None:
    key = (POD, question.probe.key)

    def seen(answer: Answer) -> Evidence:
        return replace(without_shim, questions=(question,), answers={**without_shim.answers, key: answer})

    recorded: list[object] = []
    quiet = seen(replace(Answer.silence("i/o timeout"), tries=2))
    services.test_service(key, quiet, lambda _, value: recorded.append(value))
    assert recorded == ["pod.k8s-node1 to ClusterIP 10.96.1.2 tcp: no answer, asked 2 times, as expected"]
    assert Wanted(POD, question.probe, must_answer=False) in silent_as_expected(quiet)
    refused = seen(REFUSED)
    with pytest.raises(pytest.fail.Exception, match="not asked: commands on k8s-node1 failed"):
        services.test_service(key, refused, lambda _, value: None)
    assert unsettled(refused) == [Wanted(POD, question.probe, must_answer=False)]


def test_a_name_that_must_not_resolve_must_have_been_asked_for(without_shim: Evidence) -> None:
    node: Node = without_shim.inventory.node("k8s-node1")
    services.test_headless(node, replace(without_shim, names={POD: Problem("the name does not resolve")}))
    for names in ({}, {POD: Unasked("Connection refused")}):
        with pytest.raises(pytest.fail.Exception, match="not asked"):
            services.test_headless(node, replace(without_shim, names=names))


def host_ports(inventory: Inventory, expectations: Expectations) -> dict[str, list[dict[str, int]]]:
    """By the names of all probes."""
    manifests = Manifests(inventory, expectations)
    pods = [manifests.probe(node.name, group) for node in inventory.nodes for group in expectations.groups]
    return {pod["metadata"]["name"]: pod["spec"]["containers"][0].get("ports", []) for pod in pods}


@pytest.mark.parametrize(
    ("mode", "pod"), [("macvlan", "probe-k8s-node1"), ("hybridnet", "probe-overlay-k8s-node1")]
)
def test_one_pod_has_a_host_port_and_the_lan_host_asks_for_it(
    inventory: Inventory, healthy: Evidence, mode: str, pod: str
) -> None:
    expectations = load_expectations(mode, {})
    assert isinstance(healthy.service, BackendService)
    asked = [
        question
        for question in service_questions(inventory, expectations, healthy.service)
        if question.way is ServiceWay.LAN_HOST_TO_HOSTPORT
    ]
    assert [(each.probe.host, each.probe.port, each.of_pod) for each in asked] == [
        (str(inventory.backend_node.internal_address), HOST_PORT, pod)
    ]
    given = {name: ports for name, ports in host_ports(inventory, expectations).items() if ports}
    assert given == {pod: [{"containerPort": HTTP_PORT, "hostPort": HOST_PORT}]}


def test_the_host_port_is_none_that_the_nodes_have_themselves() -> None:
    assert HOST_PORT not in (NODE_HTTP_PORT, NODE_UDP_PORT)


def test_another_pod_behind_the_host_port_is_wrong(inventory: Inventory, healthy: Evidence) -> None:
    assert isinstance(healthy.service, BackendService)
    question = service_questions(inventory, healthy.expectations, healthy.service)[-1]
    for body, wrong in (
        ("probe-k8s-node1", None),
        ("backend-1", "backend-1 answered, expected probe-k8s-node1"),
    ):
        answer = Answer.heard(body)
        assert wrong_answer(question, answer, MUST, "backend-1") == wrong


def test_a_cluster_that_is_no_lab_gets_no_host_port(inventory: Inventory, macvlan: Expectations) -> None:
    elsewhere = inventory.model_copy(update={"lan_host": None})
    assert not any(host_ports(elsewhere, macvlan).values())
