"""A lab that is down has left nothing."""

from __future__ import annotations

import pytest

from tests.real_lab.lab_under_test import HostTrace, Lab

pytestmark = pytest.mark.real_lab


def test_down_leaves_nothing(lab: Lab, before: HostTrace) -> None:
    lab("forward", "--background", "0:api", "0:svc/kube-system/kube-dns:9153")
    lab("outside", "open")
    lab("down")
    HostTrace.now().assert_as(before)
