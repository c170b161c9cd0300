"""A canvas for SVG pictures that follow the reader's light or dark colours."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree

STYLE = """
text { font-family: Inter, 'Segoe UI', 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif; font-size: 12px; }
.mono { font-family: 'JetBrains Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace; font-size: 11.5px; }
.title { font-size: 22px; font-weight: 700; }
.heading { font-size: 14px; font-weight: 600; }
.small { font-size: 11px; }
.label { font-size: 10px; font-weight: 600; letter-spacing: 0.6px; }
.port { font-size: 10px; font-weight: 600; fill: #ffffff; }
.wire { stroke-width: 2; fill: none; }
.tint { fill-opacity: 0.09; stroke-opacity: 0.35; stroke-width: 1; }
.ink { fill: #0f172a; }
.soft { fill: #55647a; }
.paper { fill: #ffffff; }
.card { fill: #ffffff; stroke: #cbd5e1; stroke-width: 1; }
.tile { fill: #f4f6f9; }
.badge { fill: #e8edf3; }
.dashed { stroke-dasharray: 5 4; }
.n0 { fill: #64748b; stroke: #64748b; }
.n1 { fill: #2563eb; stroke: #2563eb; }
.n2 { fill: #b45309; stroke: #b45309; }
.n3 { fill: #15803d; stroke: #15803d; }
.n4 { fill: #7e22ce; stroke: #7e22ce; }
.n5 { fill: #be185d; stroke: #be185d; }
text.n0, text.n1, text.n2, text.n3, text.n4, text.n5 { stroke: none; }
@media (prefers-color-scheme: dark) {
  .ink { fill: #e6edf3; }
  .soft { fill: #9aa7b8; }
  .paper { fill: #0d1117; }
  .card { fill: #161b22; stroke: #3b4554; }
  .tile { fill: #161b22; }
  .badge { fill: #2a323d; }
  .tint { fill-opacity: 0.16; }
  .port { fill: #0d1117; }
  .n0 { fill: #94a3b8; stroke: #94a3b8; }
  .n1 { fill: #60a5fa; stroke: #60a5fa; }
  .n2 { fill: #f5a742; stroke: #f5a742; }
  .n3 { fill: #4ade80; stroke: #4ade80; }
  .n4 { fill: #c084fc; stroke: #c084fc; }
  .n5 { fill: #f472b6; stroke: #f472b6; }
}
"""

ARROW = 7
"""Length of an arrow's head."""
COLOURS = 6
"""How many classes n0, n1, ... the style has."""


@dataclass(frozen=True)
class Box:
    """A rectangle; x grows to the right, y downwards, in pixels."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height

    @property
    def middle(self) -> float:
        return self.x + self.width / 2


class Canvas:
    """Draws in the order of the calls: later shapes cover earlier ones."""

    def __init__(self, width: float, height: float, title: str, description: str) -> None:
        self._root = ElementTree.Element(
            "svg",
            {
                "xmlns": "http://www.w3.org/2000/svg",
                "viewBox": f"0 0 {_number(width)} {_number(height)}",
                "width": _number(width),
                "height": _number(height),
                "role": "img",
            },
        )
        ElementTree.SubElement(self._root, "title").text = title
        ElementTree.SubElement(self._root, "desc").text = description
        ElementTree.SubElement(self._root, "style").text = STYLE
        self.box(Box(0, 0, width, height), "paper", radius=10)

    def box(self, box: Box, style: str, radius: float = 6) -> None:
        self._add(
            "rect",
            style,
            {"x": box.x, "y": box.y, "width": box.width, "height": box.height, "rx": radius},
        )

    def text(self, x: float, y: float, text: str, style: str, anchor: str = "start") -> None:
        """One line of text; `y` is its base line, `anchor` start, middle or end."""
        element = self._add("text", style, {"x": x, "y": y})
        if anchor != "start":
            element.set("text-anchor", anchor)
        element.text = text

    def wire(self, x: float, top: float, bottom: float, style: str) -> None:
        """A vertical line."""
        self._add("path", f"wire {style}", {}).set("d", f"M{_number(x)} {_number(top)}V{_number(bottom)}")

    def arrow(self, start: tuple[float, float], end: tuple[float, float], style: str) -> None:
        """From one point down to another, with a turn half way; the head is at the end."""
        (x, top), (to, bottom) = start, end
        turn = _number((top + bottom) / 2)
        line = self._add("path", f"wire {style}", {})
        line.set("style", "fill: none")
        line.set("d", f"M{_number(x)} {_number(top)}V{turn}H{_number(to)}V{_number(bottom - ARROW)}")
        head = self._add("path", style.removeprefix("dashed "), {})
        corner = f"{_number(to - ARROW / 2)} {_number(bottom - ARROW)}"
        head.set("d", f"M{corner}h{_number(ARROW)}L{_number(to)} {_number(bottom)}Z")

    def dot(self, x: float, y: float, style: str) -> None:
        self._add("circle", style, {"cx": x, "cy": y, "r": 4})

    def finish(self) -> str:
        ElementTree.indent(self._root)
        return ElementTree.tostring(self._root, encoding="unicode") + "\n"

    def _add(self, tag: str, style: str, numbers: dict[str, float]) -> ElementTree.Element:
        attributes = {"class": style, **{key: _number(value) for key, value in numbers.items()}}
        return ElementTree.SubElement(self._root, tag, attributes)


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
