"""The reachability matrix: who asks whom, what was seen, and how it differs from what must be seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address

from acceptance.expectations import Expectations, Reach, Source, Way
from acceptance.inventory import Inventory
from acceptance.probes import Answer, Outcome, Protocol

MATRIX_PROTOCOLS = (Protocol.PING, Protocol.TCP, Protocol.UDP)


class EndpointKind(StrEnum):
    POD = "pod"
    NODE = "node"
    LAN_HOST = "lan-host"
    UPLINK = "uplink"


@dataclass(frozen=True)
class Endpoint:
    """A row or a column of the matrix. Known before anything runs; its address comes with the evidence."""

    kind: EndpointKind
    node: str | None = None
    second: bool = False
    """The second pod of its node."""
    group: str = ""
    """The group of a pod, where the mode has several."""

    @property
    def label(self) -> str:
        kind = self.group or self.kind.value
        kind = f"{kind}2" if self.second else kind
        return f"{kind}.{self.node}" if self.node else kind

    def __str__(self) -> str:
        return self.label

    @property
    def protocols(self) -> tuple[Protocol, ...]:
        """What it answers to; the uplink has no UDP server."""
        return MATRIX_PROTOCOLS[:2] if self.kind is EndpointKind.UPLINK else MATRIX_PROTOCOLS


@dataclass(frozen=True)
class Pair:
    """A cell's place: who asks whom, and which expectation that falls under."""

    sender: Endpoint
    target: Endpoint
    way: Way

    @property
    def label(self) -> str:
        return f"{self.sender}-to-{self.target}"

    @property
    def group(self) -> str:
        """The group of pods that is judged: the sender's, else the target's."""
        return self.sender.group or self.target.group


@dataclass(frozen=True)
class Cell:
    """What was seen for a pair. `problem` says why nothing could be asked."""

    pair: Pair
    answers: Mapping[Protocol, Answer]
    problem: str | None = None


def endpoints(inventory: Inventory, expectations: Expectations) -> tuple[Endpoint, ...]:
    """Every endpoint of the lab: pods, nodes, LAN host, uplink."""
    found = list(pod_endpoints(inventory, expectations))
    found += [Endpoint(EndpointKind.NODE, node.name) for node in inventory.nodes]
    if inventory.lan_host is not None:
        found.append(Endpoint(EndpointKind.LAN_HOST))
    if inventory.uplink is not None:
        found.append(Endpoint(EndpointKind.UPLINK))
    return tuple(found)


def pod_endpoints(inventory: Inventory, expectations: Expectations) -> tuple[Endpoint, ...]:
    """A pod of every group per node, and a second one of the first group on one worker."""
    found: list[Endpoint] = []
    for of_group in expectations.groups:
        for node in inventory.nodes:
            found.append(Endpoint(EndpointKind.POD, node.name, group=of_group.group))
            if of_group is expectations and node == inventory.backend_node:
                found.append(Endpoint(EndpointKind.POD, node.name, second=True, group=of_group.group))
    return tuple(found)


def pairs(inventory: Inventory, expectations: Expectations) -> tuple[Pair, ...]:
    """Every cell of the matrix that has an expectation."""
    everyone = endpoints(inventory, expectations)
    return tuple(
        Pair(sender, target, way)
        for sender in everyone
        for target in everyone
        if sender != target and (way := way_between(sender, target)) is not None
    )


def way_between(sender: Endpoint, target: Endpoint) -> Way | None:
    """The expectation a pair falls under, or None when it is not part of the matrix."""
    own, other = _WAYS.get((sender.kind, target.kind), (None, None))
    return own if sender.node == target.node else other


_POD, _NODE = EndpointKind.POD, EndpointKind.NODE
_LAN_HOST, _UPLINK = EndpointKind.LAN_HOST, EndpointKind.UPLINK

_WAYS: Mapping[tuple[EndpointKind, EndpointKind], tuple[Way | None, Way | None]] = {
    (_POD, _POD): (Way.POD_TO_POD_SAME_NODE, Way.POD_TO_POD_OTHER_NODE),
    (_POD, _NODE): (Way.POD_TO_OWN_NODE, Way.POD_TO_OTHER_NODE),
    (_POD, _LAN_HOST): (None, Way.POD_TO_LAN_HOST),
    (_POD, _UPLINK): (None, Way.POD_TO_UPLINK),
    (_NODE, _POD): (Way.NODE_TO_OWN_POD, Way.NODE_TO_OTHER_POD),
    (_NODE, _NODE): (None, Way.NODE_TO_NODE),
    (_NODE, _LAN_HOST): (None, Way.NODE_TO_LAN_HOST),
    (_LAN_HOST, _NODE): (None, Way.LAN_HOST_TO_NODE),
    (_LAN_HOST, _POD): (None, Way.LAN_HOST_TO_POD),
}
"""By who asks whom: the way on one node, and the way to elsewhere."""


