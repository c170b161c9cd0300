"""What is shown to people: the matrix as a table, and the causes behind a failure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import takewhile

from acceptance.diagnosis import cluster_causes
from acceptance.evidence import Evidence
from acceptance.lan_claims import causes_on_the_lan
from acceptance.matrix import (
    Cell,
    Endpoint,
    EndpointKind,
    Pair,
    cell_text,
    endpoints,
    mistakes,
    ordinal,
    table,
)
from acceptance.node_facts import NodeFacts
from acceptance.probes import Answer
from acceptance.problems import Problem

SEEN = "seen"
"""The property of a check's report that holds what was seen."""

OWN_WORDS = "own words"
"""The property of a failing check's report that holds its message without the causes that follow it."""

CAUSE, ELSEWHERE, NO_CAUSE = "cause: ", "elsewhere: ", "no known cause: "
"""How the lines that follow a failing check's own words begin."""

Record = Callable[[str, object], None]
"""pytest's record_property."""


def judge(evidence: Evidence, pair: Pair) -> tuple[str, ...]:
    """What is wrong with one cell."""
    return mistakes(evidence.cell(pair), evidence.expected(pair), evidence.sources(pair.sender))


def matrix_table(evidence: Evidence, only_from: Endpoint | None = None) -> str:
    """The matrix as a table; one row of it with `only_from`."""
    everyone = endpoints(evidence.inventory, evidence.expectations)
    texts: dict[tuple[str, str], str] = {}
    for pair in evidence.pairs:
        cell: Cell = evidence.cell(pair)
        text = cell_text(cell, evidence.expected(pair), evidence.sources(pair.sender))
        texts[pair.sender.label, pair.target.label] = text
    rows = [e.label for e in everyone if e.kind is not EndpointKind.UPLINK]
    if only_from is not None:
        rows = [only_from.label]
    return table(texts, rows, [endpoint.label for endpoint in everyone])


def late_answers(evidence: Evidence) -> str:
    """How many questions of the matrix and about Services were answered only when they were put again."""
    answered = [answer for answer in evidence.answers.values() if answer.answered]
    late = [answer for answer in answered if answer.tries > 1]
    return f"{len(late)} of {len(answered)} answers came at a later try than the first"


def cell_seen(evidence: Evidence, pair: Pair) -> str:
    """What was seen in one cell, a line for each protocol."""
    target = evidence.addresses.get(pair.target)
    lines = [f"{pair.sender} to {pair.target}{f' ({target.ip})' if target else ''}"]
    for protocol, answer in evidence.cell(pair).answers.items():
        if answer.answered:
            saw = f", the target saw {answer.body}" if answer.body else ""
            lines.append(f"{protocol}: answered{when(answer)}{saw}")
        else:
            because = evidence.expected(pair).because
            lines.append(f"{protocol}: no answer{when(answer)}, as expected: {because}")
    return "\n".join(lines)


def when(answer: Answer) -> str:
    """The number of the try at which it answered, and of those at which it did not; empty for one."""
    if answer.tries == 1:
        return ""
    return f" at the {ordinal(answer.tries)} try" if answer.answered else f", asked {answer.tries} times"


def cell_failure(evidence: Evidence, pair: Pair, wrong: Sequence[str]) -> str:
    """The message of a failing cell: what was seen, the row it is in, the causes found on its nodes."""
    target = evidence.addresses.get(pair.target)
    return "\n".join(
        (
            f"{pair.sender} to {pair.target}{f' ({target.ip})' if target else ''}: not as expected"
            f" ({pair.way})",
            *(f"  {line}" for line in wrong),
            "",
            matrix_table(evidence, only_from=pair.sender),
            "",
            causes(evidence, (pair.sender.node, pair.target.node)),
        )
    )


def causes(evidence: Evidence, nodes: Iterable[str | None]) -> str:
    """What is known to be wrong on the nodes concerned, then elsewhere."""
    concerned = list(dict.fromkeys(node for node in nodes if node))
    if lines := known_causes(evidence, concerned):
        return "\n".join(lines)
    names = concerned or [node.name for node in evidence.inventory.nodes]
    seen = [name for name in names if isinstance(evidence.facts.get(name), NodeFacts)]
    unseen = [name for name in names if name not in seen]
    said = []
    if seen:
        said.append(f"forwarding, kube-proxy, devices and routes on {', '.join(seen)} are as expected")
    if unseen:
        said.append(f"{', '.join(unseen)} {'was' if len(unseen) == 1 else 'were'} not looked at")
    return f"{NO_CAUSE}{'; '.join(said)}"


def known_causes(evidence: Evidence, concerned: Sequence[str] = ()) -> list[str]:
    """A line for each thing that is known to be wrong; of nodes that are not concerned as such."""
    here = [line for node in concerned for line in _of_node(evidence, node)]
    elsewhere = [
        line
        for node in evidence.inventory.nodes
        if node.name not in concerned
        for line in _of_node(evidence, node.name)
    ]
    whole = cluster_causes(evidence.cluster_nodes, evidence.all_pods)
    lan = causes_on_the_lan(evidence)
    lines = [f"{CAUSE}{line}" for line in (*here, *whole, *evidence.endpoint_problems, *lan)]
    return lines + [f"{ELSEWHERE}{line}" for line in elsewhere]


def own_words(message: str) -> str:
    """What a failing check says of what it looks at itself: all before the first known cause."""
    lines = message.splitlines()
    return "\n".join(takewhile(lambda line: not line.startswith((CAUSE, ELSEWHERE, NO_CAUSE)), lines)).strip()


def _of_node(evidence: Evidence, node: str) -> list[str]:
    said = [finding.text for finding in evidence.findings.get(node, ())]
    facts = evidence.facts.get(node)
    if isinstance(facts, Problem):
        said.append(f"{node} cannot be asked: {facts}")
    if (problem := evidence.machine_problems.get(node)) is not None and isinstance(facts, NodeFacts):
        said.append(f"netexec does not run on {node}: {problem}")
    return said
