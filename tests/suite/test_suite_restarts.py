"""Which restarts of the cluster's own pods count: not those that a reboot of the node explains."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from acceptance.cluster import Restart
from acceptance.evidence import Evidence
from acceptance.expectations import load_expectations
from acceptance.node_facts import NodeFacts, parse_booted
from acceptance.problems import Problem
from acceptance.test_nodes import test_system_pods_stay_up as system_pods_stay_up

BOOT = datetime(2026, 1, 1, 12, tzinfo=UTC)


def _seen(
    healthy: Evidence, *, started: datetime, ended: datetime, last_words: str = "cannot listen"
) -> Evidence:
    """A daemon that `started` first and failed once, at `ended`, on a node that booted at BOOT."""
    pod = replace(
        healthy.pods["backend"],
        namespace="kube-system",
        node="k8s-node1",
        started=started,
        restarts=(Restart(ended, "daemon was started again once", "daemon", (last_words,)),),
    )
    facts = NodeFacts("k8s-node1", (), (), {}, (), {}, {}, booted=BOOT)
    return replace(healthy, all_pods=(pod,), facts={"k8s-node1": facts})


def test_a_failure_moments_after_a_reboot_does_not_count(healthy: Evidence) -> None:
    told: dict[str, object] = {}
    seen = _seen(healthy, started=BOOT - timedelta(hours=1), ended=BOOT + timedelta(seconds=40))
    system_pods_stay_up(seen, told.__setitem__)
    assert not told


@pytest.mark.parametrize(
    ("started", "ended"),
    [
        (timedelta(seconds=20), timedelta(seconds=40)),
        (timedelta(hours=-1), timedelta(minutes=4)),
        (timedelta(hours=-1), timedelta(minutes=-1)),
    ],
    ids=["the pod is younger than the boot", "long after the boot", "before the boot"],
)
def test_any_other_failure_counts(healthy: Evidence, started: timedelta, ended: timedelta) -> None:
    seen = _seen(healthy, started=BOOT + started, ended=BOOT + ended)
    with pytest.raises(pytest.fail.Exception, match="daemon was started again once\n    cannot listen"):
        system_pods_stay_up(seen, _nothing_to_tell)


@pytest.mark.parametrize(
    "last_words",
    [
        '{"level":"error","msg":"manager exit unexpectedly","error":"leader election lost"}',
        "E0101 12:00:00.000000 1 leaderelection.go:306] Failed to release lock: leaderelection lost",
        "I0101 12:00:00.000000 1 leaderelection.go:283] failed to renew lease kube-system/x: timed out",
    ],
)
def test_a_lost_lease_is_told_and_does_not_count(healthy: Evidence, last_words: str) -> None:
    told: dict[str, object] = {}
    seen = _seen(healthy, started=BOOT, ended=BOOT + timedelta(hours=1), last_words=last_words)
    system_pods_stay_up(seen, told.__setitem__)
    assert "the control plane was too slow to renew a lease: " in str(told["seen"])
    assert last_words in str(told["seen"])


def test_what_failed_while_the_cluster_came_up_is_told_and_does_not_count(healthy: Evidence) -> None:
    told: dict[str, object] = {}
    seen = _seen(healthy, started=BOOT, ended=BOOT + timedelta(minutes=5))
    since = BOOT + timedelta(minutes=6)
    early = replace(seen, inventory=seen.inventory.model_copy(update={"ready_since": since}))
    system_pods_stay_up(early, told.__setitem__)
    assert f"before the cluster was up ({since}): " in str(told["seen"])
    late = replace(
        seen, inventory=seen.inventory.model_copy(update={"ready_since": BOOT + timedelta(minutes=4)})
    )
    with pytest.raises(pytest.fail.Exception, match="daemon was started again once"):
        system_pods_stay_up(late, _nothing_to_tell)


@pytest.mark.parametrize("host_network", [True, False])
def test_where_kubelet_cannot_ask_the_pods_it_starts_them_again_for_nothing(
    healthy: Evidence, host_network: bool
) -> None:
    seen = _seen(healthy, started=BOOT, ended=BOOT + timedelta(hours=1))
    assert not isinstance(seen.all_pods, Problem)
    (pod,) = seen.all_pods
    bare = replace(
        seen,
        expectations=load_expectations("ipvlan-l2", {"host_shim": False}),
        all_pods=(replace(pod, host_network=host_network),),
    )
    if host_network:
        with pytest.raises(pytest.fail.Exception, match="daemon was started again once"):
            system_pods_stay_up(bare, _nothing_to_tell)
    else:
        system_pods_stay_up(bare, _nothing_to_tell)


def _nothing_to_tell(name: str, value: object) -> None:
    raise AssertionError(f"{name}: {value}")


def test_the_time_of_the_boot() -> None:
    assert parse_booted("btime 1767268800\n") == BOOT
    assert parse_booted("") is None
