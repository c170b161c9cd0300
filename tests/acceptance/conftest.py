"""A lab as the acceptance suite sees it, without one running."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from acceptance.expectations import Expectations, load_expectations
from acceptance.inventory import Inventory, parse_inventory

RECORDED = Path(__file__).parent / "recorded"


@pytest.fixture
def inventory_json() -> dict[str, object]:
    """An inventory as `lab inventory --json` prints it."""
    return dict(json.loads((RECORDED / "inventory.json").read_text()))


@pytest.fixture
def inventory(inventory_json: dict[str, object]) -> Inventory:
    return parse_inventory(json.dumps(inventory_json), "recorded")


@pytest.fixture
def flannel() -> Expectations:
    return load_expectations("flannel-vxlan", {})


@pytest.fixture
def macvlan() -> Expectations:
    return load_expectations("macvlan", {})
