"""Images to nodes that are folders of this host, with a stand-in for containerd's client."""

from __future__ import annotations

import json
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from lab.foundation.image_names import ImageName
from lab.images import stores
from lab.images.delivery import NodeStores
from lab.images.node_files import unpacked, whole
from lab.images.stores import DockerStore, StoredImage, store_of
from lab.nodes.pool import Nodes
from lab.supply.own_images import OwnImage
from lab.topology.models import Runtime
from lab.topology.plan import Plan
from tests.conftest import Golden
from tests.images.here_nodes import LOST, STORE, HereNodes
from tests.supply.stand_ins import SmallImage

GOLDEN = Path(__file__).parent / "golden"
WEB = ImageName.parse("shop/web:1")


class Bar:
    """A step that keeps how far it was."""

    def __init__(self) -> None:
        self.shares: list[float] = []

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def doing(self, text: str) -> None:
        pass

    def advance(self, done: float, total: float) -> None:
        self.shares.append(done / total)


@pytest.fixture
def image(tmp_path: Path) -> OwnImage:
    SmallImage("bin/web", b"a program", "amd64").write(tmp_path / "image")
    archive = tmp_path / "image.tar"
    words = ["skopeo", "--insecure-policy", "copy", "--quiet", f"dir:{tmp_path}/image"]
    subprocess.run([*words, f"docker-archive:{archive}:{WEB.full}"], check=True)
    return OwnImage(WEB, archive, "0" * 64)


@pytest.fixture
def nodes(plan: Plan, tmp_path: Path) -> HereNodes:
    return HereNodes(plan, tmp_path)


def stores_of(nodes: HereNodes) -> NodeStores:
    return NodeStores(cast(Nodes, nodes), nodes.plan.nodes, STORE)


def empty(tmp_path: Path, name: str) -> Path:
    (tmp_path / name).mkdir()
    return tmp_path / name


def test_an_image_lies_unpacked_on_all_nodes(nodes: HereNodes, image: OwnImage, tmp_path: Path) -> None:
    bar = Bar()
    assert stores_of(nodes).bring([image], empty(tmp_path, "files"), bar) == ()
    snapshot = unpacked(image, empty(tmp_path, "again")).snapshot
    for one in nodes.each.values():
        assert (one.folder / "snapshots" / snapshot / "fs" / "bin" / "web").read_bytes() == b"a program"
        labels = json.loads((one.folder / "labels.json").read_text())
        assert labels[snapshot] == "containerd.io/gc.root="
        assert f"containerd.io/gc.ref.snapshot.overlayfs={snapshot}" in labels.values()
    found = stores_of(nodes).stored().said
    assert {tuple(each.name for each in images) for images in found.values()} == {("docker.io/shop/web:1",)}
    assert bar.shares == sorted(bar.shares)
    assert bar.shares[-1] == 1.0


def test_what_is_there_is_not_fetched_again(nodes: HereNodes, image: OwnImage, tmp_path: Path) -> None:
    stores_of(nodes).bring([image], empty(tmp_path, "files"), Bar())
    marks = [one.folder / "snapshots" for one in nodes.each.values()]
    before = {path: path.stat().st_mtime_ns for mark in marks for path in mark.rglob("*")}
    other = replace(image, name=ImageName.parse("shop/web:2"))
    stores_of(nodes).bring([other], empty(tmp_path, "again"), Bar())
    assert {path: path.stat().st_mtime_ns for mark in marks for path in mark.rglob("*")} == before
    assert [each.name for each in stores_of(nodes).stored().said["k8s-node1"]] == [
        "docker.io/shop/web:1",
        "docker.io/shop/web:2",
    ]


def test_what_a_killed_run_left_is_written_anew(nodes: HereNodes, image: OwnImage, tmp_path: Path) -> None:
    snapshot = unpacked(image, empty(tmp_path, "again")).snapshot
    half = nodes["k8s-node1"].folder / "snapshots" / f"lab-{snapshot}" / "fs"
    half.mkdir(parents=True)
    (half / "half").touch()
    assert stores_of(nodes).bring([image], empty(tmp_path, "files"), Bar()) == ()
    files = nodes["k8s-node1"].folder / "snapshots" / snapshot / "fs"
    assert [path.name for path in files.iterdir()] == ["bin"]


