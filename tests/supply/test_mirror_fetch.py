"""The supply `mirror` as a whole, and what `auto` chooses; mirrors are stand-ins in an own namespace."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lab.foundation.errors import LabError, WrongUseError
from lab.foundation.progress import SilentProgress
from lab.supply import choice, mirror, packages
from lab.supply.architecture import architecture
from lab.supply.cache import Cache
from lab.supply.catalogue import (
    DownloadedFile,
    DownloadedImage,
    Downloads,
    Entry,
    GoBuild,
    GoVersions,
    ImageRecipe,
    Inside,
    Parts,
    Place,
    Use,
)
from lab.supply.catalogue.models import GoProgram
from lab.supply.mirror import Mirrors, fetching, load_mirrors, settings
from lab.supply.mirror.settings import Mirror, MirrorList
from lab.supply.software import Software
from lab.supply.stock import Contents, keep, kept
from lab.supply.suppliers import from_mirrors
from lab.topology.models import Supply
from tests.supply.stand_ins import Conduct, Notes, SmallImage, StandIn, own_network

VERSION = "v1.24.10"
ARCHITECTURE = architecture()
KUBELET = os.urandom(50_000)
AGNHOST = os.urandom(50_000)


def archive(**programs: bytes) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        for name, program in programs.items():
            member = tarfile.TarInfo(f"./{name}")
            member.size = len(program)
            tar.addfile(member, io.BytesIO(program))
    return content.getvalue()


PLUGINS = archive(bridge=b"the bridge plugin")


def file(name: str, content: bytes, *programs: Inside, missing: str | None = None) -> DownloadedFile:
    sha256 = hashlib.sha256(content).hexdigest()
    return DownloadedFile(f"https://dl.k8s.io/{{arch}}/{name}", {ARCHITECTURE: sha256}, programs, missing)


DOWNLOADS = Downloads(
    files=(
        file("kubelet", KUBELET, Inside("kubelet", Place.NODE)),
        file("plugins.tgz", PLUGINS, Inside("bridge", Place.CNI, "bridge")),
        file("cri.tgz", b"none", Inside("cri-dockerd", Place.NODE), missing="the runtime is containerd"),
    ),
    images=(
        DownloadedImage(
            "registry.k8s.io/e2e/agnhost", ("2.39",), "agnhost", (Inside("agnhost", Place.NODE, "agnhost"),)
        ),
    ),
)


def build(name: str, use: Use) -> GoBuild:
    return GoBuild(name, name, "v1", "module", GoVersions("1.19"), (GoProgram(name, f"x/{name}", use),))


ENTRY = Entry(
    kubernetes_version=VERSION,
    released=datetime(2020, 1, 1, tzinfo=UTC),
    go_builds=(
        build("kubelet", Use.NODE),
        build("agnhost", Use.NODE),
        build("bridge", Use.CNI),
        build("hybridnet", Use.IMAGE),
    ),
    debian_trees=(),
    images=(
        ImageRecipe("agnhost", "v1", "nothing", {"/agnhost": "agnhost"}),
        ImageRecipe("hybridnet", "v1", "nothing", {"/hybridnet": "hybridnet"}),
    ),
    user_programs=(),
    downloads=DOWNLOADS,
)


@pytest.fixture(autouse=True)
def _no_own_mirrors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


@pytest.fixture(autouse=True)
def _network() -> Iterator[None]:
    with own_network():
        yield


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    """A registry and a download site that have everything but cri-dockerd."""
    image = SmallImage("agnhost", AGNHOST, ARCHITECTURE)
    contents = image.served_as("e2e/agnhost", "2.39")
    files = {f"/{ARCHITECTURE}/kubelet": KUBELET, f"/{ARCHITECTURE}/plugins.tgz": PLUGINS}
    server = StandIn({**contents, **files})
    yield server
    server.close()


class Packages:
    """Stands in for the supply `packages`."""

    def __init__(self, cache: Cache, folder: Path) -> None:
        self._cache = cache
        self._folder = folder
        self.asked: list[Parts | None] = []
        self.fail = False

    def fetch(self, version: str, cache: Cache, _: object, only: Parts | None = None) -> Software:
        self.asked.append(only)
        if self.fail:
            raise LabError("Go is missing")
        parts = only or ENTRY.parts
        return Contents(
            version,
            {name: self._made(name) for name in parts.programs if name != "bridge"},
            {name: self._made(name) for name in parts.programs if name == "bridge"},
            {f"registry.lab.internal/{name}:v1": self._made(f"image {name}") for name in parts.images},
        ).software(cache)

    def _made(self, name: str) -> str:
        path = self._folder / "made"
        path.write_text(f"{name} from packages")
        return self._cache.put(path)


@pytest.fixture
def built(cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Packages:
    stand_in = Packages(cache, tmp_path)
    monkeypatch.setattr(packages, "fetch", stand_in.fetch)
    monkeypatch.setattr(packages, "made", lambda version, cache: None)
    for module in (fetching, choice, from_mirrors):
        monkeypatch.setattr(module, "load_entry", lambda version: ENTRY)
    return stand_in


def mirrors_of(stand_in: StandIn, notes: Notes) -> Mirrors:
    return Mirrors(listed(stand_in), notes)


def listed(stand_in: StandIn) -> MirrorList:
    return MirrorList(
        (
            Mirror("registry.k8s.io", f"http://{stand_in.host}"),
            Mirror("https://dl.k8s.io", f"http://{stand_in.host}"),
        ),
        only=True,
    )


def test_everything_is_downloaded_and_the_gaps_are_filled_and_said(
    stand_in: StandIn, cache: Cache, built: Packages, notes: Notes
) -> None:
    software = mirror.fetch(VERSION, cache, mirrors_of(stand_in, notes), notes)
    assert software.binaries["kubelet"].read_bytes() == KUBELET
    assert software.binaries["agnhost"].read_bytes() == AGNHOST
    assert software.cni_plugins["bridge"].read_bytes() == b"the bridge plugin"
    assert [image.reference for image in software.images] == [
        "registry.lab.internal/agnhost:2.39",
        "registry.lab.internal/hybridnet:v1",
    ]
    assert built.asked == [Parts(frozenset(), frozenset({"hybridnet"}))]
    assert "not from mirrors but built from packages: image hybridnet" in notes.said
    assert any(note.startswith("the runtime is containerd: no mirror has https://") for note in notes.said)


def test_what_is_there_is_not_asked_for_again(
    stand_in: StandIn, cache: Cache, built: Packages, notes: Notes
) -> None:
    software = mirror.fetch(VERSION, cache, mirrors_of(stand_in, notes), notes)
    asked = len(stand_in.asked)
    again = mirror.fetch(VERSION, cache, mirrors_of(stand_in, notes), notes)
    assert again == software
    assert len(stand_in.asked) == asked


def test_what_no_mirror_has_and_cannot_be_spared_comes_from_packages(
    stand_in: StandIn, cache: Cache, built: Packages, notes: Notes
) -> None:
    stand_in.contents = {
        path: content for path, content in stand_in.contents.items() if "agnhost" not in path
    }
    software = mirror.fetch(VERSION, cache, mirrors_of(stand_in, notes), notes)
    assert any(
        note.startswith("no mirror has registry.k8s.io/e2e/agnhost:2.39 (127.0.0.1") for note in notes.said
    )
    assert built.asked[0] == Parts(frozenset({"agnhost"}), frozenset({"agnhost"}))
    assert software.binaries["agnhost"].read_text() == "agnhost from packages"

    built.fail = True
    with pytest.raises(LabError, match="Go is missing"):
        mirror.fetch(VERSION, cache, mirrors_of(stand_in, notes), notes)


def test_what_can_be_spared_is_left_out_and_said(
    stand_in: StandIn, cache: Cache, built: Packages, notes: Notes
) -> None:
    built.fail = True
    software = mirror.fetch(VERSION, cache, mirrors_of(stand_in, notes), notes)
    assert [image.reference for image in software.images] == ["registry.lab.internal/agnhost:2.39"]
    assert "left out: image hybridnet (Go is missing)" in notes.said


def test_images_on_demand_come_only_when_they_are_asked_for(
    stand_in: StandIn, cache: Cache, built: Packages, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    felix = SmallImage("felix", b"felix", ARCHITECTURE)
    stand_in.contents |= felix.served_as("calico/node", "v3")
    wanted = DownloadedImage("registry.k8s.io/calico/node", ("v3",), "calico-node", missing="no calico")
    entry = replace(
        ENTRY,
        images_on_demand=tuple(
            ImageRecipe(name, "v3", "nothing", {"/x": "hybridnet"}) for name in ("calico-node", "calico-cni")
        ),
        downloads=replace(DOWNLOADS, images_on_demand=(wanted,)),
    )
    monkeypatch.setattr(fetching, "load_entry", lambda version: entry)
    assert fetching.asked_for(entry) == fetching.asked_for(ENTRY)
    software = mirror.fetch(VERSION, cache, mirrors_of(stand_in, notes), notes)
    assert not any("calico" in image.reference for image in software.images)

    names = frozenset({"calico-node", "calico-cni"})
    images = mirror.fetch_images(VERSION, names, cache, mirrors_of(stand_in, notes), notes)
    assert {image.reference for image in images} == {
        "registry.lab.internal/calico-node:v3",
        "registry.lab.internal/calico-cni:v1",  # the stand-in of packages knows no tags
    }
    assert built.asked[-1] == Parts(frozenset(), frozenset({"calico-cni"}))


def test_an_entry_can_be_reduced_to_some_parts() -> None:
    some = ENTRY.only(Parts(frozenset({"bridge"}), frozenset({"hybridnet"})))
    assert [build.name for build in some.go_builds] == ["bridge", "hybridnet"]
    assert [image.name for image in some.images] == ["hybridnet"]


# --- auto


def settle(cache: Cache, notes: Notes) -> choice.Choice:
    return choice.settle(Supply.AUTO, VERSION, cache, notes)


def test_auto_takes_a_mirror_that_answers(
    stand_in: StandIn, cache: Cache, built: Packages, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "load_mirrors", lambda: listed(stand_in))
    settled = settle(cache, notes)
    assert settled.supply is Supply.MIRROR
    supply, software = choice.bring(settled, VERSION, cache, notes)
    assert supply is Supply.MIRROR
    assert kept(cache, Supply.MIRROR, VERSION) == Contents.of(software, fetching.asked_for(ENTRY))
    stand_in.close()
    assert settle(cache, notes).supply is Supply.MIRROR
    assert notes.said[-1] == "supply: mirror, whose software is in the cache"


def test_auto_builds_packages_within_seconds_when_nothing_answers(
    cache: Cache, built: Packages, notes: Notes
) -> None:
    """With the project's own list of mirrors: the namespace has no way out."""
    started = time.monotonic()
    settled = settle(cache, notes)
    assert time.monotonic() - started < 8
    assert settled.supply is Supply.PACKAGES
    assert notes.said[-1] == "supply: packages, because no mirror answers for all that is needed"
    assert "mirror dl.k8s.io dropped: Temporary failure in name resolution" in notes.said


