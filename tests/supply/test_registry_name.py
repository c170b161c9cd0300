"""The images' registry has one name: a module defines it, and files that cannot import it say the same."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from lab.supply import software
from lab.supply.software import REGISTRY

ROOT = Path(__file__).parents[2]
FOLDERS = ("lab", "acceptance", "scripts", "docs", "examples", "topologies")
EXAMPLES = sorted((ROOT / "examples").rglob("*.yaml"))
NAMED = re.compile(r"\bregistry\.[a-z0-9.-]*\binternal\b")


def texts() -> Iterator[tuple[Path, str]]:
    """The files of the tree that people and programs read, but tests."""
    below = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*"))
    for path in (*ROOT.glob("*.*"), *below):
        if path.is_file() and not path.is_symlink() and "__pycache__" not in path.parts:
            yield path, path.read_text(errors="replace")


def constants(source: str) -> Iterator[str]:
    nodes = ast.walk(ast.parse(source))
    return (node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))


def images(value: object) -> Iterator[str]:
    """Every `image` in a manifest."""
    if isinstance(value, dict):
        if isinstance(image := value.get("image"), str):
            yield image
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from images(each)


def test_no_file_says_another_name() -> None:
    found = {str(path.relative_to(ROOT)): set(NAMED.findall(text)) for path, text in texts()}
    naming = {path: names for path, names in found.items() if names}
    assert naming.keys() > {"docs/supplies.md", "lab/supply/software.py"}
    assert {path: names for path, names in naming.items() if names != {REGISTRY}} == {}


def test_one_module_defines_it() -> None:
    modules = [path for path, text in texts() if path.suffix == ".py" and REGISTRY in constants(text)]
    assert modules == [Path(software.__file__)]


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_the_images_of_the_examples_are_in_it(file: Path) -> None:
    for manifest in yaml.safe_load_all(file.read_text()):
        assert all(image.startswith(f"{REGISTRY}/") for image in images(manifest))