Sources = Mapping[Source, frozenset[IPv4Address]]
"""The addresses each kind of source stands for, for one sender."""


def mistakes(cell: Cell, expected: Reach, sources: Sources) -> tuple[str, ...]:
    """How the cell differs from what is expected, one line per protocol; empty when it is right."""
    if cell.problem is not None:
        return (f"could not be tried: {cell.problem}",)
    found: list[str] = []
    for protocol, answer in cell.answers.items():
        if not answer.asked:
            found.append(f"{protocol}: not asked: {answer.error}")
        elif not expected.answers:
            if answer.answered:
                why = f" ({expected.because})" if expected.because else ""
                found.append(f"{protocol}: answered, but no answer is expected{why}")
        elif not answer.answered:
            found.append(f"{protocol}: no answer: {answer.error}")
        elif protocol is not Protocol.PING and expected.source is not None:
            wanted = sources[expected.source]
            if answer.source not in wanted:
                names = " or ".join(sorted(map(str, wanted))) or "an address that is not known"
                found.append(
                    f"{protocol}: the target saw {answer.body or 'no source'},"
                    f" expected {names} ({expected.source})"
                )
    return tuple(found)


def needs_another_try(cell: Cell, expected: Reach) -> tuple[Protocol, ...]:
    """Protocols that were not asked, or should have answered and did not: worth asking again."""
    return tuple(
        protocol for protocol, answer in cell.answers.items() if not answer.settles(expected.answers)
    )


def must_be_silent(cell: Cell, expected: Reach) -> tuple[Protocol, ...]:
    """Protocols that should not answer and did not."""
    if expected.answers:
        return ()
    return tuple(protocol for protocol, answer in cell.answers.items() if answer.silent)


def source_name(answer: Answer, sources: Sources) -> str:
    """The kind of source the target saw: pod, node ... or the address when it is none of them."""
    if answer.source is None:
        return "?"
    for kind in (Source.POD, Source.LAN_HOST, Source.NODE_UNDERLAY, Source.NODE):
        if answer.source in sources.get(kind, frozenset()):
            return "node" if kind is Source.NODE_UNDERLAY else kind.value
    return str(answer.source)


def cell_text(cell: Cell, expected: Reach, sources: Sources) -> str:
    """The cell for the table: `yes pod` (answers, source pod), `no`, or in capitals what is wrong.

    `yes pod (3rd)` has answered, in one of its protocols, only when it was asked for the third time.
    """
    if cell.problem is not None:
        return "NOT TRIED"
    if not expected.answers and (answered := _protocols(cell, Outcome.ANSWERED)):
        return f"ANSWERS {answered}"
    if expected.answers and (silent := _protocols(cell, Outcome.SILENT)):
        return f"NO {silent}"
    if unasked := _protocols(cell, Outcome.UNASKED):
        return f"NOT ASKED {unasked}"
    if not expected.answers:
        return "no"
    seen = sorted({source_name(a, sources) for p, a in cell.answers.items() if p is not Protocol.PING})
    text = " ".join(["yes", *seen])
    tries = max(answer.tries for answer in cell.answers.values())
    text += f" ({ordinal(tries)})" if tries > 1 else ""
    return text.upper() if mistakes(cell, expected, sources) else text


def _protocols(cell: Cell, outcome: Outcome) -> str:
    return " ".join(protocol for protocol, answer in cell.answers.items() if answer.outcome is outcome)


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th ..."""
    endings = {1: "st", 2: "nd", 3: "rd"}
    return f"{number}{'th' if number % 100 in (11, 12, 13) else endings.get(number % 10, 'th')}"


def table(texts: Mapping[tuple[str, str], str], rows: Sequence[str], columns: Sequence[str]) -> str:
    """A plain table: rows from, columns to; `-` where nothing is asked."""
    corner = "from \\ to"
    widths = [max(len(corner), *(len(row) for row in rows))]
    widths += [max(len(column), *(len(texts.get((row, column), "-")) for row in rows)) for column in columns]
    lines = [
        [corner, *columns],
        *([row, *(texts.get((row, column), "-") for column in columns)] for row in rows),
    ]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
