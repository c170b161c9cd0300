"""The loss check: which paths there are, what counts as lost, and what was not tried."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from acceptance import loss
from acceptance import test_loss as checks
from acceptance.evidence import Evidence
from acceptance.expectations import Expectations, Way, load_expectations
from acceptance.inventory import Inventory
from acceptance.loss import COUNT, Pings, loss_command, loss_pairs, read_losses
from acceptance.matrix import Pair
from acceptance.node_facts import NodeFacts, parse_netems
from acceptance.problems import Problem, SuiteError, Unasked
from acceptance.questioner import Questioner
from acceptance.rounds import ROUNDS, RoundLimits
from acceptance.shell import LocalShell, SshConnections, SshShell, run_batch

LOOPBACK = IPv4Address("127.0.0.1")

Seen = list[Pings | Problem]


def _ping(*enters: str) -> Seen:
    """What comes of pings to this machine by these words."""
    output = run_batch(LocalShell(), [loss_command([(enter, LOOPBACK) for enter in enters])])["loss"]
    return read_losses(output, len(enters))


@pytest.fixture
def saying(tmp_path: Path) -> Callable[..., str]:
    """Words that run a `ping` which prints these lines, with the replies to pings of these numbers."""

    def made(replies: list[int], sent: int, status: int = 0) -> str:
        folder = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        lines = [f"64 bytes from 172.31.7.103: icmp_seq={number} ttl=64 time=0.05 ms" for number in replies]
        lines += ["", f"{sent} packets transmitted, {len(replies)} received, 0% packet loss, time 579ms"]
        program = folder / "ping"
        program.write_text("#!/bin/bash\ncat <<'SAID'\n" + "\n".join(lines) + f"\nSAID\nexit {status}\n")
        program.chmod(0o755)
        return f"env PATH={folder}:/usr/bin:/bin"

    return made


def test_real_pings_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loss, "INTERVAL_SECONDS", 0.002)
    whole, missing = _ping("", "no-such-program")
    assert whole == Pings(COUNT)
    assert isinstance(missing, Unasked)
    assert "no-such-program" in missing.text


def test_the_words_of_a_path_have_the_variables_of_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pod's words name its process by a variable, which the batch's prelude sets."""
    monkeypatch.setattr(loss, "INTERVAL_SECONDS", 0.002)
    command = loss_command([("env $pod_0", LOOPBACK), ("env $pod_1", LOOPBACK)])
    prelude = "pod_0=WORD=1\npod_1='no-such-program'\n"
    output = run_batch(LocalShell(), [command], prelude=prelude)["loss"]
    whole, missing = read_losses(output, 2)
    assert whole == Pings(COUNT)
    assert isinstance(missing, Unasked)
    assert "no-such-program" in missing.text


def test_what_ping_says_is_told_when_it_exits_with_1(tmp_path: Path) -> None:
    program = tmp_path / "enter"
    program.write_text("#!/bin/bash\necho cannot open /proc/1/ns/net >&2\nexit 1\n")
    program.chmod(0o755)
    (unasked,) = _ping(str(program))
    assert isinstance(unasked, Unasked)
    assert unasked.text == "ping did not run: cannot open /proc/1/ns/net"


def test_a_reply_that_is_late_is_none_that_is_lost(saying: Callable[..., str]) -> None:
    every = list(range(1, COUNT + 1))
    late = [*range(1, 40), *range(41, COUNT + 2), 40]
    twice = [*every, 3]
    lost = [number for number in range(1, COUNT + 5) if number not in (4, 8, 15, 16)]
    assert _ping(
        saying(late, COUNT + 1), saying(twice, COUNT), saying(lost, COUNT + 4), saying([], 300, status=1)
    ) == [Pings(COUNT), Pings(COUNT), Pings(COUNT - 4), Pings(0)]


def test_pings_that_were_not_sent_are_not_lost(saying: Callable[..., str]) -> None:
    (slow,) = _ping(saying(list(range(1, 31)), 30, status=1))
    assert isinstance(slow, Unasked)
    assert slow.text == "only 30 of 50 pings were sent within 30 s"


