from __future__ import annotations

from collections import namedtuple
from pathlib import Path

import pytest

from lab.host import doctor
from lab.host.doctor import PROGRAMS, Finding, checks

Usage = namedtuple("Usage", "total used free")


def finding(name: str) -> Finding:
    return next(found for found in checks() if found.name == name)


def test_every_finding_that_is_not_good_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name, path=None: None)
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(1, 1, 0))
    wrong = [found for found in checks() if not found.ok]
    assert len(wrong) >= len(PROGRAMS) + 2
    assert all(found.resolution for found in wrong)


def test_a_missing_program_is_found_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name, path=None: None if name == "nc" else name)
    assert finding("program nc") == Finding(
        "program nc", False, "not installed", "apt install netcat-openbsd"
    )
    assert finding("program ip").ok


def test_what_one_command_needs_is_told_and_not_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name, path=None: None if name == "slirp4netns" else name)
    found = finding("program slirp4netns")
    assert found.ok
    assert found.found == "not installed; only `lab outside` needs it: apt install slirp4netns"


def test_a_full_disk_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LAB_CACHE", str(tmp_path / "not" / "there"))
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(100, 97, 3 * doctor.GIB))
    assert not finding("disk for the cache").ok
    assert finding("disk for the cache").found.startswith(f"3 GiB free at {tmp_path}")
