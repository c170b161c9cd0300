"""Images from files of all kinds that tools write."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from lab.foundation.errors import LabError, WrongUseError
from lab.foundation.image_names import ImageName
from lab.foundation.progress import SilentProgress
from lab.supply import docker_archive, image_files
from lab.supply.cache import Cache
from lab.supply.docker_archive import UnfitImageError, read_image
from lab.supply.image_files import chosen, images_in, load
from lab.supply.own_images import OwnImage
from tests.supply.stand_ins import SmallImage

WEB = ImageName.parse("shop/web:1")


@pytest.fixture(autouse=True)
def _on_amd64(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (docker_archive, image_files):
        monkeypatch.setattr(module, "architecture", lambda: "amd64")


def written(tmp_path: Path, target: str, architecture: str = "amd64") -> Path:
    """An image as skopeo writes it to `target`, such as oci:NAME:TAG, below the folder."""
    shutil.rmtree(tmp_path / "image", ignore_errors=True)
    SmallImage("bin/web", b"a program", architecture).write(tmp_path / "image")
    transport, _, rest = target.partition(":")
    words = ["skopeo", "--insecure-policy", "copy", "--quiet", f"dir:{tmp_path}/image"]
    subprocess.run([*words, f"{transport}:{tmp_path}/{rest}"], check=True)
    return tmp_path / rest.partition(":")[0]


def loaded(
    path: Path, tmp_path: Path, only: tuple[ImageName, ...] = (), name: ImageName | None = None
) -> tuple[OwnImage, ...]:
    picked = chosen(path, images_in(path), only, name)
    return load(path, picked, Cache(tmp_path / "cache"), SilentProgress())


@pytest.mark.parametrize("target", ["docker-archive:web.tar:shop/web:1", "oci-archive:web.tar:shop/web:1"])
def test_an_archive_names_its_image(tmp_path: Path, target: str) -> None:
    (image,) = loaded(written(tmp_path, target), tmp_path)
    assert image.name == WEB
    assert read_image(image.archive).platform == "linux/amd64"


def test_the_folder_of_a_layout_with_whole_names(tmp_path: Path) -> None:
    (image,) = loaded(written(tmp_path, "oci:a-layout:shop/web:1"), tmp_path)
    assert image.name == WEB


def test_buildx_gives_the_name_beside_the_tag(tmp_path: Path) -> None:
    layout = written(tmp_path, "oci:layout:1")
    index = json.loads((layout / "index.json").read_text())
    index["manifests"][0]["annotations"]["io.containerd.image.name"] = "docker.io/shop/web:1"
    (layout / "index.json").write_text(json.dumps(index))
    (image,) = loaded(layout, tmp_path)
    assert image.name == WEB


def test_a_mere_tag_is_no_name_so_one_must_be_given(tmp_path: Path) -> None:
    layout = written(tmp_path, "oci:layout:1")
    with pytest.raises(WrongUseError, match=r"an image in .*layout has no name") as caught:
        loaded(layout, tmp_path)
    assert caught.value.resolution == f"lab image load {layout} --as NAME:TAG"
    (image,) = loaded(layout, tmp_path, name=WEB)
    assert image.name == WEB


def test_one_of_several(tmp_path: Path) -> None:
    written(tmp_path, "oci:layout:shop/web:1")
    layout = written(tmp_path, "oci:layout:shop/web:2")
    assert {str(image.name) for image in loaded(layout, tmp_path)} == {"shop/web:1", "shop/web:2"}
    (image,) = loaded(layout, tmp_path, only=(WEB,))
    assert image.name == WEB
    with pytest.raises(WrongUseError, match=r"has no image nginx:1") as caught:
        loaded(layout, tmp_path, only=(ImageName.parse("nginx:1"),))
    assert caught.value.details == "there are: shop/web:1, shop/web:2"
    with pytest.raises(WrongUseError, match=r"has 2 images, which cannot all be nginx:1"):
        loaded(layout, tmp_path, name=ImageName.parse("nginx:1"))


@pytest.mark.parametrize("target", ["docker-archive:web.tar:shop/web:1", "oci:layout:shop/web:1"])
def test_an_image_for_another_machine_is_refused(tmp_path: Path, target: str) -> None:
    path = written(tmp_path, target, "arm64")
    with pytest.raises(LabError, match=r"shop/web:1 is for linux/arm64, the nodes are linux/amd64"):
        loaded(path, tmp_path)


def test_what_is_no_archive(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("text")
    (tmp_path / "folder").mkdir()
    shutil.make_archive(str(tmp_path / "plain"), "tar", tmp_path / "folder")
    for name in ("text", "folder", "plain.tar"):
        with pytest.raises(LabError, match=r"is no archive of images") as caught:
            images_in(tmp_path / name)
        assert "docker save" in (caught.value.resolution or "")


def test_an_image_without_layers(tmp_path: Path) -> None:
    subprocess.run(["umoci", "init", f"--layout={tmp_path}/layout"], check=True)
    subprocess.run(["umoci", "new", f"--image={tmp_path}/layout:empty"], check=True)
    words = ["skopeo", "--insecure-policy", "copy", "--quiet", f"oci:{tmp_path}/layout:empty"]
    subprocess.run([*words, f"docker-archive:{tmp_path}/web.tar:shop/web:1"], check=True)
    with pytest.raises(UnfitImageError, match="the image has no layers"):
        loaded(tmp_path / "web.tar", tmp_path)


def test_a_name_that_no_runtime_takes_is_none(tmp_path: Path) -> None:
    layout = written(tmp_path, "oci:layout:Shop/Web:1")
    assert [image.name for image in images_in(layout)] == [None]


def test_an_archive_that_is_cut_off(tmp_path: Path) -> None:
    whole = written(tmp_path, "docker-archive:web.tar:shop/web:1").read_bytes()
    (tmp_path / "short.tar").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(LabError):
        loaded(tmp_path / "short.tar", tmp_path)
