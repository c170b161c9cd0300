"""How fast a cluster works, how far limits follow, and the verdict on one that is too slow."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException

from acceptance import pace as measuring
from acceptance import patience as waiting
from acceptance.cluster import Api
from acceptance.not_judged import EXIT_STATUS, verdict_on
from acceptance.pace import MOST, STARVED, USUAL_READ, USUAL_WORK, Pace, measure
from acceptance.patience import Patience
from acceptance.problems import Problem, SuiteError
from acceptance.shell import LocalShell


def at(pace: Pace, ratio: float) -> Pace:
    """A node that works so many times slower than usual."""
    return replace(pace, work={**pace.work, "k8s-node2": USUAL_WORK * ratio})


class SilentShell:
    name = "k8s-node2"

    def bash(self, script: str, timeout: float = 0) -> str:
        raise SuiteError("k8s-node2 cannot be reached")


def api(answer: Any) -> Api:
    core = SimpleNamespace(read_namespace=answer)
    return Api(core, core, core, core)


def test_the_loop_and_the_read_are_timed() -> None:
    read: list[str] = []
    pace = measure([LocalShell()], api(lambda name, **_: read.append(name)))
    seconds = pace.work["this machine"]
    assert isinstance(seconds, float)
    assert seconds > 0
    assert isinstance(pace.read, float)
    assert read == ["default"] * measuring.READS
    assert pace.host.processors >= 1
    assert 0 <= pace.host.stolen <= 1


def test_what_does_not_answer_is_told_and_slows_nothing_down() -> None:
    def refused(name: str, **_: object) -> None:
        raise ApiException(status=504, reason="Gateway Timeout")

    pace = measure([SilentShell()], api(refused))
    assert pace.work == {"k8s-node2": Problem("k8s-node2 cannot be reached")}
    assert pace.read == Problem("HTTP 504 Gateway Timeout")
    assert pace.ratio == 1
    assert "k8s-node2 cannot be reached" in str(pace)
    assert measure([], None).read == Problem("there is no connection to the API server")


def test_the_slowest_counts(usual_pace: Pace) -> None:
    assert usual_pace.ratio == 1
    assert at(usual_pace, 3).ratio == 3
    assert replace(usual_pace, read=USUAL_READ * 4).ratio == 4


def test_limits_follow_the_slowest_speed_up_to_a_limit(usual_pace: Pace) -> None:
    assert at(usual_pace, 3).stretch(60) == 180
    assert at(usual_pace, 0.1).stretch(60) == 60
    assert at(usual_pace, 1000).stretch(60) == 60 * MOST


def test_patience_is_that_of_the_slowest_measurement(
    usual_pace: Pace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "FRESH_SECONDS", 0.0)
    paces = iter([at(usual_pace, 2), at(usual_pace, 4), usual_pace])
    told: list[str] = []
    patience = Patience(lambda: next(paces), told.append, 100)
    assert (patience.limit(10), patience.pods) == (10, 100)
    for limit in (20, 40, 40):
        patience.look()
        assert patience.limit(10) == limit
    assert patience.pods == 400
    assert patience.starved is None
    assert len(told) == 3


def test_a_measurement_of_a_moment_ago_is_good(usual_pace: Pace) -> None:
    paces = iter([usual_pace])
    patience = Patience(lambda: next(paces), lambda _: None, 100)
    patience.look()
    patience.look()
    assert next(paces, None) is None


def test_a_starved_cluster_is_known(usual_pace: Pace) -> None:
    slow = at(usual_pace, STARVED)
    patience = Patience(lambda: slow, lambda _: None, 100)
    patience.look()
    assert patience.starved is slow


CONFTEST = """
import pytest
from acceptance import not_judged
from acceptance.pace import HostLoad, Pace, USUAL_WORK
from acceptance.patience import Patience

RATIO = {ratio}

def pytest_configure(config):
    pace = Pace({{"k8s-master1": USUAL_WORK * RATIO}}, 0.1, HostLoad(9.0, 2, 0.5))
    config.stash[not_judged.PATIENCE] = Patience(lambda: pace, lambda _: None, 180)
    config.pluginmanager.register(not_judged)
"""
CHECKS = """
def test_one():
    pass

def test_two():
    assert False, "pod.k8s-node1 to pod.k8s-node2: no answer"

def test_three():
    assert False, "another one"
"""


def run_checks(folder: Path, ratio: float) -> subprocess.CompletedProcess[str]:
    (folder / "conftest.py").write_text(CONFTEST.format(ratio=ratio))
    (folder / "test_checks.py").write_text(CHECKS)
    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rs", str(folder)]
    words += [f"--junitxml={folder / 'report.xml'}", f"--rootdir={folder}"]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_on_a_starved_cluster_no_check_fails(tmp_path: Path) -> None:
    done = run_checks(tmp_path, STARVED)
    assert done.returncode == EXIT_STATUS
    assert "1 passed, 2 skipped" in done.stdout
    assert " failed" not in done.stdout.splitlines()[-1]
    assert "not judged: 2" in done.stdout
    assert "not judged: the control plane is starved: 8.0 times slower than usual" in done.stdout
    assert "load 9.0 on 2 processors, 50% stolen" in done.stdout
    assert "would have failed: test_checks.py::test_two" in done.stdout
    assert "pod.k8s-node1 to pod.k8s-node2: no answer" in done.stdout
    assert "would have failed: test_checks.py::test_three" in done.stdout, "the run goes on"
    report = (tmp_path / "report.xml").read_text()
    assert 'failures="0"' in report
    assert "no answer" in report, "what the check would have said is kept"


def test_on_a_slow_cluster_that_is_not_starved_checks_fail(tmp_path: Path) -> None:
    done = run_checks(tmp_path, STARVED / 2)
    assert done.returncode == 1
    assert "2 failed, 1 passed" in done.stdout
    assert "not judged" not in done.stdout
    assert "4.0 times slower than usual" in done.stdout


def test_the_verdict_says_what_to_do(usual_pace: Pace) -> None:
    said = verdict_on(usual_pace)
    assert said.startswith("not judged: the control plane is starved: ")
    assert "How to fix it: " in said