def test_a_node_that_cannot_be_reached_keeps_no_other_from_it(
    nodes: HereNodes, image: OwnImage, tmp_path: Path
) -> None:
    nodes["k8s-node1"].lost = True
    (failed,) = stores_of(nodes).bring([image], empty(tmp_path, "files"), Bar())
    assert (failed.node, failed.error) == ("k8s-node1", LOST)
    outcome = stores_of(nodes).stored()
    assert sorted(outcome.said) == ["k8s-master1", "k8s-node2"]
    assert all(outcome.said.values())
    nodes["k8s-node1"].lost = False
    assert stores_of(nodes).bring([image], empty(tmp_path, "again"), Bar()) == ()


def test_a_node_without_room_says_how_much_it_lacks(
    nodes: HereNodes, image: OwnImage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "ROOM_LEFT_MIB", 1 << 40)
    first, *_ = stores_of(nodes).bring([image], empty(tmp_path, "files"), Bar())
    assert first.error.brief == "node k8s-master1 has no room for the image docker.io/shop/web:1"
    assert (first.error.details or "").startswith(f"it needs {1 << 40} MiB below /, of which")
    assert "lab image list" in (first.error.resolution or "")
    assert not (nodes["k8s-master1"].folder / "snapshots").exists()


def test_a_name_is_removed_and_the_digest_with_the_last_one(
    nodes: HereNodes, image: OwnImage, tmp_path: Path
) -> None:
    other = replace(image, name=ImageName.parse("shop/web:2"))
    # One archive under two names: docker images that were tagged twice.
    stores_of(nodes).bring([image, other], empty(tmp_path, "files"), Bar())
    names = nodes["k8s-node1"].folder / "names.json"
    assert stores_of(nodes).remove([other.name]) == ()
    assert sorted(json.loads(names.read_text()))[0] == "docker.io/shop/web:1"
    assert len(json.loads(names.read_text())) == 2
    assert stores_of(nodes).remove([WEB, ImageName.parse("never/there:1")]) == ()
    assert json.loads(names.read_text()) == {}


def test_the_description_holds_no_layers(image: OwnImage, tmp_path: Path) -> None:
    node_image = unpacked(image, empty(tmp_path, "files"))
    with tarfile.open(node_image.files["description"]) as tar:
        names = tar.getnames()
        index = tar.extractfile("index.json")
        assert index is not None
        (listed,) = json.loads(index.read())["manifests"]
        manifest = tar.extractfile(f"blobs/{listed['digest'].replace(':', '/')}")
        assert manifest is not None
        said = json.loads(manifest.read())
    assert len(names) == 4
    assert said["config"]["digest"] == node_image.digest
    assert [layer["digest"] for layer in said["layers"]] == [node_image.snapshot]


@pytest.mark.parametrize("runtime", [Runtime.CONTAINERD, Runtime.CRI_DOCKERD])
def test_scripts(runtime: Runtime, image: OwnImage, tmp_path: Path, compare_with_golden: Golden) -> None:
    store = store_of(runtime)
    node_image = store.prepare(image, empty(tmp_path, "files"))
    urls = {what: f"http://192.0.2.1:8000/0/{what}" for what in node_image.files}
    parts = {
        "take": store.take(node_image, urls),
        "list": store.listing(),
        "remove": store.remove(WEB),
    }
    text = "".join(f"# {name}\n{script}\n" for name, script in parts.items())
    compare_with_golden(GOLDEN / f"{runtime.value}.sh", text)


def test_docker_gets_the_archive_as_it_is(image: OwnImage) -> None:
    node_image = whole(image)
    assert node_image.files == {"archive": image.archive}
    assert node_image.name == "shop/web:1"


def test_what_docker_prints() -> None:
    printed = "shop/web:1\tsha256:1\t7.2MB\n<none>:<none>\tsha256:2\t1MB\nnginx:1.25\tsha256:3\t187MB\n"
    assert DockerStore().parse(printed) == (
        StoredImage("shop/web:1", "sha256:1", "7.2MB"),
        StoredImage("nginx:1.25", "sha256:3", "187MB"),
    )
