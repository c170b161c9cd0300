"""What was found on a cluster of whose pod network nothing was known: facts without judgement."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from ipaddress import IPv4Address

from acceptance.evidence import Evidence, role_of
from acceptance.expectations import Source
from acceptance.frames import Content, Frame, Packet
from acceptance.inventory import Node
from acceptance.matrix import Endpoint, EndpointKind, pod_endpoints, source_name
from acceptance.node_facts import Link, NodeFacts
from acceptance.probes import Answer, Protocol
from acceptance.problems import Problem
from acceptance.watched import watched_device
from acceptance.wire import WireSight

ICMP = 1
TCP = 6
KNOWN_PORTS = {4789: "VXLAN", 6081: "Geneve", 8285: "flannel's udp", 8472: "VXLAN", 51820: "WireGuard"}
"""UDP ports by which a tunnel that cannot be looked into may be guessed."""


@dataclass(frozen=True)
class FoundDevice:
    """A network device of a node, or a pod's."""

    name: str
    kind: str
    """veth, bridge, vxlan ...; NIC where it is none of these."""
    mtu: int
    up: bool
    over: str
    """The device below it; for what is inside a pod, of its node."""
    master: str
    addresses: tuple[str, ...]
    tunnel: str
    """The VNI and the UDP port of a tunnel; empty for what is none."""


@dataclass(frozen=True)
class FoundPod:
    """One of the suite's pods."""

    name: str
    address: str
    device: FoundDevice | None
    problem: str


@dataclass(frozen=True)
class FoundCrossing:
    """A ping of the pods' MTU, and one of a byte more, to a pod of another node."""

    to_node: str
    fits: bool
    one_more_fits: bool


@dataclass(frozen=True)
class FoundWire:
    """How packets from pod to pod of another node looked on a NIC of the node."""

    device: str
    mtu: int
    """The size, in bytes, with which it was tried."""
    around: tuple[str, ...]
    """What was around them, outermost first, in words; empty when none was seen."""
    macs: tuple[str, ...]
    """Whose MAC addresses sent them: node, pod, other."""
    between_nodes: tuple[str, ...]
    """Where none was seen: what else passed between nodes, and may be a tunnel."""
    crossings: tuple[FoundCrossing, ...]
    problem: str


@dataclass(frozen=True)
class FoundNode:
    name: str
    devices: tuple[FoundDevice, ...]
    pods: tuple[FoundPod, ...]
    wire: FoundWire
    problem: str
    """Why the node could not be asked."""


@dataclass(frozen=True)
class FoundAnswer:
    """What came of one question by one protocol."""

    answered: bool | None
    """None: it was not asked."""
    source: str
    """Whose address the target saw: pod, node, lan-host, or the address itself."""
    said: str
    """The target's answer, or why there was none."""


@dataclass(frozen=True)
class FoundCell:
    """Who asked whom."""

    sender: str
    target: str
    answers: Mapping[str, FoundAnswer]
    """By protocol."""
    problem: str


@dataclass(frozen=True)
class FoundService:
    """A question about a Service, or for a name."""

    sender: str
    way: str
    about: str
    answer: FoundAnswer


@dataclass(frozen=True)
class FoundName:
    """What the name of the headless Service is resolved to in a pod."""

    sender: str
    addresses: tuple[str, ...]
    all_pods: bool
    """Whether these are the addresses of exactly the pods behind it."""
    problem: str


@dataclass(frozen=True)
class Found:
    """All of it."""

    lab: str
    nodes: tuple[FoundNode, ...]
    matrix: tuple[FoundCell, ...]
    services: tuple[FoundService, ...]
    names: tuple[FoundName, ...]
    problem: str
    """Why the suite could make no pods."""

    @property
    def started(self) -> int:
        """How many of the suite's pods run and have an address."""
        return sum(not pod.problem for node in self.nodes for pod in node.pods)

    def as_json(self) -> str:
        return json.dumps(asdict(self), indent=2) + "\n"


def found_in(evidence: Evidence) -> Found:
    """What the evidence shows, whatever was expected."""
    return Found(
        lab=evidence.inventory.name,
        nodes=tuple(_node(node, evidence) for node in evidence.inventory.nodes),
        matrix=tuple(_cells(evidence)),
        services=tuple(
            FoundService(
                question.sender.label,
                question.way.value,
                question.about,
                _answer(evidence.answers.get((question.sender, question.probe.key)), {}),
            )
            for question in evidence.questions
        ),
        names=tuple(_name(sender, seen, evidence) for sender, seen in evidence.names.items()),
        problem=str(evidence.service) if isinstance(evidence.service, Problem) else "",
    )


def _node(node: Node, evidence: Evidence) -> FoundNode:
    facts = evidence.facts.get(node.name, Problem("it was not asked"))
    known = facts if isinstance(facts, NodeFacts) else None
    return FoundNode(
        node.name,
        tuple(_device(link, known) for link in known.links if link.name != "lo") if known else (),
        tuple(_pods(node, evidence, known)),
        _wire(node, evidence),
        str(facts) if isinstance(facts, Problem) else "",
    )


def _device(link: Link, facts: NodeFacts) -> FoundDevice:
    tunnel = [f"VNI {link.vni}"] if link.vni is not None else []
    tunnel += [f"UDP {link.port}"] if link.port is not None else []
    return FoundDevice(
        link.name,
        link.kind or "NIC",
        link.mtu,
        link.up,
        facts.link_under(link) or "",
        link.master or "",
        tuple(map(str, link.addresses)),
        ", ".join(tunnel),
    )


