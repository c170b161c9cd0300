"""Images: layers in which only the contents count, and archives that tools can read."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from lab.supply import oci
from lab.supply.cache import Cache
from lab.supply.catalogue import ImageRecipe
from lab.supply.layers import Layer, write_layer
from lab.supply.oci import ImageBuilder, reference

MOMENT = 1_600_000_000


def tree(root: Path) -> Path:
    (root / "bin").mkdir(parents=True)
    (root / "bin" / "tool").write_text("tool")
    (root / "bin" / "tool").chmod(0o755)
    os.link(root / "bin" / "tool", root / "bin" / "other-name")
    (root / "bin" / "link").symlink_to("/bin/tool")
    (root / "etc").mkdir()
    (root / "etc" / "file").write_text("text")
    return root


def test_a_layer_holds_the_tree_and_nothing_of_the_host(tmp_path: Path) -> None:
    target = tmp_path / "layer.tar"
    write_layer(target, Layer.of_tree(tree(tmp_path / "tree")), MOMENT)
    with tarfile.open(target) as archive:
        members = archive.getmembers()
        assert [member.name for member in members] == [
            "bin",
            "bin/link",
            "bin/other-name",
            "bin/tool",
            "etc",
            "etc/file",
        ]
        assert {member.mtime for member in members} == {MOMENT}
        assert {(member.uid, member.gid, member.uname) for member in members} == {(0, 0, "root")}
        assert archive.getmember("bin/link").linkname == "/bin/tool"
        assert archive.getmember("bin/tool").mode == 0o755
        for name in ("bin/tool", "bin/other-name"):
            content = archive.extractfile(name)
            assert content is not None
            assert content.read() == b"tool"


def test_equal_trees_make_equal_layers_whenever_they_are_written(tmp_path: Path) -> None:
    first, second = tree(tmp_path / "a"), tree(tmp_path / "b")
    os.utime(second / "bin" / "tool", (1, 1))
    for name, root in (("a.tar", first), ("b.tar", second)):
        write_layer(tmp_path / name, Layer.of_tree(root), MOMENT)
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()
    (second / "etc" / "file").write_text("tex2")
    write_layer(tmp_path / "b.tar", Layer.of_tree(second), MOMENT)
    assert (tmp_path / "a.tar").read_bytes() != (tmp_path / "b.tar").read_bytes()


def test_programs_are_executable_and_their_folders_are_there(tmp_path: Path) -> None:
    program = tmp_path / "blob"
    program.write_text("program")
    write_layer(tmp_path / "layer.tar", Layer.of_programs({"/usr/local/bin/etcd": program}), MOMENT)
    with tarfile.open(tmp_path / "layer.tar") as archive:
        modes = {member.name: member.mode for member in archive.getmembers()}
    assert modes == {"usr": 0o755, "usr/local": 0o755, "usr/local/bin": 0o755, "usr/local/bin/etcd": 0o755}


def test_links_are_in_a_layer_though_no_file_here_is_one(tmp_path: Path) -> None:
    script = tmp_path / "tree" / "bin" / "start"
    script.parent.mkdir(parents=True)
    script.write_text("start")
    content = Layer.of_tree(tmp_path / "tree").content
    write_layer(tmp_path / "layer.tar", Layer(content, links={"usr/bin/which": "../../bin/start"}), MOMENT)
    with tarfile.open(tmp_path / "layer.tar") as archive:
        assert archive.getnames() == ["bin", "bin/start", "usr", "usr/bin", "usr/bin/which"]
        link = archive.getmember("usr/bin/which")
    assert (link.issym(), link.linkname, link.mode) == (True, "../../bin/start", 0o777)


@pytest.fixture
def builder(tmp_path: Path) -> ImageBuilder:
    cache = Cache(tmp_path / "cache")
    program = tmp_path / "program"
    program.write_text("program")
    base = tmp_path / "base.tar"
    write_layer(base, Layer.of_tree(tree(tmp_path / "tree")), MOMENT)
    recipe = ImageRecipe(
        name="greeter",
        tag="v1",
        made_of="thin air",
        files={"/opt/hello": "hello"},
        base="tools",
        entrypoint=("/opt/hello", "-P"),
        command=("world",),
        user="65535:65535",
    )
    products = {"hello": cache.put(program), "tools": cache.put(base)}
    return ImageBuilder(recipe, products, MOMENT, cache, threading.Event())


def test_an_image_has_its_links(builder: ImageBuilder) -> None:
    linked = replace(builder, recipe=replace(builder.recipe, links={"/opt/hi": "hello"}))
    assert linked.key != builder.key
    archive = linked.cache.blob(linked.make().outputs["greeter"])
    found = {}
    with tarfile.open(archive) as image:
        for member in filter(lambda each: each.name.endswith(".tar"), image.getmembers()):
            with tarfile.open(fileobj=image.extractfile(member)) as layer:
                found.update({each.name: each.linkname for each in layer if each.issym()})
    assert found == {"bin/link": "/bin/tool", "opt/hi": "hello"}


def test_an_image_is_an_archive_that_skopeo_reads(builder: ImageBuilder) -> None:
    assert reference(builder.recipe) == "registry.lab.internal/greeter:v1"
    archive = builder.cache.blob(builder.make().outputs["greeter"])
    with tarfile.open(archive) as content:
        manifest = content.extractfile("manifest.json")
        assert manifest is not None
        assert json.load(manifest)[0]["RepoTags"] == ["registry.lab.internal/greeter:v1"]
    words = ["skopeo", "inspect", "--config", f"docker-archive:{archive}"]
    inspected = json.loads(subprocess.run(words, capture_output=True, check=True).stdout)
    config = inspected["config"]
    assert config["Entrypoint"] == ["/opt/hello", "-P"]
    assert config["Cmd"] == ["world"]
    assert config["User"] == "65535:65535"
    assert "/usr/sbin" in config["Env"][0]
    description = config["Labels"]["org.opencontainers.image.description"]
    assert description == "Built by lab from thin air; not the upstream image"
    assert len(inspected["rootfs"]["diff_ids"]) == 2
    assert inspected["created"].startswith("2020-09-13")
    # The base layer is the same content in every image that has it, so a node keeps it once.
    assert inspected["rootfs"]["diff_ids"][0] == f"sha256:{builder.products['tools']}"


def test_an_image_is_made_once_and_comes_out_the_same_when_made_again(builder: ImageBuilder) -> None:
    assert builder.made() is None
    first = builder.make()
    assert builder.made() == first
    assert builder.make().outputs == first.outputs
    assert list(builder.cache.temporary.iterdir()) == []


def test_files_of_this_project_are_laid_over_all(
    builder: ImageBuilder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "folders" / "greeter" / "srv" / "page"
    page.parent.mkdir(parents=True)
    page.write_text("hello")
    monkeypatch.setattr(oci, "FOLDERS", tmp_path / "folders")
    greeter = replace(builder, recipe=replace(builder.recipe, folder="greeter"))
    before = greeter.key
    assert before != builder.key
    archive = greeter.cache.blob(greeter.make().outputs["greeter"])
    words = ["skopeo", "inspect", "--config", f"docker-archive:{archive}"]
    layers = json.loads(subprocess.run(words, capture_output=True, check=True).stdout)["rootfs"]["diff_ids"]
    assert len(layers) == 3
    page.write_text("hallo")
    assert greeter.key != before
