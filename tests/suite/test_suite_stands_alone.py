"""The judge shares nothing with the builder, and says so when it has nothing to judge."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import acceptance
from acceptance.expectations import load_expectations
from acceptance.inventory import Inventory, parse_inventory, read_inventory
from acceptance.matrix import pairs
from acceptance.problems import SuiteError

SUITE = Path(acceptance.__file__).parent
PAGE = SUITE.parent / "docs" / "acceptance.md"


@pytest.mark.parametrize("file", sorted(SUITE.rglob("*.py")), ids=lambda file: str(file.relative_to(SUITE)))
def test_nothing_of_the_builder_is_imported(file: Path) -> None:
    for statement in ast.walk(ast.parse(file.read_text())):
        if isinstance(statement, ast.Import):
            imported = [alias.name for alias in statement.names]
        elif isinstance(statement, ast.ImportFrom):
            imported = [statement.module or ""]
        else:
            continue
        assert not [name for name in imported if name.split(".")[0] == "lab"]


def _pytest(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", str(SUITE), *words],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_without_a_lab_it_fails_and_names_the_command(tmp_path: Path) -> None:
    done = _pytest(LAB_HOME=str(tmp_path), LAB_NAME="")
    assert done.returncode != 0
    assert "lab up" in done.stderr
    assert "passed" not in done.stdout


def test_a_missing_inventory_file_is_an_error(tmp_path: Path) -> None:
    done = _pytest("--inventory", str(tmp_path / "none.json"))
    assert done.returncode != 0
    assert "cannot read the inventory" in done.stderr


def test_a_mode_it_does_not_know_is_an_error(tmp_path: Path, inventory_json: dict[str, object]) -> None:
    file = tmp_path / "inventory.json"
    file.write_text(json.dumps({**inventory_json, "network_namespace": None}))
    done = _pytest("--nodes", str(file), "--mode", "smoke-signals")
    assert done.returncode != 0
    assert "no expectations for mode smoke-signals" in done.stderr


def test_a_lab_whose_process_is_gone_is_an_error(tmp_path: Path, inventory_json: dict[str, object]) -> None:
    file = tmp_path / "inventory.json"
    gone = 2**22 + 1  # above the kernel's largest process id
    file.write_text(json.dumps({**inventory_json, "network_namespace": {"pid": gone, "enter": []}}))
    done = _pytest("--inventory", str(file))
    assert done.returncode != 0
    assert "lab status" in done.stderr


def test_options_replace_what_the_inventory_says(tmp_path: Path, inventory_json: dict[str, object]) -> None:
    file = tmp_path / "inventory.json"
    file.write_text(json.dumps(inventory_json))
    seen = read_inventory(file, kubeconfig=Path("/other"), mode="macvlan")
    assert (seen.kubeconfig, seen.mode) == (Path("/other"), "macvlan")


def test_an_inventory_that_lacks_something_says_what(inventory_json: dict[str, object]) -> None:
    del inventory_json["kubeconfig"]
    inventory_json["probe_image"] = 7
    with pytest.raises(SuiteError, match=r"kubeconfig: Field required; probe_image: Input should be"):
        parse_inventory(json.dumps(inventory_json), "lab inventory --json")


def test_the_backend_goes_to_the_first_worker(inventory: Inventory) -> None:
    assert inventory.backend_node.name == "k8s-node1"


def test_the_smallest_inventory_of_the_documentation_is_enough() -> None:
    (example,) = re.findall(r"^```json\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    inventory = parse_inventory(example, str(PAGE))
    expectations = load_expectations(inventory.mode, inventory.conditions)
    assert [nic.device for node in inventory.nodes if (nic := inventory.nic(node, "underlay"))] == [
        "eth1"
    ] * 2
    assert {pair.label for pair in pairs(inventory, expectations)} >= {
        "pod.k8s-master1-to-pod.k8s-node1",
        "node.k8s-node1-to-pod.k8s-master1",
    }
