"""Gathering the evidence: once, concurrently, before the first check."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

from acceptance.asking import (
    NODE_HTTP_PORT,
    NODE_UDP_PORT,
    POD_HTTP_PORT,
    POD_UDP_PORT,
    Answers,
    Machine,
    PodOnNode,
    ask,
    lan_machine,
    node_machine,
    start_netexec,
    stop_netexec,
)
from acceptance.cluster import Api, ClusterNode, ClusterPod
from acceptance.diagnosis import Finding, Subject, findings
from acceptance.evidence import Evidence, Replacement, placed_pods, role_of
from acceptance.expectations import Expectations, ServiceWay
from acceptance.inventory import Inventory
from acceptance.matrix import Endpoint, EndpointKind, needs_another_try, pairs
from acceptance.node_facts import NodeFacts
from acceptance.probes import Probe, Protocol
from acceptance.problems import Problem, SuiteError
from acceptance.questions import (
    Address,
    ServiceQuestion,
    cluster_ip_questions,
    headless_name,
    matrix_probe,
    service_questions,
)
from acceptance.shell import LocalShell, SshConnections
from acceptance.uplink import UplinkServer
from acceptance.workload import (
    API_ERRORS,
    BACKEND,
    HEADLESS,
    BackendService,
    Pods,
    Workload,
    api_reason,
)

FURTHER_TRIES = 2
CLEAN_UP_SECONDS = 60
SYSTEM_POD_SECONDS = 30
ENDPOINT_SECONDS = 20


class Investigation:
    """Gathers the evidence on one lab, and cleans up after itself."""

    def __init__(
        self, inventory: Inventory, expectations: Expectations, ssh: SshConnections, pod_seconds: float
    ) -> None:
        self._inventory = inventory
        self._expectations = expectations
        self._ssh = ssh
        self._pod_seconds = pod_seconds
        self._workload: Workload | None = None
        self._seconds: dict[str, float] = {}

    def gather(self) -> Evidence:
        """Never raises for what the lab does wrong: that becomes Problems in the evidence."""
        inventory = self._inventory
        with ThreadPoolExecutor(max_workers=len(inventory.nodes)) as pool, self._timed("all pods"):
            starting = {
                node.name: pool.submit(start_netexec, self._ssh.to(node.name), node.internal_address)
                for node in inventory.nodes
            }
            nodes, service, pods = self._set_up()
            machine_problems = {
                name: problem for name, future in starting.items() if (problem := future.result()) is not None
            }
        with UplinkServer.open(inventory) as uplink:
            evidence = Evidence(
                inventory=inventory,
                expectations=self._expectations,
                cluster_nodes=nodes,
                all_pods=(),
                service=service,
                pods=pods.found,
                pod_problems=pods.problems,
                machine_problems=machine_problems,
                addresses=self._addresses(pods, uplink.port),
                answers={},
                questions=() if isinstance(service, Problem) else service_questions(inventory, service),
                facts={},
                names={},
                replacement=Problem("not tried"),
                findings={},
            )
            evidence = self._first_round(evidence)
            evidence = self._further_rounds(evidence)
        evidence = replace(evidence, all_pods=self._all_pods())
        evidence = replace(evidence, findings=self._findings(evidence))
        return replace(evidence, replacement=self._replace(evidence), seconds=dict(self._seconds))

    def clean_up(self) -> None:
        """Remove what the suite put on the lab. Raises SuiteError when something stays."""
        errors: list[str] = []
        with ThreadPoolExecutor(max_workers=len(self._inventory.nodes)) as pool:
            stopping = [pool.submit(stop_netexec, self._ssh.to(node.name)) for node in self._inventory.nodes]
            try:
                if self._workload is not None:
                    self._workload.remove(CLEAN_UP_SECONDS)
            except SuiteError as error:
                errors.append(str(error))
            errors += [str(failure) for future in stopping if (failure := future.exception()) is not None]
        self.disconnect()
        if errors:
            raise SuiteError("; ".join(errors))

    def disconnect(self) -> None:
        self._ssh.close([node.name for node in self._inventory.nodes])

    def _set_up(self) -> tuple[Mapping[str, ClusterNode] | Problem, BackendService | Problem, Pods]:
        nodes: Mapping[str, ClusterNode] | Problem = Problem("the nodes were not read")
        try:
            api = Api.connect(self._inventory.kubeconfig)
            nodes = {node.name: node for node in api.nodes()}
            self._workload = Workload(api, self._inventory, readiness=self._expectations.ready)
            with self._timed("making pods"):
                service = self._workload.create(self._pod_seconds)
            with self._timed("pods ready"):
                pods = self._workload.wait_until_usable(self._pod_seconds)
            with self._timed("endpoints"):
                self._wait_for_endpoints(self._workload, pods)
            return nodes, service, pods
        except SuiteError as error:
            problem = Problem(str(error))
        except API_ERRORS as error:
            problem = Problem(f"the API server {self._inventory.kubernetes.api_address}: {api_reason(error)}")
        except Exception as error:  # the client has errors of many kinds for a bad kubeconfig
            problem = Problem(f"the kubeconfig {self._inventory.kubeconfig} is not usable: {error}")
        return problem if isinstance(nodes, Problem) else nodes, problem, Pods({}, {})

    @staticmethod
    def _wait_for_endpoints(workload: Workload, pods: Pods) -> None:
        """A Service has its endpoints a moment after its pods are ready."""
        if pods.problems:
            return
        probes = [pod.address for role, pod in pods.found.items() if role != BACKEND and pod.address]
        workload.wait_for_endpoints(HEADLESS, probes, ENDPOINT_SECONDS)
        backend = pods.found[BACKEND].address
        workload.wait_for_endpoints(BACKEND, [backend] if backend else [], ENDPOINT_SECONDS)

    def _all_pods(self) -> tuple[ClusterPod, ...] | Problem:
        """All pods of the cluster; the cluster's own get a while to become ready again on a busy machine."""
        if self._workload is None:
            return Problem("the pods of the cluster could not be read")
        try:
            with self._timed("system pods"):
                return self._workload.all_pods_when_ready(SYSTEM_POD_SECONDS)
        except (SuiteError, *API_ERRORS) as error:
            return Problem(f"the pods of the cluster could not be read: {error}")

    def _addresses(self, pods: Pods, uplink_port: int) -> dict[Endpoint, Address]:
        inventory = self._inventory
        found: dict[Endpoint, Address] = {}
        for node in inventory.nodes:
            itself = Endpoint(EndpointKind.NODE, node.name)
            found[itself] = Address(node.internal_address, NODE_HTTP_PORT, NODE_UDP_PORT)
            for endpoint in (
                Endpoint(EndpointKind.POD, node.name),
                Endpoint(EndpointKind.POD, node.name, True),
            ):
                if endpoint.second and node != inventory.backend_node:
                    continue
                pod = pods.found.get(role_of(endpoint))
                if pod is not None and pod.address is not None:
                    found[endpoint] = Address(pod.address, POD_HTTP_PORT, POD_UDP_PORT)
        if inventory.lan_host is not None:
            lan = inventory.lan_host
            found[Endpoint(EndpointKind.LAN_HOST)] = Address(lan.address, lan.http_port, lan.udp_port)
        if inventory.uplink is not None:
            found[Endpoint(EndpointKind.UPLINK)] = Address(inventory.uplink.host_address.ip, uplink_port, 0)
        return found

    def _machines(self, evidence: Evidence) -> list[Machine]:
        machines: list[Machine] = []
        for node in self._inventory.nodes:
            endpoints = (Endpoint(EndpointKind.POD, node.name), Endpoint(EndpointKind.POD, node.name, True))
            pods = [
                PodOnNode(
                    endpoint, evidence.pods[role_of(endpoint)].name, evidence.pods[role_of(endpoint)].uid
                )
                for endpoint in endpoints
                if endpoint in evidence.addresses and evidence.problem_of(endpoint) is None
            ]
            machines.append(node_machine(node, self._ssh.to(node.name), pods))
        if self._inventory.lan_host is not None:
            machines.append(lan_machine(self._inventory.lan_host, LocalShell()))
        return machines

    def _first_round(self, evidence: Evidence) -> Evidence:
        probes: dict[Endpoint, list[Probe]] = {}
        for pair in pairs(self._inventory):
            if evidence.problem_of(pair.sender) is None and pair.target in evidence.addresses:
                for protocol in Protocol:
                    probe = matrix_probe(pair, protocol, evidence.addresses[pair.target])
                    if probe is not None:
                        probes.setdefault(pair.sender, []).append(probe)
        for question in evidence.questions:
            if evidence.problem_of(question.sender) is None:
                probes.setdefault(question.sender, []).append(question.probe)
        with self._timed("probes"):
            seen = ask(
                self._machines(evidence),
                probes,
                facts_about=[placed.address for placed in placed_pods(evidence)],
                resolve=None if isinstance(evidence.service, Problem) else headless_name(self._inventory),
            )
        return replace(evidence, answers=seen.answers, facts=seen.facts, names=seen.names)

    def _further_rounds(self, evidence: Evidence) -> Evidence:
        """Ask again what should have been answered: a slow machine is not a broken network."""
        for _ in range(FURTHER_TRIES):
            silent = self._silent(evidence)
            resolve = self._names_are_wrong(evidence)
            if not silent and not resolve:
                break
            with self._timed("further tries"):
                seen = ask(
                    self._machines(evidence),
                    silent,
                    facts_about=[placed.address for placed in placed_pods(evidence)],
                    resolve=headless_name(self._inventory) if resolve else None,
                )
            answers = {**evidence.answers, **seen.answers}
            names, facts = {**evidence.names, **seen.names}, {**evidence.facts, **seen.facts}
            evidence = replace(evidence, answers=answers, facts=facts, names=names)
        return evidence

    def _silent(self, evidence: Evidence) -> dict[Endpoint, list[Probe]]:
        silent: dict[Endpoint, list[Probe]] = {}
        for pair in pairs(self._inventory):
            cell = evidence.cell(pair)
            for protocol in needs_another_try(cell, self._expectations.reach[pair.way]):
                probe = matrix_probe(pair, protocol, evidence.addresses[pair.target])
                if probe is not None:
                    silent.setdefault(pair.sender, []).append(probe)
        for question in evidence.questions:
            answer = evidence.answers.get((question.sender, question.probe.key))
            wanted = self._expectations.services[question.way].answers
            if wanted and answer is not None and not answer.answered:
                silent.setdefault(question.sender, []).append(question.probe)
        return silent

    def _names_are_wrong(self, evidence: Evidence) -> bool:
        if not self._expectations.services[ServiceWay.HEADLESS].answers:
            return False
        return any(addresses != evidence.headless_addresses for addresses in evidence.names.values())

    def _findings(self, evidence: Evidence) -> dict[str, tuple[Finding, ...]]:
        found: dict[str, tuple[Finding, ...]] = {}
        for node in self._inventory.nodes:
            facts = evidence.facts.get(node.name)
            if not isinstance(facts, NodeFacts):
                continue
            nodes, pods, service = evidence.cluster_nodes, evidence.all_pods, evidence.service
            subject = Subject(
                self._inventory,
                self._expectations,
                node,
                facts,
                None if isinstance(nodes, Problem) else nodes.get(node.name),
                () if isinstance(pods, Problem) else [pod for pod in pods if pod.namespace == "kube-system"],
                placed_pods(evidence),
                None if isinstance(service, Problem) else service.fresh,
            )
            found[node.name] = findings(subject)
        return found

    def _replace(self, evidence: Evidence) -> Replacement | Problem:
        old = evidence.pods.get(BACKEND)
        if isinstance(evidence.service, Problem) or old is None or self._workload is None:
            return evidence.pod_problems.get(BACKEND, Problem("there is no pod to replace"))
        if BACKEND in evidence.pod_problems:
            return evidence.pod_problems[BACKEND]
        with self._timed("replacing a pod"):
            try:
                new = self._workload.replace_backend(old, self._pod_seconds)
                if isinstance(new, Problem) or new.address is None:
                    return new if isinstance(new, Problem) else Problem("the new pod has no address")
                problem = self._workload.wait_for_endpoints(BACKEND, [new.address], self._pod_seconds)
            except (SuiteError, *API_ERRORS) as error:
                return Problem(str(error))
            questions = tuple(
                question
                for asked in evidence.questions
                if asked.probe.key == "clusterip:tcp" and evidence.problem_of(asked.sender) is None
                for question in cluster_ip_questions(asked.sender, asked.way, evidence.service)
            )
            answers = self._ask_until_right(evidence, questions, new)
        return Replacement(old, new, problem, questions, answers)

    def _ask_until_right(
        self, evidence: Evidence, questions: Sequence[ServiceQuestion], backend: ClusterPod
    ) -> Answers:
        """kube-proxy follows the endpoints within moments; ask again while it has not."""
        answers: Answers = {}
        for _ in range(1 + FURTHER_TRIES):
            left: dict[Endpoint, list[Probe]] = {}
            for question in questions:
                answer = answers.get((question.sender, question.probe.key))
                wanted = self._expectations.services[question.way].answers
                if answer is None or (wanted and answer.body != backend.name):
                    left.setdefault(question.sender, []).append(question.probe)
            if not left:
                break
            answers.update(ask(self._machines(evidence), left).answers)
        return answers

    @contextmanager
    def _timed(self, phase: str) -> Iterator[None]:
        started = time.monotonic()
        try:
            yield
        finally:
            self._seconds[phase] = self._seconds.get(phase, 0.0) + time.monotonic() - started
