"""Measures round trips between ends of one lab, always between two measurements of their base."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from ipaddress import IPv4Address

from lab.bench.counter import Instructions
from lab.bench.result import Series
from lab.bench.samples import Batch, Sample
from lab.bench.talker import NoEchoError, Talker, asking, echoing
from lab.bench.wire import Passed
from lab.foundation.errors import LabError
from lab.foundation.process import run
from lab.foundation.wait import Deadline, wait_for
from lab.packets.protocols import Protocol
from lab.packets.spots import Spot

PROTOCOLS = (Protocol.UDP, Protocol.TCP)
FIRST_ECHO_LIMIT = 60.0
"""Seconds until a path that works must have let an echo through: kube-proxy writes its rules late."""
MTU_LIMIT = 240.0
_HEADERS = 28
"""Bytes of the headers of IPv4 and ICMP, RFC 791 and 792."""
# The largest packet that comes back with don't-fragment set. A kernel that knows the MTU on the way says it;
# without that it is found by halves. A packet that is lost may be lost by chance, so it is sent twice.
_MTU_SEARCH = """\
low={least} high={most} size=$((high - 1))
ask() {{ said=$("${{enter[@]}}" ping -n -c 1 -W 2 -M do -s $((size - {headers})) {address} 2>&1); }}
while [ $((high - low)) -gt 1 ]; do
  if ask; then low=$size
  else
    told=$(sed -n 's/.*mtu *[:=] *\\([0-9]*\\).*/\\1/p' <<<"$said" | tail -n 1)
    if [ "${{told:-$size}}" -lt $size ] && [ "$told" -gt $low ]; then
      high=$((told + 1)) size=$told
      continue
    fi
    if ask; then low=$size; else high=$size; fi
  fi
  size=$(((low + high) / 2))
done
echo $low
"""
_LEAST_MTU, _MOST_MTU = 500, 9300


@dataclass(frozen=True)
class Pair:
    """Who asks whom."""

    name: str
    asks: Spot
    echoes: Spot
    address: IPv4Address
    """Where the messages go: the other's own, or a Service's."""
    base: str
    """The name of the pair it is compared with, its own where it is a base."""
    pings: bool = True
    """Whether the address answers pings."""

    @property
    def is_base(self) -> bool:
        return self.base == self.name


@dataclass(frozen=True)
class Gauges:
    """What is read beside the program's own clock."""

    instructions: Callable[[Collection[str]], Instructions] | None
    """Of those with these names that are nodes; None where nobody counts them."""
    wire: Callable[[], Passed]
    """At the NICs of the node that answers."""


@dataclass(frozen=True)
class Effort:
    """How much is measured."""

    blocks: int
    rounds: int
    """Round trips of the short batch; the long one has twice as many."""
    message_bytes: int


class Session:
    """Programs that ask and echo, at all ends; as a context, they are gone when it is left."""

    def __init__(self, pairs: Sequence[Pair], gauges: Gauges, effort: Effort) -> None:
        self._pairs = pairs
        self._counted_at = {
            pair.name: frozenset({pair.asks.name, pair.echoes.name}) for pair in pairs if pair.is_base
        }
        self._gauges = gauges
        self._effort = effort
        self._askers: dict[str, Talker] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Session:
        try:
            for spot in {pair.echoes.name: pair.echoes for pair in self._pairs}.values():
                self._stack.enter_context(echoing(spot))
            for spot in {pair.asks.name: pair.asks for pair in self._pairs}.values():
                self._askers[spot.name] = self._stack.enter_context(asking(spot))
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def unreachable(self) -> Mapping[tuple[str, Protocol], str]:
        """The pairs that get no echo by a protocol, and why. Raises LabError when a base is among them."""
        silent: dict[tuple[str, Protocol], str] = {}
        for pair in self._pairs:
            for protocol in PROTOCOLS:
                try:
                    self._first_echo(pair, protocol)
                except LabError as error:
                    if pair.is_base:
                        raise
                    silent[pair.name, protocol] = error.details or error.brief
        return silent

    def _first_echo(self, pair: Pair, protocol: Protocol) -> None:
        wait_for(
            lambda: self._askers[pair.asks.name].ask(protocol, pair.address, self._effort.message_bytes, 1),
            what=f"an echo by {protocol} for {pair.name}",
            deadline=Deadline(FIRST_ECHO_LIMIT if pair.is_base or not pair.pings else 0.0),
            retry_on=(NoEchoError,),
        )

    def measure(
        self, silent: Mapping[tuple[str, Protocol], str], told: Callable[[int, int], None]
    ) -> tuple[Series, ...]:
        """All blocks; `told` is called with the blocks that are done, and with how many there are."""
        series = {
            (pair, protocol): Series(
                pair.name, pair.base, str(protocol), (), (), (), silent.get((pair.name, protocol), "")
            )
            for pair in self._pairs
            for protocol in PROTOCOLS
            if not pair.is_base
        }
        for block in range(self._effort.blocks):
            for protocol in PROTOCOLS:
                for base in [pair for pair in self._pairs if pair.is_base]:
                    here = [pair for pair in self._of(base) if (pair.name, protocol) not in silent]
                    if not here:
                        continue
                    first, *between, last = (self._sample(pair, protocol) for pair in (base, *here, base))
                    for pair, sample in zip(here, between, strict=True):
                        found = series[pair, protocol]
                        series[pair, protocol] = replace(
                            found,
                            samples=(*found.samples, sample),
                            before=(*found.before, first),
                            after=(*found.after, last),
                        )
            told(block + 1, self._effort.blocks)
        return tuple(series.values())

    def mtu(self, silent: Mapping[tuple[str, Protocol], str]) -> Mapping[str, int]:
        """The largest IP packet that passes unfragmented, by the pair's name; of those that get an echo."""
        found: dict[str, int] = {}
        for pair in self._pairs:
            if pair.pings and (pair.name, Protocol.UDP) not in silent:
                search = _MTU_SEARCH.format(
                    headers=_HEADERS, address=pair.address, least=_LEAST_MTU, most=_MOST_MTU
                )
                said = run(pair.asks.machine.command(pair.asks.enter + search), timeout=MTU_LIMIT).stdout
                size = int(said)
                if size > _LEAST_MTU:
                    found[pair.name] = size
        return found

    def _of(self, base: Pair) -> list[Pair]:
        return [pair for pair in self._pairs if pair.base == base.name and not pair.is_base]

    def _sample(self, pair: Pair, protocol: Protocol) -> Sample:
        rounds = self._effort.rounds
        return Sample(self._batch(pair, protocol, rounds), self._batch(pair, protocol, 2 * rounds))

    def _batch(self, pair: Pair, protocol: Protocol, rounds: int) -> Batch:
        wire, before = self._gauges.wire(), self._counted(pair)
        told = self._askers[pair.asks.name].ask(protocol, pair.address, self._effort.message_bytes, rounds)
        after = self._counted(pair)
        passed = self._gauges.wire() - wire
        return Batch(
            rounds,
            told.seconds,
            told.repeated,
            told.p50,
            told.p99,
            after - before if after is not None and before is not None else None,
            passed.octets,
            passed.frames,
        )

    def _counted(self, pair: Pair) -> Instructions | None:
        """At the ends of its base: a node that takes no part has work of its own."""
        read = self._gauges.instructions
        return read(self._counted_at[pair.base]) if read is not None else None
