"""The KVM probe, against stand-ins for qemu that behave as real ones were seen to."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.foundation.process import ProgramMissingError
from lab.foundation.wait import Deadline
from lab.host.kvm import KvmVerdict, probe

BOOTS = "echo '[    0.000000] Linux version 6.1.0'; echo 'Kernel panic'; exit 0"
ABORTS = "echo 'qemu: error: failed to set MSR 0x10a to 0x69' >&2; kill -ABRT $$"
HANGS = "exec sleep 60"
BOOTS_AND_HANGS = "echo '[    0.000000] Linux version 6.1.0'; exec sleep 60"


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    path = tmp_path / "vmlinuz"
    path.write_bytes(b"kernel")
    return path


def stand_in(folder: Path, behaviour: str) -> str:
    script = folder / "qemu"
    script.write_text(f'#!/bin/sh\necho "$@" >> {folder}/calls\n{behaviour}\n')
    script.chmod(0o755)
    return str(script)


def calls(folder: Path) -> list[str]:
    return (folder / "calls").read_text().splitlines() if (folder / "calls").exists() else []


def verdict_of(behaviour: str, kernel: Path) -> KvmVerdict:
    folder = kernel.parent
    device = folder / "kvm"
    device.touch()
    qemu = stand_in(folder, behaviour)
    return probe(kernel, Deadline(1.0), cache=folder / "cache" / "kvm.json", device=device, qemu=qemu)


def test_a_kernel_that_boots_makes_kvm_usable(kernel: Path) -> None:
    assert verdict_of(BOOTS, kernel).usable
    assert "accel=kvm" in calls(kernel.parent)[0]
    assert str(kernel) in calls(kernel.parent)[0]


def test_a_kernel_that_boots_slowly_makes_kvm_usable(kernel: Path) -> None:
    assert verdict_of(BOOTS_AND_HANGS, kernel).usable


def test_a_qemu_that_aborts_is_quoted(kernel: Path) -> None:
    verdict = verdict_of(ABORTS, kernel)
    assert not verdict.usable
    assert "failed to set MSR 0x10a" in verdict.why


def test_a_silent_guest_is_not_usable(kernel: Path) -> None:
    verdict = verdict_of(HANGS, kernel)
    assert not verdict.usable
    assert "printed nothing in 1 s" in verdict.why


def test_without_the_device_nothing_is_started(kernel: Path) -> None:
    folder = kernel.parent
    qemu = stand_in(folder, BOOTS)
    verdict = probe(kernel, Deadline(1.0), cache=folder / "record", device=folder / "missing", qemu=qemu)
    assert not verdict.usable
    assert str(folder / "missing") in verdict.why
    assert calls(folder) == []


@pytest.mark.parametrize("behaviour", [BOOTS, ABORTS])
def test_the_verdict_is_kept_for_the_same_kernel(kernel: Path, behaviour: str) -> None:
    first = verdict_of(behaviour, kernel)
    assert verdict_of(behaviour, kernel) == first
    assert len(calls(kernel.parent)) == 1


def test_another_kernel_is_booted_again(kernel: Path) -> None:
    assert not verdict_of(ABORTS, kernel).usable
    kernel.write_bytes(b"another kernel")
    assert verdict_of(BOOTS, kernel).usable


def test_a_damaged_record_is_as_none(kernel: Path) -> None:
    record = kernel.parent / "cache" / "kvm.json"
    record.parent.mkdir()
    record.write_text("{")
    assert verdict_of(BOOTS, kernel).usable


def test_a_missing_qemu_is_an_error(kernel: Path) -> None:
    device = kernel.parent / "kvm"
    device.touch()
    with pytest.raises(ProgramMissingError, match="qemu-of-nowhere"):
        probe(kernel, Deadline(1.0), cache=kernel.parent / "record", device=device, qemu="qemu-of-nowhere")
