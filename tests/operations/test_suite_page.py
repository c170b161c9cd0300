"""The page made of the suite's JUnit XML."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pytest

from lab.modes.registry import mode_named
from lab.operations.suite_page import DrawnPath, ModeRun, Station, render_page
from lab.operations.suite_page.page import rows_of
from lab.operations.suite_page.results import Check, Outcome, read_checks

MACVLAN, FLANNEL = mode_named("macvlan"), mode_named("flannel-vxlan")

WAY = DrawnPath("pod", (Station("pod-a", ("eth0",)),), "IPv4, ICMP", (Station("pod-b", ("eth0",)),))

REPORT = """<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest" errors="0" failures="1" skipped="0" tests="3" time="99">
<testcase classname="acceptance.test_reachability" name="test_reach[pod.a-to-pod.b]" time="0.1">
  <properties><property name="seen" value="tcp: the target saw 172.31.6.1"/></properties></testcase>
<testcase classname="acceptance.test_reachability" name="test_reach[pod.a-to-lan-host]" time="0.2">
  <properties><property name="own words" value="no answer"/></properties>
  <failure message="Failed: short">pod.a to &lt;lan-host&gt;: no answer</failure></testcase>
<testcase classname="acceptance.test_data_path" name="test_node[a]" time="0.3"/>
</testsuite></testsuites>
"""


@pytest.fixture
def checks(tmp_path: Path) -> tuple[Check, ...]:
    (tmp_path / "report.xml").write_text(REPORT)
    return read_checks(tmp_path / "report.xml")


def test_checks_are_read_with_what_was_seen(checks: tuple[Check, ...]) -> None:
    assert checks == (
        Check(
            "reachability", "reach", "pod.a-to-pod.b", Outcome.PASSED, 0.1, "tcp: the target saw 172.31.6.1"
        ),
        Check(
            "reachability",
            "reach",
            "pod.a-to-lan-host",
            Outcome.FAILED,
            0.2,
            "pod.a to <lan-host>: no answer",
            own_words="no answer",
        ),
        Check("data path", "node", "a", Outcome.PASSED, 0.3, ""),
    )


def test_a_run_without_a_report_has_no_checks(tmp_path: Path) -> None:
    assert read_checks(tmp_path / "none.xml") == ()


def test_a_check_that_only_one_mode_has_leaves_the_others_cell_empty(checks: tuple[Check, ...]) -> None:
    runs = [
        ModeRun("macvlan", MACVLAN.summary, checks, 0, 90),
        ModeRun(FLANNEL.name, FLANNEL.summary, checks[2:], 4, 80),
    ]
    assert [(row.function, [cell.state for cell in row.cells]) for row in rows_of(runs)] == [
        ("reach", ["failed", "none"]),
        ("node", ["passed", "passed"]),
    ]


def test_what_was_skipped_is_not_called_good(checks: tuple[Check, ...]) -> None:
    skipped = Check("coursework", "addresses", "", Outcome.NOT_RUN, 0, "needs overlay and underlay")
    run = ModeRun("macvlan", MACVLAN.summary, (checks[0], skipped), 0, 90)
    assert [row.cells[0].state for row in rows_of([run])] == ["passed", "not-run"]
    texts = Texts(render_page("x", [], [run])).texts
    assert "✓ 1 checks" in texts
    assert {"not run", "needs overlay and underlay"} <= set(texts)
    nothing = ModeRun("macvlan", MACVLAN.summary, (skipped,), 0, 90)
    assert not nothing.good


class Texts(HTMLParser):
    """All texts and class words of a page, and the elements that are open at its end."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.sources: list[str] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.sources += [value or "" for name, value in attrs if name in {"src", "href"}]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())


def test_the_page_shows_every_mode_and_the_evidence_of_every_check(checks: tuple[Check, ...]) -> None:
    runs = [
        ModeRun("macvlan", MACVLAN.summary, checks, 0, 90, paths=(WAY,)),
        ModeRun(FLANNEL.name, FLANNEL.summary, (), 30, 0, problem="the pod network does not come up"),
    ]
    page = Texts(render_page("The modes of a lab", ["Kubernetes v1.24.10"], runs))
    assert page.open == []
    for text in (
        "The modes of a lab",
        "Kubernetes v1.24.10",
        "✗ 1 of 3 failed",
        "✗ 1 of 2",
        "tcp: the target saw 172.31.6.1",
        "pod.a to <lan-host>: no answer",
        "as expected",
        "the pod network does not come up",
        MACVLAN.summary,
        "IPv4, ICMP",
        "eth0",
    ):
        assert text in page.texts


def test_the_page_is_in_the_language_of_the_environment(
    checks: tuple[Check, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_LANG", "zh")
    html = render_page("x", [], [ModeRun("macvlan", MACVLAN.summary, checks, 0, 90)])
    texts = Texts(html).texts
    assert '<html lang="zh">' in html
    assert {"模式", "✗ 3 项中 1 项失败", "✗ 1 共 2", "检查", "符合预期"} <= set(texts)
    assert MACVLAN.summary not in texts
    # What the suite says stays as it is.
    assert "tcp: the target saw 172.31.6.1" in texts


def test_the_page_needs_nothing_from_elsewhere(checks: tuple[Check, ...]) -> None:
    assert Texts(render_page("x", [], [ModeRun("macvlan", MACVLAN.summary, checks, 0, 90)])).sources == []
