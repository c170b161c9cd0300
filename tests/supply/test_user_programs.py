"""Programs that users bring: taken when they are programs for this machine and run."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import pytest

from lab.foundation.errors import LabError, WrongUseError
from lab.foundation.progress import SilentProgress
from lab.supply.cache import Cache
from lab.supply.catalogue import UserProgram
from lab.supply.user_programs import add, user_programs

CRICTL = UserProgram("crictl", ("--version",))


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def elf(machine: int) -> bytes:
    return struct.pack("<4sBB10xHH", b"\x7fELF", 2, 1, 2, machine) + bytes(100)


def test_a_program_is_taken_with_the_version_it_tells(cache: Cache) -> None:
    true = Path(shutil.which("true") or "")
    added = add("crictl", true, cache, SilentProgress())
    assert added.version.startswith("true (GNU coreutils)")
    assert cache.blob(added.digest).read_bytes() == true.read_bytes()
    (record,) = user_programs(cache, [CRICTL, UserProgram("cri-dockerd", ("--version",))])
    assert record.outputs == {"crictl": added.digest}


def test_a_program_added_again_replaces_the_first(cache: Cache) -> None:
    for name in ("true", "cat"):
        last = add("crictl", Path(shutil.which(name) or ""), cache, SilentProgress())
    (record,) = user_programs(cache, [CRICTL])
    assert record.outputs == {"crictl": last.digest}
    assert record.version.startswith("cat")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"#!/bin/sh\necho v1\n", "is not a program"),
        (b"\x1f\x8b\x08archive", "is not a program"),
        (b"", "is not a program"),
        (elf(machine=40), "for another kind of machine"),
    ],
)
def test_what_is_no_program_for_this_machine_is_refused(
    cache: Cache, tmp_path: Path, content: bytes, complaint: str
) -> None:
    file = tmp_path / "crictl"
    file.write_bytes(content)
    with pytest.raises(WrongUseError, match=complaint):
        add("crictl", file, cache, SilentProgress())
    assert user_programs(cache, [CRICTL]) == []


@pytest.mark.parametrize("program", ["false", "broken"])
def test_a_program_that_does_not_run_is_refused(cache: Cache, tmp_path: Path, program: str) -> None:
    file = tmp_path / "broken"
    file.write_bytes(elf(machine=62))
    if program == "false":
        file = Path(shutil.which("false") or "")
    with pytest.raises(LabError, match="crictl does not run on this host"):
        add("crictl", file, cache, SilentProgress())
    assert user_programs(cache, [CRICTL]) == []


def test_a_name_that_no_lab_knows_is_refused(cache: Cache) -> None:
    with pytest.raises(WrongUseError, match="docker is not a program that a lab can use") as caught:
        add("docker", Path("/bin/true"), cache, SilentProgress())
    assert "cri-dockerd, crictl" in str(caught.value)
