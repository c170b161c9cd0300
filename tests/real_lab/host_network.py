"""What the host's own network looks like: firewall, addresses, routes and their rules."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from lab.foundation.wait import Deadline, NotYetError, wait_for

QUESTIONS = (
    ("iptables-save",),
    ("ip6tables-save",),
    ("nft", "list", "ruleset"),
    ("ip", "-oneline", "address"),
    ("ip", "-4", "rule"),
    ("ip", "-6", "rule"),
    ("ip", "-4", "route", "show", "table", "all"),
    ("ip", "-6", "route", "show", "table", "all"),
)
MAY_BE_ABSENT = ("nft",)
CHANGES_BY_ITSELF = re.compile(
    r"^#.*\n|\[\d+:\d+\]|packets \d+ bytes \d+|(valid_lft|preferred_lft|expires) \S+", re.MULTILINE
)
"""Times of day, counters, and how long an address or a route is good for."""


@dataclass(frozen=True)
class HostNetwork:
    """What each program has answered, without what changes by itself."""

    answers: tuple[tuple[str, str], ...]

    @classmethod
    def now(cls) -> HostNetwork:
        return cls(
            tuple((" ".join(words), steady(_ask(words))) for words in QUESTIONS if _is_there(words[0]))
        )


def steady(answer: str) -> str:
    return CHANGES_BY_ITSELF.sub("", answer)


def wait_until_settled(device: str) -> None:
    """Until the device is up and knows that nobody else has its addresses (RFC 4862, 5.4)."""

    def settled() -> None:
        state = Path(f"/sys/class/net/{device}/operstate").read_text().strip()
        addresses = _ask(("ip", "-oneline", "address", "show", "dev", device))
        if state != "up" or "tentative" in addresses:
            raise NotYetError(f"it is {state}: {addresses}")

    wait_for(settled, what=f"the device {device}", deadline=Deadline(30), interval=0.1)


def _is_there(program: str) -> bool:
    return program not in MAY_BE_ABSENT or shutil.which(program) is not None


def _ask(words: tuple[str, ...]) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout
