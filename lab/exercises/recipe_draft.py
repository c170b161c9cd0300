"""The shape of a recipe: its keys as typed values, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from lab.topology.findings import Problem, did_you_mean, one_of, shortened
from lab.topology.values import dns_label

T = TypeVar("T")

EXAMPLES = {
    "name": "name: exercise-2",
    "title": "title: Pods of one node do not answer",
    "text": "text: Find out what is wrong and mend it by hand.",
    "topology": "topology: underlay-3node",
    "mode": "mode: flannel-vxlan",
    "faults": "faults: [forward-drop, kube-proxy-halted@k8s-node1]",
    "points": "points: 50",
}
"""The keys that a recipe must have, each as it may be written."""
OPTIONAL = ("objects", "draw", "reveal")
MOST_POINTS = 1000


@dataclass(frozen=True)
class Draft:
    """None stands for what is missing or wrong; it is told in the problems."""

    name: str | None
    title: str | None
    text: str | None
    topology: str | None
    mode: str | None
    objects: tuple[str | None, ...]
    faults: tuple[str | None, ...]
    draw: int | None
    points: int | None
    reveal: bool | None


def draft_of(value: object) -> tuple[Draft, tuple[Problem, ...]]:
    """The plain value of a recipe, key by key."""
    if not isinstance(value, dict):
        keys: Mapping[str, object] = {}
        problems = [Problem((), f"found {_found(value)}, expected a recipe, which begins with `name:`")]
    else:
        keys = value
        problems = [*_unknown(keys), *_missing(keys)]
    reader = _Reader(keys, problems)
    draft = Draft(
        name=reader.one("name", _name),
        title=reader.one("title", _line),
        text=reader.one("text", _text),
        topology=reader.one("topology", _line),
        mode=reader.one("mode", _line),
        objects=reader.several("objects", _line, least=0),
        faults=reader.several("faults", _line, least=1),
        draw=reader.one("draw", _number, 1),
        points=reader.one("points", _number),
        reveal=reader.one("reveal", _truth, True),
    )
    return draft, tuple(problems)


def _unknown(keys: Mapping[str, object]) -> list[Problem]:
    known = (*EXAMPLES, *OPTIONAL)
    return [
        Problem(
            (key,),
            f"found the unknown key '{shortened(key)}', expected {one_of(known)}{did_you_mean(key, known)}",
            at_key=True,
        )
        for key in keys
        if key not in known
    ]


def _missing(keys: Mapping[str, object]) -> list[Problem]:
    return [
        Problem((key,), f"found no '{key}' in the recipe, expected `{key}:` such as `{example}`")
        for key, example in EXAMPLES.items()
        if key not in keys
    ]


@dataclass(frozen=True)
class _Reader:
    """Values by their keys; what cannot be read is added to the problems."""

    keys: Mapping[str, object]
    problems: list[Problem] = field(default_factory=list)

    def one(self, key: str, read: Callable[[object], T], default: T | None = None) -> T | None:
        return self._read((key,), self.keys[key], read) if key in self.keys else default

    def several(self, key: str, read: Callable[[object], T], least: int) -> tuple[T | None, ...]:
        value = self.keys.get(key, [])
        if not isinstance(value, list):
            self.problems.append(Problem((key,), f"found {_found(value)}, expected a list"))
            return ()
        if key in self.keys and len(value) < least:
            self.problems.append(Problem((key,), "found an empty list, expected at least one entry"))
        return tuple(self._read((key, index), each, read) for index, each in enumerate(value))

    def _read(self, path: tuple[str | int, ...], value: object, read: Callable[[object], T]) -> T | None:
        try:
            return read(value)
        except ValueError as error:
            self.problems.append(Problem(path, f"found {_found(value)}, expected {error}"))
            return None


def _found(value: object) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return "nothing" if value is None else f"'{shortened(str(value))}'"


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("text")
    return value.strip()


def _line(value: object) -> str:
    text = _text(value)
    if "\n" in text:
        raise ValueError("text of one line")
    return text


def _name(value: object) -> str:
    return dns_label(_line(value))


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MOST_POINTS:
        raise ValueError(f"a whole number from 1 to {MOST_POINTS}")
    return value


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value
