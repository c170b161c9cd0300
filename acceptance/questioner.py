"""Putting the questions: a first round of everything, then again what is not settled."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from acceptance.asking import (
    POD_HTTP_PORT,
    Answers,
    Machine,
    PodOnNode,
    Round,
    ask,
    lan_machine,
    merged,
    node_machine,
    run_on_each,
)
from acceptance.cluster import ClusterPod
from acceptance.controls import controls, proven
from acceptance.evidence import Evidence, Replacement, placed_pods, role_of
from acceptance.expectations import Expectations, Way
from acceptance.findings import findings_of
from acceptance.inventory import Inventory, Node
from acceptance.lan_claims import arp_question
from acceptance.lan_route import lan_routes
from acceptance.loss import Pings, loss_command, loss_pairs, read_losses
from acceptance.matrix import Endpoint, EndpointKind, Pair, pod_endpoints
from acceptance.node_facts import NodeFacts
from acceptance.probes import Answer, Probe, Protocol
from acceptance.problems import Problem, SuiteError, Unasked
from acceptance.questions import ServiceQuestion, headless_name, matrix_probe
from acceptance.rounds import RoundLimits
from acceptance.shell import Command, LocalShell, SshConnections
from acceptance.transfer import Transfer, read_transfer, receive_command, send_command
from acceptance.wanted import Wanted, by_sender, everything, silent_as_expected, unsettled
from acceptance.watched import watched_device, with_seen_mtu
from acceptance.wire import WireSight, read_sight, wire_command

Ask = Callable[..., Round]
"""What `ask` does."""


class Questioner:
    """Asks the machines of one lab."""

    def __init__(
        self,
        inventory: Inventory,
        ssh: SshConnections,
        limits: RoundLimits = RoundLimits(),  # noqa: B008
        ask: Ask = ask,
    ) -> None:
        self._inventory = inventory
        self._ssh = ssh
        self._limits = limits
        self._ask_machines = ask

    def first_look(self) -> Mapping[str, NodeFacts | Problem]:
        """What nodes say before anything is done: starting a pod may set right what is wrong."""
        nodes = self._inventory.nodes
        machines = [node_machine(node, self._ssh.to(node.name), ()) for node in nodes]
        return self._ask_machines(machines, {}, facts_about={node.name: () for node in nodes}).facts

    def first_round(self, evidence: Evidence) -> Evidence:
        """Ask everything that is in the evidence's scope."""
        by_arp = arp_question(evidence)
        with ThreadPoolExecutor(max_workers=1) as pool:
            answering = pool.submit(by_arp.ask, LocalShell()) if by_arp is not None else None
            telling = evidence.scope.nodes(self._inventory)
            resolve = not isinstance(evidence.service, Problem)
            seen = self._ask(evidence, everything(evidence), telling, resolve)
            answers = answering.result() if answering is not None else None
        return replace(self._with(evidence, seen), arp=answers)

    def further_rounds(self, evidence: Evidence) -> Evidence:
        """Ask again what should have been answered or looks wrong, until it is right or a limit is reached.

        Then all nodes tell of themselves, also those out of the scope: the cause may be there. At the end
        what is silent as expected is asked once more.
        """
        turns = self._limits.turns()
        while _looks_wrong(evidence) and turns.another():
            wanted, names_are_wrong = unsettled(evidence), bool(evidence.wrong_names)
            seen = self._ask(evidence, wanted, self._inventory.nodes, names_are_wrong)
            evidence = self._with(evidence, seen)
        answers = self._until_right(evidence, silent_as_expected(evidence), lambda _, answer: answer.asked)
        return replace(evidence, answers=merged(evidence.answers, answers))

    def watch_the_wire(self, evidence: Evidence) -> Evidence:
        """Let a pod of each group on every node ping those of the other nodes; see what passes the NIC."""
        evidence = with_seen_mtu(evidence)
        wire = {
            (node, of_group.group): sight
            for of_group in evidence.expectations.groups
            if of_group.wire is not None
            for node, sight in self._wire_of(of_group, evidence).items()
        }
        return replace(evidence, wire=wire)

    def _wire_of(self, of_group: Expectations, evidence: Evidence) -> dict[str, WireSight | Problem]:
        pods = {
            endpoint.node: address.ip
            for endpoint, address in evidence.addresses.items()
            if endpoint.kind is EndpointKind.POD and endpoint.node is not None and not endpoint.second
            if endpoint.group == of_group.group
        }
        machines = self._machines(evidence)
        commands: dict[str, Command] = {}
        for machine in machines:
            vantage = machine.vantages.get(Endpoint(EndpointKind.POD, machine.name, group=of_group.group))
            others = {node: address for node, address in pods.items() if node != machine.name}
            if vantage is None or not others:
                continue
            assert of_group.wire is not None, "only such groups are watched"
            node = self._inventory.node(machine.name)
            device = watched_device(evidence, node, of_group.wire, others.values())
            if device is not None:
                commands[machine.name] = wire_command(device, vantage.enter, others, of_group.pods.mtu)
        return {
            node: output if isinstance(output, Problem) else read_sight(output)
            for node, output in run_on_each(machines, commands).items()
        }

    def count_losses(self, evidence: Evidence) -> Evidence:
        """Ping many times along every path between two nodes.

        Where that was not done, it is tried again; where pings were lost, once more.
        """
        losses: dict[Pair, Pings | Problem] = {}
        left, turns = loss_pairs(self._inventory, evidence.expectations), self._limits.turns()
        while left and turns.another():
            for pair, seen in self._pinged(evidence, left).items():
                losses[pair] = seen.after(losses.get(pair)) if isinstance(seen, Pings) else seen
            left = tuple(pair for pair in left if _must_be_pinged_again(losses[pair]))
        return replace(evidence, losses=losses)

    def _pinged(self, evidence: Evidence, wanted: Iterable[Pair]) -> dict[Pair, Pings | Problem]:
        losses: dict[Pair, Pings | Problem] = {}
        by_machine: dict[str, list[Pair]] = {}
        for pair in wanted:
            problem = evidence.problem_of(pair.sender) or evidence.problem_of(pair.target)
            if problem is not None:
                losses[pair] = problem
            else:
                by_machine.setdefault(pair.sender.node or "", []).append(pair)
        machines = self._machines(evidence)
        enter = _words_to_enter(machines)
        commands = {
            name: loss_command([(enter[pair.sender], evidence.addresses[pair.target].ip) for pair in paths])
            for name, paths in by_machine.items()
        }
        for name, output in run_on_each(machines, commands).items():
            paths = by_machine[name]
            seen = [output] * len(paths) if isinstance(output, Problem) else read_losses(output, len(paths))
            losses |= dict(zip(paths, seen, strict=True))
        return losses

    def from_the_lan_with_routes(self, evidence: Evidence) -> Answers | Problem:
        """The LAN host's questions to pods once more, while it has a route to every node's block."""
        lan_host, blocks = self._inventory.lan_host, evidence.blocks
        if lan_host is None:
            return Problem("there is no LAN host")
        if isinstance(blocks, Problem):
            return blocks
        ways = {
            block: self._inventory.node(node).internal_address
            for node, own in blocks.items()
            for block in own
        }
        reach, sender = evidence.expectations.lan_route, Endpoint(EndpointKind.LAN_HOST)
        assert reach is not None, "only asked in modes that have such routes"
        wanted = [
            Wanted(sender, probe, reach.answers)
            for pair in evidence.pairs
            if pair.way is Way.LAN_HOST_TO_POD and pair.target in evidence.addresses
            for protocol in Protocol
            if (probe := matrix_probe(pair, protocol, evidence.addresses[pair.target])) is not None
        ]
        try:
            with lan_routes(lan_host, LocalShell(), ways):
                return self._until_right(
                    evidence, wanted, lambda each, answer: answer.settles(each.must_answer)
                )
        except SuiteError as error:
            return Problem(str(error))

    def ask_for_successor(
        self, evidence: Evidence, questions: Sequence[ServiceQuestion], replacement: Replacement
    ) -> Answers:
        """Ask for the new pod behind the Service, and from nodes and LAN host for the address of the old one.

        kube-proxy follows the endpoints within moments; within moments too nobody has the old address.
        """
        wanted = [
            Wanted(question.sender, question.probe, evidence.expected_answer(question).answers)
            for question in questions
        ]
        if (old := replacement.old_address_probe) is not None:
            wanted += [
                Wanted(endpoint, old, must_answer=False)
                for machine in self._machines(evidence)
                for endpoint in machine.vantages
                if endpoint.kind is not EndpointKind.POD
            ]

        def right(each: Wanted, answer: Answer) -> bool:
            if each.probe == old:
                return answer.silent
            return answer.body == replacement.new.name if each.must_answer else answer.asked

        return self._until_right(evidence, wanted, right)

    def ask_for_names(self, evidence: Evidence, pods: Mapping[str, ClusterPod]) -> Answers:
        """Let a pod on every node ask each of these pods, by role, for its name."""
        first = evidence.expectations.group
        senders = [
            endpoint
            for endpoint in pod_endpoints(evidence.inventory, evidence.expectations)
            if endpoint.group == first and not endpoint.second and evidence.problem_of(endpoint) is None
        ]
        probes = [
            Probe(role, Protocol.TCP, str(pod.address), POD_HTTP_PORT, "hostname")
            for role, pod in pods.items()
        ]
        wanted = [Wanted(sender, probe, must_answer=True) for sender in senders for probe in probes]
        return self._until_right(
            evidence, wanted, lambda each, answer: answer.body == pods[each.probe.key].name
        )

    def transfer(self, evidence: Evidence) -> tuple[Transfer | Problem, ...]:
        """Send much from a pod of each group to one of another node; nothing where there is only one node."""
        nodes = self._inventory.nodes
        if len(nodes) == 1:
            return ()
        names = [
            [Endpoint(EndpointKind.POD, node.name, group=of_group.group) for node in nodes[-2:]]
            for of_group in evidence.expectations.groups
        ]
        return tuple(self._transfer(evidence, sender, receiver) for sender, receiver in names)

    def _transfer(self, evidence: Evidence, sender: Endpoint, receiver: Endpoint) -> Transfer | Problem:
        for endpoint in (sender, receiver):
            if (problem := evidence.problem_of(endpoint)) is not None:
                return problem
        machines = [
            machine for machine in self._machines(evidence) if machine.name in (sender.node, receiver.node)
        ]
        enter = _words_to_enter(machines)
        outputs = run_on_each(
            machines,
            {
                sender.node or "": send_command(enter[sender], evidence.addresses[receiver].ip),
                receiver.node or "": receive_command(enter[receiver]),
            },
        )
        sent, received = outputs[sender.node or ""], outputs[receiver.node or ""]
        if isinstance(sent, Problem):
            return sent
        if isinstance(received, Problem):
            return received
        return read_transfer(sender.label, receiver.label, sent, received)

    def _until_right(
        self, evidence: Evidence, wanted: Sequence[Wanted], right: Callable[[Wanted, Answer], bool]
    ) -> Answers:
        """Ask, and again what is not right, until all is or a limit is reached."""
        answers: Answers = {}
        left, turns = wanted, self._limits.turns()
        while left and turns.another():
            answers = merged(answers, self._ask(evidence, left).answers)
            left = [
                each
                for each in wanted
                if (answer := answers.get((each.sender, each.probe.key))) is None or not right(each, answer)
            ]
        return answers

    def _ask(
        self,
        evidence: Evidence,
        wanted: Sequence[Wanted],
        telling: Iterable[Node] = (),
        resolve: bool = False,
    ) -> Round:
        """One batch per machine, with a control question where silence would prove nothing."""
        asked = [*wanted, *(added := controls(wanted, evidence))]
        pods = [placed.address for placed in placed_pods(evidence)]
        seen = self._ask_machines(
            self._machines(evidence),
            by_sender(asked),
            facts_about={node.name: pods for node in telling},
            resolve=headless_name(self._inventory) if resolve else None,
        )
        answers = proven(seen.answers, asked)
        for control in added:
            answers.pop((control.sender, control.probe.key), None)
        return replace(seen, answers=answers)

    @staticmethod
    def _with(evidence: Evidence, seen: Round) -> Evidence:
        return replace(
            evidence,
            answers=merged(evidence.answers, seen.answers),
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


def _words_to_enter(machines: Iterable[Machine]) -> dict[Endpoint, str]:
    """What runs a command in the network of each that can ask, as bash."""
    return {endpoint: vantage.enter for machine in machines for endpoint, vantage in machine.vantages.items()}


def _pods_on(node: str, evidence: Evidence) -> Iterable[PodOnNode]:
    for endpoint in pod_endpoints(evidence.inventory, evidence.expectations):
        if endpoint.node == node and endpoint in evidence.addresses and evidence.problem_of(endpoint) is None:
            pod = evidence.pods[role_of(endpoint)]
            yield PodOnNode(endpoint, pod.name, pod.uid)


def _looks_wrong(evidence: Evidence) -> bool:
    return bool(unsettled(evidence) or evidence.wrong_names or any(findings_of(evidence).values()))


def _must_be_pinged_again(seen: Pings | Problem) -> bool:
    return seen.must_be_repeated if isinstance(seen, Pings) else isinstance(seen, Unasked)
