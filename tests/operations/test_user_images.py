"""Images of the user's in a lab on paper, whose nodes are folders of this host."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from click.testing import CliRunner

from lab.cli import images as commands
from lab.cli import tables
from lab.foundation.errors import LabError, WrongUseError
from lab.foundation.image_names import ImageName
from lab.foundation.paths import LabFolder
from lab.foundation.progress import Progress
from lab.machines.machines import MachineState
from lab.nodes.pool import Nodes
from lab.operations import images as operations
from lab.operations.context import Lab
from lab.operations.images import (
    KeptImages,
    keep_wanted,
    list_images,
    load_images,
    name_of,
    names_of,
    pull_images,
    raise_about,
    remove_images,
)
from lab.operations.steps import run_steps
from lab.state.records import LabRecord, read_record, save_topology, write_record
from lab.supply.cache import Cache
from lab.supply.mirror import Mirrors
from lab.supply.own_images import OwnImage, Pulled
from lab.topology.loader import find_topology, load_topology
from lab.topology.planner import make_plan
from tests.conftest import Golden
from tests.images.here_nodes import LOST, STORE, HereNodes
from tests.stand_in_site import PaperParts
from tests.supply.stand_ins import Notes, SmallImage

GOLDEN = Path(__file__).parent / "golden"
WEB = ImageName.parse("shop/web:1")
LATEST = ImageName.parse("shop/web")
UNKNOWN = LabError("no registry gives the image nginx:0.0", resolution="check name and tag")
ALL = ("k8s-master1", "k8s-node1", "k8s-node2")
PAUSE = "registry.lab.internal/pause:3.7"


class PaperLab:
    """A lab on paper, what its machines are, and what registries have."""

    def __init__(self, folder: LabFolder, archive: Path) -> None:
        self.folder = folder
        self.notes = Notes()
        self.state = MachineState.RUNNING
        self.digest = Cache().put(archive)
        self.nodes = HereNodes(make_plan(load_topology(folder.topology)), folder.root)

    def open(self, folder: LabFolder, progress: Progress) -> Lab:
        record = read_record(folder)
        assert record is not None
        parts = PaperParts(folder, made_machines=self, made_nodes=cast(Nodes, self.nodes))
        return Lab(folder, record, self.nodes.plan, progress, parts)

    @property
    def lab(self) -> Lab:
        return self.open(self.folder, self.notes)

    @property
    def kept(self) -> dict[str, str]:
        return dict(self.lab.record.kept_images)

    def pull(
        self,
        names: Sequence[ImageName],
        cache: Cache,
        mirrors: Mirrors,
        progress: Progress,
        *,
        fresh: bool = False,
    ) -> Pulled:
        """All are there but those with the tag 0.0."""
        there = [name for name in names if name.tag != "0.0"]
        images = tuple(OwnImage(name, cache.blob(self.digest), self.digest) for name in there)
        return Pulled(images, tuple(UNKNOWN for name in names if name.tag == "0.0"))

    def on(self, node: str) -> list[str]:
        names = self.nodes[node].folder / "names.json"
        found = json.loads(names.read_text()) if names.exists() else {}
        return [name for name in found if not name.startswith("sha256:")]


@pytest.fixture
def paper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PaperLab:
    monkeypatch.setenv("LAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    SmallImage("bin/web", b"a program", "amd64").write(tmp_path / "image")
    archive = tmp_path / "web.tar"
    words = ["skopeo", "--insecure-policy", "copy", "--quiet", f"dir:{tmp_path}/image"]
    subprocess.run([*words, f"docker-archive:{archive}:{WEB.full}"], check=True)
    folder = LabFolder(tmp_path / "a")
    save_topology(folder, find_topology("underlay-3node"))
    record = LabRecord(
        "a", mode="macvlan", supply="packages", created="", runtime="containerd", images=(PAUSE,)
    )
    write_record(folder, record)
    folder.kubeconfig.touch()
    paper = PaperLab(folder, archive)
    monkeypatch.setattr(Lab, "open", paper.open)
    monkeypatch.setattr(Lab, "machine_states", lambda lab: dict.fromkeys(ALL, paper.state))
    monkeypatch.setattr(operations, "pull", paper.pull)
    monkeypatch.setattr(operations, "store_of", lambda runtime: STORE)
    return paper


def test_an_image_is_pulled_to_all_nodes_and_removed_from_them(paper: PaperLab) -> None:
    brought = pull_images(paper.folder, [WEB], (), paper.notes)
    assert (brought.names, brought.nodes) == (("shop/web:1",), ALL)
    assert [paper.on(node) for node in ALL] == [["docker.io/shop/web:1"]] * 3
    assert paper.kept == {}
    remove_images(paper.folder, [WEB], (), paper.notes)
    assert [paper.on(node) for node in ALL] == [[]] * 3


def test_one_node_alone(paper: PaperLab) -> None:
    assert pull_images(paper.folder, [WEB], ("k8s-node2",), paper.notes).nodes == ("k8s-node2",)
    assert [len(paper.on(node)) for node in ALL] == [0, 0, 1]
    with pytest.raises(WrongUseError, match="has no node k8s-node9"):
        pull_images(paper.folder, [WEB], ("k8s-node9",), paper.notes)


def test_a_kept_image_comes_back_after_the_nodes_lost_it(paper: PaperLab) -> None:
    pull_images(paper.folder, [WEB], (), paper.notes, keep=True)
    assert paper.kept == {WEB.full: paper.digest}
    assert KeptImages().done(paper.lab)
    for node in ALL:
        (paper.nodes[node].folder / "names.json").unlink()
    (time,) = run_steps(paper.lab, (KeptImages(),))
    assert time.name == "kept images on the nodes"
    assert [paper.on(node) for node in ALL] == [["docker.io/shop/web:1"]] * 3
    remove_images(paper.folder, [WEB], (), paper.notes)
    assert paper.kept == {}


def test_without_kept_images_no_node_is_asked(paper: PaperLab) -> None:
    assert KeptImages().done(paper.lab)
    assert all(not one.ran for one in paper.nodes.each.values())


def test_a_kept_image_that_the_cache_lost_is_named(paper: PaperLab) -> None:
    pull_images(paper.folder, [WEB], (), paper.notes, keep=True)
    Cache().blob(paper.digest).unlink()
    (paper.nodes["k8s-node1"].folder / "names.json").unlink()
    with pytest.raises(LabError, match="shop/web:1 is not in the cache any more") as caught:
        run_steps(paper.lab, (KeptImages(),))
    assert caught.value.resolution == "lab image pull --keep shop/web:1 --name a"


def test_a_node_that_cannot_be_reached_is_told_at_the_end_and_the_same_command_finishes(
    paper: PaperLab,
) -> None:
    paper.nodes["k8s-node1"].lost = True
    with pytest.raises(LabError) as caught:
        pull_images(paper.folder, [WEB], (), paper.notes, keep=True)
    assert caught.value is LOST
    assert [len(paper.on(node)) for node in ALL] == [1, 0, 1]
    paper.nodes["k8s-node1"].lost = False
    pull_images(paper.folder, [WEB], (), paper.notes, keep=True)
    assert [len(paper.on(node)) for node in ALL] == [1, 1, 1]


def test_several_failures_are_told_together(paper: PaperLab) -> None:
    paper.nodes["k8s-node1"].lost = True
    unknown = ImageName.parse("nginx:0.0")
    with pytest.raises(LabError) as caught:
        pull_images(paper.folder, [unknown, WEB], (), paper.notes)
    assert caught.value.brief == "not done for all images and nodes, on k8s-node1; the others are done"
    assert "nginx:0.0" in (caught.value.details or "")
    assert "the connection broke" in (caught.value.details or "")
    assert caught.value.exit_code == 1


def test_an_archive_is_loaded(paper: PaperLab, tmp_path: Path) -> None:
    brought = load_images(paper.folder, tmp_path / "web.tar", (), paper.notes, keep=True)
    assert brought.names == ("shop/web:1",)
    assert list(paper.kept) == [WEB.full]
    other = ImageName.parse("other:2")
    load_images(paper.folder, tmp_path / "web.tar", ("k8s-node1",), paper.notes, name=other)
    assert paper.on("k8s-node1") == ["docker.io/shop/web:1", "docker.io/library/other:2"]


def test_the_end_of_up_keeps_what_was_asked_for(paper: PaperLab) -> None:
    lab = paper.lab
    lacking = keep_wanted(lab, names_of(["nginx:0.0", "shop/web:1"]))
    run_steps(lab, (KeptImages(),))
    assert list(lab.record.kept_images) == [WEB.full]
    assert len(paper.on("k8s-master1")) == 1
    with pytest.raises(LabError, match="no registry gives the image"):
        raise_about((), lacking)
    assert keep_wanted(lab, [WEB]) == ()


def test_the_tag_latest_has_a_note(paper: PaperLab) -> None:
    pull_images(paper.folder, [LATEST], (), paper.notes)
    assert any("imagePullPolicy: IfNotPresent" in note for note in paper.notes.said)


def test_what_is_no_name_is_wrong_use() -> None:
    with pytest.raises(WrongUseError, match="'Nginx' is no name of an image"):
        name_of("Nginx")


@pytest.mark.parametrize(
    ("state", "said", "helps"),
    [
        (MachineState.PAUSED, "the lab a is paused", "lab resume --name a"),
        (MachineState.OFF, "the lab a is not up", "lab up --topology underlay-3node --name a"),
    ],
)
def test_a_lab_that_is_not_up(paper: PaperLab, state: MachineState, said: str, helps: str) -> None:
    paper.state = state
    for command in (
        lambda: pull_images(paper.folder, [WEB], (), paper.notes),
        lambda: list_images(paper.folder, ()),
        lambda: remove_images(paper.folder, [WEB], (), paper.notes),
    ):
        with pytest.raises(LabError, match=said) as caught:
            command()
        assert caught.value.resolution == helps


def test_the_labs_own_images_and_unknown_ones_are_not_removed(paper: PaperLab) -> None:
    with pytest.raises(WrongUseError, match="belongs to the lab itself"):
        remove_images(paper.folder, [ImageName.parse(PAUSE)], (), paper.notes)
    with pytest.raises(WrongUseError, match="no node has the image shop/web:1"):
        remove_images(paper.folder, [WEB], (), paper.notes)


def test_the_list(paper: PaperLab, compare_with_golden: Golden, capsys: pytest.CaptureFixture[str]) -> None:
    pull_images(paper.folder, [WEB], (), paper.notes, keep=True)
    pull_images(paper.folder, [ImageName.parse("nginx:1.25")], ("k8s-node2",), paper.notes)
    names = paper.nodes["k8s-node1"].folder / "names.json"
    names.write_text(json.dumps({**json.loads(names.read_text()), PAUSE: "sha256:1"}))
    found = list_images(paper.folder, ())
    tables.show_images(found)
    compare_with_golden(GOLDEN / "image-list.txt", capsys.readouterr().out)
    assert found.as_json()["unanswered"] == {}
    assert found.as_json()["images"][0] == {
        "name": "nginx:1.25",
        "nodes": ("k8s-node2",),
        "size": "1.2 MiB",
        "origin": "user",
    }


def test_a_list_names_nodes_that_do_not_answer(paper: PaperLab, monkeypatch: pytest.MonkeyPatch) -> None:
    paper.nodes["k8s-node1"].lost = True
    monkeypatch.setattr(commands, "the_lab", lambda name: paper.folder)
    result = CliRunner().invoke(commands.image, ["list", "--json"])
    assert json.loads(result.stdout) == {"images": [], "unanswered": {"k8s-node1": LOST.brief}}
    assert result.exception is LOST


def test_what_the_commands_print(paper: PaperLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "the_lab", lambda name: paper.folder)
    archive = str(tmp_path / "web.tar")
    for words, said in (
        (["pull", "shop/web:1"], "On k8s-master1, k8s-node1, k8s-node2: shop/web:1\n"),
        (["load", archive, "--as", "other:2", "--node", "k8s-node1"], "On k8s-node1: other:2\n"),
        (["remove", "shop/web:1"], "Removed from k8s-master1, k8s-node1, k8s-node2: shop/web:1\n"),
    ):
        result = CliRunner().invoke(commands.image, words)
        assert (result.exit_code, result.stdout) == (0, said)


def test_kept_images_are_for_all_nodes(paper: PaperLab) -> None:
    for words in (["pull", "nginx:1.25"], ["load", str(paper.folder.topology)]):
        result = CliRunner().invoke(commands.image, [*words, "--keep", "--node", "k8s-node1"])
        assert result.exit_code == 2
        assert "--keep is for all nodes" in result.output


def test_the_record_of_an_older_lab_has_no_kept_images(paper: PaperLab) -> None:
    said = json.loads(paper.folder.state.read_text())
    del said["kept_images"]
    paper.folder.state.write_text(json.dumps(said))
    assert replace(paper.lab.record).kept_images == {}
