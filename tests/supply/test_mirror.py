"""The supply `mirror`, against stand-ins in a network namespace of the test's own."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import Mock

import pytest
import requests
from urllib3.exceptions import NameResolutionError

from lab.foundation.errors import LabError
from lab.foundation.process import StoppedError
from lab.foundation.progress import SilentProgress
from lab.supply.catalogue import DownloadedImage
from lab.supply.mirror import files, meter, mirrors, patience, watch
from lab.supply.mirror.files import Downloader
from lab.supply.mirror.images import ImageCopier
from lab.supply.mirror.meter import Meter
from lab.supply.mirror.mirrors import Mirrors, reason
from lab.supply.mirror.resolving import Resolved
from lab.supply.mirror.settings import Mirror, MirrorList
from tests.supply.stand_ins import (
    Asked,
    Conduct,
    Notes,
    SmallImage,
    StandIn,
    closed_host,
    own_network,
    real_registry,
    silent_host,
)

UPSTREAM = "https://dl.k8s.io/release/kubelet"
CONTENT = os.urandom(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
ARCHITECTURE = "amd64"
COREDNS = DownloadedImage("registry.k8s.io/coredns/coredns", ("v1.8.6", "1.8.6"), "coredns")
REFERENCE = "registry.lab.internal/coredns:v1.8.6"


@pytest.fixture(autouse=True)
def _network() -> Iterator[None]:
    with own_network():
        yield


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds in production, fractions of them here."""
    for module in (files, watch, meter):
        monkeypatch.setattr(module, "WINDOW_SECONDS", 1.0)
    monkeypatch.setattr(patience, "BACKOFF_SECONDS", 0.01)
    for module in (files, watch):
        monkeypatch.setattr(module, "SILENCE_SECONDS", 2.0)
    monkeypatch.setattr(watch, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(mirrors, "ANSWER_SECONDS", 0.5)


@pytest.fixture
def notes() -> Notes:
    return Notes()


Site = Callable[..., StandIn]


@pytest.fixture
def site() -> Iterator[Site]:
    """Starts a download site that has the file."""
    started = []

    def start(conduct: Conduct = Conduct.GOOD) -> StandIn:
        started.append(StandIn({"/release/kubelet": CONTENT}, conduct))
        return started[-1]

    yield start
    for each in started:
        each.close()


def of_sites(notes: Notes, *hosts: str) -> Mirrors:
    listed = tuple(Mirror("https://dl.k8s.io", f"http://{host}") for host in hosts)
    return Mirrors(MirrorList(listed, only=True), notes)


def download(mirrors_: Mirrors, folder: Path) -> bytes:
    downloader = Downloader(mirrors_, folder, Meter(SilentProgress().step("x")), threading.Event())
    path, _ = downloader.download(UPSTREAM, SHA256)
    return path.read_bytes()


def test_the_first_mirror_is_enough(site: Site, notes: Notes, tmp_path: Path) -> None:
    first, second = site(), site()
    assert download(of_sites(notes, first.host, second.host), tmp_path) == CONTENT
    assert first.asked == [Asked("/release/kubelet", 0)]
    assert second.asked == []
    assert notes.said == []


def test_mirrors_that_do_not_answer_are_dropped_within_seconds_and_named(
    site: Site, notes: Notes, tmp_path: Path
) -> None:
    good, dead = site(), closed_host()
    with silent_host() as silent:
        asked = of_sites(notes, dead, silent, good.host)
        started = time.monotonic()
        asked.probe([UPSTREAM])
        assert time.monotonic() - started < 2
    assert sorted(note.split()[1] for note in notes.said) == sorted([dead, silent])
    assert f"mirror {dead} dropped: Connection refused" in notes.said
    assert any(note.startswith(f"mirror {silent} dropped: no answer within") for note in notes.said)
    assert asked.can_serve([UPSTREAM])
    assert download(asked, tmp_path) == CONTENT


def test_a_name_that_nobody_knows_is_said_without_loose_brackets() -> None:
    error = NameResolutionError("dl.k8s.io", Mock(), socket.gaierror(-3, "Temporary failure in name"))
    assert reason(requests.ConnectionError(error)) == "Temporary failure in name"


def test_a_wrong_digest_is_named_and_the_next_mirror_asked(site: Site, notes: Notes, tmp_path: Path) -> None:
    wrong, good = site(Conduct.WRONG), site()
    assert download(of_sites(notes, wrong.host, good.host), tmp_path) == CONTENT
    assert notes.said[0].startswith(f"mirror {wrong.host} dropped: its kubelet has the SHA-256")
    assert SHA256 in notes.said[0]
    assert good.asked == [Asked("/release/kubelet", 0)]


def test_a_file_that_breaks_off_goes_on_where_it_stopped(site: Site, notes: Notes, tmp_path: Path) -> None:
    unsteady = site(Conduct.CUT_OFF_ONCE)
    assert download(of_sites(notes, unsteady.host), tmp_path) == CONTENT
    assert unsteady.asked == [Asked("/release/kubelet", 0), Asked("/release/kubelet", len(CONTENT) // 2)]


def test_another_mirror_goes_on_where_one_always_breaks_off(site: Site, notes: Notes, tmp_path: Path) -> None:
    bad, good = site(Conduct.CUT_OFF), site()
    assert download(of_sites(notes, bad.host, good.host), tmp_path) == CONTENT
    assert good.asked == [Asked("/release/kubelet", len(CONTENT) // 2)]
    assert notes.said[0].startswith(f"mirror {bad.host} broke off: kubelet after 146 KiB: ")
    assert notes.said[0].endswith(": IncompleteRead(0 bytes read, 150000 more expected)")


def test_a_killed_run_goes_on_where_it_stopped(site: Site, notes: Notes, tmp_path: Path) -> None:
    (tmp_path / f"{SHA256}.part").write_bytes(CONTENT[:1000])
    good = site()
    assert download(of_sites(notes, good.host), tmp_path) == CONTENT
    assert good.asked == [Asked("/release/kubelet", 1000)]


def test_a_slow_mirror_is_passed_over_and_named(site: Site, notes: Notes, tmp_path: Path) -> None:
    slow, good = site(Conduct.SLOW), site()
    assert download(of_sites(notes, slow.host, good.host), tmp_path) == CONTENT
    assert notes.said[0].startswith(f"mirror {slow.host} passed over: it gives")
    assert good.asked[0].first > 0


def test_a_slow_mirror_is_better_than_none(
    site: Site, notes: Notes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "SLOW", 10**9)
    good, lacking = site(), site(Conduct.LACKING)
    monkeypatch.setattr(files, "WINDOW_SECONDS", 0.0)
    assert download(of_sites(notes, good.host, lacking.host), tmp_path) == CONTENT
    assert len(good.asked) == 2


def test_what_no_mirror_has_is_an_error_that_names_them_all(site: Site, notes: Notes, tmp_path: Path) -> None:
    lacking, dead = site(Conduct.LACKING), closed_host()
    with pytest.raises(LabError, match=f"no mirror has {UPSTREAM}") as caught:
        download(of_sites(notes, lacking.host, dead), tmp_path)
    assert f"{lacking.host}: HTTP status 404" in str(caught.value)
    assert f"{dead}: " in str(caught.value)
    assert "mirrors.yaml" in str(caught.value)


def test_a_download_ends_when_other_work_failed(site: Site, notes: Notes, tmp_path: Path) -> None:
    stop = threading.Event()
    downloader = Downloader(
        of_sites(notes, site(Conduct.SLOW).host), tmp_path, Meter(SilentProgress().step("x")), stop
    )
    stop.set()
    with pytest.raises(StoppedError):
        downloader.download(UPSTREAM, SHA256)


# --- images


@pytest.fixture
def image() -> SmallImage:
    return SmallImage("coredns", os.urandom(400_000), ARCHITECTURE)


Registry = Callable[..., StandIn]


@pytest.fixture
def registry(image: SmallImage) -> Iterator[Registry]:
    """Starts a registry that has the image under the name and tag of a mirror that flattens names."""
    started = []

    def start(conduct: Conduct = Conduct.GOOD, tag: str = "1.8.6", *, listed: bool = False) -> StandIn:
        contents = image.served_as("google_containers/coredns", tag, listed=listed)
        started.append(StandIn(contents, conduct))
        return started[-1]

    yield start
    for each in started:
        each.close()


def of_registries(notes: Notes, *hosts: str) -> Mirrors:
    listed = (Mirror("registry.k8s.io", f"http://{host}/google_containers", flat=True) for host in hosts)
    return Mirrors(MirrorList(tuple(listed), only=True), notes)


def copy(mirrors_: Mirrors, folder: Path, stop: threading.Event | None = None) -> Resolved:
    copier = ImageCopier(
        mirrors_, folder, Meter(SilentProgress().step("x")), stop or threading.Event(), ARCHITECTURE
    )
    found = copier.copy(COREDNS, REFERENCE, folder / "image.tar")
    with tarfile.open(folder / "image.tar") as archive:
        manifest = archive.extractfile("manifest.json")
        assert manifest is not None
        assert json.load(manifest)[0]["RepoTags"] == [REFERENCE]
    return found


def test_an_image_is_copied_by_its_digest(
    registry: Registry, image: SmallImage, notes: Notes, tmp_path: Path
) -> None:
    good = registry()
    found = copy(of_registries(notes, good.host), tmp_path)
    assert found.name == f"{good.host}/google_containers/coredns@{image.digest}"
    assert notes.said == []


def test_of_a_list_the_image_for_this_machine_is_copied(
    registry: Registry, image: SmallImage, notes: Notes, tmp_path: Path
) -> None:
    assert copy(of_registries(notes, registry(listed=True).host), tmp_path).digest == image.digest


def test_a_registry_whose_blob_is_not_what_its_digest_says_is_dropped_and_named(
    registry: Registry, notes: Notes, tmp_path: Path
) -> None:
    wrong, good = registry(Conduct.WRONG), registry()
    found = copy(of_registries(notes, wrong.host, good.host), tmp_path)
    assert found.source.host == good.host
    assert notes.said[0].startswith(f"mirror {wrong.host} dropped: a blob of its")


def test_a_blob_that_is_cut_off_comes_from_the_next_registry(
    registry: Registry, notes: Notes, tmp_path: Path
) -> None:
    bad, good = registry(Conduct.CUT_OFF), registry()
    found = copy(of_registries(notes, bad.host, good.host), tmp_path)
    assert found.source.host == good.host
    assert notes.said[0].startswith(f"mirror {bad.host} broke off: {bad.host}/google_containers/coredns")


def test_a_blob_that_is_cut_off_once_is_asked_for_again(
    registry: Registry, notes: Notes, tmp_path: Path
) -> None:
    unsteady = registry(Conduct.CUT_OFF_ONCE)
    assert copy(of_registries(notes, unsteady.host), tmp_path).source.host == unsteady.host


def test_a_registry_that_has_too_many_requests_is_asked_again(
    registry: Registry, image: SmallImage, notes: Notes, tmp_path: Path
) -> None:
    busy, good = registry(Conduct.BUSY_TWICE), registry()
    found = copy(of_registries(notes, busy.host, good.host), tmp_path)
    assert (found.source.host, found.digest) == (busy.host, image.digest)
    assert busy.refused == 2


def test_a_registry_that_always_has_too_many_requests_is_left_for_the_next(
    registry: Registry, notes: Notes, tmp_path: Path
) -> None:
    busy, good = registry(Conduct.BUSY), registry()
    assert copy(of_registries(notes, busy.host, good.host), tmp_path).source.host == good.host
    assert busy.refused >= 3


def test_a_blob_that_is_there_is_not_fetched_again(
    registry: Registry, image: SmallImage, notes: Notes, tmp_path: Path
) -> None:
    first, again = registry(), registry()
    layer = f"/v2/google_containers/coredns/blobs/sha256:{hashlib.sha256(image.layer).hexdigest()}"
    copy(of_registries(notes, first.host), tmp_path)
    (tmp_path / "image.tar").unlink()
    copy(of_registries(notes, again.host), tmp_path)
    assert Asked(layer, 0) in first.asked
    assert Asked(layer, 0) not in again.asked


def test_a_slow_registry_is_passed_over_and_named(registry: Registry, notes: Notes, tmp_path: Path) -> None:
    slow, good = registry(Conduct.SLOW), registry()
    found = copy(of_registries(notes, slow.host, good.host), tmp_path)
    assert found.source.host == good.host
    assert notes.said[0].startswith(f"mirror {slow.host} passed over: it gives")


def test_an_image_that_no_registry_has_is_an_error_that_names_them_all(
    registry: Registry, notes: Notes, tmp_path: Path
) -> None:
    lacking, dead = registry(tag="another"), closed_host()
    with pytest.raises(LabError, match=r"no mirror has registry.k8s.io/coredns/coredns:v1.8.6") as caught:
        copy(of_registries(notes, lacking.host, dead), tmp_path)
    assert lacking.host in str(caught.value)
    assert dead in str(caught.value)


def test_an_image_comes_from_a_real_registry(image: SmallImage, notes: Notes, tmp_path: Path) -> None:
    image.write(tmp_path / "image")
    source = f"dir:{tmp_path}/image"
    with real_registry(tmp_path, source, "google_containers/coredns:v1.8.6") as (host, _):
        assert copy(of_registries(notes, host), tmp_path).digest == image.digest


class Shares:
    """A step that keeps how far it is."""

    def __init__(self) -> None:
        self.last = (0.0, 0.0)

    def __enter__(self) -> Shares:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def advance(self, done: float, total: float) -> None:
        self.last = (done, total)

    def doing(self, text: str) -> None:
        pass


@pytest.mark.parametrize("conduct", [Conduct.GOOD, Conduct.CUT_OFF_ONCE])
def test_the_bar_is_full_at_the_end(site: Site, notes: Notes, tmp_path: Path, conduct: Conduct) -> None:
    step = Shares()
    downloader = Downloader(of_sites(notes, site(conduct).host), tmp_path, Meter(step), threading.Event())
    downloader.download(UPSTREAM, SHA256)
    assert step.last == (len(CONTENT), len(CONTENT))
