"""Gathering the evidence: once, concurrently, before the first check."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from ipaddress import IPv4Network

from acceptance.addresses import addresses_of, with_uplink
from acceptance.api_answers import API_ERRORS, again, api_reason
from acceptance.clearing import REMOVE_SECONDS
from acceptance.cluster import Api, ClusterNode, ClusterPod
from acceptance.evidence import AfterReboot, Crowd, Evidence, Replacement
from acceptance.expectations import Expectations
from acceptance.findings import findings_of
from acceptance.inventory import Inventory, Node
from acceptance.manifests import BACKEND, HEADLESS
from acceptance.netexec import start_netexec, stop_netexec
from acceptance.patience import Patience
from acceptance.policy_trial import PolicyTrial, try_policies
from acceptance.problems import Problem, SuiteError
from acceptance.questioner import Questioner
from acceptance.questions import service_questions
from acceptance.reboot import reboot
from acceptance.rounds import RoundLimits
from acceptance.scope import WHOLE_LAB, Scope
from acceptance.shell import SshConnections
from acceptance.uplink import UplinkServer
from acceptance.workload import BackendService, Pods, Workload

SYSTEM_POD_SECONDS = 30
REBOOT_SECONDS = 300
READ_SECONDS = 60
"""How long the API server may take to answer a read, asked again while it is overloaded."""
NO_PODS = Pods({}, {})


@dataclass(frozen=True)
class _Made:
    """What the suite made on the cluster."""

    service: BackendService | Problem
    pods: Pods = NO_PODS
    at_once: Pods = NO_PODS
    """Those of all that start at once and are asked for their names."""
    endpoint_problems: tuple[Problem, ...] = ()


class Investigation:
    """Gathers the evidence on one lab, and cleans up after itself."""

    def __init__(
        self,
        inventory: Inventory,
        expectations: Expectations,
        ssh: SshConnections,
        patience: Patience,
        say: Callable[[str], None],
        *,
        brief: bool = False,
    ) -> None:
        """`say` is told about every phase that ends; `brief` leaves out the crowd and the large transfers."""
        self._brief = brief
        self._say = say
        self._inventory = inventory
        self._expectations = expectations
        self._ssh = ssh
        self._limits = RoundLimits(stretch=patience.limit)
        self._questioner = Questioner(inventory, ssh, self._limits)
        self._patience = patience
        self._api: Api | None = None
        self._workload: Workload | None = None
        self._pod_uids: set[str] = set()
        self._seconds: dict[str, float] = {}

    def gather(self) -> Evidence:
        """Never raises for what the lab does wrong: that becomes Problems in the evidence."""
        nodes = self._inventory.nodes
        self._patience.look()
        with ThreadPoolExecutor(max_workers=len(nodes) + 1) as pool:
            preparing = pool.submit(self._prepare)
            with self._timed("first look"):
                first_look = self._questioner.first_look()
            with self._timed("all pods"):
                starting = {node.name: pool.submit(self._start_netexec, node) for node in nodes}
                made = self._set_up(preparing)
                started = {name: future.result() for name, future in starting.items()}
        machine_problems = {name: problem for name, problem in started.items() if problem is not None}
        unasked = self._unasked(made, machine_problems)
        evidence = replace(self._asked(self._with_crowd(unasked, made.at_once)), first_look=first_look)
        with self._timed("wire"):
            evidence = self._questioner.watch_the_wire(evidence)
        with self._timed("loss"):
            evidence = self._questioner.count_losses(evidence)
        if self._expectations.lan_route is not None:
            evidence = self._with_nodes(evidence)
            with self._timed("LAN host with routes"):
                answers = self._questioner.from_the_lan_with_routes(evidence)
            evidence = replace(evidence, with_lan_routes=answers)
        with ThreadPoolExecutor(max_workers=1) as pool:
            replacing = pool.submit(self._replace, evidence)
            if not self._brief:
                with self._timed("100 MB from pod to pod"):
                    evidence = replace(evidence, transfers=self._questioner.transfer(evidence))
            replacement = replacing.result()
        if not isinstance(replacement, Problem):
            replacement = self._asked_for(replacement, evidence)
        evidence = self._with_findings(replace(evidence, replacement=replacement))
        return replace(evidence, seconds=dict(self._seconds))

    def boot_anew(self, node: Node, evidence: Evidence) -> AfterReboot | Problem:
        """Reboot the node, then ask all that touches it again. What the lab does wrong becomes Problems.

        `evidence` is what was seen before.
        """
        started = time.monotonic()
        if isinstance(evidence.service, Problem) or self._workload is None:
            return Problem("the suite has no pods on the cluster")
        shell = self._ssh.to(node.name)
        try:
            before = {role: pod for role, pod in self._workload.pods().items() if pod.node == node.name}
            with self._timed(f"reboot of {node.name}"):
                limit = self._patience.limit(REBOOT_SECONDS)
                problem = reboot(shell, lambda: self._ssh.close([node.name]), limit)
        except (SuiteError, *API_ERRORS) as error:
            problem = Problem(str(error))
        if problem is not None:
            return problem
        seconds = time.monotonic() - started
        problem = self._start_netexec(node)
        try:
            with self._timed("its pods ready"):
                pods = self._workload.wait_until_usable(self._workload.roles, self._patience.pods, before)
            with self._timed("endpoints"):
                endpoint_problems = self._wait_for_endpoints(self._workload, pods)
        except (SuiteError, *API_ERRORS) as error:
            return Problem(f"after the reboot of {node.name}: {error}")
        problems = {node.name: problem} if problem is not None else {}
        made = _Made(evidence.service, pods, endpoint_problems=endpoint_problems)
        unasked = self._unasked(made, problems, Scope(node.name))
        seen = self._asked(replace(unasked, facts_before=evidence.facts))
        return AfterReboot(node.name, seconds, self._with_findings(seen))

    def _asked(self, evidence: Evidence) -> Evidence:
        """With the answers to everything in its scope."""
        with UplinkServer.open(self._inventory) as uplink:
            evidence = with_uplink(evidence, uplink.port)
            with self._timed("first round"):
                evidence = self._questioner.first_round(evidence)
            with self._timed("further rounds"):
                return self._questioner.further_rounds(evidence)

    def _unasked(
        self,
        made: _Made,
        machine_problems: Mapping[str, Problem],
        scope: Scope = WHOLE_LAB,
    ) -> Evidence:
        inventory, expectations = self._inventory, self._expectations
        return Evidence(
            inventory=inventory,
            expectations=expectations,
            cluster_nodes={},
            all_pods=(),
            service=made.service,
            pods=made.pods.found,
            pod_problems=made.pods.problems,
            endpoint_problems=made.endpoint_problems,
            machine_problems=machine_problems,
            addresses=addresses_of(inventory, expectations, made.pods.found),
            answers={},
            questions=()
            if isinstance(made.service, Problem)
            else scope.questions(service_questions(inventory, expectations, made.service), inventory),
            facts={},
            names={},
            replacement=Problem("not tried"),
            findings={},
            scope=scope,
        )

    def _with_nodes(self, evidence: Evidence) -> Evidence:
        """With what the cluster says of its nodes now."""
        nodes = self._nodes(evidence.service)
        return replace(evidence, cluster_nodes=nodes, blocks=self._blocks(nodes))

    def _with_findings(self, evidence: Evidence) -> Evidence:
        """With what the cluster says of itself now, and what all of it means."""
        evidence = replace(self._with_nodes(evidence), all_pods=self._all_pods())
        return replace(evidence, findings=findings_of(evidence))

    def clean_up(self) -> None:
        """Remove what the suite put on the lab. Raises SuiteError when something stays."""
        nodes, workload = self._inventory.nodes, self._workload
        remove_seconds = self._patience.limit(REMOVE_SECONDS)
        errors: list[str] = []
        with ThreadPoolExecutor(max_workers=len(nodes) + 1) as pool:
            removing: list[Future[None]] = []
            if workload is not None:
                try:
                    workload.remove_pods(remove_seconds)
                    removing.append(pool.submit(workload.remove_namespaces, remove_seconds))
                except SuiteError as error:
                    errors.append(str(error))
            uids = sorted(self._pod_uids)
            removing += [pool.submit(stop_netexec, self._ssh.to(node.name), uids) for node in nodes]
            errors += [str(failure) for future in removing if (failure := future.exception()) is not None]
        self.disconnect()
        if errors:
            raise SuiteError("; ".join(errors))

    def disconnect(self) -> None:
        self._ssh.close([node.name for node in self._inventory.nodes])

    def _prepare(self) -> tuple[Workload, BackendService]:
        """The namespace with its Services. Raises SuiteError, and what the Kubernetes client does."""
        self._api = Api.connect(self._inventory.kubeconfig)
        self._workload = workload = Workload(self._api, self._inventory, self._expectations)
        return workload, workload.prepare(self._patience.pods)

    def _start_netexec(self, node: Node) -> Problem | None:
        return start_netexec(self._ssh.to(node.name), node.internal_address, self._patience.pods)

    def _set_up(self, preparing: Future[tuple[Workload, BackendService]]) -> _Made:
        """The Service, the suite's pods, and the crowd."""
        try:
            workload, service = preparing.result()
            with self._timed("making pods"):
                workload.start_pods(self._patience.pods, with_crowd=not self._brief)
            crowd_roles = () if self._brief else workload.crowd_roles
            with self._timed("pods ready"):
                all_pods = workload.wait_until_usable((*workload.roles, *crowd_roles), self._patience.pods)
            self._pod_uids.update(pod.uid for pod in all_pods.found.values())
            pods = all_pods.of(workload.roles)
            with self._timed("endpoints"):
                endpoint_problems = self._wait_for_endpoints(workload, pods)
            if all_pods.problems:
                self._patience.look()
            return _Made(service, pods, all_pods.of(workload.roles_at_once), endpoint_problems)
        except SuiteError as error:
            problem = Problem(str(error))
        except API_ERRORS as error:
            problem = Problem(f"the API server {self._inventory.kubernetes.api_address}: {api_reason(error)}")
        self._patience.look()
        return _Made(problem)

    def _wait_for_endpoints(self, workload: Workload, pods: Pods) -> tuple[Problem, ...]:
        """A Service has its endpoints a moment after its pods are ready."""
        if pods.problems:
            return ()
        probes = [pod.address for role, pod in pods.found.items() if role != BACKEND and pod.address]
        backend = pods.found[BACKEND].address
        wanted = {HEADLESS: probes, BACKEND: [backend] if backend else []}
        return workload.wait_for_endpoints(wanted, self._patience.pods)

    def _all_pods(self) -> tuple[ClusterPod, ...] | Problem:
        """All pods of the cluster; the cluster's own get a while to become ready again on a busy machine."""
        if self._workload is None:
            return Problem("the pods of the cluster could not be read")
        try:
            with self._timed("system pods"):
                return self._workload.all_pods_when_ready(self._patience.limit(SYSTEM_POD_SECONDS))
        except (SuiteError, *API_ERRORS) as error:
            return Problem(f"the pods of the cluster could not be read: {error}")

    def _nodes(self, made: BackendService | Problem) -> Mapping[str, ClusterNode] | Problem:
        """The nodes as they are now; when they were made a moment ago they may not all have joined before."""
        if self._api is None:
            return made if isinstance(made, Problem) else Problem("the nodes were not read")
        try:
            return {node.name: node for node in again(self._api.nodes, self._patience.limit(READ_SECONDS))}
        except API_ERRORS as error:
            return Problem(f"the nodes could not be read: {api_reason(error)}")

    def _blocks(
        self, nodes: Mapping[str, ClusterNode] | Problem
    ) -> Mapping[str, tuple[IPv4Network, ...]] | Problem:
        """Each node's blocks of the pod CIDR, from whoever gives them in this mode."""
        if isinstance(nodes, Problem) or self._api is None:
            return nodes if isinstance(nodes, Problem) else Problem("the nodes were not read")
        if self._expectations.pods.addresses != "calico-block":
            return {node.name: (node.pod_cidr,) for node in nodes.values() if node.pod_cidr is not None}
        try:
            return again(self._api.calico_blocks, self._patience.limit(READ_SECONDS))
        except API_ERRORS as error:
            return Problem(f"calico's blocks of addresses could not be read: {api_reason(error)}")

    def _with_crowd(self, evidence: Evidence, at_once: Pods) -> Evidence:
        """With what the pods that started at once answer, without policies and with them.

        Then the crowd goes: it takes time from what comes after.
        """
        if self._brief:
            return evidence
        if isinstance(evidence.service, Problem) or self._workload is None or self._api is None:
            why = evidence.service if isinstance(evidence.service, Problem) else Problem("not made")
            return replace(evidence, crowd=why, policies=why)
        usable = at_once.usable
        with self._timed("ten pods at once"):
            answers = self._questioner.ask_for_names(evidence, usable)
        with self._timed("network policies"):
            trial = PolicyTrial(self._api, self._inventory, self._expectations, self._ssh, self._limits)
            policies = try_policies(trial, at_once)
        try:
            self._workload.remove_crowd(self._patience.limit(READ_SECONDS))
        except API_ERRORS as error:
            return replace(evidence, crowd=Problem(f"the ten pods cannot be removed: {api_reason(error)}"))
        return replace(evidence, crowd=Crowd(usable, at_once.problems, answers), policies=policies)

    def _replace(self, evidence: Evidence) -> Replacement | Problem:
        """Delete the pod behind the Service, until the endpoints are its successor's; nobody is asked yet."""
        old = evidence.pods.get(BACKEND)
        if isinstance(evidence.service, Problem) or old is None or self._workload is None:
            return evidence.pod_problems.get(BACKEND, Problem("there is no pod to replace"))
        if BACKEND in evidence.pod_problems:
            return evidence.pod_problems[BACKEND]
        with self._timed("replaced pod"):
            try:
                new = self._workload.replace_backend(old, self._patience.pods)
                if not isinstance(new, Problem):
                    self._pod_uids.add(new.uid)
                if isinstance(new, Problem) or new.address is None:
                    return new if isinstance(new, Problem) else Problem("the new pod has no address")
                problems = self._workload.wait_for_endpoints({BACKEND: [new.address]}, self._patience.pods)
            except (SuiteError, *API_ERRORS) as error:
                return Problem(str(error))
        return Replacement(old, new, problems[0] if problems else None)

    def _asked_for(self, replacement: Replacement, evidence: Evidence) -> Replacement:
        """With what everyone is told who asks for the successor, and for the pod that was deleted."""
        questions = tuple(
            question
            for question in evidence.questions
            if question.probe.key.startswith("clusterip:") and evidence.problem_of(question.sender) is None
        )
        with self._timed("asking it"):
            answers = self._questioner.ask_for_successor(evidence, questions, replacement)
        return replace(replacement, questions=questions, answers=answers)

    @contextmanager
    def _timed(self, phase: str) -> Iterator[None]:
        started = time.monotonic()
        try:
            yield
        finally:
            self._seconds[phase] = time.monotonic() - started
            self._say(f"{phase}: {self._seconds[phase]:.0f} s")
