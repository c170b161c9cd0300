"""`lab up` ended by SIGKILL in the middle: `lab down` leaves nothing, and another `lab up` goes on."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass

import pytest
from lab_under_test import TOPOLOGY, HostTrace, Lab

pytestmark = pytest.mark.real_lab

UP = ("lab", "up", "--topology", TOPOLOGY, "--mode", "macvlan", "--cold")
"""Nothing is brought back from an earlier lab: all steps are run."""


@dataclass(frozen=True)
class Moment:
    """A time within a step of `lab up`: so many seconds after its first line."""

    step: str
    seconds: float


BOOT = Moment("networks and virtual machines", 5)
INIT = Moment("kubeadm init", 15)
JOIN = Moment("kubeadm join", 15)


def kill_up_at(moment: Moment) -> None:
    """Start `lab up` and end it at that moment. The test ends when the moment does not come."""
    up = subprocess.Popen(UP, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert up.stderr is not None
    seen = []
    for line in up.stderr:
        seen.append(line)
        if line.strip() == f"... {moment.step}":
            break
    else:
        pytest.fail(f"lab up ended before {moment.step!r}:\n{''.join(seen)}")
    time.sleep(moment.seconds)
    assert up.poll() is None, f"lab up ended within {moment.seconds} s of {moment.step!r}"
    up.kill()
    up.wait()


@pytest.mark.parametrize("moment", [BOOT, INIT, JOIN], ids=lambda moment: moment.step)
def test_down_after_a_killed_up_leaves_nothing(lab: Lab, before: HostTrace, moment: Moment) -> None:
    kill_up_at(moment)
    lab("down")
    HostTrace.now().assert_as(before)


def test_an_up_killed_three_times_comes_to_the_same_end(lab: Lab) -> None:
    for moment in (BOOT, INIT, JOIN):
        kill_up_at(moment)
        assert json.loads(lab("status", "--json"))["name"]
    lab(*UP[1:])
    status = json.loads(lab("status", "--json"))
    assert (status["state"], status["mode"]) == ("up", "macvlan")
