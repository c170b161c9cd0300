"""Putting the questions: a first round of everything, then again what is not settled."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace

from acceptance.asking import Answers, Machine, PodOnNode, Round, ask, lan_machine, node_machine
from acceptance.cluster import ClusterPod
from acceptance.diagnosis import Finding, Subject, findings
from acceptance.evidence import Evidence, placed_pods, role_of
from acceptance.expectations import ServiceWay
from acceptance.inventory import Inventory
from acceptance.matrix import Endpoint, needs_another_try, pod_endpoints
from acceptance.node_facts import NodeFacts
from acceptance.probes import Probe, Protocol
from acceptance.problems import Problem
from acceptance.questions import ServiceQuestion, headless_name, matrix_probe
from acceptance.shell import LocalShell, SshConnections

SETTLE_SECONDS = 30.0
"""How long what is not as expected is asked again: a slow machine is not a broken network."""

PAUSE_SECONDS = 3.0

Probes = dict[Endpoint, list[Probe]]


class Questioner:
    """Asks the machines of one lab."""

    def __init__(self, inventory: Inventory, ssh: SshConnections) -> None:
        self._inventory = inventory
        self._ssh = ssh

    def first_round(self, evidence: Evidence) -> Evidence:
        """Ask everything."""
        probes: Probes = {}
        for pair in evidence.pairs:
            if evidence.problem_of(pair.sender) is None and pair.target in evidence.addresses:
                for protocol in Protocol:
                    probe = matrix_probe(pair, protocol, evidence.addresses[pair.target])
                    if probe is not None:
                        probes.setdefault(pair.sender, []).append(probe)
        for question in evidence.questions:
            if evidence.problem_of(question.sender) is None:
                probes.setdefault(question.sender, []).append(question.probe)
        return self._with(evidence, self._ask(evidence, probes, not isinstance(evidence.service, Problem)))

    def further_rounds(self, evidence: Evidence) -> Evidence:
        """Ask again what should have been answered or looks wrong, until it is right or time is up."""
        end = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < end:
            silent, names_are_wrong = _silent(evidence), _names_are_wrong(evidence)
            if not silent and not names_are_wrong and not any(findings_of(evidence).values()):
                break
            started = time.monotonic()
            evidence = self._with(evidence, self._ask(evidence, silent, names_are_wrong))
            _pause(started)
        return evidence

    def ask_until_right(
        self, evidence: Evidence, questions: Sequence[ServiceQuestion], backend: ClusterPod
    ) -> Answers:
        """Ask for the pod behind the Service; kube-proxy follows the endpoints within moments."""
        answers: Answers = {}
        end = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < end:
            left: Probes = {}
            for question in questions:
                answer = answers.get((question.sender, question.probe.key))
                wanted = evidence.expected_answer(question).answers
                if answer is None or (wanted and answer.body != backend.name):
                    left.setdefault(question.sender, []).append(question.probe)
            if not left:
                break
            started = time.monotonic()
            answers.update(ask(self._machines(evidence), left).answers)
            _pause(started)
        return answers

    def _ask(self, evidence: Evidence, probes: Probes, resolve: bool) -> Round:
        return ask(
            self._machines(evidence),
            probes,
            facts_about=[placed.address for placed in placed_pods(evidence)],
            resolve=headless_name(self._inventory) if resolve else None,
        )

    @staticmethod
    def _with(evidence: Evidence, seen: Round) -> Evidence:
        return replace(
            evidence,
            answers={**evidence.answers, **seen.answers},
            facts={**evidence.facts, **seen.facts},
            names={**evidence.names, **seen.names},
        )

    def _machines(self, evidence: Evidence) -> list[Machine]:
        machines = [
            node_machine(node, self._ssh.to(node.name), tuple(_pods_on(node.name, evidence)))
            for node in self._inventory.nodes
        ]
        if self._inventory.lan_host is not None:
            machines.append(lan_machine(self._inventory.lan_host, LocalShell()))
        return machines


def _pods_on(node: str, evidence: Evidence) -> Iterable[PodOnNode]:
    for endpoint in pod_endpoints(evidence.inventory, evidence.expectations):
        if endpoint.node == node and endpoint in evidence.addresses and evidence.problem_of(endpoint) is None:
            pod = evidence.pods[role_of(endpoint)]
            yield PodOnNode(endpoint, pod.name, pod.uid)


def _silent(evidence: Evidence) -> Probes:
    """What should have been answered and was not."""
    silent: Probes = {}
    for pair in evidence.pairs:
        cell = evidence.cell(pair)
        for protocol in needs_another_try(cell, evidence.expected(pair)):
            probe = matrix_probe(pair, protocol, evidence.addresses[pair.target])
            if probe is not None:
                silent.setdefault(pair.sender, []).append(probe)
    for question in evidence.questions:
        answer = evidence.answers.get((question.sender, question.probe.key))
        wanted = evidence.expected_answer(question).answers
        if wanted and answer is not None and not answer.answered:
            silent.setdefault(question.sender, []).append(question.probe)
    return silent


def _names_are_wrong(evidence: Evidence) -> bool:
    if not evidence.expectations.services[ServiceWay.HEADLESS].answers:
        return False
    return any(addresses != evidence.headless_addresses for addresses in evidence.names.values())


def _pause(started: float) -> None:
    time.sleep(max(0.0, started + PAUSE_SECONDS - time.monotonic()))


def findings_of(evidence: Evidence) -> dict[str, tuple[Finding, ...]]:
    """What is wrong on each node that could be asked."""
    nodes, pods, service = evidence.cluster_nodes, evidence.all_pods, evidence.service
    return {
        node.name: findings(
            Subject(
                evidence.inventory,
                evidence.expectations,
                node,
                facts,
                None if isinstance(nodes, Problem) else nodes.get(node.name),
                () if isinstance(pods, Problem) else [pod for pod in pods if pod.namespace == "kube-system"],
                placed_pods(evidence),
                None if isinstance(service, Problem) else service.fresh,
            )
        )
        for node in evidence.inventory.nodes
        if isinstance(facts := evidence.facts.get(node.name), NodeFacts)
    }
