"""Snapshots that go from one lab to another in a file."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lab.foundation.errors import LabError, WrongUseError
from lab.foundation.paths import LabFolder
from lab.foundation.process import Completed
from lab.foundation.progress import SilentProgress
from lab.host.processor import Processor
from lab.machines.layers import disk_path, volume_name
from lab.machines.snapshots import memory_file, write_manifest
from lab.operations.context import Lab
from lab.operations.keeping import snapshot_file
from lab.operations.keeping.snapshot_file import NAME, read_manifest, read_snapshot_file, write_snapshot_file
from lab.state.records import LabRecord, SnapshotRecord
from lab.topology.loader import find_topology, load_topology
from lab.topology.planner import make_plan
from tests.stand_in_site import PaperParts, put_box

DIGEST = "0" * 64
SAVED = SnapshotRecord("clean", "macvlan", ready=True, made="2026-01-01T00:00:00+00:00", note="tomcat runs")
RECORD = LabRecord(
    "a",
    mode="macvlan",
    supply="packages",
    created="",
    accelerator="qemu",
    counter_khz=2_000_000,
    box_digest=DIGEST,
)


@pytest.fixture
def make_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Lab]:
    """Makes labs on paper, whose storage pools are empty."""
    monkeypatch.setenv("LAB_CACHE", str(tmp_path / "cache"))
    put_box(DIGEST)
    plan = make_plan(load_topology(find_topology("underlay-3node")))

    def make(name: str) -> Lab:
        folder = LabFolder(tmp_path / name)
        lab = Lab(folder, replace(RECORD, name=name), plan, SilentProgress(), PaperParts(folder))
        lab.site.layout.images.mkdir(parents=True)
        return lab

    return make


@pytest.fixture
def lab(make_lab: Callable[[str], Lab]) -> Lab:
    """A lab with a snapshot."""
    lab = make_lab("a")
    store = lab.machines.store
    names = [node.name for node in lab.plan.nodes]
    for node in names:
        words = ["qemu-img", "create", "-q", "-f", "qcow2", "-u", "-F", "qcow2", "-b", disk_path("box.img")]
        subprocess.run([*words, store.layers.path(volume_name(node)), "1M"], check=True)
    (lab.folder.root / "secrets.json").write_text("token")
    with store.adding("clean", [lab.folder.root / "secrets.json"]) as folder:
        for node in names:
            memory_file(folder, node).write_bytes(node.encode() * 1000)
        write_manifest(folder, "clean", {node: (volume_name(node),) for node in names})
    return lab


@pytest.fixture
def other(make_lab: Callable[[str], Lab]) -> Lab:
    return make_lab("b")


@pytest.fixture
def file(lab: Lab, tmp_path: Path) -> Path:
    target = tmp_path / "clean.snapshot"
    write_snapshot_file(lab, SAVED, target, SilentProgress())
    return target


def take(lab: Lab, file: Path) -> None:
    read_snapshot_file(lab, file, "theirs", SilentProgress())


def assert_nothing_came(lab: Lab) -> None:
    assert list(lab.folder.snapshots.glob("*")) == []
    assert list(lab.site.layout.images.iterdir()) == []


def repack(file: Path, change: Callable[[Path], None], tmp_path: Path) -> Path:
    """The same file with something in it changed."""
    folder = tmp_path / "changed"
    folder.mkdir()
    subprocess.run(["tar", "--zstd", "-xf", file, "-C", folder], check=True)
    change(folder)
    target = tmp_path / "changed.snapshot"
    subprocess.run(["tar", "--zstd", "-cf", target, "-C", folder, NAME, "snapshots", "layers"], check=True)
    return target


def test_it_comes_into_another_lab_under_another_name(lab: Lab, other: Lab, file: Path) -> None:
    take(other, file)
    (there,) = other.machines.store.all()
    here = lab.machines.store.find("clean")
    assert here is not None
    assert (there.name, there.layers) == ("theirs", here.layers)
    assert there.beside("secrets.json").read_text() == "token"
    for node in here.layers:
        assert there.memory(node).read_bytes() == here.memory(node).read_bytes()
    assert read_manifest(file).snapshot == SAVED


def test_the_file_is_the_owner_s_alone_and_nothing_lies_beside_it(lab: Lab, file: Path) -> None:
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(file.parent.glob(".*")) == []
    assert [path.name for path in lab.folder.snapshots.iterdir()] == ["clean"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"box_digest": "1" * 64}, "made from box 000000000000, those here from 111111111111"),
        ({"accelerator": "kvm"}, "run with qemu, those here with kvm"),
        ({"counter_khz": 2_100_000}, "counter runs at 2000000 kHz, this host's at 2100000 kHz"),
    ],
)
def test_a_lab_of_another_kind_refuses_it(
    other: Lab, file: Path, changes: dict[str, object], reason: str
) -> None:
    machines = other.machines
    other.update(replace(other.record, **changes))  # type: ignore[arg-type]
    with pytest.raises(WrongUseError, match="does not fit the lab b") as refused:
        take(other, file)
    assert reason in str(refused.value)
    assert machines.store.all() == ()


def test_with_kvm_another_processor_refuses_it(
    lab: Lab, other: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in (lab, other):
        each.update(replace(each.record, accelerator="kvm"))
    intel, amd = Processor("Intel i7", "GenuineIntel/6/142/10", ()), Processor("Ryzen", "AMD/23/96/1", ())
    monkeypatch.setattr(Processor, "of_this_host", lambda: intel)
    file = tmp_path / "kvm.snapshot"
    manifest = write_snapshot_file(lab, SAVED, file, SilentProgress())
    assert "on a host where KVM works and the processor is Intel i7 (GenuineIntel" in manifest.origin.fits
    monkeypatch.setattr(Processor, "of_this_host", lambda: amd)
    with pytest.raises(WrongUseError, match="does not fit the lab b") as refused:
        take(other, file)
    assert "saw the processor Intel i7" in str(refused.value)
    assert_nothing_came(other)
    monkeypatch.setattr(Processor, "of_this_host", lambda: intel)
    take(other, file)
    assert [each.name for each in other.machines.store.all()] == ["theirs"]


def test_emulated_it_fits_any_processor(other: Lab, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "emulated, whatever the processor, and the time stamp counter" in read_manifest(file).origin.fits
    monkeypatch.setattr(Processor, "of_this_host", lambda: Processor("Ryzen", "AMD/23/96/1", ()))
    take(other, file)
    assert [each.name for each in other.machines.store.all()] == ["theirs"]


def test_a_file_of_before_does_not_say_its_processor(
    lab: Lab, other: Lab, file: Path, tmp_path: Path
) -> None:
    def forget(folder: Path) -> None:
        manifest = json.loads((folder / NAME).read_text())
        del manifest["origin"]["processor"]
        manifest["origin"]["accelerator"] = "kvm"
        (folder / NAME).write_text(json.dumps(manifest))

    other.update(replace(other.record, accelerator="kvm"))
    with pytest.raises(WrongUseError) as refused:
        take(other, repack(file, forget, tmp_path))
    assert "it does not say which processor its machines saw" in str(refused.value)


def test_a_lab_of_another_plan_refuses_it(other: Lab, file: Path) -> None:
    first, *rest = other.plan.nodes
    other.plan = replace(other.plan, nodes=(replace(first, cpus=first.cpus + 1), *rest))
    with pytest.raises(WrongUseError, match="another address plan or other options"):
        take(other, file)
    assert_nothing_came(other)


def test_one_bit_is_seen(other: Lab, file: Path, tmp_path: Path) -> None:
    def change(folder: Path) -> None:
        memory = folder / "snapshots" / "clean" / "k8s-node1.memory"
        memory.chmod(0o600)
        memory.write_bytes(memory.read_bytes().replace(b"k8s", b"k9s", 1))

    with pytest.raises(LabError, match=r"k8s-node1\.memory does not match the manifest"):
        take(other, repack(file, change, tmp_path))
    assert_nothing_came(other)


def test_what_the_manifest_does_not_name_is_refused(other: Lab, file: Path, tmp_path: Path) -> None:
    changed = repack(file, lambda folder: (folder / "layers" / "more.img").touch(), tmp_path)
    with pytest.raises(LabError, match=r"its manifest does not name its files: layers/more\.img"):
        take(other, changed)
    assert_nothing_came(other)


def test_a_file_that_was_cut_off_is_refused(other: Lab, file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises((LabError, WrongUseError)):
        take(other, file)
    assert_nothing_came(other)


def test_a_file_of_another_format_or_none_is_wrong_use(other: Lab, file: Path, tmp_path: Path) -> None:
    def change(folder: Path) -> None:
        said = json.loads((folder / NAME).read_text())
        (folder / NAME).write_text(json.dumps({**said, "format": 99}))

    for wrong in (repack(file, change, tmp_path), Path(__file__)):
        with pytest.raises(WrongUseError, match="holds no snapshot of a lab"):
            take(other, wrong)


def first_in_archive(add: Callable[[tarfile.TarFile], None], tmp_path: Path) -> Path:
    """A file of the right kind, made by hand."""
    target = tmp_path / "by-hand.snapshot"
    with tarfile.open(tmp_path / "by-hand.tar", "w") as archive:
        add(archive)
    subprocess.run(["zstd", "-q", tmp_path / "by-hand.tar", "-o", target], check=True)
    return target


@pytest.mark.parametrize(
    ("kind", "target"), [(tarfile.FIFOTYPE, ""), (tarfile.SYMTYPE, "/dev/zero"), (tarfile.DIRTYPE, "")]
)
def test_a_manifest_that_is_no_file_is_not_read(other: Lab, tmp_path: Path, kind: bytes, target: str) -> None:
    def add(archive: tarfile.TarFile) -> None:
        entry = tarfile.TarInfo(NAME)
        entry.type, entry.linkname = kind, target
        archive.addfile(entry)

    with pytest.raises(WrongUseError, match="holds no snapshot of a lab"):
        take(other, first_in_archive(add, tmp_path))


def memory_of_a_node(folder: Path) -> Path:
    return folder / "snapshots" / "clean" / "k8s-node1.memory"


def as_pipe(folder: Path) -> None:
    memory_of_a_node(folder).unlink()
    os.mkfifo(memory_of_a_node(folder))


def as_link(folder: Path) -> None:
    memory_of_a_node(folder).unlink()
    memory_of_a_node(folder).symlink_to("/etc/hostname")


def in_another_folder(folder: Path) -> None:
    (folder / "snapshots" / "clean").rename(folder.parent / "elsewhere")
    (folder / "snapshots" / "clean").symlink_to(folder.parent / "elsewhere")


@pytest.mark.parametrize("change", [as_pipe, as_link, in_another_folder])
def test_what_is_no_file_of_its_own_is_damaged(
    other: Lab, file: Path, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    with pytest.raises(LabError, match="is damaged"):
        take(other, repack(file, change, tmp_path))
    assert_nothing_came(other)


@pytest.mark.parametrize("name", ["../outside", "{tmp_path}/outside"])
def test_nothing_is_written_outside(lab: Lab, other: Lab, file: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "whole"
    folder.mkdir()
    subprocess.run(["tar", "--zstd", "-xf", file, "-C", folder], check=True)

    def add(archive: tarfile.TarFile) -> None:
        for each in (NAME, "snapshots", "layers"):
            archive.add(folder / each, each)
        archive.add(__file__, name.format(tmp_path=tmp_path))

    with pytest.raises(LabError, match="is damaged"):
        take(other, first_in_archive(add, tmp_path))
    assert list(tmp_path.rglob("outside")) == []
    assert_nothing_came(other)


def test_a_full_disk_is_not_a_damaged_file(other: Lab, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = "zstd: error 70 : Write error : cannot write block : No space left on device"
    monkeypatch.setattr(snapshot_file, "unpack", lambda *_: Completed(("tar",), 2, "", said, 0.0))
    with pytest.raises(LabError, match="the disk is full"):
        take(other, file)
    assert_nothing_came(other)
