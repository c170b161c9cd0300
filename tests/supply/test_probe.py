"""Asking sources for everything; the sources are stand-ins on the loopback of an own network namespace."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from lab.foundation.errors import LabError
from lab.supply.architecture import architecture
from lab.supply.cache import Cache
from lab.supply.catalogue import DownloadedFile, DownloadedImage, Downloads, load_entry
from lab.supply.debian_archive import ARCHIVE_VARIABLE
from lab.supply.go_build import MODULES
from lab.supply.go_modules import module_url, proxies, required_modules
from lab.supply.mirror import Mirrors
from lab.supply.mirror.mirrors import Source
from lab.supply.mirror.settings import Mirror, MirrorList
from lab.supply.probe import Found, ProbeResult, Wanted, debian_wanted, probe
from lab.supply.probe.questions import FileQuestion
from lab.supply.suppliers import Supplier
from lab.supply.suppliers.from_mirrors import FromMirrors
from lab.supply.suppliers.from_packages import FromPackages
from tests.supply.stand_ins import Conduct, Notes, SmallImage, StandIn, closed_host, own_network

ARCHITECTURE = architecture()
FILE = "https://dl.k8s.io/kubelet"
IMAGE = "registry.k8s.io/pause:3.7"
PAUSE = SmallImage("pause", b"pause", ARCHITECTURE)
KUBELET = b"kubelet" * 1000
ENTRY = replace(
    load_entry("v1.24.10"),
    downloads=Downloads(
        files=(DownloadedFile(FILE, {ARCHITECTURE: "0" * 64}, ()),),
        images=(DownloadedImage("registry.k8s.io/pause", ("3.7",), "pause", missing="nothing starts"),),
    ),
)
DEBIAN = [
    f"/{folder}/dists/{suite}/{name}"
    for folder, suite in (
        ("debian", "bookworm"),
        ("debian", "bookworm-updates"),
        ("debian-security", "bookworm-security"),
    )
    for name in ("InRelease", f"main/binary-{ARCHITECTURE}/Packages.xz")
]


@pytest.fixture(autouse=True)
def _network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with own_network():
        yield


class Stage:
    """Starts stand-ins that end with the test."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def server(
        self,
        *parts: dict[str, bytes],
        conduct: Conduct = Conduct.GOOD,
        wants_token: bool = False,
        head: bool = True,
    ) -> StandIn:
        contents = {path: content for part in parts for path, content in part.items()}
        server = StandIn(contents, conduct, wants_token=wants_token, head=head)
        self._stack.callback(server.close)
        return server


@pytest.fixture
def stage() -> Iterator[Stage]:
    with ExitStack() as stack:
        yield Stage(stack)


