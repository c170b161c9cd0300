"""`lab doctor --report`: what somebody who helps from afar wants to know of a host, without secrets."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

from lab.foundation.errors import LabError
from lab.foundation.paths import shipped
from lab.foundation.process import run
from lab.foundation.redaction import without_logins
from lab.host.about import HostFacts
from lab.host.doctor import PROGRAMS, Finding
from lab.state.records import now

ROOT = shipped(".")
SHOWN = ("LAB_NAME", "LAB_SUPPLY", "LAB_CACHE", "LAB_HOME", "LAB_KEPT_GIB", "LAB_DEBIAN_ARCHIVE")
"""Variables that lab reads (docs/settings.md), shown with their values; others of the kind without."""
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "goproxy")
GIT_SECONDS = 10.0

_QUERY = re.compile(r"\?[^\s,]+")
"""Where some services want a key."""
_HOME = re.compile(r"/home/[^/\s]+")


@dataclass(frozen=True)
class Report:
    """Everything of it, ready to be sent."""

    made: str
    lab: str
    commit: str
    """Of the checkout that lab runs from or was built from; empty when it is none."""
    python: str
    host: HostFacts
    environment: Mapping[str, str]
    findings: Sequence[Finding]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def as_text(self) -> str:
        host = self.host
        packages = [f"{name} {number or 'not installed'}" for name, number in host.packages.items()]
        variables = [f"{name}={value}" for name, value in self.environment.items()]
        findings = [
            f"{'ok' if each.ok else 'wrong'}  {each.name}: {each.found}"
            + (f" (How to fix it: {each.resolution})" if not each.ok and each.resolution else "")
            for each in self.findings
        ]
        return "\n".join(
            (
                f"lab {self.lab}, {self.commit or 'commit unknown'}, Python {self.python}, {self.made}",
                f"{host.distribution}, {host.kernel}, {host.architecture}",
                f"{host.processor}, {host.cores} cores, {host.memory_gib} GiB, load {host.load:.1f}, "
                f"virtualization: {host.virtualization}",
                *_section("What lab doctor found", findings),
                *_section("Debian packages", packages),
                *_section("Environment", variables or ["no variable of lab's, no proxy"]),
                "",
            )
        )


def report_of(findings: Sequence[Finding], environment: Mapping[str, str] = os.environ) -> Report:
    """What the host is, with these findings of it; home folders and credentials are left out of all text."""
    return Report(
        made=now(),
        lab=version("lab"),
        commit=commit_of_checkout(),
        python=platform.python_version(),
        host=HostFacts.of(program.package for program in PROGRAMS),
        environment=_shown(environment),
        findings=[
            Finding(each.name, each.ok, sendable(each.found), sendable(each.resolution)) for each in findings
        ],
    )


def sendable(text: str) -> str:
    """The text without credentials in URLs and without the names of users in paths."""
    text = _QUERY.sub("?...", without_logins(text, "...@"))
    return _HOME.sub("/home/USER", text)


def _shown(environment: Mapping[str, str]) -> Mapping[str, str]:
    """lab's variables and the proxies, with the value of those that lab reads."""
    shown = {}
    for name, value in sorted(environment.items()):
        if name in SHOWN or name.lower() in PROXIES:
            shown[name] = sendable(value)
        elif name.startswith("LAB_"):
            shown[name] = "(set)"
    return shown


def commit_of_checkout() -> str:
    """The commit of the checkout that this program runs from or was built from; empty where there is none."""
    if (built := ROOT / "commit").is_file():
        return built.read_text(encoding="utf-8").strip()
    if not (ROOT / ".git").exists():
        return ""
    git = ("git", "-C", ROOT)
    try:
        commit = run((*git, "rev-parse", "--short=12", "HEAD"), timeout=GIT_SECONDS).stdout.strip()
        changed = run((*git, "status", "--porcelain"), timeout=GIT_SECONDS).stdout.strip()
    except LabError:
        return ""
    return f"commit {commit}" + (", with changes" if changed else "")


def _section(title: str, lines: Sequence[str]) -> tuple[str, ...]:
    return ("", f"{title}:", *(f"  {line}" for line in lines))
