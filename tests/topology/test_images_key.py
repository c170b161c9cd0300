"""The key `images`: checked like the rest of the file, and no part of the plan."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.operations.keeping.keep import plan_digest
from lab.topology.findings import TopologyError
from lab.topology.loader import find_topology, load_topology
from lab.topology.models import Topology
from lab.topology.planner import make_plan

STANDARD = find_topology("underlay-3node")


def with_images(tmp_path: Path, images: str) -> Topology:
    file = tmp_path / "underlay-3node.yaml"
    file.write_text(f"{STANDARD.read_text()}\nimages: {images}\n")
    return load_topology(file)


def test_images_make_no_other_cluster(tmp_path: Path) -> None:
    without, with_two = load_topology(STANDARD), with_images(tmp_path, "[nginx:1.25, shop/web:1]")
    assert (without.images, with_two.images) == ((), ("nginx:1.25", "shop/web:1"))
    assert make_plan(with_two) == make_plan(without)
    assert plan_digest(make_plan(with_two)) == plan_digest(make_plan(without))


def test_what_is_no_name_is_found_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(
        TopologyError, match=r"found 'Nginx:1', expected the name of an image such as nginx:1\.25"
    ):
        with_images(tmp_path, "[nginx:1.25, 'Nginx:1']")
    with pytest.raises(TopologyError, match=r"found 'nginx:1\.25', expected a list"):
        with_images(tmp_path, "nginx:1.25")
