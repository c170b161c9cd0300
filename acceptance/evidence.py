"""Everything the checks judge, as it was seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network

from acceptance.arp import ArpAnswers
from acceptance.asking import Answers
from acceptance.cluster import ClusterNode, ClusterPod
from acceptance.diagnosis import Finding, PlacedPod
from acceptance.expectations import Expectations, Reach, ServiceReach, ServiceWay, Source
from acceptance.inventory import Inventory
from acceptance.loss import Pings
from acceptance.manifests import BACKEND, probe_name
from acceptance.matrix import Cell, Endpoint, EndpointKind, Pair, Sources, pairs, pod_endpoints
from acceptance.node_facts import NodeFacts
from acceptance.probes import Answer, Probe, Protocol
from acceptance.problems import Problem, Unasked
from acceptance.questions import Address, ServiceQuestion, matrix_probe
from acceptance.scope import WHOLE_LAB, Scope
from acceptance.transfer import Transfer
from acceptance.wire import WireSight
from acceptance.workload import BackendService


@dataclass(frozen=True)
class Replacement:
    """The pod behind the Service was deleted and another one took its place."""

    old: ClusterPod
    new: ClusterPod
    endpoints_problem: Problem | None
    questions: tuple[ServiceQuestion, ...] = ()
    answers: Answers = field(default_factory=dict)

    @property
    def old_address_probe(self) -> Probe | None:
        """What is asked of the deleted pod's address; None when the successor has it."""
        if self.old.address is None or self.old.address == self.new.address:
            return None
        return Probe("deleted pod", Protocol.PING, str(self.old.address))

    @property
    def old_address_answers(self) -> Mapping[Endpoint, Answer]:
        """What everybody got who asked the deleted pod's address, which no other pod has yet."""
        probe = self.old_address_probe
        return {
            sender: answer
            for (sender, key), answer in self.answers.items()
            if probe is not None and key == probe.key
        }


@dataclass(frozen=True)
class Crowd:
    """Ten pods of the first group that started at once; by role."""

    pods: Mapping[str, ClusterPod]
    problems: Mapping[str, Problem]
    answers: Answers
    """By the pod that asked and the role of the one that was asked: the name it said it has."""


@dataclass(frozen=True)
class PolicySight:
    """What one pair of pods showed while the NetworkPolicies of one round were in force."""

    case: str
    """The policy that the pair shows, by its name in `policies`."""
    sender: str
    target: str
    protocol: Protocol
    forbidden: bool
    """By the policy, whether anybody enforces it or not."""
    must_answer: bool
    answer: Answer


