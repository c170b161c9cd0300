"""What follows from rows and writes, and the verdict; nothing here is asked of anybody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from lab.cluster.tuning import settings_of
from lab.drills.configured import Configured, configured_of
from lab.drills.findings import (
    Gap,
    Span,
    changes_of,
    gap_of,
    must_be_gone,
    must_be_stored,
    recovered_after,
    writer_pause,
)
from lab.drills.judgement import Held
from lab.drills.live import live_line
from lab.drills.observation import Leases, Row, calm, lacks
from lab.drills.registry import DRILLS, drill_named
from lab.drills.sampler import Outcome, Sight
from lab.drills.sources import LEADERS, Lease, Member
from lab.drills.verdict import Observed, allowed_gap, judge, passed
from lab.drills.writer import Fate, Write
from lab.foundation.errors import WrongUseError
from lab.nodes.runtimes import Containerd
from lab.topology.loader import load_topology
from lab.topology.models import LoadBalancer
from lab.topology.plan import Plan
from lab.topology.planner import make_plan
from tests.conftest import TOPOLOGIES

NAMES = {"11": "m1", "12": "m2", "13": "m3"}
OF_M1: Leases = {name: Lease("m1", 0.0) for name in LEADERS}
OF_M2: Leases = {name: Lease("m2", 0.0) for name in LEADERS}
SILENT, NOT_ASKED, OPEN = Outcome.SILENT, Outcome.NOT_ASKED, Outcome.OPEN


def sight(at: float, what: Outcome | Leases) -> Sight[Leases]:
    return Sight(at, what) if isinstance(what, Outcome) else Sight(at, Outcome.ANSWERED, what)


def row(
    at: float,
    api: Outcome | Leases = OF_M1,
    holders: tuple[str, ...] | None = ("m1",),
    members: Mapping[str, Member | Outcome] | None = None,
) -> Row:
    known: dict[str, Member | Outcome] = {name: Member(key, "11", 2) for key, name in NAMES.items()}
    known |= members or {}
    return Row(
        sight(at, api),
        {name: Sight(at, Outcome.ANSWERED, True) for name in NAMES.values()},
        {
            name: Sight(at, said) if isinstance(said, Outcome) else Sight(at, Outcome.ANSWERED, said)
            for name, said in known.items()
        },
        Sight(at, NOT_ASKED) if holders is None else Sight(at, Outcome.ANSWERED, frozenset(holders)),
        NAMES,
    )


def gap(*told: Outcome | Leases, span: Span | None = None) -> Gap:
    return gap_of([sight(at, what) for at, what in enumerate(told)], span or Span(0, len(told)))


def test_the_gap_reaches_from_answer_to_answer() -> None:
    assert gap(OF_M1, OF_M1) == Gap(0.0, 0.0, 2, 0, ended=True)
    assert gap(OF_M1, SILENT, SILENT, OF_M1) == Gap(3.0, 1.0, 4, 2, ended=True)
    assert gap(OF_M1, SILENT, OF_M1, SILENT, SILENT, OF_M1) == Gap(3.0, 3.0, 6, 3, ended=True)
    assert gap(OF_M1, SILENT, SILENT) == Gap(3.0, 1.0, 3, 2, ended=False)
    late = gap(OF_M1, OF_M1, SILENT, OF_M1, span=Span(2, 4))
    assert late == Gap(2.0, 0.0, 2, 1, ended=True), "it began with the last answer before the span"


def test_what_was_not_asked_is_neither_an_answer_nor_a_gap() -> None:
    assert gap(OF_M1, NOT_ASKED, OPEN, NOT_ASKED, OF_M1) == Gap(0.0, 0.0, 2, 0, ended=True)
    assert gap(OF_M1, SILENT, NOT_ASKED, OF_M1).longest == 3.0
    assert gap(NOT_ASKED, NOT_ASKED).asked == 0


def test_an_answer_that_was_waited_for_ends_a_gap_when_it_comes() -> None:
    """A connection that is tried while nobody has the address may be made when somebody has it."""
    answers = [(0.0, 0.1), (1.0, 2.9), (2.0, 1.9), (3.0, 0.9), (4.0, 0.1)]
    found = gap_of([Sight(at, Outcome.ANSWERED, OF_M1, took=took) for at, took in answers], Span(0.5, 5.0))
    assert round(found.longest, 3) == 3.8
    assert (found.in_vain, found.ended) == (0, True)


def write(name: str, ended: float, fate: Fate = Fate.ACKNOWLEDGED) -> Write:
    return Write(name, ended - 0.1, ended, fate)


def test_the_pause_of_the_writer() -> None:
    writes = [
        write("0", 1.0),
        write("1", 2.0),
        write("2", 5.0, Fate.UNKNOWN),
        write("3", 9.0),
        write("4", 9.5),
    ]
    assert writer_pause(writes, Span(0.5, 10.0)) == 7.0
    assert writer_pause(writes, Span(3.0, 4.0)) == 7.0, "a pause that the span lies in"
    assert writer_pause([], Span(0.0, 4.0)) == 4.0


def test_only_what_was_acknowledged_can_be_lost() -> None:
    writes = [write("0", 1.0), write("1", 2.0, Fate.UNKNOWN), write("2", 3.0), write("3", 4.0, Fate.REFUSED)]
    assert must_be_stored(writes, None) == {"0", "2"}
    assert must_be_gone(writes, None) == frozenset()


def test_what_a_backup_forgets() -> None:
    writes = [write(name, float(name)) for name in "12345"]
    assert must_be_stored(writes, Span(2.5, 4.95)) == {"1", "2"}, "the fifth began within"
    assert must_be_stored(writes, Span(2.5, 4.5)) == {"1", "2", "5"}
    assert must_be_gone(writes, Span(2.95, 4.5)) == {"4"}, "the third began before the backup was there"


def test_what_became_another() -> None:
    moved: dict[str, Member | Outcome] = {
        "m1": SILENT,
        "m2": Member("12", "12", 3),
        "m3": Member("13", "12", 3),
    }
    rows = [
        row(0.0),
        row(1.0, SILENT, ()),
        row(2.0, SILENT, ("m2",), {"m1": SILENT}),
        row(3.0, OF_M1, ("m2",), moved),
        row(4.0, OF_M2, None, moved),
        row(5.0, OF_M2, ("m2",), moved),
    ]
    found = [(change.what, change.after, change.to) for change in changes_of(rows, 0.5)]
    assert found == [
        ("the API's address", 0.5, "nobody"),
        ("the API's address", 1.5, "m2"),
        ("etcd's leader", 2.5, "m2"),
        ("kube-controller-manager", 3.5, "m2"),
        ("kube-scheduler", 3.5, "m2"),
    ]


def test_whether_all_works_without_a_node() -> None:
    assert row(0.0).works_without()
    assert row(0.0).works_without(["m1"]) is False, "all rests on it"
    assert row(0.0, SILENT).works_without() is False
    assert row(0.0, holders=()).works_without() is False
    assert row(0.0, holders=("m1", "m2")).works_without() is False
    assert row(0.0, holders=("m1", "m2")).works_without(split=True)
    assert row(0.0, {}).works_without() is False, "nobody holds the leases"
    assert row(0.0, NOT_ASKED).works_without() is None
    assert row(0.0, holders=None).works_without() is None
    leaderless: dict[str, Member | Outcome] = {name: Member(key, "", 3) for key, name in NAMES.items()}
    assert row(0.0, members=leaderless).works_without() is False
    assert row(0.0, members=dict.fromkeys(NAMES.values(), OPEN)).works_without() is None


def test_when_it_recovered() -> None:
    rows = [row(0.0), row(1.0, SILENT), row(2.0), row(3.0, NOT_ASKED), row(4.0)]
    assert recovered_after(rows, Span(0.5, 4.0), Row.works_without) == 1.5
    assert recovered_after([*rows, row(5.0, SILENT)], Span(0.5, 5.0), Row.works_without) is None
    assert recovered_after([], Span(0.5, 5.0), Row.works_without) is None


def test_calm_is_so_many_good_rows_at_the_end() -> None:
    rows = [row(float(at), SILENT if at == 1 else NOT_ASKED if at == 4 else OF_M1) for at in range(8)]
    assert calm(rows, 0.0, Row.works_without), "what is not known does not count"
    assert not calm(rows, 3.0, Row.works_without), "too few"
    assert not calm([*rows, row(8.0, SILENT)], 0.0, Row.works_without)


def test_what_a_lab_lacks() -> None:
    rows = [row(float(at)) for at in range(6)]
    assert lacks(rows, 0.0) == ""
    assert "it has not worked for 5 s yet" in lacks(rows, 3.0)
    assert lacks([*rows, row(6.0, members={"m3": SILENT})], 0.0) == "etcd on m3: no answer "
    assert lacks([*rows, row(6.0, members={"m3": OPEN})], 0.0) == "", "its answer before that counts"
    split: dict[str, Member | Outcome] = {"m3": Member("13", "13", 2)}
    assert "different leaders" in lacks([*rows, row(6.0, members=split)], 0.0)
    assert "address is on m1, m2" in lacks([*rows, row(6.0, holders=("m1", "m2"))], 0.0)


def test_a_line_for_people() -> None:
    line = live_line(row(0.0), "before   +3 s", 7)
    assert line == ("before   +3 s  API ok  address m1  etcd m1 term 2  manager m1  scheduler m1  written 7")
    nothing = live_line(row(0.0, OPEN, None, dict.fromkeys(NAMES.values(), NOT_ASKED)), "", 0)
    assert nothing.count("not asked") == 4
    assert live_line(row(0.0, {}), "", 0).count("nobody") == 2, "the API answered that nobody leads"
    assert "API open" in nothing


GOOD = Observed(
    happened=True,
    out=None,
    written_while_out=0,
    gap=Gap(5.0, 3.0, 30, 3, ended=True),
    pause=6.0,
    recovered=20.0,
    whole=True,
    acknowledged=100,
    lost={"m1": (), "m2": (), "m3": ()},
)
SOON = Configured(takeover=4.0, refusing=3.0, gone=5.0, election=2.0, lease=15.0, retry=2.0)


def held(observed: Observed, name: str = "power-off") -> Held:
    return passed(judge(drill_named(name), SOON, observed))


def test_a_drill_that_is_passed() -> None:
    assert held(GOOD) is Held.YES


@pytest.mark.parametrize(
    "wrong",
    [
        replace(GOOD, happened=False),
        replace(GOOD, lost={"m1": (), "m2": ("000007",), "m3": None}),
        replace(GOOD, gap=replace(GOOD.gap, longest=34.0)),
        replace(GOOD, pause=34.0),
        replace(GOOD, recovered=None),
        replace(GOOD, whole=False),
    ],
)
def test_one_that_is_not(wrong: Observed) -> None:
    assert held(wrong) is Held.NO


@pytest.mark.parametrize(
    "unknown",
    [
        replace(GOOD, lost={"m1": (), "m2": None, "m3": ()}),
        replace(GOOD, lost={}),
        replace(GOOD, acknowledged=0),
        replace(GOOD, gap=Gap(0.0, 0.0, 0, 0, ended=True)),
    ],
)
def test_what_could_not_be_seen_is_not_judged(unknown: Observed) -> None:
    assert held(unknown) is Held.UNKNOWN


def test_without_a_majority_no_write_may_be_taken() -> None:
    out = replace(GOOD, out=Gap(60.0, 58.0, 60, 58, ended=False))
    assert held(out, "quorum") is Held.YES
    assert held(replace(out, written_while_out=1), "quorum") is Held.NO
    assert held(GOOD, "quorum") is Held.UNKNOWN


def test_what_a_restore_is_judged_by() -> None:
    back = replace(GOOD, out=Gap(60.0, 58.0, 60, 58, ended=False), forgotten=20)
    assert held(back, "etcd-restore") is Held.YES
    assert held(replace(back, remembered=1), "etcd-restore") is Held.NO
    assert held(GOOD, "etcd-restore") is Held.UNKNOWN, "nothing was written after the backup"


def test_the_bound_is_twice_the_detection_and_a_lease() -> None:
    assert drill_named("address-holder").detection(SOON) == 4.0
    assert allowed_gap(drill_named("address-holder"), SOON) == 23.0
    assert drill_named("power-off").detection(SOON) == 9.0


def test_what_is_configured(plan: Plan) -> None:
    slow, stock = (
        configured_of(settings_of(plan.kubernetes, Containerd(), emulated=emulated, control_planes=3))
        for emulated in (True, False)
    )
    assert stock == Configured(takeover=4.0, refusing=3.0, gone=5.0, election=2.0, lease=15.0, retry=2.0)
    assert slow == Configured(takeover=8.0, refusing=6.0, gone=18.0, election=20.0, lease=60.0, retry=10.0)


def test_where_drills_can_be_run(plan: Plan, three: Plan) -> None:
    assert {drill.unfit(plan) for drill in DRILLS} == {"the topology has one control plane"}
    assert {drill.unfit(three) for drill in DRILLS} == {""}
    topology = load_topology(TOPOLOGIES / "ha-3node.yaml")
    changed = {"load_balancer": LoadBalancer.LOCAL_NGINX, "api_address": None}
    kubernetes = topology.kubernetes.model_copy(update=changed)
    local = make_plan(topology.model_copy(update={"kubernetes": kubernetes}))
    refused = {drill.name for drill in DRILLS if drill.unfit(local).startswith("with local-nginx")}
    assert refused == {"address-holder", "etcd-leader", "partition"}


def test_a_drill_that_there_is_not() -> None:
    with pytest.raises(WrongUseError) as caught:
        drill_named("powerof")
    assert caught.value.details == "did you mean power-off?"
