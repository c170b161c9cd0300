"""What a JUnit XML file of the acceptance suite says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

SEEN = "seen"
"""The property in which a check records what it saw."""
OWN_WORDS = "own words"
"""The property that holds a failed check's message without the causes that the suite adds to it."""


class Outcome(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    NOT_RUN = "not run"


@dataclass(frozen=True)
class Check:
    """One check: a test function with one parameter, or without."""

    topic: str
    """The file it is in: reachability, services ..."""
    function: str
    parameter: str
    outcome: Outcome
    seconds: float
    evidence: str
    """What was seen; for a failed check, its message."""
    own_words: str = ""
    """What a failed check says by itself, without the causes that the suite knows of the whole lab."""


def judged(checks: Iterable[Check]) -> tuple[Check, ...]:
    """Those that were run; a check that was skipped says nothing of a lab."""
    return tuple(check for check in checks if check.outcome is not Outcome.NOT_RUN)


def read_checks(report: Path) -> tuple[Check, ...]:
    """The checks in a JUnit XML file, in its order; empty when there is no such file."""
    return checks_of(report.read_text(encoding="utf-8")) if report.exists() else ()


def checks_of(junit: str) -> tuple[Check, ...]:
    """The checks in JUnit XML, in its order. Raises ValueError for something else, whoever wrote it."""
    if "<!DOCTYPE" in junit or "<!ENTITY" in junit:
        raise ValueError("pytest writes no such declarations, which may unpack to any size")
    try:
        root = ElementTree.fromstring(junit)  # noqa: S314
    except ElementTree.ParseError as error:
        raise ValueError(f"it is no XML: {error}") from error
    return tuple(_check(case) for case in root.iter("testcase"))


def _check(case: Element) -> Check:
    function, _, parameter = case.get("name", "").partition("[")
    outcome, message = _outcome(case)
    properties = {each.get("name"): each.get("value", "") for each in case.iter("property")}
    return Check(
        topic=case.get("classname", "").rpartition(".")[2].removeprefix("test_").replace("_", " "),
        function=function.removeprefix("test_").replace("_", " "),
        parameter=parameter.removesuffix("]"),
        outcome=outcome,
        seconds=float(case.get("time", 0)),
        evidence=message or properties.get(SEEN, ""),
        own_words=properties.get(OWN_WORDS, ""),
    )


def _outcome(case: Element) -> tuple[Outcome, str]:
    for kind in ("failure", "error"):
        if (found := case.find(kind)) is not None:
            return Outcome.FAILED, _text(found)
    if (found := case.find("skipped")) is not None:
        return Outcome.NOT_RUN, _text(found)
    return Outcome.PASSED, ""


def _text(found: Element) -> str:
    return (found.text or found.get("message") or "").strip()
