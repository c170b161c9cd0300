"""Snapshots and disk layers as files."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.foundation.errors import LabError
from lab.foundation.process import run
from lab.machines.layers import Layers, disk_path, volume_name
from lab.machines.snapshots import UNFINISHED, Snapshots, memory_file, write_manifest

NODE = "k8s-node1"
OTHER = "k8s-node10"
BOX = "lab-v1.24.10_box.img"


def make_layers(folder: Path) -> Layers:
    """The box's volume and the first layer of two machines."""
    folder.mkdir()
    layers = Layers(folder)
    run(["qemu-img", "create", "-q", "-f", "qcow2", layers.path(BOX), "3M"])
    for node in (NODE, OTHER):
        words = ["qemu-img", "create", "-q", "-f", "qcow2", "-u", "-F", "qcow2", "-b", disk_path(BOX)]
        run([*words, layers.path(volume_name(node)), "3M"])
    return layers


@pytest.fixture
def layers(tmp_path: Path) -> Layers:
    return make_layers(tmp_path / "images")


@pytest.fixture
def snapshots(tmp_path: Path, layers: Layers) -> Snapshots:
    return Snapshots(tmp_path / "snapshots", layers)


def add(snapshots: Snapshots, name: str, layer: str = volume_name(NODE)) -> None:
    secret = snapshots.layers.path("secrets")
    secret.write_text("token")
    secret.chmod(0o600)
    with snapshots.adding(name, [secret]) as folder:
        memory_file(folder, NODE).write_text("memory")
        write_manifest(folder, name, {NODE: snapshots.layers.chain(layer)})


def test_layers_end_above_the_box(layers: Layers) -> None:
    second = layers.add(NODE, volume_name(NODE))
    third = layers.add(NODE, second)
    assert layers.chain(third) == (third, second, volume_name(NODE))
    assert layers.of([NODE]) == {third, second, volume_name(NODE)}
    assert layers.of([OTHER]) == {volume_name(OTHER)}
    info = run(["qemu-img", "info", layers.path(third)]).stdout
    assert f"backing file: {disk_path(second)}" in info
    assert "virtual size: 3 MiB" in info


def test_a_missing_layer_is_named(layers: Layers) -> None:
    second = layers.add(NODE, volume_name(NODE))
    layers.remove([volume_name(NODE)])
    with pytest.raises(LabError, match=f"cannot read the disk layer .*/{volume_name(NODE)}"):
        layers.chain(second)


def test_a_snapshot_is_there_when_it_is_whole(snapshots: Snapshots, layers: Layers) -> None:
    add(snapshots, "mode-macvlan:host_shim=false")
    (found,) = snapshots.all()
    assert found.name == "mode-macvlan:host_shim=false"
    assert found.layers == {NODE: (volume_name(NODE),)}
    assert found.memory(NODE).read_text() == "memory"
    assert found.memory(NODE).stat().st_mode & 0o222 == 0
    layers.remove([volume_name(NODE)])
    assert snapshots.all() == ()
    assert snapshots.find(found.name) is None


def test_one_that_fails_or_is_killed_does_not_count(snapshots: Snapshots, tmp_path: Path) -> None:
    def fail() -> None:
        with snapshots.adding("clean"):
            raise RuntimeError("cut off")

    with pytest.raises(RuntimeError):
        fail()
    assert list((tmp_path / "snapshots").iterdir()) == []
    killed = tmp_path / "snapshots" / f"{UNFINISHED}x"
    killed.mkdir()
    write_manifest(killed, "clean", {})
    assert snapshots.all() == ()
    snapshots.sweep()
    assert not killed.exists()


def test_one_is_linked_with_its_layers(snapshots: Snapshots, layers: Layers, tmp_path: Path) -> None:
    add(snapshots, "clean", layers.add(NODE, volume_name(NODE)))
    elsewhere = Snapshots(tmp_path / "kept", Layers(tmp_path / "kept-layers"))
    for _ in range(2):
        snapshots.link("clean", elsewhere)
    (here,), (there,) = snapshots.all(), elsewhere.all()
    assert there.layers == here.layers
    assert there.memory(NODE).samefile(here.memory(NODE))
    assert there.beside("secrets").read_text() == "token"
    assert there.beside("secrets").stat().st_mode & 0o777 == 0o400
    for layer in here.all_layers:
        assert elsewhere.layers.path(layer).samefile(layers.path(layer))
    snapshots.link("clean", elsewhere, as_name="copy")
    assert [snapshot.name for snapshot in elsewhere.all()] == ["clean", "copy"]
    snapshots.remove("clean")
    assert elsewhere.find("clean") == there
    with pytest.raises(KeyError):
        snapshots.link("clean", elsewhere)
