"""How many of many pings are lost between two nodes: from node to node, and from pod to pod."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address

from acceptance.expectations import Expectations, Way
from acceptance.inventory import Inventory
from acceptance.matrix import Pair, pairs
from acceptance.problems import Problem, Unasked
from acceptance.shell import Command, Output

COUNT = 50
INTERVAL_SECONDS = 0.1
DEADLINE_SECONDS = 30
"""Of one ping process; six times what it needs where nothing is lost."""

_NUMBERS = (
    r"s/^[0-9]+ bytes from .* (icmp_)?seq=([0-9]+) .*/\2/p; s/^([0-9]+) packets transmitted.*/sent \1/p"
)
"""For sed: what ping tells of each reply, and of all at the end."""

WAYS = (Way.NODE_TO_NODE, Way.POD_TO_POD_OTHER_NODE)


@dataclass(frozen=True)
class Pings:
    """What came of `COUNT` pings along one path."""

    answered: int
    before: Pings | None = None
    """A series that lost some, after which it was pinged once more."""

    @property
    def lost(self) -> int:
        return COUNT - self.answered

    def after(self, before: Pings | Problem | None) -> Pings:
        """This series, as the one after another that was tried."""
        return replace(self, before=before) if isinstance(before, Pings) else self

    @property
    def must_be_repeated(self) -> bool:
        """One lost packet is no lossy path; one that loses some twice is."""
        return self.lost > 0 and self.before is None

    def __str__(self) -> str:
        said = f"{self.lost} of {COUNT} pings lost ({self.lost / COUNT:.0%})".replace("%", " %")
        return f"{said}; in the series before {self.before}" if self.before is not None else said


def loss_pairs(inventory: Inventory, expectations: Expectations) -> tuple[Pair, ...]:
    """The paths: of two nodes only the first asks, as a ping takes the way there and back.

    From node to node on the underlay, and from pod to pod of each group; none on which pings must be silent.
    """
    order = [node.name for node in inventory.nodes]
    return tuple(
        pair
        for pair in pairs(inventory, expectations)
        if pair.way in WAYS and expectations.of(pair.group).reach[pair.way].answers
        if not pair.sender.second and not pair.target.second and pair.sender.group == pair.target.group
        if order.index(pair.sender.node or "") < order.index(pair.target.node or "")
    )


def loss_command(paths: Sequence[tuple[str, IPv4Address]]) -> Command:
    """Ping along the paths of one machine, all at once.

    A path is the words that run a command in the sender's network, as bash, and the target. For each, by its
    index, a line `path-N STATUS NUMBER ... sent NUMBER` tells which pings were answered and how many were
    sent.
    """
    # With -w it goes on until COUNT are answered, and sends more meanwhile. So a late reply is not taken for
    # a lost one: it comes before those to the pings that were sent after it.
    ping = f"ping -n -i {INTERVAL_SECONDS} -c {COUNT} -w {DEADLINE_SECONDS}"
    pings = "\n".join(f"one {index} {enter} {ping} {target} &" for index, (enter, target) in enumerate(paths))
    return Command(
        "loss",
        f"""\
one() {{
  local index=$1 said status
  shift
  said=$("$@" 2>&1); status=$?
  echo "path-$index $status" $(sed -nE '{_NUMBERS}' <<<"$said")
  case $said in *transmitted*) ;; *) echo "error-$index $said" ;; esac
}}
{pings}
wait
""",
    )


def read_losses(output: Output, paths: int) -> list[Pings | Problem]:
    """From the output of `loss_command` for so many paths, in their order."""
    lines = dict(line.split(" ", 1) for line in output.stdout.splitlines() if " " in line)
    return [
        _pings(lines.get(f"path-{index}", ""), lines.get(f"error-{index}") or output.reason)
        for index in range(paths)
    ]


def _pings(line: str, reason: str) -> Pings | Problem:
    answered, found, sent = line.partition(" sent ")
    if not found:
        return Unasked(f"ping did not run: {reason}")
    if int(sent) < COUNT:
        return Unasked(f"only {sent} of {COUNT} pings were sent within {DEADLINE_SECONDS} s")
    numbers = {int(number) for number in answered.split()[1:]}
    return Pings(sum(number <= COUNT for number in numbers))
