"""What was found, for people: on the terminal, and as what each check saw."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from acceptance.found import Found, FoundAnswer, FoundCell, FoundDevice, FoundNode, FoundWire
from acceptance.matrix import table


def whole_report(found: Found) -> str:
    """Everything, in paragraphs with headings."""
    parts = [
        (f"{node.name}", f"{devices_text(node)}\n{pods_text(node)}\n{wire_text(node)}")
        for node in found.nodes
    ]
    parts += [("who reaches whom (and whose address is seen)", matrix_text(found))]
    parts += [("Services", services_text(found)), ("names", names_text(found))]
    return "\n\n".join(f"{heading}\n{_indented(text)}" for heading, text in parts if text)


def devices_text(node: FoundNode) -> str:
    """A line for each device; those of a kind that pods have are counted."""
    if node.problem:
        return f"cannot be asked: {node.problem}"
    alone = [device for device in node.devices if not _is_one_of_many(device)]
    many = Counter(_many(device) for device in node.devices if _is_one_of_many(device))
    return "\n".join((*map(device_text, alone), *(f"{count} x {words}" for words, count in many.items())))


def _is_one_of_many(device: FoundDevice) -> bool:
    return device.kind == "veth" and not device.addresses


def _many(device: FoundDevice) -> str:
    return f"veth, MTU {device.mtu}" + (f", in {device.master}" if device.master else "")


def device_text(device: FoundDevice) -> str:
    words = [
        f"{device.kind} ({device.tunnel})" if device.tunnel else device.kind,
        f"over {device.over}" if device.over else "",
        f"in {device.master}" if device.master else "",
        f"MTU {device.mtu}",
        *device.addresses,
        "" if device.up else "down",
    ]
    return f"{device.name}: {', '.join(word for word in words if word)}"


def pods_text(node: FoundNode) -> str:
    """A line for each of the suite's pods on the node."""
    lines = []
    for pod in node.pods:
        device = device_text(pod.device) if pod.device else "its devices were not seen"
        lines.append(f"pod {pod.name}: {pod.problem or device}")
    return "\n".join(lines)


def wire_text(node: FoundNode) -> str:
    """What was around pods' packets on their way to other nodes, and the largest that came through."""
    return "\n".join(_wire_lines(node.wire))


def _wire_lines(wire: FoundWire) -> Iterator[str]:
    if wire.problem:
        yield f"on the wire: not watched: {wire.problem}"
        return
    if wire.around:
        yield f"on {wire.device}, around packets from pod to pod: {'; '.join(wire.around)}"
        yield f"MAC addresses of the senders: {', '.join(wire.macs)}"
    else:
        other = "; ".join(wire.between_nodes) or "nothing that could be a tunnel"
        yield f"on {wire.device}, no packet from pod to pod was seen; between nodes there passed {other}"
    for crossing in wire.crossings:
        first = "comes" if crossing.fits else "does not come"
        more = "comes" if crossing.one_more_fits else "does not come"
        yield (
            f"to the pod of {crossing.to_node}: a packet of {wire.mtu} bytes {first} through, one of"
            f" {wire.mtu + 1} {more} through"
        )


def matrix_text(found: Found) -> str:
    """The matrix as a table, rows from, columns to."""
    texts = {(cell.sender, cell.target): cell_text(cell) for cell in found.matrix}
    rows = list(dict.fromkeys(cell.sender for cell in found.matrix))
    columns = list(dict.fromkeys((*rows, *(cell.target for cell in found.matrix))))
    return table(texts, rows, columns) if rows else ""


def cell_text(cell: FoundCell) -> str:
    """`yes node` when all protocols are answered, `no` when none is, else which is and which is not."""
    if cell.problem:
        return "not tried"
    said = {
        words: [protocol for protocol, answer in cell.answers.items() if answer.answered is state]
        for words, state in (("yes", True), ("no", False), ("not asked", None))
    }
    sources = sorted({answer.source for answer in cell.answers.values() if answer.source})
    there = {words: protocols for words, protocols in said.items() if protocols}
    if len(there) == 1:
        return " ".join((*there, *sources))
    parts = [f"{words} {' '.join(protocols)}" for words, protocols in there.items()]
    return ", ".join((*parts, *(f"from {source}" for source in sources)))


def services_text(found: Found) -> str:
    """A line for each kind of question about Services: for how many of those who asked it is answered."""
    ways: dict[str, list[tuple[str, FoundAnswer]]] = {}
    for service in found.services:
        ways.setdefault(service.way, []).append((f"{service.sender} to {service.about}", service.answer))
    return "\n".join(_way_lines(way, asked) for way, asked in ways.items())


def _way_lines(way: str, asked: Sequence[tuple[str, FoundAnswer]]) -> str:
    answered = sum(answer.answered is True for _, answer in asked)
    lines = [f"{way}: {answered} of {len(asked)} answered"]
    lines += [f"  {who}: {_why(answer)}" for who, answer in asked if not answer.answered]
    return "\n".join(lines)


def _why(answer: FoundAnswer) -> str:
    what = "not asked" if answer.answered is None else "no answer"
    return f"{what}: {answer.said}" if answer.said else what


def names_text(found: Found) -> str:
    """What the headless Service's name means to each pod."""
    lines = []
    for name in found.names:
        right = "all pods behind it" if name.all_pods else ", ".join(name.addresses) or "nothing"
        lines.append(f"the headless Service's name in {name.sender}: {name.problem or right}")
    return "\n".join(lines)


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
