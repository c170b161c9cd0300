"""What is observed during a drill: one row a second, of all that was asked in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from lab.drills.sampler import Asked, Channel, Sight
from lab.drills.sources import LEADERS, Lease, Member

Leases = Mapping[str, Lease]

CALM = 5
"""Seconds in a row that must be good before something counts as recovered."""


@dataclass(frozen=True)
class Row:
    """All that was asked at one tick."""

    api: Sight[Leases]
    servers: Mapping[str, Sight[bool]]
    """By node."""
    members: Mapping[str, Sight[Member]]
    """By node."""
    holder: Sight[frozenset[str]]
    names: Mapping[str, str]
    """Nodes by the identity of their member of etcd."""

    @property
    def at(self) -> float:
        return self.api.at

    @property
    def holders(self) -> frozenset[str] | None:
        """Who has the API's address; None when it is not known."""
        return self.holder.value

    @property
    def leader(self) -> tuple[str, int] | None:
        """etcd's leader and its term, by the newest term that a member knows; None when none knows one."""
        known = [
            (sight.value.term, self.names.get(sight.value.leader, sight.value.leader))
            for sight in self.members.values()
            if sight.value is not None and sight.value.leader
        ]
        if not known:
            return None
        term, name = max(known)
        return name, term

    def lease(self, name: str) -> Lease | None:
        """Who leads the controller managers or schedulers, as the API said; None when it did not."""
        return (self.api.value or {}).get(name)

    def works_without(self, gone: Iterable[str] = (), *, split: bool = False) -> bool | None:
        """Whether users of the cluster have all they need, and nothing rests on the nodes that are gone.

        Where the network is `split`, several may have the API's address. None where something that it takes
        to know was not asked, or is open.
        """
        away, holders = set(gone), self.holders or frozenset()
        if self.api.failed or self.holder.failed:
            return False
        if self.api.value is None or self.holders is None:
            return None
        if not holders or away & holders or (len(holders) > 1 and not split):
            return False
        leases = [self.lease(name) for name in LEADERS]
        if any(lease is None or lease.node in away for lease in leases):
            return False
        if self.leader is None:
            return None if any(sight.unknown for sight in self.members.values()) else False
        return self.leader[0] not in away


@dataclass(frozen=True)
class Channels:
    """The questions that are asked each second."""

    api: Channel[Leases]
    servers: Mapping[str, Channel[bool]]
    members: Mapping[str, Channel[Member]]
    holder: Channel[frozenset[str]]
    names: Mapping[str, str]

    @property
    def all(self) -> tuple[Asked, ...]:
        return (self.api, self.holder, *self.members.values(), *self.servers.values())

    def rows(self) -> tuple[Row, ...]:
        """All ticks whose questions are on their way, or over."""
        api = self.api.sights
        servers = {node: channel.sights for node, channel in self.servers.items()}
        members = {node: channel.sights for node, channel in self.members.items()}
        holder = self.holder.sights
        number = min(map(len, (api, holder, *servers.values(), *members.values())))
        return tuple(
            Row(
                api[place],
                {node: sights[place] for node, sights in servers.items()},
                {node: sights[place] for node, sights in members.items()},
                holder[place],
                self.names,
            )
            for place in range(number)
        )


def calm(rows: Sequence[Row], since: float, good: Callable[[Row], bool | None]) -> bool:
    """Whether the newest rows of which it is known, all due after `since`, are good."""
    known = [held for row in rows if row.at >= since and (held := good(row)) is not None]
    return len(known) >= CALM and all(known[-CALM:])


def lacks(rows: Sequence[Row], since: float) -> str:
    """What the cluster lacks so that it works and every control plane takes part; empty when nothing.

    Each is judged by the newest question, due after `since`, whose end is known.
    """
    recent = [row for row in rows if row.at >= since]
    parts = [
        (f"{what} on {node}", _newest([sights(row)[node] for row in recent]))
        for what, sights in (("the API server", _servers), ("etcd", _members))
        for node in (recent[0].servers if recent else ())
    ]
    wrong = [f"{what}: {sight.outcome} {sight.reason}" for what, sight in parts if sight and sight.failed]
    wrong += [f"{what} has not answered yet" for what, sight in parts if sight is None]
    leaders = {sight.value.leader for _, sight in parts if sight and isinstance(sight.value, Member)}
    if len(leaders) > 1:
        wrong.append("the members of etcd follow different leaders")
    if not calm(recent, since, Row.works_without):
        wrong.append(_why_not(recent))
    return "; ".join(wrong)


def _servers(row: Row) -> Mapping[str, Sight[bool | Member]]:
    return row.servers


def _members(row: Row) -> Mapping[str, Sight[bool | Member]]:
    return row.members


def _newest(sights: Sequence[Sight[bool | Member]]) -> Sight[bool | Member] | None:
    return next((sight for sight in reversed(sights) if not sight.unknown), None)


def _why_not(rows: Sequence[Row]) -> str:
    row = next((row for row in reversed(rows) if row.works_without() is False), None)
    if row is None:
        return f"it has not worked for {CALM} s yet"
    if row.api.failed:
        return f"the API: {row.api.outcome} {row.api.reason}"
    if row.holders is not None and len(row.holders) != 1:
        return f"the API's address is on {', '.join(sorted(row.holders)) or 'no node'}"
    if row.leader is None:
        return "etcd knows no leader"
    return "a lease is held by nobody"
