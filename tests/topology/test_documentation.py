"""docs/topologies.md says what the models say."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

from lab.topology.loader import load_topology
from lab.topology.models import Allowance, NetworkRole, NodeRole, Runtime
from lab.topology.schema import MODELS

PAGE = (Path(__file__).parent.parent.parent / "docs" / "topologies.md").read_text()


@pytest.mark.parametrize("model", MODELS)
def test_every_key_is_explained(model: type[BaseModel]) -> None:
    assert [key for key in model.model_fields if f"`{key}`" not in PAGE] == []


@pytest.mark.parametrize("word", [*Allowance, *NetworkRole, *NodeRole, *Runtime])
def test_every_word_is_named(word: str) -> None:
    assert word in PAGE


@pytest.mark.parametrize("model", MODELS)
def test_every_default_is_the_real_one(model: type[BaseModel]) -> None:
    for key, field in model.model_fields.items():
        row = next((line for line in PAGE.splitlines() if line.startswith(f"| `{key}` | `")), None)
        if row is not None and row.split("|")[2].strip().startswith("`"):
            assert row.split("|")[2].strip() == f"`{field.default}`"


def test_the_example_is_right(tmp_path: Path) -> None:
    example = tmp_path / "small.yaml"
    example.write_text(PAGE.split("```yaml\n")[1].split("```")[0])
    assert load_topology(example).name == "small"
