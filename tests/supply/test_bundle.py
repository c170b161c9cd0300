"""Bundles: what one cache exports another imports, and nothing enters it from a file that is not right."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.foundation import archive
from lab.foundation.errors import LabError, WrongUseError
from lab.foundation.files import sha256_of
from lab.foundation.progress import SilentProgress
from lab.foundation.wait import Deadline, NotYetError, wait_for
from lab.supply.box import Box, find_box
from lab.supply.box.model import write_record
from lab.supply.bundle import export_bundle, import_bundle
from lab.supply.cache import Cache
from lab.supply.stock import Contents, kept
from lab.topology.models import Runtime, Supply

VERSION = "v1.24.10"
BOX_DIGEST = "ab" * 32


@pytest.fixture
def full(tmp_path: Path) -> Cache:
    """A cache with two programs, an image and a box, all of them small."""
    return Cache(tmp_path / "full")


@pytest.fixture
def empty(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "empty")


@pytest.fixture
def contents(full: Cache, tmp_path: Path) -> Contents:
    def content(text: str) -> str:
        path = tmp_path / "content"
        path.write_text(text)
        return full.put(path)

    return Contents(
        kubernetes_version=VERSION,
        binaries={"kubelet": content("the kubelet"), "kubectl": content("kubectl")},
        cni_plugins={"bridge": content("the bridge plugin")},
        images={"registry.lab.internal/pause:3.7": content("an image")},
        images_on_demand={"registry.lab.internal/calico-node:v3": content("an image of a mode")},
    )


@pytest.fixture
def box(full: Cache) -> Box:
    folder = full.root / "box" / BOX_DIGEST[:16]
    folder.mkdir(parents=True)
    made = Box("lab-v1", "1.2", folder, "quiet", 20, Runtime.CONTAINERD, VERSION, BOX_DIGEST, {"bash": "5"})
    for path in (made.image, made.kernel, made.initrd):
        path.write_bytes(os.urandom(100_000))
    write_record(made, folder)
    return made


@pytest.fixture
def bundle(full: Cache, contents: Contents, box: Box, tmp_path: Path) -> Path:
    target = tmp_path / "lab.bundle"
    export_bundle(contents.software(full), box, target, full, SilentProgress())
    return target


def test_a_bundle_belongs_to_the_user_who_called_sudo(given_to_caller: list[Path], bundle: Path) -> None:
    assert given_to_caller == [bundle]


def take(file: Path, cache: Cache) -> None:
    import_bundle(file, cache, SilentProgress())


def assert_nothing_came(cache: Cache) -> None:
    assert kept(cache, Supply.BUNDLE, VERSION) is None
    assert not any(cache.blob("").glob("*"))
    assert find_box(cache.root, BOX_DIGEST) is None
    assert not any(cache.temporary.glob("*"))


def repack(bundle: Path, folder: Path, change: Callable[[Path], None]) -> Path:
    """The bundle with something changed in it."""
    folder.mkdir()
    subprocess.run(["tar", "-xf", bundle, "-C", folder, "--zstd"], check=True)
    change(folder)
    changed = bundle.with_name("changed.bundle")
    names = ["manifest.json", *sorted(path.name for path in folder.iterdir() if path.is_dir())]
    subprocess.run(["tar", "-cf", changed, "-C", folder, "--zstd", *names], check=True)
    return changed


def change_manifest(change: Callable[[dict[str, object]], None]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        path = folder / "manifest.json"
        said = json.loads(path.read_text())
        change(said)
        path.write_text(json.dumps(said))

    return apply


def test_another_cache_has_the_same_software_and_box_afterwards(
    bundle: Path, full: Cache, empty: Cache, contents: Contents, box: Box
) -> None:
    take(bundle, empty)
    assert kept(empty, Supply.BUNDLE, VERSION) == contents
    software = contents.software(empty)
    assert software.digest == contents.software(full).digest
    assert software.binaries["kubelet"].read_text() == "the kubelet"
    assert os.access(software.binaries["kubelet"], os.X_OK)
    found = find_box(empty.root, BOX_DIGEST)
    assert found is not None
    assert found.folder != box.folder
    assert found.image.read_bytes() == box.image.read_bytes()
    assert empty.verify().damaged == ()
    assert not any(empty.temporary.glob("*"))


def test_an_import_may_be_repeated(bundle: Path, empty: Cache, contents: Contents) -> None:
    take(bundle, empty)
    take(bundle, empty)
    assert kept(empty, Supply.BUNDLE, VERSION) == contents


def test_a_part_that_goes_missing_makes_the_bundle_incomplete(
    bundle: Path, empty: Cache, contents: Contents
) -> None:
    take(bundle, empty)
    empty.blob(contents.binaries["kubelet"]).unlink()
    assert kept(empty, Supply.BUNDLE, VERSION) is None
    take(bundle, empty)
    assert kept(empty, Supply.BUNDLE, VERSION) == contents


@pytest.mark.parametrize("share", [0.01, 0.5, 0.999])
def test_a_bundle_that_was_cut_off_is_said_to_be(bundle: Path, empty: Cache, share: float) -> None:
    os.truncate(bundle, int(bundle.stat().st_size * share))
    with pytest.raises(LabError, match=r"cannot be read to its end") as caught:
        take(bundle, empty)
    assert "copy it again" in str(caught.value)
    assert_nothing_came(empty)


def test_a_changed_byte_is_found(bundle: Path, empty: Cache) -> None:
    data = bytearray(bundle.read_bytes())
    data[len(data) // 2] ^= 1
    bundle.write_bytes(data)
    with pytest.raises(LabError, match=r"damaged|cannot be read") as caught:
        take(bundle, empty)
    assert "copy it again" in str(caught.value)
    assert_nothing_came(empty)


def test_a_content_that_is_not_what_the_manifest_says_is_named(
    bundle: Path, empty: Cache, contents: Contents, tmp_path: Path
) -> None:
    digest = contents.binaries["kubelet"]

    def change(folder: Path) -> None:
        (folder / "blobs" / digest).chmod(0o644)
        (folder / "blobs" / digest).write_text("a kubelet??")

    with pytest.raises(LabError, match=f"blobs/{digest} does not match the manifest"):
        take(repack(bundle, tmp_path / "changed", change), empty)
    assert_nothing_came(empty)


def test_a_file_that_is_missing_is_named(
    bundle: Path, empty: Cache, contents: Contents, tmp_path: Path
) -> None:
    digest = contents.binaries["kubelet"]
    changed = repack(
        bundle, tmp_path / "changed", lambda folder: (folder / "blobs" / digest).unlink(missing_ok=False)
    )
    with pytest.raises(LabError, match=f"lacks blobs/{digest}"):
        take(changed, empty)
    assert_nothing_came(empty)


def test_a_link_in_place_of_a_file_is_refused(
    bundle: Path, empty: Cache, contents: Contents, tmp_path: Path
) -> None:
    def change(folder: Path) -> None:
        path = folder / "blobs" / contents.binaries["kubelet"]
        path.unlink()
        path.symlink_to("/etc/hostname")

    with pytest.raises(LabError, match="lacks blobs/"):
        take(repack(bundle, tmp_path / "changed", change), empty)
    assert_nothing_came(empty)


def test_a_manifest_that_names_a_path_outside_is_refused(bundle: Path, empty: Cache, tmp_path: Path) -> None:
    def change(said: dict[str, object]) -> None:
        files = said["files"]
        assert isinstance(files, dict)
        files["box/../../evil"] = {"size": 1, "sha256": BOX_DIGEST}

    with pytest.raises(WrongUseError, match="is not a bundle"):
        take(repack(bundle, tmp_path / "changed", change_manifest(change)), empty)
    assert_nothing_came(empty)


def test_a_bundle_for_another_machine_is_refused(bundle: Path, empty: Cache, tmp_path: Path) -> None:
    changed = repack(bundle, tmp_path / "changed", change_manifest(lambda said: said.update(machine="s390x")))
    with pytest.raises(WrongUseError, match="another kind of machine") as caught:
        take(changed, empty)
    assert platform.machine() in str(caught.value)
    assert_nothing_came(empty)


def test_a_bundle_of_another_format_is_refused(bundle: Path, empty: Cache, tmp_path: Path) -> None:
    changed = repack(bundle, tmp_path / "changed", change_manifest(lambda said: said.update(format=2)))
    with pytest.raises(WrongUseError, match="another version of lab"):
        take(changed, empty)
    assert_nothing_came(empty)


def test_a_text_is_no_bundle(tmp_path: Path, empty: Cache) -> None:
    text = tmp_path / "text"
    text.write_text("no bundle")
    with pytest.raises(WrongUseError, match="is not a bundle"):
        take(text, empty)


def test_another_tar_file_is_no_bundle(tmp_path: Path, empty: Cache) -> None:
    (tmp_path / "text").write_text("no bundle")
    other = tmp_path / "other.tar.zst"
    subprocess.run(["tar", "-cf", other, "-C", tmp_path, "--zstd", "text"], check=True)
    with pytest.raises(WrongUseError, match="holds no manifest"):
        take(other, empty)
    assert_nothing_came(empty)


def test_an_import_that_is_killed_has_no_effect_and_may_be_repeated(
    bundle: Path, empty: Cache, contents: Contents, tmp_path: Path
) -> None:
    script = """
