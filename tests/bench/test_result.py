"""What is made of the samples, and how it is read by people."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from lab.bench.page import charts_of, render_page
from lab.bench.result import bench_of
from lab.bench.words import rows_of, warnings_of
from tests.bench.results import bench, mode, sample, series, silent

VXLAN = mode("flannel-vxlan", series([1500.0, 1510.0, 1490.0, 1500.0], octets=312), mtu=1450)
MACVLAN = mode("macvlan", series([1100.0, 1101.0, 1099.0, 1100.0]))
NOISY = mode("bridge", series([1000.0, 1300.0, 1100.0, 1700.0]))


def test_json_has_all_of_it() -> None:
    result = bench(VXLAN, MACVLAN, mode("bridge", silent("no echo")), mode("other", series([None, None])))
    assert bench_of(json.loads(json.dumps(result.as_json()))) == result


@pytest.mark.parametrize("said", [{}, {"schema": "lab.bench/1", "modes": [{}]}, {"modes": [], "more": 1}])
def test_other_json_is_refused(said: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError)):
        bench_of(said)


def test_a_row_says_cost_header_and_mtu() -> None:
    (row,) = rows_of(VXLAN)
    assert row.cost.startswith("1.50 (1.")
    assert (row.more, row.headers, row.mtu) == ("+500", "+50", "1450")


def test_noise_gives_no_number() -> None:
    (row,) = rows_of(NOISY)
    assert row.cost.startswith("noisy (")
    assert row.more == ""


def test_who_gets_no_echo_has_no_number() -> None:
    (row,) = rows_of(mode("flannel-vxlan", silent("no echo")))
    assert (row.cost, row.more, row.headers) == ("no echo", "", "")


def test_without_a_counter_the_time_is_compared() -> None:
    (row,) = rows_of(mode("macvlan", series([None, None, None])))
    assert (row.cost, row.more) == ("1.00 (1.00-1.00)", "")


def test_without_frames_on_the_wire_there_is_no_header() -> None:
    (row,) = rows_of(mode("macvlan", series([900.0, 901.0], octets=0, frames=0)))
    assert row.headers == ""


def test_a_base_that_is_not_itself_is_told() -> None:
    drifting = series([1100.0] * 4, after=1050.0)
    assert warnings_of(mode("macvlan", drifting)) == (
        "node-to-node by udp: the base beside itself is 1.050, not 1.00: too noisy",
    )
    assert warnings_of(MACVLAN) == ()


def test_repeated_messages_are_told() -> None:
    again = replace(series([1100.0] * 3), samples=tuple(sample(1100.0, repeated=1) for _ in range(3)))
    assert warnings_of(mode("macvlan", again)) == ("pod-to-pod by udp: 3 messages were sent again",)


def test_the_cheapest_mode_is_the_first_bar_and_none_leaves_its_track() -> None:
    (chart,) = charts_of(bench(VXLAN, MACVLAN, NOISY))
    assert [bar.mode for bar in chart.bars] == ["macvlan", "flannel-vxlan", "bridge"]
    assert chart.bars[-1].value is None
    assert all(0 < bar.least <= bar.value <= bar.most <= 100 for bar in chart.bars if bar.value is not None)


def test_the_page_has_every_mode_and_says_what_may_not_be_concluded() -> None:
    page = render_page(bench(VXLAN, replace(MACVLAN, series=(), problem="it did not <come> up")))
    assert "1.50 (1." in page
    assert "not measured: it did not &lt;come&gt; up" in page
    assert "may not be concluded" in page
    assert "may not be concluded" not in render_page(bench(VXLAN, accelerator="kvm"))