def _pods(node: Node, evidence: Evidence, facts: NodeFacts | None) -> Iterator[FoundPod]:
    for endpoint in pod_endpoints(evidence.inventory, evidence.expectations):
        if endpoint.node != node.name:
            continue
        pod = evidence.pods.get(role_of(endpoint))
        links = facts.pod_links.get(pod.name, ()) if facts and pod else ()
        eth0 = next((link for link in links if link.name == "eth0"), None)
        problem = evidence.problem_of(endpoint)
        yield FoundPod(
            pod.name if pod else role_of(endpoint),
            str(pod.address or "") if pod else "",
            _device(eth0, facts) if eth0 and facts else None,
            str(problem) if problem else "",
        )


def _wire(node: Node, evidence: Evidence) -> FoundWire:
    expected = evidence.expectations
    assert expected.wire is not None, "acceptance/unknown.yaml has one"
    targets = [
        address.ip
        for endpoint, address in evidence.addresses.items()
        if endpoint.kind is EndpointKind.POD and endpoint.node != node.name
    ]
    device = watched_device(evidence, node, expected.wire, targets) or ""
    sight = evidence.wire.get(
        (node.name, expected.group), Problem("its pod did not run, so nothing was sent")
    )
    if isinstance(sight, Problem):
        return FoundWire(device, expected.pods.mtu, (), (), (), (), str(sight))
    pods = _pod_addresses(evidence)
    carried = [frame for frame in sight.frames if _from_pod_to_pod(frame, pods)]
    macs = dict.fromkeys(_whose(frame, evidence) for frame in carried)
    return FoundWire(
        device,
        expected.pods.mtu,
        tuple(dict.fromkeys(_around(frame) for frame in carried)),
        tuple(macs),
        () if carried else tuple(_between_nodes(sight, evidence)),
        tuple(FoundCrossing(each.target_node, each.fits, each.one_more_fits) for each in sight.crossings),
        "",
    )


def _pod_addresses(evidence: Evidence) -> frozenset[IPv4Address]:
    addresses = evidence.addresses.items()
    return frozenset(address.ip for endpoint, address in addresses if endpoint.kind is EndpointKind.POD)


def _layers(frame: Frame) -> Iterator[Packet]:
    """The packet of a frame, and those in its tunnels."""
    content: Content | None = frame.content
    while isinstance(content, Packet):
        yield content
        content = content.inside


def _from_pod_to_pod(frame: Frame, pods: frozenset[IPv4Address]) -> bool:
    innermost = [*_layers(frame)][-1:]
    return any(each.protocol == ICMP and {each.source, each.target} <= pods for each in innermost)


def _around(frame: Frame) -> str:
    """The tunnels around a pod's packet in words; what has none goes by the pods' own addresses."""
    outer = [each for each in _layers(frame) if each.tunnel is not None]
    words = [f"{each.tunnel} to UDP port {each.port}" if each.port else f"{each.tunnel}" for each in outer]
    return " around ".join(words) or "nothing"


def _whose(frame: Frame, evidence: Evidence) -> str:
    nics = {nic.mac for node in evidence.inventory.nodes for nic in node.nics}
    of_pods = {
        link.mac
        for facts in evidence.facts.values()
        if isinstance(facts, NodeFacts)
        for links in facts.pod_links.values()
        for link in links
    }
    # An ipvlan device of a pod has the MAC of its node.
    return "node" if frame.source_mac in nics else "pod" if frame.source_mac in of_pods else "other"


def _between_nodes(sight: WireSight, evidence: Evidence) -> Iterable[str]:
    """What passed from node to node that may be a tunnel: no TCP, and no ping of the nodes themselves."""
    nodes = {address for node in evidence.inventory.nodes for address in node.addresses}
    found: dict[str, None] = {}
    for frame in sight.frames:
        outer = next(_layers(frame), None)
        if outer is None or not {outer.source, outer.target} <= nodes or outer.protocol in (ICMP, TCP):
            continue
        guess = KNOWN_PORTS.get(outer.port or 0)
        what = f"UDP to port {outer.port}" if outer.port else outer.words
        found[f"{what} ({guess}?)" if guess else what] = None
    return found


def _cells(evidence: Evidence) -> Iterator[FoundCell]:
    for pair in evidence.pairs:
        cell, sources = evidence.cell(pair), evidence.sources(pair.sender)
        answers = {protocol.value: _answer(answer, sources) for protocol, answer in cell.answers.items()}
        if ping := answers.get(Protocol.PING):
            answers[Protocol.PING] = FoundAnswer(ping.answered, "", ping.said)
        yield FoundCell(pair.sender.label, pair.target.label, answers, cell.problem or "")


def _answer(answer: Answer | None, sources: Mapping[Source, frozenset[IPv4Address]]) -> FoundAnswer:
    if answer is None or not answer.asked:
        return FoundAnswer(None, "", answer.error if answer else "its sender could not ask")
    source = source_name(answer, sources) if answer.answered and sources and answer.source else ""
    return FoundAnswer(answer.answered, source, answer.body or answer.error)


def _name(sender: Endpoint, seen: frozenset[IPv4Address] | Problem, evidence: Evidence) -> FoundName:
    if isinstance(seen, Problem):
        return FoundName(sender.label, (), False, str(seen))
    return FoundName(sender.label, tuple(map(str, sorted(seen))), seen == evidence.headless_addresses, "")
