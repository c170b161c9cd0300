"""A lab that comes back a day and 400 days later: new pods start within a minute, whatever the mode.

In 400 days the certificate that kubeadm's kubelets would have, the tokens in pods and the API server's
certificate for itself have run out; in a day, the token of calico's plugin.
Started by `scripts/real-lab-test --endurance`, never by `scripts/test`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

from tests.real_lab.lab_under_test import NAME, TOPOLOGY, HostTrace, Lab

pytestmark = [pytest.mark.real_lab, pytest.mark.endurance]

PODS = 4
LIMIT = 60
"""Seconds until new pods must run."""
CLOCK_SECONDS = 60.0


@pytest.fixture(scope="module", params=["macvlan", "flannel-vxlan", "calico-vxlan", "hybridnet"])
def lab_in_mode(request: pytest.FixtureRequest, lab: Lab) -> Lab:
    mode = str(request.param)
    if NAME in HostTrace.now().labs:
        lab("rebuild", "--mode", mode, "--discard")
    else:
        lab("up", "--topology", TOPOLOGY, "--mode", mode)
    return lab


@pytest.mark.parametrize("days", [0, 1, 400])
def test_new_pods_start_at_once_in_a_lab_that_comes_back_later(lab_in_mode: Lab, days: int) -> None:
    lab = lab_in_mode
    words = [sys.executable, "-m", "tests.real_lab.later", str(days), "rebuild", "--discard"]
    subprocess.run(words, check=True)
    node = json.loads(lab("inventory", "--json"))["nodes"][-1]["name"]
    ahead = float(lab("exec", node, "--", "date", "+%s")) - time.time()
    assert ahead == pytest.approx(days * 24 * 60 * 60, abs=CLOCK_SECONDS)

    began = time.monotonic()
    image = json.loads(lab("inventory", "--json"))["probe_image"]
    create = (
        "create",
        "deployment",
        "later",
        f"--image={image}",
        f"--replicas={PODS}",
        "--",
        "/agnhost",
        "pause",
    )
    lab("kubectl", *create)
    lab("kubectl", "rollout", "status", "deployment/later", f"--timeout={LIMIT}s")
    print(f"{days} days later: {PODS} new pods after {time.monotonic() - began:.0f} s")  # noqa: T201
