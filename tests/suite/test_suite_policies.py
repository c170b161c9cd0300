"""The truth table of NetworkPolicies, without a lab."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from acceptance import policy_trial
from acceptance import test_policies as checks
from acceptance.asking import Machine, Round
from acceptance.cluster import Api, ClusterPod
from acceptance.evidence import Evidence, PolicySight
from acceptance.expectations import FOLDER, Expectations, load_expectations
from acceptance.inventory import Inventory
from acceptance.matrix import Endpoint
from acceptance.policies import PolicyPod, X, Y, Z, case_names, rounds
from acceptance.policy_trial import PolicyTrial, policy_pods
from acceptance.probes import Answer, Probe, Protocol
from acceptance.rounds import RoundLimits
from acceptance.shell import SshConnections

NODES = ("k8s-master1", "k8s-node1", "k8s-node2")
PODS = tuple(
    PolicyPod(f"{short}{number}", namespace, NODES[number], f"uid-{short}{number}", IPv4Address(address))
    for short, namespace in (("x", X), ("y", Y), ("z", Z))
    for number in range(3)
    for address in (f"10.200.{number}.{ord(short)}",)
)
BY_ADDRESS = {str(pod.address): pod for pod in PODS}


class Networking:
    """Takes policies, and knows those that are in force."""

    def __init__(self) -> None:
        self.in_force: dict[str, dict[str, Any]] = {}
        self.most = 0

    def create_namespaced_network_policy(self, namespace: str, body: dict[str, Any], **_: Any) -> None:
        assert namespace not in self.in_force
        self.in_force[namespace] = body
        self.most = max(self.most, len(self.in_force))

    def delete_collection_namespaced_network_policy(self, namespace: str, **_: Any) -> None:
        self.in_force.pop(namespace, None)

    def lets(self, sender: PolicyPod, target: PolicyPod, protocol: Protocol) -> bool:
        """By the objects themselves, as the API's documentation reads them."""
        for own, other, direction in ((target, sender, "ingress"), (sender, target, "egress")):
            spec = self.in_force.get(own.namespace, {}).get("spec", {})
            if direction not in spec:
                continue
            peers = "from" if direction == "ingress" else "to"
            if not any(
                all(port["protocol"] == protocol.upper() for port in rule.get("ports", ()))
                and (peers not in rule or any(_is_meant(peer, other, own) for peer in rule[peers]))
                for rule in spec[direction]
            ):
                return False
        return True


def _is_meant(peer: dict[str, Any], other: PolicyPod, own: PolicyPod) -> bool:
    if "ipBlock" in peer:
        return bool(peer["ipBlock"]["cidr"] == f"{other.address}/32")
    if "namespaceSelector" in peer:
        return other.namespace in peer["namespaceSelector"]["matchLabels"].values()
    return other.namespace == own.namespace and other.name == peer["podSelector"]["matchLabels"]["role"]


@pytest.fixture
def networking() -> Networking:
    return Networking()


def trial(
    networking: Networking, inventory: Inventory, expectations: Expectations, limits: RoundLimits
) -> PolicyTrial:
    api = Api(None, None, None, None, networking)
    return PolicyTrial(api, inventory, expectations, SshConnections.__new__(SshConnections), limits)


def enforcing(networking: Networking, *, deaf: str = "", enforced: bool = True) -> Any:
    """What `ask` does where the policies in force are kept; the pod `deaf` hears nothing at all."""

    def ask(machines: list[Machine], probes: dict[Endpoint, list[Probe]], **_: Any) -> Round:
        answers = {}
        for sender, questions in probes.items():
            own = next(pod for pod in PODS if pod.endpoint == sender)
            for probe in questions:
                target = BY_ADDRESS.get(probe.host)
                through = target is None or not enforced or networking.lets(own, target, probe.protocol)
                heard = through and own.name != deaf
                answers[sender, probe.key] = Answer.heard("x") if heard else Answer.silence("i/o timeout")
        return Round(answers, {}, {})

    return ask


@pytest.fixture
def calico() -> Expectations:
    return load_expectations("calico-vxlan", {})


@pytest.fixture(autouse=True)
def _no_ssh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SshConnections, "to", lambda self, name: None)


def _of_cluster(pod: PolicyPod) -> ClusterPod:
    return ClusterPod(
        pod.namespace, pod.name, pod.uid, pod.node, pod.address, False, True, True, False, "Running", {}
    )


CLUSTER_PODS = [_of_cluster(pod) for pod in PODS]


