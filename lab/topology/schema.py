"""The shape of a topology file: from plain values to models, or to what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from lab.topology.findings import KeyPath, Problem, closest, did_you_mean, one_of, shortened
from lab.topology.models import (
    Allowance,
    Installer,
    KubeProxy,
    Kubernetes,
    LoadBalancer,
    Network,
    NetworkRole,
    Node,
    NodeRole,
    Outside,
    PolicyEnforcer,
    Runtime,
    Supply,
    Taint,
    Topology,
)

MODELS: tuple[type[BaseModel], ...] = (Topology, Kubernetes, Network, Node, Taint)

WORDS: dict[tuple[type[BaseModel], str], tuple[str, ...]] = {
    (Topology, "supply"): tuple(Supply),
    (Topology, "outside"): tuple(Outside),
    (Topology, "allow"): tuple(Allowance),
    (Kubernetes, "runtime"): tuple(Runtime),
    (Kubernetes, "policy"): tuple(PolicyEnforcer),
    (Kubernetes, "kube_proxy"): tuple(KubeProxy),
    (Kubernetes, "installer"): tuple(Installer),
    (Kubernetes, "load_balancer"): tuple(LoadBalancer),
    (Network, "role"): tuple(NetworkRole),
    (Node, "role"): tuple(NodeRole),
    (Taint, "effect"): get_args(Taint.model_fields["effect"].annotation),
}
"""The words that may stand at a key."""


@dataclass(frozen=True)
class Understood:
    """What validation made of the values: a topology, or the problems that stand in its way."""

    topology: Topology | None
    problems: tuple[Problem, ...]


def understand(value: object, written: dict[KeyPath, str]) -> Understood:
    """Validate the plain value of a topology file; `written` is how each of its scalars is written."""
    try:
        return Understood(Topology.model_validate(value), ())
    except ValidationError as error:
        details = error.errors(include_url=False)
        misspelt = {_meant(detail["loc"]) for detail in details if detail["type"] == "extra_forbidden"}
        wording = _Wording(written)
        return Understood(
            None,
            tuple(
                wording.problem(detail)
                for detail in details
                if not (detail["type"] == "missing" and detail["loc"] in misspelt)
            ),
        )


def model_at(path: KeyPath) -> type[BaseModel] | None:
    """The model that describes the mapping at that path."""
    match path:
        case ():
            return Topology
        case ("kubernetes",):
            return Kubernetes
        case ("networks", _):
            return Network
        case ("nodes", _):
            return Node
        case ("nodes", _, "taints", _):
            return Taint
    return None


def _meant(unknown: KeyPath) -> KeyPath:
    """The key that an unknown one looks like, or itself."""
    model = model_at(unknown[:-1])
    known = model.model_fields if model else ()
    return (*unknown[:-1], closest(str(unknown[-1]), known) or unknown[-1])


class _Wording:
    """Says each of pydantic's errors as: what was found, what was expected."""

    def __init__(self, written: dict[KeyPath, str]) -> None:
        self._written = written

    def problem(self, detail: ErrorDetails) -> Problem:
        path: KeyPath = detail["loc"]
        kind = detail["type"]
        if kind == "extra_forbidden":
            return Problem(path, self._unknown_key(path), at_key=True)
        if kind == "missing":
            return Problem(path, self._missing(path))
        if path and path[-1] == "[key]":
            path = path[:-1]
            return Problem(
                path, f"found the {_noun(path)} '{path[-1]}', expected {_expected(detail)}", at_key=True
            )
        return Problem(
            path, f"found {self._found(path, detail['input'])}, expected {self._expected(path, detail)}"
        )

    def _unknown_key(self, path: KeyPath) -> str:
        key = str(path[-1])
        model = model_at(path[:-1])
        known = list(model.model_fields) if model else []
        text = f"found the unknown key '{shortened(key)}', expected {one_of(known)}"
        if close := did_you_mean(key, known):
            return text + close
        for other in MODELS:
            if key in other.model_fields:
                return f"{text}; '{key}' belongs in {_home(other)}"
        return text

    def _missing(self, path: KeyPath) -> str:
        key = str(path[-1])
        model = model_at(path[:-1])
        assert model is not None
        examples = model.model_fields[key].examples
        if (model, key) in WORDS:
            what = f"`{key}:` with {one_of(WORDS[model, key])}"
        elif examples:
            what = f"`{key}:` such as `{key}: {examples[0]}`"
        else:
            what = f"`{key}:` with at least one of them"
        return f"found no '{key}' in {_home(model, path)}, expected {what}"

    def _found(self, path: KeyPath, value: object) -> str:
        if isinstance(value, dict):
            return "a mapping" if value else "an empty mapping"
        if isinstance(value, list):
            return "a list"
        if value is None:
            return "nothing"
        written = self._written.get(path, str(value))
        if isinstance(value, bool):
            return f"{written} (a truth value)"
        if isinstance(value, (int, float)):
            return f"{shortened(written)} (a number)"
        return f"'{shortened(written)}'"

    def _expected(self, path: KeyPath, detail: ErrorDetails) -> str:
        if words := _words_at(path):
            return one_of(words) + did_you_mean(self._written.get(path, ""), words)
        expected = _expected(detail)
        if expected == "text" and isinstance(detail["input"], (bool, int, float)):
            return f'text; put it in quotes: "{self._written.get(path, "")}"'
        return expected


_KINDS = {
    "string_type": "text",
    "int_type": "a whole number",
    "dict_type": "a mapping (`key: value` lines)",
    "model_type": "a mapping (`key: value` lines)",
    "tuple_type": "a list",
    "too_short": "at least one entry",
}
"""What pydantic's error types say was expected."""


def _words_at(path: KeyPath) -> tuple[str, ...]:
    match path:
        case ("allow", int()):
            return WORDS[Topology, "allow"]
        case (*holder, str(key)) if key != "allow":
            model = model_at(tuple(holder))
            return WORDS.get((model, key), ()) if model else ()
    return ()


def _expected(detail: ErrorDetails) -> str:
    context = detail.get("ctx", {})
    match detail["type"]:
        case "value_error":
            return str(context["error"])
        case "greater_than_equal":
            return f"at least {context['ge']}"
        case "less_than_equal":
            return f"at most {context['le']}"
        case kind:
            return _KINDS.get(kind, f"something else ({detail['msg']})")


def _noun(path: KeyPath) -> str:
    match path:
        case ("networks", _):
            return "network name"
        case ("nodes", _):
            return "node name"
        case (*_, "labels", _):
            return "label"
    return "key"


def _home(model: type[BaseModel], path: KeyPath = ()) -> str:
    match path:
        case ("networks" | "nodes" as kind, name, _):
            return f"the {kind[:-1]} '{name}'"
    return {
        Topology: "the topology",
        Kubernetes: "`kubernetes`",
        Network: "a network",
        Node: "a node",
        Taint: "a taint",
    }[model]
