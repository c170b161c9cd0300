"""A place for labs whose paths are short enough for sockets, and enclosures that end with their test."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.foundation.paths import LabFolder
from lab.host.enclosure import Enclosure


@pytest.fixture
def labs() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="labs-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def make_enclosure(labs: Path) -> Iterator[Callable[[str], Enclosure]]:
    """Makes the enclosure of a lab of that name; needs root and libvirtd, as labs do."""
    if os.geteuid() != 0 or shutil.which("libvirtd") is None:
        pytest.skip("enclosures need root and libvirtd")
    made: list[Enclosure] = []

    def make(name: str) -> Enclosure:
        made.append(Enclosure(LabFolder(labs / name)))
        return made[-1]

    yield make
    for enclosure in made:
        enclosure.stop()