def test_auto_builds_packages_when_mirrors_answer_but_have_nothing(
    stand_in: StandIn, cache: Cache, built: Packages, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "load_mirrors", lambda: listed(stand_in))
    stand_in.conduct = Conduct.WRONG
    settled = settle(cache, notes)
    monkeypatch.setattr(fetching, "fill", fail_to_fill)
    supply, _ = choice.bring(settled, VERSION, cache, notes)
    assert supply is Supply.PACKAGES
    assert notes.said[-1] == "supply: packages instead of mirror: nothing to be had"


def fail_to_fill(*_: object) -> None:
    raise LabError("nothing to be had")


def test_auto_prefers_a_bundle_that_was_imported(cache: Cache, built: Packages, notes: Notes) -> None:
    keep(cache, Supply.BUNDLE, Contents(VERSION, {}, {}, {}))
    assert settle(cache, notes).supply is Supply.BUNDLE


def test_a_supply_that_is_named_is_taken_without_asking_anybody(
    cache: Cache, built: Packages, notes: Notes
) -> None:
    assert choice.settle(Supply.PACKAGES, VERSION, cache, notes).supply is Supply.PACKAGES
    assert notes.said == []
    with pytest.raises(LabError, match="no bundle with Kubernetes"):
        choice.bring(choice.settle(Supply.BUNDLE, VERSION, cache, notes), VERSION, cache, notes)


