from __future__ import annotations

from pathlib import Path

import pytest

from lab.foundation.errors import LabError
from lab.foundation.paths import LabFolder
from lab.host.layout import SOCKET_PATH_LIMIT, EnclosureLayout


def folder_with_socket_path_of(length: int) -> LabFolder:
    shortest = LabFolder(Path("/x"))
    rest = length - len(str(EnclosureLayout(shortest.host).libvirt_socket))
    return LabFolder(Path("/x" + "x" * rest))


def test_the_longest_path_that_a_socket_can_have_is_taken() -> None:
    layout = EnclosureLayout.of(folder_with_socket_path_of(SOCKET_PATH_LIMIT))
    assert len(str(layout.libvirt_socket)) == SOCKET_PATH_LIMIT


def test_a_longer_path_is_refused_with_what_to_do() -> None:
    with pytest.raises(LabError) as refused:
        EnclosureLayout.of(folder_with_socket_path_of(SOCKET_PATH_LIMIT + 1))
    assert "108 bytes; the limit is 107" in str(refused.value)
    assert "LAB_HOME" in str(refused.value)


def test_all_private_folders_lie_in_the_lab() -> None:
    layout = EnclosureLayout.of(LabFolder(Path("/labs/a")))
    assert all(private.is_relative_to("/labs/a/host") for private in layout.private_folders)
    assert layout.libvirt_socket.parent in layout.private_folders
