"""YAML text as plain values that remember where they stand in the file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import yaml

from lab.foundation.errors import WrongUseError
from lab.topology.findings import Finding, KeyPath, Position, Problem, TopologyError, shortened

MAXIMUM_VALUES = 20_000
"""More values than any topology has: ends aliases that multiply without end."""

MAXIMUM_BYTES = 256 * 1024
"""A larger file than any topology is: reading YAML of many megabytes takes minutes."""

_MERGE = "tag:yaml.org,2002:merge"
_TYPED = ("bool", "int", "float", "null")
_PLAIN = ("str", "timestamp", "value", "binary", *_TYPED)


@dataclass(frozen=True)
class Place:
    """Where a value and its key stand, and how the value is written."""

    key: Position
    value: Position
    written: str


@dataclass(frozen=True)
class Document:
    """A YAML file: its plain value (mappings as dict, lists as list), and the place of every value in it."""

    file: Path
    value: object
    places: dict[KeyPath, Place]
    findings: tuple[Finding, ...]
    """What is wrong with it as YAML although it could be read: keys given twice, unknown tags."""

    def finding(self, problem: Problem) -> Finding:
        """The problem with its place; a value that is not there is placed at what should hold it."""
        path, at_key = problem.path, problem.at_key
        while path not in self.places:
            path, at_key = path[:-1], True
        place = self.places[path]
        return Finding(self.file, place.key if at_key else place.value, problem.text)


def read_document(file: Path) -> Document:
    """Read a YAML file.

    Raises WrongUseError when the file cannot be read, TopologyError when it is not YAML.
    """
    try:
        with file.open("rb") as content:
            raw = content.read(MAXIMUM_BYTES + 1)
    except OSError as error:
        raise WrongUseError(f"cannot read the topology {file}: {error.strerror}") from error
    if len(raw) > MAXIMUM_BYTES:
        too_long = f"found more than {MAXIMUM_BYTES} bytes, expected a topology"
        raise TopologyError(file, [Finding(file, Position(1, 1), too_long)])
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        position = Position(before.count(b"\n") + 1, error.start - before.rfind(b"\n"))
        found = f"found the byte 0x{raw[error.start]:02x}, expected text in UTF-8"
        raise TopologyError(file, [Finding(file, position, found)]) from error
    root = _compose(file, text)
    if root is None:
        nothing = Finding(
            file, Position(1, 1), "found nothing, expected a topology, which begins with `name:`"
        )
        raise TopologyError(file, [nothing])
    reader = _Reader(file)
    try:
        value = reader.read(root, (), _position(root.start_mark))
    except RecursionError:
        raise TopologyError(file, [_too_deep(file)]) from None
    return Document(file, value, reader.places, tuple(reader.findings))


def _compose(file: Path, text: str) -> yaml.Node | None:
    try:
        loader = yaml.SafeLoader(text)
        node: yaml.Node | None = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        position = _position(mark) if mark is not None else Position(1, 1)
        raise TopologyError(file, [Finding(file, position, _syntax_text(error))]) from error
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        position = Position(before.count("\n") + 1, error.position - before.rfind("\n"))
        found = f"found the control character 0x{ord(text[error.position]):02x}, expected printable text"
        raise TopologyError(file, [Finding(file, position, found)]) from error
    except RecursionError:
        raise TopologyError(file, [_too_deep(file)]) from None
    return node


def _syntax_text(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or "it cannot be read"
    if "another document" in problem:
        return "found a second document, expected one topology per file"
    if "'\\t'" in problem:
        return "not valid YAML: found a tab, expected spaces for indentation"
    where = ""
    if error.context and error.context_mark is not None:
        where = f" ({error.context} that begins in line {error.context_mark.line + 1})"
    hint = ""
    if "mapping values are not allowed" in problem:
        hint = "; expected one `key: value` per line, indented like its neighbours"
    return f"not valid YAML: {problem}{where}{hint}"


def _too_deep(file: Path) -> Finding:
    return Finding(file, Position(1, 1), "found values nested hundreds of levels deep, expected a topology")


def _position(mark: yaml.Mark) -> Position:
    return Position(mark.line + 1, mark.column + 1)


@dataclass
class _Reader:
    """Turns composed nodes into plain values and notes the place of each."""

    file: Path
    places: dict[KeyPath, Place] = field(default_factory=dict)
    findings: dict[Finding, None] = field(default_factory=dict)
    """Each once, in the order in which they were found."""
    _merges: int = 0
    _open: list[int] = field(default_factory=list)
    _scalars: yaml.SafeLoader = field(default_factory=lambda: yaml.SafeLoader(""))

    def read(self, node: yaml.Node, path: KeyPath, key: Position) -> object:
        position = _position(node.start_mark)
        written = node.value if isinstance(node, yaml.ScalarNode) else ""
        self.places[path] = Place(key, position, written)
        if id(node) in self._open:
            self._wrong(position, "found an alias of the value that holds it, expected a value of its own")
            return None
        if len(self.places) > MAXIMUM_VALUES:
            raise self._too_many(position)
        self._open.append(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, path)
            if isinstance(node, yaml.SequenceNode):
                return [
                    self.read(item, (*path, index), _position(item.start_mark))
                    for index, item in enumerate(node.value)
                ]
            return self._scalar(node, position)
        finally:
            self._open.pop()

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, object]:
        pairs = self._pairs(node, [])
        return {key: self.read(value, (*path, key), position) for key, (position, value) in pairs.items()}

    def _pairs(self, node: yaml.MappingNode, merging: list[int]) -> dict[str, tuple[Position, yaml.Node]]:
        """Keys with their places and values: those of the mapping itself win over those it merges in."""
        own: dict[str, tuple[Position, yaml.Node]] = {}
        merged: dict[str, tuple[Position, yaml.Node]] = {}
        for key, value in node.value:
            position = _position(key.start_mark)
            if key.tag == _MERGE:
                for source in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                    if not isinstance(source, yaml.MappingNode) or id(source) in [*merging, id(node)]:
                        self._wrong(position, "found '<<' with another value, expected an alias of a mapping")
                        continue
                    self._merges += 1
                    if self._merges > MAXIMUM_VALUES:
                        raise self._too_many(position)
                    merged = {**self._pairs(source, [*merging, id(node)]), **merged}
            elif not isinstance(key, yaml.ScalarNode):
                self._wrong(position, "found a mapping or list as a key, expected text")
            elif key.value in own:
                first = own[key.value][0].line
                self._wrong(
                    position,
                    f"found the key '{shortened(key.value)}' a second time, expected it once: "
                    f"it is already in line {first}",
                )
            else:
                own[key.value] = (position, value)
        return {**merged, **own}

    def _scalar(self, node: yaml.Node, position: Position) -> object:
        kind = node.tag.removeprefix("tag:yaml.org,2002:")
        if kind not in _PLAIN:
            self._wrong(position, f"found the tag '{node.tag}', expected a plain value")
            return None
        if kind not in _TYPED:
            return node.value
        try:
            return self._scalars.construct_object(node)
        except (ValueError, yaml.YAMLError):
            self._wrong(position, f"found '{shortened(node.value)}' tagged as {kind}, expected such a value")
            return None

    def _too_many(self, position: Position) -> TopologyError:
        text = f"found more than {MAXIMUM_VALUES} values, expected a topology"
        return TopologyError(self.file, [Finding(self.file, position, text)])

    def _wrong(self, position: Position, text: str) -> None:
        self.findings[Finding(self.file, position, text)] = None
