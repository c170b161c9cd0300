"""The acceptance suite is green in every mode."""

from __future__ import annotations

import json

import pytest
from lab_under_test import Lab

pytestmark = pytest.mark.real_lab


def test_macvlan_is_accepted(lab: Lab) -> None:
    assert json.loads(lab("status", "--json"))["mode"] == "macvlan"
    lab("test", "--", "-q")


def test_flannel_vxlan_is_accepted_after_a_rebuild(lab: Lab) -> None:
    lab("test", "--mode", "flannel-vxlan", "--", "-q")
    assert json.loads(lab("status", "--json"))["mode"] == "flannel-vxlan"
