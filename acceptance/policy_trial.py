"""Putting NetworkPolicies in force, round by round, and asking among all pairs of pods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from acceptance.api_answers import API_ERRORS, again, made
from acceptance.asking import Answers, PodOnNode, ask, merged, node_machine
from acceptance.cluster import REQUEST_TIMEOUT, Api, ClusterPod
from acceptance.controls import proven
from acceptance.evidence import PolicySight
from acceptance.expectations import Expectations, Way
from acceptance.inventory import Inventory, Node
from acceptance.manifests import BACKEND, CROWD_NAMESPACES, NAMESPACE
from acceptance.netexec import NODE_HTTP_PORT, NODE_UDP_PORT
from acceptance.policies import Case, PolicyPod, rounds
from acceptance.probes import Answer, Probe, Protocol
from acceptance.problems import Problem, SuiteError
from acceptance.rounds import RoundLimits
from acceptance.shell import SshConnections
from acceptance.wanted import Wanted, by_sender
from acceptance.workload import Pods

API_SECONDS = 60.0
NODE_PORTS: Mapping[Protocol, int] = {Protocol.TCP: NODE_HTTP_PORT, Protocol.UDP: NODE_UDP_PORT}


@dataclass(frozen=True)
class PolicyTrial:
    """What is needed to try policies on one lab."""

    api: Api
    inventory: Inventory
    expectations: Expectations
    ssh: SshConnections
    limits: RoundLimits

    @property
    def api_seconds(self) -> float:
        """How long the API server may take to take an object."""
        return self.limits.stretch(API_SECONDS)

    def run(self, pods: Sequence[ClusterPod]) -> tuple[PolicySight, ...]:
        """What every pair of these pods said in each round; no policy is left at the end.

        Raises SuiteError, and what the Kubernetes client does.
        """
        able = policy_pods(pods)
        enforced = self.expectations.policies == "enforced"
        found: list[PolicySight] = []
        every = rounds(able, [node.internal_address for node in self.inventory.nodes])
        for cases in every if enforced else every[:1]:
            try:
                for case in cases:
                    self._put(case)
                found += self._sights(cases, able, enforced=enforced)
            finally:
                self._remove_all()
        return tuple(found)

    def _put(self, case: Case) -> None:
        networking = self.api.networking
        made(
            lambda: networking.create_namespaced_network_policy(
                case.namespace, case.policy, _request_timeout=REQUEST_TIMEOUT
            ),
            lambda: None,
            self.api_seconds,
        )

    def _remove_all(self) -> None:
        def remove(namespace: str) -> None:
            again(
                lambda: self.api.networking.delete_collection_namespaced_network_policy(
                    namespace, _request_timeout=REQUEST_TIMEOUT
                ),
                self.api_seconds,
            )

        with ThreadPoolExecutor(max_workers=3) as pool:
            list(pool.map(remove, (NAMESPACE, *CROWD_NAMESPACES)))

    def _sights(
        self, cases: Sequence[Case], pods: Sequence[PolicyPod], *, enforced: bool
    ) -> list[PolicySight]:
        asked = [
            (case, sender, target, protocol)
            for case in cases
            for sender in pods
            for target in pods
            if sender != target and case.judges(sender, target)
            for protocol in case.protocols
        ]
        wanted = [
            Wanted(
                sender.endpoint,
                target.probe(protocol),
                not enforced or case.lets(sender, target, protocol),
            )
            for case, sender, target, protocol in asked
        ]
        answers = self._ask(wanted, pods)
        return [
            PolicySight(
                case.name,
                str(sender),
                str(target),
                protocol,
                forbidden=not case.lets(sender, target, protocol),
                must_answer=each.must_answer,
                answer=answers.get((each.sender, each.probe.key), Answer.unasked("nobody asked")),
            )
            for (case, sender, target, protocol), each in zip(asked, wanted, strict=True)
        ]

    def _ask(self, wanted: Sequence[Wanted], pods: Sequence[PolicyPod]) -> Answers:
        """Ask everything until all is as wanted in one batch, or a limit is reached.

        Policies come into force a moment later: what was let through before that says nothing of them.
        """
        machines = [
            node_machine(
                node,
                self.ssh.to(node.name),
                [PodOnNode(pod.endpoint, pod.name, pod.uid) for pod in pods if pod.node == node.name],
            )
            for node in self.inventory.nodes
        ]
        questions = [*wanted, *self._controls(wanted, pods)]
        own = {(each.sender, each.probe.key) for each in wanted}
        answers: Answers = {}
        turns = self.limits.turns()
        while turns.another():
            seen = proven(ask(machines, by_sender(questions)).answers, questions)
            answers = merged(answers, {key: answer for key, answer in seen.items() if key in own})
            if all(_right(each, answers.get((each.sender, each.probe.key))) for each in wanted):
                break
        return answers

    def _controls(self, wanted: Sequence[Wanted], pods: Sequence[PolicyPod]) -> list[Wanted]:
        """A question more to a node for each sender and protocol: no policy here forbids that."""
        asking = dict.fromkeys((each.sender, each.probe.protocol) for each in wanted)
        return [
            Wanted(
                sender,
                Probe(f"control:{protocol}", protocol, str(node.internal_address), NODE_PORTS[protocol]),
                must_answer=True,
            )
            for sender, protocol in asking
            if (node := self._node_for(sender.node or "")) is not None
        ]

    def _node_for(self, own: str) -> Node | None:
        """A node that a pod of that one must be answered by; None where there is none."""
        others = [node for node in self.inventory.nodes if node.name != own]
        reach = self.expectations.reach
        if others and reach[Way.POD_TO_OTHER_NODE].answers:
            return others[0]
        return self.inventory.node(own) if reach[Way.POD_TO_OWN_NODE].answers else None


def try_policies(trial: PolicyTrial, at_once: Pods) -> tuple[PolicySight, ...] | Problem:
    """What the pods that started at once show, all but the one behind the Service."""
    if trial.expectations.policies == "unasked":
        return ()
    if at_once.problems:
        return next(iter(at_once.problems.values()))
    try:
        return trial.run([pod for role, pod in at_once.found.items() if role != BACKEND])
    except (SuiteError, *API_ERRORS) as error:
        return Problem(f"the policies could not be tried: {error}")


def policy_pods(pods: Sequence[ClusterPod]) -> tuple[PolicyPod, ...]:
    """Those that can ask and be asked, by namespace and name."""
    return tuple(
        PolicyPod(pod.name, pod.namespace, pod.node, pod.uid, pod.address)
        for pod in sorted(pods, key=lambda each: (each.namespace, each.name))
        if pod.node is not None and pod.address is not None
    )


def _right(each: Wanted, answer: Answer | None) -> bool:
    if answer is None:
        return False
    return answer.answered if each.must_answer else answer.silent
