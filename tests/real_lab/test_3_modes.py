"""In one mode of each kind (underlay, both in one cluster, overlay) the acceptance suite is green.

And a packet takes the way that the mode's definition draws.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.real_lab.lab_under_test import Lab
from tests.real_lab.neighbours import DEVICE, a_lan
from tests.real_lab.traced import assert_the_way_is_as_drawn

pytestmark = pytest.mark.real_lab


def test_macvlan_is_accepted_with_all_doors_open(lab: Lab, tmp_path: Path) -> None:
    assert json.loads(lab("status", "--json"))["mode"] == "macvlan"
    with a_lan():
        lab("outside", "open")
        lab("image", "through", "open")
        lab("lan", "open", DEVICE)
        lab("forward", "--background", "0:api")
        lab("test", "--", "-q")
        lab("forward", "--stop")
        lab("lan", "close")
        lab("image", "through", "close")
        lab("outside", "close")
    assert_the_way_is_as_drawn(lab, "macvlan", tmp_path)


@pytest.mark.parametrize("mode", ["hybridnet", "flannel-vxlan"])
def test_another_mode_is_accepted_after_a_rebuild(lab: Lab, mode: str, tmp_path: Path) -> None:
    lab("test", "--mode", mode, "--", "-q", "--reboot", "no")
    status = json.loads(lab("status", "--json"))
    assert (status["mode"], status["problems"]) == (mode, [])
    assert_the_way_is_as_drawn(lab, mode, tmp_path)