# --- the user's list


@pytest.fixture
def own_list(tmp_path: Path) -> Path:
    path = tmp_path / "lab" / "mirrors.yaml"
    path.parent.mkdir()
    assert settings.settings_file() == path
    return path


def sources(name: str) -> list[str]:
    return [source.name for source in Mirrors(load_mirrors(), SilentProgress()).sources(name)]


def test_the_coursework_mirror_comes_first_and_upstream_last() -> None:
    asked = sources("registry.k8s.io/coredns/coredns")
    assert asked[0] == "registry.cn-hangzhou.aliyuncs.com/google_containers/coredns"
    assert asked[-1] == "registry.k8s.io/coredns/coredns"


def test_the_users_mirrors_come_before_the_projects(own_list: Path) -> None:
    own_list.write_text("mirrors: [{of: registry.k8s.io, at: 'http://192.0.2.1:5000/k8s'}]\n")
    asked = sources("registry.k8s.io/pause")
    assert asked[0] == "192.0.2.1:5000/k8s/pause"
    assert asked[-1] == "registry.k8s.io/pause"


def test_with_only_nothing_but_the_users_mirrors_is_asked(own_list: Path) -> None:
    own_list.write_text("only: true\nmirrors: [{of: registry.k8s.io, at: 192.0.2.1/k8s, flat: true}]\n")
    assert sources("registry.k8s.io/coredns/coredns") == ["192.0.2.1/k8s/coredns"]
    assert sources("docker.io/flannel/flannel") == []


@pytest.mark.parametrize(
    "text",
    [
        "mirror: []",
        "mirrors: [{of: x}]",
        "mirrors: [",
        "mirrors: [{of: 'https://dl.k8s.io', at: registry.example}]",
        "mirrors: [{of: registry.k8s.io, at: 'https://registry.example'}]",
    ],
)
def test_a_list_that_is_wrong_is_refused_with_its_name(own_list: Path, text: str) -> None:
    own_list.write_text(text)
    with pytest.raises(WrongUseError, match=str(own_list)):
        load_mirrors()
