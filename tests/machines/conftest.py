"""The plan of the standard topology, a box that is none, and an enclosure shared by the tests of a module."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.foundation.paths import LabFolder
from lab.foundation.process import run
from lab.host.enclosure import Enclosure
from lab.supply.box.model import Box
from lab.topology.loader import load_topology
from lab.topology.models import Runtime
from lab.topology.plan import Plan
from lab.topology.planner import make_plan

TOPOLOGIES = Path(__file__).parents[2] / "topologies"


@pytest.fixture(scope="session")
def plan() -> Plan:
    return make_plan(load_topology(TOPOLOGIES / "underlay-3node.yaml"))


def make_box(folder: Path) -> Box:
    return Box(
        name="lab-v1.24.10-containerd",
        version="1.42",
        folder=folder,
        kernel_arguments="root=/dev/vda rw net.ifnames=0",
        virtual_size_gib=20,
        runtime=Runtime.CONTAINERD,
        kubernetes_version="v1.24.10",
        digest="0" * 64,
        packages={},
    )


@pytest.fixture
def box() -> Box:
    """A box that exists on paper only."""
    return make_box(Path("/cache/box/0000"))


@pytest.fixture(scope="module")
def empty_box() -> Iterator[Box]:
    """A box with an empty disk and a kernel that is none: machines can be made of it, not booted."""
    folder = Path(tempfile.mkdtemp(prefix="box-"))
    box = make_box(folder)
    run(["qemu-img", "create", "-q", "-f", "qcow2", box.image, f"{box.virtual_size_gib}G"])
    box.kernel.write_bytes(b"no kernel")
    box.initrd.write_bytes(b"no initrd")
    metadata = {"provider": "libvirt", "format": "qcow2", "virtual_size": box.virtual_size_gib}
    (folder / "metadata.json").write_text(json.dumps(metadata))
    yield box
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def lab_folder() -> Iterator[LabFolder]:
    root = Path(tempfile.mkdtemp(prefix="labs-"))
    yield LabFolder(root / "a")
    shutil.rmtree(root)


@pytest.fixture(scope="module")
def enclosure(lab_folder: LabFolder) -> Iterator[Enclosure]:
    """A running enclosure, made under a strict umask; needs root and libvirtd, as labs do."""
    if os.geteuid() != 0 or shutil.which("libvirtd") is None:
        pytest.skip("enclosures need root and libvirtd")
    enclosure = Enclosure(lab_folder)
    before = os.umask(0o077)
    enclosure.start()
    os.umask(before)
    yield enclosure
    enclosure.stop()
