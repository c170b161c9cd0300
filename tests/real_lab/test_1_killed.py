"""`lab up` ended by SIGKILL in the middle: `lab down` leaves nothing, and another `lab up` goes on."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.real_lab.killing import Moment, kill_at
from tests.real_lab.lab_under_test import TOPOLOGY, HostTrace, Lab

pytestmark = pytest.mark.real_lab

UP = ("lab", "up", "--topology", TOPOLOGY, "--mode", "macvlan", "--cold")
"""Nothing is brought back from an earlier lab: all steps are run."""


def a_machine_runs() -> bool:
    status = subprocess.run(["lab", "status", "--json"], check=False, capture_output=True)
    return status.returncode == 0 and any(
        node["machine"] == "running" for node in json.loads(status.stdout)["nodes"]
    )


def kubeadm_runs(node: str, what: str) -> bool:
    """Whether the node has a process `kubeadm init` or `kubeadm join` now."""
    words = ["lab", "exec", node, "--", "pgrep", "--full", f"^kubeadm {what} "]
    return subprocess.run(words, check=False, capture_output=True).returncode == 0


BOOT = Moment("networks and virtual machines", a_machine_runs)
INIT = Moment("kubeadm init", lambda: kubeadm_runs("k8s-master1", "init"))
JOIN = Moment("kubeadm join", lambda: kubeadm_runs("k8s-node1", "join"))


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param(BOOT, id=BOOT.step),
        *(pytest.param(each, id=each.step, marks=pytest.mark.endurance) for each in (INIT, JOIN)),
    ],
)
def test_down_after_a_killed_up_leaves_nothing(
    lab: Lab, before: HostTrace, moment: Moment, tmp_path: Path
) -> None:
    kill_at(moment, UP, tmp_path / "up.log")
    lab("down")
    HostTrace.now().assert_as(before)


def test_an_up_killed_three_times_comes_to_the_same_end(lab: Lab, tmp_path: Path) -> None:
    for moment in (BOOT, INIT, JOIN):
        kill_at(moment, UP, tmp_path / "up.log")
        assert json.loads(lab("status", "--json"))["name"]
    lab(*UP[1:])
    status = json.loads(lab("status", "--json"))
    assert (status["state"], status["mode"]) == ("up", "macvlan")
