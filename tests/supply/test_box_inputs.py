"""The keys of a box: equal inputs give the same box, any other input another one."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from lab.foundation.errors import LabError
from lab.supply.box import box_key, settle_runtime
from lab.supply.box.inputs import RECIPE, base_key, packages
from lab.supply.software import Software
from lab.topology.models import Runtime

SOFTWARE = Software("v1.24.10", {"kubelet": Path("/cache/kubelet")}, {}, (), "a" * 64)
WITH_CRI_DOCKERD = replace(SOFTWARE, binaries={"cri-dockerd": Path("/cache/cri-dockerd")})


def test_the_same_inputs_have_the_same_key() -> None:
    assert box_key(SOFTWARE, Runtime.CONTAINERD) == box_key(replace(SOFTWARE), Runtime.CONTAINERD)


def test_a_file_elsewhere_with_the_same_content_is_the_same_input() -> None:
    moved = replace(SOFTWARE, binaries={"kubelet": Path("/elsewhere/kubelet")})
    assert box_key(moved, Runtime.CONTAINERD) == box_key(SOFTWARE, Runtime.CONTAINERD)


@pytest.mark.parametrize(
    ("software", "runtime"),
    [
        (replace(SOFTWARE, digest="b" * 64), Runtime.CONTAINERD),
        (replace(SOFTWARE, kubernetes_version="v1.30.4"), Runtime.CONTAINERD),
        (SOFTWARE, Runtime.CRI_DOCKERD),
    ],
)
def test_other_software_or_runtime_is_another_box(software: Software, runtime: Runtime) -> None:
    assert box_key(software, runtime) != box_key(SOFTWARE, Runtime.CONTAINERD)


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    return Path(shutil.copytree(RECIPE, tmp_path / "recipe"))


def test_a_copy_of_the_recipe_is_the_same_recipe(recipe: Path) -> None:
    assert box_key(SOFTWARE, Runtime.CONTAINERD, recipe) == box_key(SOFTWARE, Runtime.CONTAINERD)


def test_a_changed_file_of_the_recipe_is_another_box(recipe: Path) -> None:
    before = box_key(SOFTWARE, Runtime.CONTAINERD, recipe)
    with (recipe / "root/etc/ssh/sshd_config").open("a") as file:
        file.write("\n")
    assert box_key(SOFTWARE, Runtime.CONTAINERD, recipe) != before


def test_a_moved_file_of_the_recipe_is_another_box(recipe: Path) -> None:
    before = box_key(SOFTWARE, Runtime.CONTAINERD, recipe)
    (recipe / "root/etc/hosts").rename(recipe / "root/etc/hosts.other")
    assert box_key(SOFTWARE, Runtime.CONTAINERD, recipe) != before


def test_a_script_that_lost_its_mode_is_another_box(recipe: Path) -> None:
    before = box_key(SOFTWARE, Runtime.CONTAINERD, recipe)
    (recipe / "disk.sh").chmod(0o644)
    assert box_key(SOFTWARE, Runtime.CONTAINERD, recipe) != before


def test_the_base_does_not_depend_on_the_software_but_on_the_runtime() -> None:
    assert base_key(Runtime.CONTAINERD) != base_key(Runtime.CRI_DOCKERD)
    assert "docker.io" in packages(Runtime.CRI_DOCKERD)
    assert "docker.io" not in packages(Runtime.CONTAINERD)


def test_auto_takes_cri_dockerd_only_where_the_supply_has_it() -> None:
    assert settle_runtime(Runtime.AUTO, SOFTWARE) is Runtime.CONTAINERD
    assert settle_runtime(Runtime.AUTO, WITH_CRI_DOCKERD) is Runtime.CRI_DOCKERD
    assert settle_runtime(Runtime.CONTAINERD, WITH_CRI_DOCKERD) is Runtime.CONTAINERD


def test_cri_dockerd_without_its_binary_is_refused_with_the_way_out() -> None:
    with pytest.raises(LabError, match="cri-dockerd is not in the supply") as caught:
        settle_runtime(Runtime.CRI_DOCKERD, SOFTWARE)
    assert caught.value.resolution is not None
    assert "containerd" in caught.value.resolution
