"""A stand-in for Vagrant that reports its machines ready and then does not return."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from lab.foundation.errors import LabError
from lab.foundation.paths import LabFolder
from lab.foundation.process import ProcessFailedError
from lab.host.enclosure import Enclosure
from lab.machines import vagrant
from lab.machines.vagrant import Vagrant, ready_machine

READY = "==> {}: Machine booted and ready!"


@pytest.fixture
def wrapped(
    lab_folder: LabFolder, enclosure: Enclosure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Vagrant:
    lab_folder.vagrantfile.touch()
    monkeypatch.setattr("vagrant.get_vagrant_executable", lambda: str(tmp_path / "vagrant"))
    monkeypatch.setattr(vagrant, "RETURN_LIMIT", 0.5)
    return Vagrant(lab_folder, enclosure)


def stand_in(folder: Path, behaviour: str) -> None:
    (folder / "vagrant").write_text(f"#!/bin/sh\n{behaviour}\n")
    (folder / "vagrant").chmod(0o755)


def test_a_line_names_the_machine_that_is_ready() -> None:
    assert ready_machine(READY.format("k8s-node1")) == "k8s-node1"
    assert ready_machine("==> k8s-node1: Starting domain.") is None
    assert ready_machine("    k8s-node1: SSH address: 192.168.31.102:22") is None


def test_up_ends_soon_after_all_are_ready(wrapped: Vagrant, tmp_path: Path) -> None:
    stand_in(tmp_path, f"echo '{READY.format('a')}'; echo '{READY.format('b')}'; exec sleep 60")
    started = time.monotonic()
    wrapped.up(["a", "b"])
    assert time.monotonic() - started < 20


def test_up_waits_for_the_last_machine(wrapped: Vagrant, tmp_path: Path) -> None:
    stand_in(tmp_path, f"echo '{READY.format('a')}'; sleep 1; echo '{READY.format('b')}'; touch $0.done")
    wrapped.up(["a", "b"])
    assert (tmp_path / "vagrant.done").exists()


def test_a_failing_up_shows_what_vagrant_said(wrapped: Vagrant, tmp_path: Path) -> None:
    stand_in(tmp_path, "echo 'no space left' >&2; exit 1")
    with pytest.raises(ProcessFailedError, match="no space left"):
        wrapped.up(["a"])


def test_without_a_vagrantfile_there_is_nothing_to_run(lab_folder: LabFolder, enclosure: Enclosure) -> None:
    lab_folder.vagrantfile.unlink(missing_ok=True)
    with pytest.raises(LabError, match="there is no Vagrantfile"):
        Vagrant(lab_folder, enclosure)