@dataclass(frozen=True)
class Evidence:
    """What was seen. Parts that could not be had are Problems, and the checks that need them say so."""

    inventory: Inventory
    expectations: Expectations
    cluster_nodes: Mapping[str, ClusterNode] | Problem
    all_pods: tuple[ClusterPod, ...] | Problem
    service: BackendService | Problem
    pods: Mapping[str, ClusterPod]
    pod_problems: Mapping[str, Problem]
    machine_problems: Mapping[str, Problem]
    """By node: why its netexec could not be started."""
    addresses: Mapping[Endpoint, Address]
    answers: Answers
    questions: tuple[ServiceQuestion, ...]
    facts: Mapping[str, NodeFacts | Problem]
    names: Mapping[Endpoint, frozenset[IPv4Address] | Problem]
    replacement: Replacement | Problem
    findings: Mapping[str, tuple[Finding, ...]]
    endpoint_problems: tuple[Problem, ...] = ()
    """Services of the suite that did not come to have their pods behind them."""
    blocks: Mapping[str, tuple[IPv4Network, ...]] | Problem = field(default_factory=dict)
    """The blocks of the pod CIDR that each node has; empty where the mode knows none."""
    wire: Mapping[tuple[str, str], WireSight | Problem] = field(default_factory=dict)
    """By node and group of pods: what passed its underlay NIC while its pod pinged those of other nodes."""
    with_lan_routes: Answers | Problem = field(default_factory=dict)
    """What the LAN host got from the pods while it had routes to them."""
    losses: Mapping[Pair, Pings | Problem] = field(default_factory=dict)
    """Of many pings along each path between two nodes."""
    crowd: Crowd | Problem = field(default_factory=lambda: Problem("not tried"))
    policies: tuple[PolicySight, ...] | Problem = field(default_factory=lambda: Problem("not tried"))
    transfers: tuple[Transfer | Problem, ...] = ()
    first_look: Mapping[str, NodeFacts | Problem] = field(default_factory=dict)
    """What the nodes said of themselves before the suite did anything."""
    scope: Scope = WHOLE_LAB
    """What was asked."""
    facts_before: Mapping[str, NodeFacts | Problem] = field(default_factory=dict)
    """Of nodes out of the scope: what they said when the whole lab was asked."""
    arp: ArpAnswers | Problem | None = None
    """Who answers for pods and gateway on the underlay; None when there is no LAN host to ask."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """How long each phase took."""

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """Every cell of the matrix, within the scope."""
        return self.scope.pairs(pairs(self.inventory, self.expectations))

    def last_facts(self, node: str) -> NodeFacts | Problem | None:
        """What a node said of itself when it was last asked; None when it never was."""
        return self.facts.get(node, self.facts_before.get(node))

    def expected(self, pair: Pair) -> Reach:
        """What must be seen in a cell of the matrix."""
        return self.expectations.of(pair.group).reach[pair.way]

    def expected_answer(self, question: ServiceQuestion) -> ServiceReach:
        """What must come back to a question about a Service."""
        return self.expectations.of(question.sender.group).services[question.way]

    def cell(self, pair: Pair) -> Cell:
        """The cell of the matrix for a pair, with the reason when it could not be tried."""
        for endpoint in (pair.sender, pair.target):
            if (problem := self.problem_of(endpoint)) is not None:
                return Cell(pair, {}, problem.text)
        answers = {
            protocol: self.answers[pair.sender, probe.key]
            for protocol in Protocol
            if (probe := matrix_probe(pair, protocol, self.addresses[pair.target])) is not None
            and (pair.sender, probe.key) in self.answers
        }
        return Cell(pair, answers, None if answers else "nothing was asked")

    @property
    def headless_addresses(self) -> frozenset[IPv4Address]:
        """What the headless Service's name must resolve to."""
        return frozenset(pod.address for role, pod in self.pods.items() if role != BACKEND and pod.address)

    @property
    def wrong_names(self) -> Mapping[Endpoint, frozenset[IPv4Address] | Problem]:
        """What the headless Service's name resolves to in the pods where it should be something else.

        Where it should not resolve: why the pod could not ask.
        """
        if not self.expectations.services[ServiceWay.HEADLESS].answers:
            return {sender: seen for sender, seen in self.names.items() if isinstance(seen, Unasked)}
        wanted = self.headless_addresses
        return {sender: seen for sender, seen in self.names.items() if seen != wanted}

    def problem_of(self, endpoint: Endpoint) -> Problem | None:
        """Why an endpoint can neither ask nor be asked."""
        match endpoint.kind:
            case EndpointKind.POD:
                role = role_of(endpoint)
                if role in self.pods and self.pods[role].address is not None and self.pods[role].running:
                    return None
                if isinstance(self.service, Problem):
                    return self.service
                return self.pod_problems.get(role, Problem(f"pod {role} was not made"))
            case EndpointKind.NODE:
                return self.machine_problems.get(endpoint.node or "")
        return None

    def sources(self, sender: Endpoint) -> Sources:
        """The addresses each kind of source stands for when `sender` asks."""
        found: dict[Source, frozenset[IPv4Address]] = {}
        if sender.kind is EndpointKind.LAN_HOST and self.inventory.lan_host is not None:
            found[Source.LAN_HOST] = frozenset({self.inventory.lan_host.address})
        if sender.kind is EndpointKind.POD and sender in self.addresses:
            found[Source.POD] = frozenset({self.addresses[sender].ip})
        if sender.node is not None:
            node = self.inventory.node(sender.node)
            facts = self.last_facts(sender.node)
            known = facts.addresses if isinstance(facts, NodeFacts) else frozenset()
            nic = self.inventory.nic(node, "underlay")
            found[Source.NODE] = node.addresses | known
            found[Source.NODE_UNDERLAY] = frozenset({nic.address.ip} if nic else ())
        return found


@dataclass(frozen=True)
class AfterReboot:
    """A node was booted anew, and everything that touches it was asked again."""

    node: str
    seconds: float
    """Until the machine answered, under its new boot."""
    evidence: Evidence


def role_of(endpoint: Endpoint) -> str:
    """The role label of a pod's endpoint."""
    return BACKEND if endpoint.second else probe_name(endpoint.node or "", endpoint.group)


def placed_pods(evidence: Evidence) -> tuple[PlacedPod, ...]:
    """The suite's pods that have an address, and the nodes they are on."""
    return tuple(
        PlacedPod(pod.name, pod.node, pod.address, endpoint.group)
        for endpoint in pod_endpoints(evidence.inventory, evidence.expectations)
        if (pod := evidence.pods.get(role_of(endpoint))) is not None
        if pod.node is not None and pod.address is not None
    )
