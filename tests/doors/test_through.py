"""Pull-through with a real docker-registry, from stand-ins for registries on this machine's loopback."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from lab.cluster.pki import new_authority
from lab.doors.through import REGISTRY, SERVER, PullThrough, ThroughOpening
from lab.foundation.errors import LabError
from lab.foundation.paths import LabFolder
from lab.foundation.process import run
from lab.host.enclosure import Enclosure
from lab.host.tied import living
from lab.supply.mirror.resolving import DIGEST
from lab.supply.registry_store import RegistryStore
from tests.supply.stand_ins import Conduct, SmallImage, StandIn, closed_host, loopback_certificate

ADDRESS = IPv4Address("192.168.31.1")
NOW = "2026-01-01T00:00:00+00:00"
NGINX = "library/nginx"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
LIST = "application/vnd.docker.distribution.manifest.list.v2+json"


class Site:
    """The host sides of labs, and the registries that they may know."""

    def __init__(self, folder: Path, labs: Path, make: Callable[[str], Enclosure]) -> None:
        self.mirrors = folder / "lab" / "mirrors.yaml"
        self.mirrors.parent.mkdir()
        self.store = RegistryStore(folder / "cache" / "registry")
        self._labs = labs
        self._make = make
        self.started: list[StandIn] = []

    def lab(self, name: str) -> tuple[PullThrough, Enclosure]:
        enclosure = self._make(name)
        enclosure.start()
        run(enclosure.network_command(["ip", "address", "add", f"{ADDRESS}/32", "dev", "lo"]))
        return PullThrough(enclosure, LabFolder(self._labs / name)), enclosure

    def registry(self, contents: Mapping[str, bytes], conduct: Conduct = Conduct.GOOD) -> StandIn:
        self.started.append(StandIn(contents, conduct))
        return self.started[-1]

    def know(self, *mirrors: str, of: str = "docker.io") -> None:
        listed = [{"of": of, "at": at} for at in mirrors]
        self.mirrors.write_text(json.dumps({"only": True, "mirrors": listed}))


@pytest.fixture
def site(
    labs: Path,
    make_enclosure: Callable[[str], Enclosure],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Site]:
    if shutil.which("docker-registry") is None:
        pytest.skip("pull-through needs docker-registry")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("LAB_CACHE", str(tmp_path / "cache"))
    site = Site(tmp_path, labs, make_enclosure)
    yield site
    for registry in site.started:
        registry.close()


@pytest.fixture
def image() -> SmallImage:
    return SmallImage("bin/web", b"a program", "amd64")


def get(
    enclosure: Enclosure, opening: ThroughOpening, path: str, registry: str = ""
) -> tuple[http.client.HTTPResponse, bytes]:
    """As containerd asks, with the registry that it means, or as docker does, without."""
    connection = http.client.HTTPConnection(opening.address)
    connection.sock = enclosure.connect(opening.address, opening.port, 10)
    connection.sock.settimeout(60)
    connection.request(
        "GET", f"{path}?ns={registry}" if registry else path, headers={"Accept": f"{MANIFEST}, {LIST}"}
    )
    said = connection.getresponse()
    content = said.read()
    connection.close()
    return said, content


def pull(enclosure: Enclosure, opening: ThroughOpening, path: str, folder: Path) -> bytes:
    """With a client of registries that takes nothing on trust; returns the manifest."""
    words = ["skopeo", "--insecure-policy", "copy", "--quiet", "--src-tls-verify=false"]
    words += [f"docker://{opening.address}:{opening.port}/{path}", f"dir:{folder}"]
    run(enclosure.network_command(words))
    return (folder / "manifest.json").read_bytes()


def test_an_image_comes_through_the_mirrors_and_for_the_next_lab_from_the_cache(
    site: Site, image: SmallImage, tmp_path: Path
) -> None:
    contents = image.served_as(NGINX, "1.25")
    dead, wrong, good = closed_host(), site.registry(contents, Conduct.WRONG), site.registry(contents)
    site.know(f"http://{dead}", f"http://{wrong.host}", f"http://{good.host}")
    through, enclosure = site.lab("a")
    opening = through.open(ADDRESS, site.store, NOW)
    assert pull(enclosure, opening, f"{NGINX}:1.25", tmp_path / "first") == image.manifest
    assert wrong.asked
    asked = len(good.asked)
    assert asked
    assert pull(enclosure, opening, f"{NGINX}:1.25", tmp_path / "again") == image.manifest
    assert len(good.asked) == asked
    for registry in site.started:
        registry.close()
    site.started.clear()

    other, beside = site.lab("b")
    opening = other.open(ADDRESS, site.store, NOW)
    assert pull(beside, opening, f"{NGINX}:1.25", tmp_path / "other") == image.manifest
    said, _ = get(beside, opening, f"/v2/{NGINX}/manifests/1.25", "docker.io")
    assert said.getheader("Docker-Content-Digest") == image.digest


def test_containerd_says_which_registry_it_means(site: Site, image: SmallImage) -> None:
    registry = site.registry(image.served_as("shop/web", "1"))
    site.know(f"http://{registry.host}", of=registry.host)
    through, enclosure = site.lab("a")
    opening = through.open(ADDRESS, site.store, NOW)
    said, content = get(enclosure, opening, "/v2/shop/web/manifests/1", registry.host)
    assert (said.status, content) == (200, image.manifest)
    layer = next(path for path, blob in registry.contents.items() if blob == image.layer)
    said, content = get(enclosure, opening, layer, registry.host)
    assert (said.status, content) == (200, image.layer)


def test_an_image_by_the_digest_of_a_list_is_the_one_for_this_machine(site: Site, image: SmallImage) -> None:
    contents = image.served_as("shop/web", "1", listed=True)
    digest = f"{DIGEST}{hashlib.sha256(image.index).hexdigest()}"
    registry = site.registry({**contents, f"/v2/shop/web/manifests/{digest}": image.index})
    site.know(f"http://{registry.host}", of="quay.io")
    through, enclosure = site.lab("a")
    opening = through.open(ADDRESS, site.store, NOW)
    for _ in range(2):
        said, content = get(enclosure, opening, f"/v2/shop/web/manifests/{digest}", "quay.io")
        assert (content, said.getheader("Content-Type")) == (image.index, LIST)
    said, content = get(enclosure, opening, f"/v2/shop/web/manifests/{image.digest}", "quay.io")
    assert content == image.manifest


def test_a_registry_with_an_authority_of_its_own(
    site: Site, image: SmallImage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = new_authority("stand-in")
    secure = StandIn(image.served_as("shop/web", "1"), certificate=loopback_certificate(authority, tmp_path))
    site.started.append(secure)
    (tmp_path / "authority.pem").write_text(authority.certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    site.know(secure.host, of=secure.host)
    through, enclosure = site.lab("a")
    opening = through.open(ADDRESS, site.store, NOW)
    said, content = get(enclosure, opening, "/v2/shop/web/manifests/1", secure.host)
    assert (said.status, content) == (200, image.manifest)


def test_what_no_registry_has_is_not_found_and_the_reason_told(site: Site, image: SmallImage) -> None:
    registry = site.registry(image.served_as(NGINX, "1.25"))
    site.know(f"http://{registry.host}")
    through, enclosure = site.lab("a")
    opening = through.open(ADDRESS, site.store, NOW)
    said, content = get(enclosure, opening, f"/v2/{NGINX}/manifests/0.0")
    assert said.status == 404
    assert "no mirror has docker.io/library/nginx:0.0" in json.loads(content)["errors"][0]["message"]
    for path in ("/v2/_catalog", "/v2/..%2f/manifests/1", "/etc/passwd"):
        assert get(enclosure, opening, path)[0].status == 404
    assert get(enclosure, opening, "/v2/")[0].status == 200


@pytest.mark.parametrize("name", [REGISTRY, SERVER])
def test_without_one_of_its_processes_it_is_broken_until_it_is_opened_again(
    site: Site, image: SmallImage, tmp_path: Path, name: str
) -> None:
    registry = site.registry(image.served_as(NGINX, "1.25"))
    site.know(f"http://{registry.host}")
    through, enclosure = site.lab("a")
    assert through.condition == "closed"
    through.open(ADDRESS, site.store, NOW)
    assert through.condition == "open"
    process = living(enclosure.layout.tied_record(name))
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    while process.alive:
        os.sched_yield()
    assert through.condition == "broken"
    assert through.broken.endswith("ended")
    opening = through.open(ADDRESS, site.store, NOW)
    assert through.condition == "open"
    assert pull(enclosure, opening, f"{NGINX}:1.25", tmp_path / "image") == image.manifest


def test_closed_or_down_nothing_is_left(site: Site) -> None:
    site.know()
    through, enclosure = site.lab("a")
    for end in (through.close, enclosure.stop):
        through.open(ADDRESS, site.store, NOW)
        processes = [living(enclosure.layout.tied_record(name)) for name in (REGISTRY, SERVER)]
        assert all(process is not None for process in processes)
        end()
        assert not any(process.alive for process in processes if process is not None)
        assert through.condition == "closed"


def test_an_address_that_the_lab_has_not_is_told(site: Site) -> None:
    through, _ = site.lab("a")
    with pytest.raises(LabError, match=r"the lab a has no address 192\.0\.2\.1 yet"):
        through.open(IPv4Address("192.0.2.1"), site.store, NOW)
    assert through.condition == "closed"