import sys, time
from pathlib import Path
from lab.foundation.progress import SilentProgress
from lab.supply.bundle import import_bundle, importing
from lab.supply.cache import Cache
take = Cache.take
def slowly(self, path, digest):
    take(self, path, digest)
    time.sleep(60)
Cache.take = slowly
import_bundle(Path(sys.argv[1]), Cache(Path(sys.argv[2])), SilentProgress())
"""
    child = subprocess.Popen([sys.executable, "-c", script, bundle, empty.root])

    def in_the_middle() -> None:
        if not any(empty.blob("").glob("*")):
            raise NotYetError("nothing was taken yet")

    wait_for(in_the_middle, what="the first content", deadline=Deadline(60), interval=0.05)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert kept(empty, Supply.BUNDLE, VERSION) is None
    assert find_box(empty.root, BOX_DIGEST) is None
    take(bundle, empty)
    assert kept(empty, Supply.BUNDLE, VERSION) == contents
    assert empty.verify().damaged == ()
    assert not any(empty.temporary.glob("*"))


def test_nothing_damaged_is_exported(full: Cache, contents: Contents, box: Box, tmp_path: Path) -> None:
    path = full.blob(contents.binaries["kubelet"])
    path.chmod(0o755)
    path.write_text("rotten")
    target = tmp_path / "lab.bundle"
    with pytest.raises(LabError, match="damaged") as caught:
        export_bundle(contents.software(full), box, target, full, SilentProgress())
    assert "lab supply verify" in str(caught.value)
    assert not target.exists()


def test_an_export_that_fails_leaves_the_older_bundle_and_nothing_else(
    bundle: Path, full: Cache, contents: Contents, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, pack = sha256_of(bundle), archive.pack

    def fail(folder: Path, names: tuple[str, ...], target: Path, total: int, step: object) -> None:
        target.write_text("half")
        pack(folder, ("no-such-file",), target, total, SilentProgress().step("x"))

    monkeypatch.setattr(archive, "pack", fail)
    with pytest.raises(LabError, match="cannot be written"):
        export_bundle(contents.software(full), box, bundle, full, SilentProgress())
    assert sha256_of(bundle) == before
    assert list(bundle.parent.glob(".*")) == []


def test_equal_contents_make_equal_bundles(
    bundle: Path, full: Cache, contents: Contents, box: Box, tmp_path: Path
) -> None:
    again = tmp_path / "again.bundle"
    export_bundle(contents.software(full), box, again, full, SilentProgress())
    assert sha256_of(again) == sha256_of(bundle)