def test_all_that_the_policies_say_is_what_is_expected_of_them(
    networking: Networking,
    inventory: Inventory,
    calico: Expectations,
    limits: RoundLimits,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(policy_trial, "ask", enforcing(networking))
    sights = trial(networking, inventory, calico, limits).run(CLUSTER_PODS)
    assert [checks.wrong_with(sight) for sight in sights] == [""] * len(sights)
    assert {sight.case for sight in sights} == set(case_names(calico))
    for case in case_names(calico):
        forbidden = {sight.forbidden for sight in sights if sight.case == case}
        assert True in forbidden, case
    assert networking.in_force == {}
    assert networking.most == len(rounds(PODS, ())[0]) == 3


def test_who_hears_nobody_proves_nothing(
    networking: Networking,
    inventory: Inventory,
    calico: Expectations,
    limits: RoundLimits,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(policy_trial, "ask", enforcing(networking, deaf="x1"))
    sights = trial(networking, inventory, calico, limits).run(CLUSTER_PODS)
    wrong = [sight for sight in sights if checks.wrong_with(sight)]
    assert {sight.sender for sight in wrong} == {"x/x1"}
    assert all(not sight.answer.asked for sight in wrong if not sight.must_answer)


def test_a_mode_that_lets_all_through_is_named(
    networking: Networking,
    inventory: Inventory,
    calico: Expectations,
    limits: RoundLimits,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(policy_trial, "ask", enforcing(networking, enforced=False))
    sights = trial(networking, inventory, calico, limits).run(CLUSTER_PODS)
    assert {bool(checks.wrong_with(sight)) for sight in sights if sight.forbidden} == {True}
    assert not any(checks.wrong_with(sight) for sight in sights if not sight.forbidden)


def test_where_nobody_enforces_one_round_shows_it(
    networking: Networking,
    inventory: Inventory,
    flannel: Expectations,
    limits: RoundLimits,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(policy_trial, "ask", enforcing(networking, enforced=False))
    sights = trial(networking, inventory, flannel, limits).run(CLUSTER_PODS)
    assert {sight.case for sight in sights} == set(case_names(flannel))
    assert not any(checks.wrong_with(sight) for sight in sights)
    assert any(sight.forbidden for sight in sights)


def _sight(**changes: Any) -> PolicySight:
    usual = PolicySight("a", "x/x0", "y/y0", Protocol.TCP, True, False, Answer.silence("i/o timeout"))
    return replace(usual, **changes)


def test_the_check_says_what_is_wrong_and_shows_the_table(healthy: Evidence) -> None:
    said: list[object] = []
    right = replace(healthy, policies=(_sight(),))
    checks.test_policy("a", right, lambda _, text: said.append(text))
    assert "1 questions, 1 of them forbidden" in str(said[0])
    through = replace(healthy, policies=(_sight(answer=Answer.heard("x")),))
    with pytest.raises(
        pytest.fail.Exception, match="x/x0 to y/y0 by tcp: answered, and the policy forbids it"
    ):
        checks.test_policy("a", through, lambda *_: None)


def test_pods_without_a_node_or_an_address_are_left_out() -> None:
    lost = [replace(CLUSTER_PODS[0], address=None), replace(CLUSTER_PODS[1], node=None)]
    assert policy_pods([*lost, *CLUSTER_PODS[2:]]) == PODS[2:]


def test_what_passed_before_a_policy_was_in_force_says_nothing_of_it(
    networking: Networking,
    inventory: Inventory,
    calico: Expectations,
    limits: RoundLimits,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The enforcer comes late, and then lets nothing through at all."""
    asked: list[int] = []

    def ask(machines: list[Machine], probes: dict[Endpoint, list[Probe]], **_: Any) -> Round:
        asked.append(1)
        late = len(asked) > 1
        answers = {
            (sender, probe.key): Answer.silence("i/o timeout")
            if late and probe.host in BY_ADDRESS
            else Answer.heard("x")
            for sender, questions in probes.items()
            for probe in questions
        }
        return Round(answers, {}, {})

    monkeypatch.setattr(policy_trial, "ask", ask)
    sights = trial(networking, inventory, calico, limits).run(CLUSTER_PODS)
    wrong = [checks.wrong_with(sight) for sight in sights if sight.must_answer]
    assert all("the policy allows it" in line for line in wrong)


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.yaml")), ids=lambda file: file.stem)
def test_every_mode_says_whether_it_enforces(file: Path) -> None:
    of_mode = load_expectations(file.stem, {})
    assert of_mode.policies == ("enforced" if file.stem.startswith("calico") else "not-enforced")
    assert load_expectations(file.stem, {"policy": "kube-network-policies"}).policies == "enforced"


def test_expectations_that_say_nothing_of_policies_ask_for_none(flannel: Expectations) -> None:
    assert case_names(flannel.model_copy(update={"policies": "unasked"})) == ()
