"""What is observed during a drill: one row a second, of all that was asked in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from lab.drills.sampler import Asked, Channel, Outcome, Sight
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
    def settled(self) -> bool:
        """Whether nothing that is asked through the load balancer or of the network is open."""
        return all(sight.outcome is not Outcome.OPEN for sight in (self.api, self.holder))

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

    def works_without(self, gone: Iterable[str] = (), *, split: bool = False) -> bool:
        """Whether users of the cluster have all they need, and nothing rests on the nodes that are gone.

        Where the network is `split`, several may have the API's address.
        """
        away, holders = set(gone), self.holders or frozenset()
        leases = [self.lease(name) for name in LEADERS]
        return (
            self.api.outcome is Outcome.ANSWERED
            and (len(holders) == 1 or (split and len(holders) > 1))
            and not away & holders
            and self.leader is not None
            and self.leader[0] not in away
            and all(lease is not None and lease.node not in away for lease in leases)
        )

    @property
    def whole(self) -> bool:
        """Whether every control plane takes part, too."""
        leaders = {sight.value.leader for sight in self.members.values() if sight.value is not None}
        return (
            self.works_without()
            and all(sight.outcome is Outcome.ANSWERED for sight in self.members.values())
            and all(sight.outcome is Outcome.ANSWERED for sight in self.servers.values())
            and len(leaders) == 1
        )

    @property
    def lacks(self) -> str:
        """What it lacks to be whole, for people; empty when it is."""
        if self.whole:
            return ""
        lacking = [f"the API: {self.api.outcome} {self.api.reason}".strip()] if self.api.value is None else []
        if self.holders is None:
            lacking.append(f"who has its address: {self.holder.outcome} {self.holder.reason}".strip())
        elif len(self.holders) != 1:
            lacking.append(f"its address is on {', '.join(sorted(self.holders)) or 'no node'}")
        lacking += [
            f"{what} on {node}: {sight.outcome} {sight.reason}".strip()
            for what, sights in (("API server", self.servers), ("etcd", self.members))
            for node, sight in sights.items()
            if sight.outcome is not Outcome.ANSWERED
        ]
        if self.leader is None:
            lacking.append("etcd knows no leader")
        if self.api.value is not None:
            lacking += [f"nobody holds the lease {name}" for name in LEADERS if self.lease(name) is None]
        return "; ".join(lacking) or "the members of etcd follow different leaders"


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


def calm(rows: Iterable[Row], since: float, good: Callable[[Row], bool]) -> bool:
    """Whether the newest rows that are settled, all due after `since`, are good."""
    latest = [row for row in rows if row.settled and row.at >= since][-CALM:]
    return len(latest) == CALM and all(map(good, latest))
