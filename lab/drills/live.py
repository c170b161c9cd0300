"""One line of what a row says, for people who watch."""

from __future__ import annotations

from lab.drills.observation import Row
from lab.drills.sampler import Outcome, Sight
from lab.drills.sources import LEADERS

_SHORT = {"kube-controller-manager": "manager", "kube-scheduler": "scheduler"}


def live_line(row: Row, when: str, acknowledged: int) -> str:
    """`when` is the time as people count it; `acknowledged` writes so far."""
    parts = [when, f"API {_word(row.api)}", f"address {_holders(row.holder)}"]
    leader = row.leader
    asked = any(sight.outcome is not Outcome.NOT_ASKED for sight in row.members.values())
    nobody = "no leader" if asked else Outcome.NOT_ASKED.value
    parts.append(f"etcd {f'{leader[0]} term {leader[1]}' if leader else nobody}")
    for name in LEADERS:
        lease = row.lease(name)
        unknown = Outcome.NOT_ASKED.value if row.api.value is None else "nobody"
        parts.append(f"{_SHORT[name]} {lease.node if lease else unknown}")
    return "  ".join([*parts, f"written {acknowledged}"])


def _word(sight: Sight[object]) -> str:
    return "ok" if sight.outcome is Outcome.ANSWERED else sight.outcome.value


def _holders(sight: Sight[frozenset[str]]) -> str:
    if sight.value is None:
        return sight.outcome.value
    return ", ".join(sorted(sight.value)) or "nobody"
