"""Asking: one batch per machine and round, all machines at once."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import IPv4Address

from acceptance.inventory import LanHost, Node
from acceptance.matrix import Endpoint, EndpointKind
from acceptance.netexec import NODE_HTTP_PORT
from acceptance.node_facts import NodeFacts, fact_commands, parse_facts
from acceptance.pod_processes import FIND_PODS, pid_into
from acceptance.probes import Answer, Probe, Vantage, probe_commands, read_answers
from acceptance.problems import Problem, SuiteError, Unasked
from acceptance.shell import Command, Output, Shell, run_batch

POD_HTTP_PORT = 8080
POD_UDP_PORT = 8081

Answers = dict[tuple[Endpoint, str], Answer]
"""By who asked and the probe's key."""

GETENT_NOT_FOUND = 2
TIMEOUT = 124
"""Exit statuses: of getent(1) when it found nothing, of timeout(1) when time was up."""

# The C library's resolver in the network of the first pod and with the resolv.conf its containers have. The
# file is copied first: mount would follow /proc/PID/root as if it were an ordinary link.
RESOLVE = r"""
cat "/proc/$pod_0/root/etc/resolv.conf" >resolv.conf || exit 1
nsenter -t "$pod_0" -n unshare --mount sh -c \
  'mount --bind resolv.conf /etc/resolv.conf && exec timeout 15 getent ahostsv4 "$0"' """


@dataclass(frozen=True)
class PodOnNode:
    """A pod of the suite that has a process on the node."""

    endpoint: Endpoint
    name: str
    uid: str


@dataclass(frozen=True)
class Machine:
    """Where batches run: a node with its pods, or this machine for the LAN host."""

    name: str
    shell: Shell
    vantages: Mapping[Endpoint, Vantage]
    pods: tuple[PodOnNode, ...] = ()

    @property
    def prelude(self) -> str:
        if not self.pods:
            return ""
        finds = (pid_into(f"pod_{index}", pod.uid) for index, pod in enumerate(self.pods))
        return FIND_PODS + "\n".join(finds)


@dataclass(frozen=True)
class Round:
    """What one round brought. A machine that could not be asked has a problem."""

    answers: Answers
    facts: Mapping[str, NodeFacts | Problem]
    names: Mapping[Endpoint, frozenset[IPv4Address] | Problem]
    """Addresses a name resolved to, by the pod that asked."""


def node_machine(node: Node, shell: Shell, pods: Sequence[PodOnNode]) -> Machine:
    vantages = {Endpoint(EndpointKind.NODE, node.name): Vantage(f"node.{node.name}", "", NODE_HTTP_PORT)}
    for index, pod in enumerate(pods):
        vantages[pod.endpoint] = Vantage(pod.endpoint.label, f"nsenter -t $pod_{index} -n", POD_HTTP_PORT)
    return Machine(node.name, shell, vantages, tuple(pods))


def lan_machine(lan_host: LanHost, shell: Shell) -> Machine:
    endpoint = Endpoint(EndpointKind.LAN_HOST)
    vantage = Vantage(endpoint.label, " ".join(lan_host.enter), lan_host.http_port)
    return Machine(endpoint.label, shell, {endpoint: vantage})


def ask(
    machines: Sequence[Machine],
    probes: Mapping[Endpoint, Sequence[Probe]],
    *,
    facts_about: Mapping[str, Sequence[IPv4Address]] | None = None,
    resolve: str | None = None,
) -> Round:
    """Ask all probes from their vantages, every machine at once.

    The nodes named in `facts_about` also tell their facts and their routes to the addresses there; with
    `resolve`, the first pod of every node resolves that name with the resolver its containers have.
    """
    telling = facts_about or {}
    rounds: list[Round] = []
    with ThreadPoolExecutor(max_workers=max(1, len(machines))) as pool:
        running: list[tuple[Machine, Future[_Outputs]]] = []
        for machine in machines:
            commands = _commands(machine, probes, telling, resolve)
            if commands:
                running.append((machine, pool.submit(_run, machine, commands)))
        for machine, future in running:
            try:
                rounds.append(_read(machine, future.result(), probes, machine.name in telling))
            except SuiteError as error:
                rounds.append(
                    _not_put(machine, Unasked(str(error)), probes, machine.name in telling, resolve)
                )
    return Round(
        {key: answer for each in rounds for key, answer in each.answers.items()},
        {node: facts for each in rounds for node, facts in each.facts.items()},
        {pod: names for each in rounds for pod, names in each.names.items()},
    )


def _read(machine: Machine, seen: _Outputs, probes: Mapping[Endpoint, Sequence[Probe]], told: bool) -> Round:
    outputs = seen.by_key
    return Round(
        {
            (sender, key): answer
            for sender, vantage in machine.vantages.items()
            for key, answer in read_answers(vantage, probes.get(sender, ()), outputs).items()
        },
        {machine.name: parse_facts(machine.name, outputs, seen.asked)} if told else {},
        {
            pod.endpoint: _resolved(output)
            for pod in machine.pods[:1]
            if (output := outputs.get(f"resolve {pod.endpoint}"))
        },
    )


def _not_put(
    machine: Machine,
    why: Unasked,
    probes: Mapping[Endpoint, Sequence[Probe]],
    telling: bool,
    resolve: str | None,
) -> Round:
    """What a machine that could not be asked brings."""
    return Round(
        {
            (sender, probe.key): Answer.unasked(why.text)
            for sender in machine.vantages
            for probe in probes.get(sender, ())
        },
        {machine.name: why} if telling else {},
        {pod.endpoint: why for pod in machine.pods[:1]} if resolve is not None else {},
    )


@dataclass(frozen=True)
class _Outputs:
    by_key: Mapping[str, Output]
    asked: tuple[float, float]
    """When the batch was sent and when all had come, in seconds since the epoch."""


def _run(machine: Machine, commands: Sequence[Command]) -> _Outputs:
    before = time.time()
    outputs = run_batch(machine.shell, commands, prelude=machine.prelude)
    return _Outputs(outputs, (before, time.time()))


def _commands(
    machine: Machine,
    probes: Mapping[Endpoint, Sequence[Probe]],
    telling: Mapping[str, Sequence[IPv4Address]],
    resolve: str | None,
) -> list[Command]:
    commands: list[Command] = []
    if machine.name in telling:
        commands += fact_commands(telling[machine.name], [pod.name for pod in machine.pods])
    for sender, vantage in machine.vantages.items():
        commands += probe_commands(vantage, probes.get(sender, ()))
    if resolve is not None:
        commands += [Command(f"resolve {pod.endpoint}", RESOLVE + resolve) for pod in machine.pods[:1]]
    return commands


def merged(before: Answers, now: Answers) -> Answers:
    """With what came now, which counts what was asked before."""
    return {**before, **{key: answer.after(before.get(key)) for key, answer in now.items()}}


def _resolved(output: Output) -> frozenset[IPv4Address] | Problem:
    if output.status in (GETENT_NOT_FOUND, TIMEOUT):
        return Problem("the name does not resolve")
    if output.status != 0:
        return Unasked(output.reason)
    return frozenset(IPv4Address(line.split()[0]) for line in output.stdout.splitlines() if line.strip())


def run_on_each(machines: Sequence[Machine], commands: Mapping[str, Command]) -> dict[str, Output | Problem]:
    """Run one command on each machine that has one by its name, all at once; pods' processes are at hand."""

    def run(machine: Machine) -> Output | Problem:
        command = commands[machine.name]
        try:
            return run_batch(machine.shell, [command], prelude=machine.prelude)[command.key]
        except SuiteError as error:
            return Unasked(str(error))

    asked = [machine for machine in machines if machine.name in commands]
    with ThreadPoolExecutor(max_workers=max(1, len(asked))) as pool:
        return dict(zip((machine.name for machine in asked), pool.map(run, asked), strict=True))
