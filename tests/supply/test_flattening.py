"""All layers as one tar: what a container sees, as the OCI image specification has it."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from lab.foundation.errors import LabError
from lab.supply.docker_archive import read_image
from lab.supply.flattening import flatten


def folder(name: str, mode: int = 0o755) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.type, member.mode = tarfile.DIRTYPE, mode
    return member, b""


def file(
    name: str, content: str = "", attributes: dict[str, str] | None = None
) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.size, member.uid, member.mtime = len(content), 7, 12.5
    member.pax_headers = attributes or {}
    return member, content.encode()


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member, b""


def hard(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return link(name, target, tarfile.LNKTYPE)


Layer = list[tuple[tarfile.TarInfo, bytes]]


def archive_of(path: Path, *layers: Layer) -> Path:
    configuration = {"os": "linux", "architecture": "amd64", "rootfs": {"diff_ids": ["x"] * len(layers)}}
    contents = {"config.json": json.dumps(configuration).encode()}
    for number, members in enumerate(layers):
        layer = io.BytesIO()
        with tarfile.open(fileobj=layer, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for member, content in members:
                tar.addfile(member, io.BytesIO(content))
        contents[f"{number}.tar"] = layer.getvalue()
    names = [name for name in contents if name.endswith(".tar")]
    contents["manifest.json"] = json.dumps([{"Config": "config.json", "Layers": names}]).encode()
    with tarfile.open(path, "w") as tar:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def seen(tmp_path: Path, *layers: Layer) -> dict[str, str]:
    """What each path holds in the end: text, the target of a link, or / for a folder."""
    archive = archive_of(tmp_path / "image.tar", *layers)
    flatten(archive, read_image(archive), tmp_path / "flat.tar")
    found = {}
    with tarfile.open(tmp_path / "flat.tar") as tar:
        for member in tar:
            assert member.name not in found
            content = tar.extractfile(member) if member.isreg() else None
            found[member.name] = (
                content.read().decode() if content else f"{'/' if member.isdir() else ''}{member.linkname}"
            )
    return found


def test_an_upper_layer_replaces_files_and_adds_to_folders(tmp_path: Path) -> None:
    lower = [folder("etc"), file("etc/a", "old"), file("etc/b", "b")]
    assert seen(tmp_path, lower, [folder("./etc"), file("./etc/a", "new")]) == {
        "etc": "/",
        "etc/a": "new",
        "etc/b": "b",
    }


def test_what_an_upper_layer_removes_is_gone_with_all_below_it(tmp_path: Path) -> None:
    lower = [folder("a"), folder("a/b"), file("a/b/c", "c"), file("d", "d")]
    assert seen(tmp_path, lower, [folder("a"), file("a/.wh.b"), file(".wh.d")]) == {"a": "/"}


def test_a_removed_path_may_be_there_again_in_the_same_layer_or_above(tmp_path: Path) -> None:
    lower = [folder("a"), file("a/x", "x"), file("b", "old")]
    middle = [file(".wh.a"), file(".wh.b"), folder("a"), file("a/y", "y")]
    assert seen(tmp_path, lower, middle, [file("b", "new")]) == {"a": "/", "a/y": "y", "b": "new"}


def test_an_opaque_folder_hides_what_lower_layers_have_in_it(tmp_path: Path) -> None:
    lower = [folder("a"), file("a/x", "x"), folder("a/sub"), file("a/sub/z", "z")]
    assert seen(tmp_path, lower, [folder("a"), file("a/.wh..wh..opq"), file("a/y", "y")]) == {
        "a": "/",
        "a/y": "y",
    }


def test_a_file_in_place_of_a_folder_hides_what_was_in_it(tmp_path: Path) -> None:
    lower = [folder("a"), file("a/x", "x")]
    assert seen(tmp_path, lower, [file("a", "a file")]) == {"a": "a file"}
    assert seen(tmp_path, lower, [file("a", "a file")], [folder("a")]) == {"a": "/"}
    assert seen(tmp_path, lower, [link("a", "b")]) == {"a": "b"}


def test_a_hard_link_to_a_file_that_was_replaced_keeps_the_old_content(tmp_path: Path) -> None:
    lower = [file("a", "old"), hard("b", "a"), hard("c", "./b")]
    assert seen(tmp_path, lower) == {"a": "old", "b": "a", "c": "b"}
    assert seen(tmp_path, lower, [file("a", "new")]) == {"a": "new", "b": "old", "c": "b"}


def test_owners_times_and_attributes_are_kept(tmp_path: Path) -> None:
    capability = {"SCHILY.xattr.security.capability": "x", "path": "./bin/ping"}
    archive = archive_of(tmp_path / "image.tar", [file("bin/ping", "p", capability)])
    flatten(archive, read_image(archive), tmp_path / "flat.tar")
    with tarfile.open(tmp_path / "flat.tar") as tar:
        ping = tar.getmember("bin/ping")
    assert (ping.uid, ping.mtime) == (7, 12.5)
    assert ping.pax_headers["SCHILY.xattr.security.capability"] == "x"


def test_a_path_out_of_the_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"holds a file with the path \.\./\.\./etc/passwd"):
        seen(tmp_path, [file("../../etc/passwd", "x")])
