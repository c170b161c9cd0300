"""Images on demand: not part of a box, and there when a mode asks for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lab.foundation.errors import LabError
from lab.foundation.progress import SilentProgress
from lab.supply import on_demand, packages
from lab.supply.cache import Cache
from lab.supply.catalogue import (
    DebianTree,
    Entry,
    GoBuild,
    GoFolder,
    GoVersions,
    ImageRecipe,
    Parts,
    Use,
    load_entry,
    versions,
)
from lab.supply.catalogue.models import GoProgram
from lab.supply.software import Software
from lab.supply.stock import Contents, keep
from lab.supply.suppliers import from_packages
from lab.topology.models import Supply

VERSION = "v1.24.10"
DIGEST = "d" * 64


def build(name: str, use: Use, *folders: GoFolder) -> GoBuild:
    programs = (GoProgram(name, f"x/{name}", use),)
    return GoBuild(name, name, "v1", "module", GoVersions("1.19"), programs, folders=folders)


ENTRY = Entry(
    kubernetes_version=VERSION,
    released=datetime(2020, 1, 1, tzinfo=UTC),
    go_builds=(
        build("kubelet", Use.NODE),
        build("felix", Use.IMAGE, GoFolder("services", "x", "etc", "/etc")),
    ),
    debian_trees=(DebianTree("tools", "bookworm", ("dash",)), DebianTree("bird", "bookworm", ("bird",))),
    images=(ImageRecipe("pause", "3.7", "nothing", {"/kubelet": "kubelet"}, base="tools"),),
    images_on_demand=(
        ImageRecipe("calico", "v1", "nothing", {"/felix": "felix"}, base="bird", layers=("services",)),
    ),
    user_programs=(),
)


def names(entry: Entry) -> Mapping[str, list[str]]:
    return {
        "builds": [build.name for build in entry.go_builds],
        "folders": [folder.name for build in entry.go_builds for folder in build.folders],
        "trees": [tree.name for tree in entry.debian_trees],
        "images": [image.name for image in entry.images],
    }


def test_a_box_is_made_without_them() -> None:
    assert names(ENTRY.only(ENTRY.parts)) == {
        "builds": ["kubelet"],
        "folders": [],
        "trees": ["tools"],
        "images": ["pause"],
    }


def test_they_are_made_with_all_that_is_in_them_and_nothing_else() -> None:
    assert names(ENTRY.only(Parts(frozenset(), frozenset({"calico"})))) == {
        "builds": ["felix"],
        "folders": ["services"],
        "trees": ["bird"],
        "images": ["calico"],
    }


def test_an_unknown_folder_is_refused() -> None:
    wrong = replace(ENTRY.images_on_demand[0], layers=("service",))
    with pytest.raises(ValueError, match="image calico: unknown folders service"):
        replace(ENTRY, images_on_demand=(wrong,))


@pytest.mark.parametrize("version", versions())
def test_mirrors_have_what_the_catalogue_has_on_demand(version: str) -> None:
    entry = load_entry(version)
    mirrored = {(image.name, image.tags[0]) for image in entry.downloads.images_on_demand}
    if entry.downloads.images:
        assert {(image.name, image.tag) for image in entry.images_on_demand} == mirrored
    else:
        assert not mirrored, "mirrors have nothing else of this version"
    assert not entry.parts.images & {image.name for image in entry.images_on_demand}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    for module in (on_demand, from_packages):
        monkeypatch.setattr(module, "load_entry", lambda _: ENTRY)
    return Cache(tmp_path)


def fetch(supply: Supply, cache: Cache, *wanted: str) -> list[str]:
    images = on_demand.images_on_demand(frozenset(wanted), VERSION, supply, cache, SilentProgress())
    return [image.reference for image in images]


def test_packages_make_those_that_are_asked_for(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Parts | None] = []

    def made(version: str, cache: Cache, _: object, only: Parts | None = None) -> Software:
        asked.append(only)
        return Contents(version, {}, {}, {"registry.lab.internal/calico:v1": DIGEST}).software(cache)

    monkeypatch.setattr(packages, "fetch", made)
    assert fetch(Supply.PACKAGES, cache) == []
    assert fetch(Supply.PACKAGES, cache, "calico") == ["registry.lab.internal/calico:v1"]
    assert asked == [Parts(frozenset(), frozenset({"calico"}))]
    with pytest.raises(LabError, match="the supply packages does not have the images typha"):
        fetch(Supply.PACKAGES, cache, "calico", "typha")
    software = Contents(VERSION, {}, {}, {}).software(cache)
    with_all = on_demand.with_all_images(software, Supply.PACKAGES, cache, SilentProgress())
    assert [image.name for image in with_all.images_on_demand] == ["calico"]
    assert with_all.digest == software.digest


def test_a_bundle_has_those_that_were_exported(cache: Cache, tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_text("an image")
    digest = cache.put(image)
    with pytest.raises(LabError, match="the supply bundle does not have the images calico"):
        fetch(Supply.BUNDLE, cache, "calico")
    references = {"registry.lab.internal/calico:v1": digest}
    contents = Contents(VERSION, {}, {}, {}, images_on_demand=references)
    assert digest in contents.digests
    keep(cache, Supply.BUNDLE, contents)
    assert fetch(Supply.BUNDLE, cache, "calico") == list(references)