def test_every_pair_of_nodes_and_kind_of_path(inventory: Inventory, flannel: Expectations) -> None:
    labels = [pair.label for pair in loss_pairs(inventory, load_expectations("hybridnet", {}))]
    nodes = [("k8s-master1", "k8s-node1"), ("k8s-master1", "k8s-node2"), ("k8s-node1", "k8s-node2")]
    assert sorted(labels) == sorted(
        f"{kind}.{first}-to-{kind}.{second}"
        for kind in ("overlay", "underlay", "node")
        for first, second in nodes
    )
    silent = {**flannel.reach, Way.POD_TO_POD_OTHER_NODE: flannel.reach[Way.LAN_HOST_TO_POD]}
    left = loss_pairs(inventory, flannel.model_copy(update={"reach": silent}))
    assert {pair.way for pair in left} == {Way.NODE_TO_NODE}


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (Pings(45), "5 of 50 pings lost (10 %)"),
        (Unasked("Connection refused"), "not tried: Connection refused"),
        (None, "not tried: nobody pinged"),
    ],
)
def test_lost_pings_or_none_sent_fail(healthy: Evidence, seen: Pings | Problem | None, told: str) -> None:
    (path, *_) = loss_pairs(healthy.inventory, healthy.expectations)
    evidence = replace(healthy, losses={} if seen is None else {path: seen})
    recorded: list[object] = []
    with pytest.raises(pytest.fail.Exception) as failed:
        checks.test_no_packet_is_lost(path, evidence, lambda _, value: recorded.append(value))
    assert str(failed.value).startswith(f"{path.sender} to {path.target}: {told}\n")
    whole = replace(healthy, losses={path: Pings(COUNT)})
    recorded.clear()
    checks.test_no_packet_is_lost(path, whole, lambda _, value: recorded.append(value))
    assert recorded == [f"{path.sender} to {path.target}: 0 of 50 pings lost (0 %)"]


def test_a_path_that_was_not_tried_is_tried_again(
    healthy: Evidence, tmp_path: Path, limits: RoundLimits, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def refused(shell: SshShell, script: str, timeout: float = 0) -> str:
        tried.append(shell.name)
        raise SuiteError("Connection refused")

    monkeypatch.setattr(SshShell, "bash", refused)
    ssh = SshConnections(tmp_path / "ssh_config", tmp_path)
    seen = Questioner(healthy.inventory, ssh, limits).count_losses(healthy)
    assert {str(losses) for losses in seen.losses.values()} == {"Connection refused"}
    assert len(seen.losses) == 6
    assert sorted(tried) == sorted(["k8s-master1", "k8s-node1"] * ROUNDS)


@pytest.mark.parametrize(
    ("series", "told", "passes"),
    [
        ((50,), "0 of 50 pings lost (0 %)", True),
        ((49, 50), "0 of 50 pings lost (0 %); in the series before 1 of 50 pings lost (2 %)", True),
        ((49, 46), "4 of 50 pings lost (8 %); in the series before 1 of 50 pings lost (2 %)", False),
    ],
)
def test_a_path_that_lost_a_ping_is_pinged_once_more(
    healthy: Evidence,
    tmp_path: Path,
    limits: RoundLimits,
    monkeypatch: pytest.MonkeyPatch,
    *,
    series: tuple[int, ...],
    told: str,
    passes: bool,
) -> None:
    left = list(series)

    def pinged(_: Questioner, evidence: Evidence, wanted: tuple[Pair, ...]) -> dict[Pair, Pings]:
        answered = left.pop(0)
        return {pair: Pings(answered) for pair in wanted}

    monkeypatch.setattr(Questioner, "_pinged", pinged)
    ssh = SshConnections(tmp_path / "ssh_config", tmp_path)
    seen = Questioner(healthy.inventory, ssh, limits).count_losses(healthy)
    assert {str(losses) for losses in seen.losses.values()} == {told}
    assert left == []
    path = next(iter(seen.losses))
    if passes:
        checks.test_no_packet_is_lost(path, seen, lambda *_: None)
    else:
        with pytest.raises(pytest.fail.Exception, match="in the series before"):
            checks.test_no_packet_is_lost(path, seen, lambda *_: None)


def test_netem_is_read_from_what_tc_says() -> None:
    said = (
        '[{"kind":"noqueue","handle":"0:","dev":"lo","root":true,"refcnt":2,"options":{}},'
        '{"kind":"netem","handle":"8001:","dev":"eth1","root":true,"refcnt":2,"options":'
        '{"limit":1000,"loss-random":{"loss":0.1,"correlation":0},"seed":1,"ecn":false,"gap":0}}]'
    )
    (netem,) = parse_netems(said)
    assert (netem.device, netem.loss) == ("eth1", 0.1)
    assert parse_netems("") == ()
    assert NodeFacts("a", (), (), {}, (), {}, {}).netems == ()
