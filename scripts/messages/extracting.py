"""What `lab` says to people: the texts in its code that are given to errors, progress and `say`.

An f-string becomes one text with `{1}`, `{2}` where its values are.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

FUNCTIONS = frozenset(
    (
        "marked",
        "said",
        "say",
        "step",
        "doing",
        "note",
        "refused_by_system",
        "refuse_during_exercise",
        "Mode",
        "Finding",
        "_table",
    )
)
"""Whose arguments are said to people; errors besides."""
ERROR = re.compile(r"[A-Z]\w*Error")
PARTS = frozenset({"brief", "details", "resolution", "what", "summary", "found"})
OWN_LETTERS = 4
_IN_TEMPLATE = re.compile(r'"((?:[^"\\]|\\.)*)" \| (?:said|format)\b')
_NUMBER = "%d"
_STEP_METHODS = {"done", "run"}


@dataclass(frozen=True, order=True)
class Message:
    """A text, and the file in which it was found first."""

    text: str
    file: str


def messages_of(root: Path, files: Iterable[Path]) -> tuple[Message, ...]:
    """Those of the files, each text once, in the order of the files."""
    found: dict[str, Message] = {}
    for path in sorted(files):
        text = path.read_text(encoding="utf-8")
        texts = _of_code(ast.parse(text)) if path.suffix == ".py" else _of_template(text)
        for each in texts:
            if _says_something(each):
                found.setdefault(each, Message(each, str(path.relative_to(root))))
    return tuple(found.values())


def _of_code(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _is_said(node.func):
            given = [*node.args, *(word.value for word in node.keywords if word.arg in PARTS)]
            for value in given:
                yield from _texts(value)
        elif isinstance(node, ast.ClassDef) and _is_step(node):
            yield from _name_of_step(node)


def _of_template(text: str) -> Iterator[str]:
    for found in _IN_TEMPLATE.findall(text):
        first, *others = found.split(_NUMBER)
        yield first + "".join(f"{{{number}}}{part}" for number, part in enumerate(others, start=1))


def _is_said(function: ast.expr) -> bool:
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in FUNCTIONS or ERROR.fullmatch(name) is not None


def _is_step(node: ast.ClassDef) -> bool:
    return {each.name for each in node.body if isinstance(each, ast.FunctionDef)} >= _STEP_METHODS


def _name_of_step(node: ast.ClassDef) -> Iterator[str]:
    for each in node.body:
        targets = each.targets if isinstance(each, ast.Assign) else [getattr(each, "target", None)]
        if any(getattr(target, "id", "") == "name" for target in targets):
            yield from _texts(getattr(each, "value", None))


def _texts(value: ast.expr | None) -> Iterator[str]:
    """Of a literal, an f-string, one of two, or parts that are added up."""
    if isinstance(value, ast.IfExp):
        yield from _texts(value.body)
        yield from _texts(value.orelse)
    elif isinstance(value, ast.BoolOp):
        for each in value.values:
            yield from _texts(each)
    elif isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.value
    elif isinstance(value, ast.JoinedStr):
        yield _joined(value)


def _joined(value: ast.JoinedStr) -> str:
    number, parts = 0, []
    for part in value.values:
        if isinstance(part, ast.Constant):
            parts.append(str(part.value))
        else:
            number += 1
            parts.append(f"{{{number}}}")
    return "".join(parts)


def _says_something(text: str) -> bool:
    own = re.sub(r"\{\d+\}", "", text)
    # Around values, fewer words of its own would be found in what others say.
    least = OWN_LETTERS if own != text else 2
    return sum(letter.isalpha() for letter in own) >= least
