"""A small network for the tests that send real packets."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.packets.small_network import SmallNetwork, small_network


@pytest.fixture
def network() -> Iterator[SmallNetwork]:
    if os.geteuid() != 0:
        pytest.skip("namespaces need root")
    with small_network() as made:
        yield made
