"""The acceptance suite is green in one mode of each kind: underlay, both in one cluster, overlay."""

from __future__ import annotations

import json

import pytest

from tests.real_lab.lab_under_test import Lab

pytestmark = pytest.mark.real_lab


def test_macvlan_is_accepted(lab: Lab) -> None:
    assert json.loads(lab("status", "--json"))["mode"] == "macvlan"
    lab("test", "--", "-q")


@pytest.mark.parametrize("mode", ["hybridnet", "flannel-vxlan"])
def test_another_mode_is_accepted_after_a_rebuild(lab: Lab, mode: str) -> None:
    lab("test", "--mode", mode, "--", "-q", "--reboot", "no")
    status = json.loads(lab("status", "--json"))
    assert (status["mode"], status["problems"]) == (mode, [])