@pytest.fixture
def debian(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    server = stage.server(dict.fromkeys(DEBIAN, b"a list"))
    monkeypatch.setenv(ARCHIVE_VARIABLE, f"http://{server.host}/debian")
    return server


HAS_FILE = {"/kubelet": KUBELET}
HAS_IMAGE = PAUSE.served_as("pause", "3.7", listed=True)


def mirrors(*hosts: str) -> Mirrors:
    """Each of the hosts stands in for both upstream sites, in this order."""
    upstream = ("https://dl.k8s.io", "registry.k8s.io")
    return Mirrors(
        MirrorList(tuple(Mirror(of, f"http://{host}") for host in hosts for of in upstream), only=True),
        Notes(),
    )


def asked(where: Mirrors, folder: Path) -> ProbeResult:
    return asked_of(FromMirrors(where), folder)


def asked_of(supplier: Supplier, folder: Path) -> ProbeResult:
    wanted = supplier.wanted(ENTRY, frozenset(), Cache(folder), Notes())
    return probe((*wanted, *debian_wanted(ENTRY)), Notes())


def of(result: ProbeResult, name: str) -> Found:
    (found,) = (found for found in result.found if found.wanted.name == name)
    return found


def places(found: Found) -> list[str]:
    return [answer.host for answer in found.answers if answer.has_it]


@pytest.mark.usefixtures("debian")
def test_what_one_mirror_lacks_is_told_and_what_another_has_is_enough(stage: Stage, tmp_path: Path) -> None:
    first, second = stage.server(HAS_IMAGE), stage.server(HAS_FILE, HAS_IMAGE)
    result = asked(mirrors(first.host, second.host), tmp_path)
    assert result.nowhere == ()
    assert places(of(result, FILE)) == [second.host]
    assert of(result, FILE).answers[0].why_not == "HTTP status 404"
    assert places(of(result, IMAGE)) == [first.host, second.host]
    assert [found.wanted.name for found in result.found if found.wanted.kind == "Debian"] == [
        path.partition("/dists/")[2] for path in DEBIAN
    ]


@pytest.mark.usefixtures("debian")
def test_what_nobody_has_is_nowhere(stage: Stage, tmp_path: Path) -> None:
    first, second = stage.server(HAS_IMAGE), stage.server({"/v2/pause/manifests/other": b"{}"})
    result = asked(mirrors(first.host, second.host), tmp_path)
    assert [found.wanted.name for found in result.nowhere] == [FILE]
    assert [answer.why_not for answer in of(result, FILE).answers] == ["HTTP status 404"] * 2
    assert places(of(result, IMAGE)) == [first.host]


@pytest.mark.usefixtures("debian")
def test_a_host_that_does_not_answer_is_asked_for_nothing(stage: Stage, tmp_path: Path) -> None:
    dead, alive = closed_host(), stage.server(HAS_FILE, HAS_IMAGE)
    result = asked(mirrors(dead, alive.host), tmp_path)
    assert result.unreachable == {dead: "Connection refused"}
    assert result.nowhere == ()
    assert [answer.seconds for found in result.found for answer in found.answers if answer.host == dead] == [
        0.0,
        0.0,
    ]


@pytest.mark.usefixtures("debian")
def test_a_registry_that_wants_a_token_gets_it(stage: Stage, tmp_path: Path) -> None:
    registry = stage.server(HAS_IMAGE, wants_token=True)
    result = asked(mirrors(registry.host), tmp_path)
    assert places(of(result, IMAGE)) == [registry.host]
    assert "HTTP status 404" in [answer.why_not for answer in of(result, FILE).answers]


@pytest.mark.usefixtures("debian")
def test_an_image_for_other_machines_only_is_not_there(stage: Stage, tmp_path: Path) -> None:
    foreign = SmallImage("pause", b"pause", "s390x").served_as("pause", "3.7", listed=True)
    result = asked(mirrors(stage.server(HAS_FILE, foreign).host), tmp_path)
    assert of(result, IMAGE).answers[0].why_not == f"it has the image, but not for {ARCHITECTURE}"


@pytest.mark.usefixtures("debian")
def test_where_head_is_refused_one_byte_is_asked_for(stage: Stage, tmp_path: Path) -> None:
    site = stage.server(HAS_FILE, head=False)
    result = asked(mirrors(site.host), tmp_path)
    assert places(of(result, FILE)) == [site.host]
    assert site.sent == 1


def test_only_manifests_are_transferred(stage: Stage, tmp_path: Path, debian: StandIn) -> None:
    site = stage.server(HAS_FILE, HAS_IMAGE)
    assert asked(mirrors(site.host), tmp_path).nowhere == ()
    assert site.sent == len(PAUSE.index) + len(PAUSE.manifest)
    assert debian.sent == 0


def test_the_whole_has_a_limit(stage: Stage) -> None:
    site = stage.server({"/a": b""}, conduct=Conduct.SILENT)
    wanted = [Wanted("file", "a", (FileQuestion(Source(f"http://{site.host}/a")),))]
    result = probe(wanted, Notes(), limit=0.2)
    assert result.found[0].answers[0].why_not == "no answer within the 0 s of the whole"
    assert result.seconds < 9


def test_an_error_of_the_program_is_not_taken_for_an_answer(stage: Stage) -> None:
    class Broken(FileQuestion):
        def ask(self, stop: threading.Event) -> None:
            raise LabError("a defect")

    site = stage.server({})
    with pytest.raises(LabError, match="a defect"):
        probe([Wanted("file", "a", (Broken(Source(f"http://{site.host}/a")),))], Notes())


def test_the_proxy_of_the_environment_is_used_and_blamed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = [Wanted("file", "a", (FileQuestion(Source("http://mirror.invalid/a")),))]
    proxy = stage.server({"http://mirror.invalid/a": b"content"})
    monkeypatch.setenv("http_proxy", f"http://{proxy.host}")
    assert probe(wanted, Notes()).nowhere == ()
    monkeypatch.setenv("http_proxy", f"http://{closed_host()}")
    assert probe(wanted, Notes()).unreachable == {
        "mirror.invalid": "the proxy that the environment names: Connection refused"
    }


def test_a_password_in_a_mirrors_url_is_not_shown(stage: Stage) -> None:
    site = stage.server({})
    wanted = [Wanted("file", "a", (FileQuestion(Source(f"http://me:secret@{site.host}/a")),))]
    result = probe(wanted, Notes())
    assert "secret" not in str(result.as_json())
    assert result.found[0].answers[0].host == site.host


@pytest.mark.usefixtures("debian")
def test_packages_asks_the_go_proxy_for_what_programs_are_from(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    has = {"/k8s.io/kubernetes/@v/v1.24.10.mod": b"module k8s.io/kubernetes\n"}
    first, second = stage.server({}), stage.server(has)
    monkeypatch.setenv("GOPROXY", f"http://{first.host},http://{second.host}/,direct")
    result = asked_of(FromPackages(), tmp_path)
    assert places(of(result, "k8s.io/kubernetes v1.24.10")) == [second.host]
    lacking = [found.wanted.name for found in result.nowhere]
    assert "github.com/coredns/coredns v1.8.6" in lacking
    assert not any("calico" in name for name in lacking)
    monkeypatch.setenv("GOPROXY", "off")
    unasked = {found.wanted.unasked for found in asked_of(FromPackages(), tmp_path).nowhere}
    assert unasked == {"GOPROXY names no proxy that can be asked, or this host has no Go"}


def test_modules_are_named_as_the_proxy_wants_them() -> None:
    assert module_url("https://proxy.invalid/", "github.com/Azure/x", "v1.0.0-RC1") == (
        "https://proxy.invalid/github.com/!azure/x/@v/v1.0.0-!r!c1.mod"
    )
    assert proxies("https://a.invalid,http://b.invalid|direct\n") == ("https://a.invalid", "http://b.invalid")


def test_required_modules_are_the_direct_ones_after_replacement(tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text(
        "module lab/modules/x\n\ngo 1.25.0\n\nrequire a.invalid/one v1.0.0\n\n"
        "require (\n\tb.invalid/two v2.0.0\n\tc.invalid/three v3.0.0 // indirect\n)\n\n"
        "replace (\n\tb.invalid/two => d.invalid/four v4.0.0\n)\n"
    )
    assert required_modules(tmp_path) == (("a.invalid/one", "v1.0.0"), ("d.invalid/four", "v4.0.0"))


@pytest.mark.parametrize("folder", sorted(MODULES.iterdir()), ids=lambda folder: folder.name)
def test_every_module_folder_says_what_its_programs_are_from(folder: Path) -> None:
    assert required_modules(folder) or folder.name == "go-toolchains"
