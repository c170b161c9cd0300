"""The order of a box's build, what it leaves behind and when it does nothing; programs are stood in for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from lab.foundation.errors import LabError
from lab.foundation.process import Completed, ProcessFailedError
from lab.foundation.progress import SilentProgress
from lab.supply.box import Box, box_key, build_box
from lab.supply.box import base as base_module
from lab.supply.box import build as build_module
from lab.supply.box.inputs import RECIPE
from lab.supply.software import Image, Software
from lab.topology.models import Runtime

PAUSE = ("registry.lab.internal/pause:3.6", "registry.lab.internal/pause:3.10")


class Programs:
    """Stands in for everything a build runs; does what the programs would leave in the file system."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.fail_at: str | None = None
        self.stored: tuple[str, ...] = PAUSE

    def run_in_root(self, root: Path, script: str, **_: object) -> Completed:
        return self._called(script, root, None)

    def run_enclosed(self, command: Sequence[object], **_: object) -> Completed:
        words = [str(word) for word in command]
        target = (
            Path(words[-1]) if "mmdebstrap" in words else Path(words[2]) if "disk.sh" in words[0] else None
        )
        return self._called(Path(words[0]).name if "mmdebstrap" not in words else "mmdebstrap", None, target)

    def _called(self, name: str, root: Path | None, target: Path | None) -> Completed:
        self.calls.append(name)
        if target is not None:
            target.write_text(name)
        if name == self.fail_at:
            raise ProcessFailedError(Completed((name,), 1, "", "no", 0.0), "exit status 1")
        if name == "initrd.sh":
            assert root is not None
            (root / "boot").mkdir()
            for made in ("vmlinuz", "initrd.img"):
                (root / "boot" / made).write_text(made)
        out = "image 0\nimage 1\nstored\n" + "\n".join(self.stored) if name.startswith("import-") else ""
        return Completed((name,), 0, out, "", 0.0)


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> Programs:
    stand_in = Programs()
    monkeypatch.setattr(build_module, "run_in_root", stand_in.run_in_root)
    monkeypatch.setattr(build_module, "run_enclosed", stand_in.run_enclosed)
    monkeypatch.setattr(base_module, "run_enclosed", stand_in.run_enclosed)
    monkeypatch.setattr(build_module, "_package_versions", lambda _: {"containerd": "1.6.20"})
    return stand_in


@pytest.fixture
def software(tmp_path: Path) -> Software:
    kubelet = tmp_path / "kubelet"
    kubelet.write_text("kubelet")
    images = tuple(Image(reference, tmp_path / "archive.tar", "0" * 64) for reference in PAUSE)
    return Software("v1.24.10", {"kubelet": kubelet}, {"bridge": kubelet}, images, "a" * 64)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def build(software: Software, cache: Path, runtime: Runtime = Runtime.CONTAINERD) -> Box:
    return build_box(software, runtime, cache, SilentProgress())


def test_a_box_is_built_in_stages(programs: Programs, software: Software, cache: Path) -> None:
    box = build(software, cache)
    assert programs.calls == [
        *("mmdebstrap", "tar", "configure.sh", "import-containerd.sh", "initrd.sh", "disk.sh")
    ]
    assert box.digest == box_key(software, Runtime.CONTAINERD)
    assert {file.name for file in box.folder.iterdir()} >= {
        *("box.img", "vmlinuz", "initrd.img", "metadata.json", "Vagrantfile", "box.json")
    }
    assert not (cache / "box" / "building").exists()


def test_the_second_time_nothing_is_done(programs: Programs, software: Software, cache: Path) -> None:
    first = build(software, cache)
    programs.calls.clear()
    assert build(software, cache) == first
    assert programs.calls == []


def test_other_software_does_not_make_the_base_again(
    programs: Programs, software: Software, cache: Path
) -> None:
    first = build(software, cache)
    programs.calls.clear()
    second = build(replace(software, digest="b" * 64), cache)
    assert "mmdebstrap" not in programs.calls
    assert second.version != first.version
    assert first.folder.exists()


def test_programs_and_names_are_in_place_before_the_root_is_configured(
    programs: Programs, software: Software, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, str] = {}

    def look(root: Path, script: str, **words: object) -> Completed:
        if script == "configure.sh":
            seen["containerd"] = (root / "etc/containerd/config.toml").read_text()
            for name in ("usr/bin/kubelet", "opt/cni/bin/bridge"):
                assert (root / name).stat().st_mode & 0o777 == 0o755
            assert (root / "etc/cni/net.d").is_dir()
        return programs.run_in_root(root, script, **words)

    monkeypatch.setattr(build_module, "run_in_root", look)
    build(software, cache)
    # 3.10 is newer than 3.6, though it sorts before it as text.
    assert 'sandbox_image = "registry.lab.internal/pause:3.10"' in seen["containerd"]


@pytest.mark.parametrize("stage", ["tar", "configure.sh", "import-containerd.sh", "initrd.sh", "disk.sh"])
def test_a_failed_stage_leaves_no_box_and_the_next_run_starts_clean(
    programs: Programs, software: Software, cache: Path, stage: str
) -> None:
    programs.fail_at = stage
    with pytest.raises(ProcessFailedError):
        build(software, cache)
    leftover = cache / "box" / "building" / "leftover"
    leftover.touch()
    programs.fail_at = None
    box = build(software, cache)
    assert programs.calls.count("mmdebstrap") == 1
    assert not leftover.exists()
    assert box.image.read_text() == "disk.sh"


def test_a_build_killed_when_the_box_appears_leaves_nothing_to_clean_up(
    programs: Programs, software: Software, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.replace

    def rename_and_die(path: Path, target: Path) -> None:
        rename(path, target)
        if path.parent.name == "building":
            raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", rename_and_die)
    with pytest.raises(KeyboardInterrupt):
        build(software, cache)
    assert build(software, cache).image.read_text() == "disk.sh"
    assert list((cache / "box" / "building").rglob("*")) == []


def test_a_half_made_base_is_not_taken_for_a_base(
    programs: Programs, software: Software, cache: Path
) -> None:
    programs.fail_at = "mmdebstrap"
    with pytest.raises(LabError, match="packages for containerd nodes cannot be had"):
        build(software, cache)
    assert list((cache / "box" / "base").glob("*.partial.tar"))
    programs.fail_at = None
    build(software, cache)
    assert programs.calls.count("mmdebstrap") == 2
    assert not list((cache / "box" / "base").glob("*.partial.tar"))


def test_an_image_that_is_not_in_the_store_afterwards_is_an_error(
    programs: Programs, software: Software, cache: Path
) -> None:
    programs.stored = PAUSE[:1]
    with pytest.raises(LabError, match="1 images are not in the box") as caught:
        build(software, cache)
    assert caught.value.details == PAUSE[1]


def test_software_without_a_pause_image_is_refused(
    programs: Programs, software: Software, cache: Path
) -> None:
    with pytest.raises(LabError, match="no pause image"):
        build(replace(software, images=()), cache)


def test_docker_gets_its_own_importer_and_configuration(
    programs: Programs, software: Software, cache: Path
) -> None:
    with_adapter = replace(
        software, binaries={**software.binaries, "cri-dockerd": software.binaries["kubelet"]}
    )
    box = build(with_adapter, cache, Runtime.AUTO)
    assert box.runtime is Runtime.CRI_DOCKERD
    assert "import-docker.sh" in programs.calls
    assert all((RECIPE / name).exists() for name in programs.calls if name.endswith(".sh"))
