"""Images of the user's from registries on the loopback: plain and with TLS, dead, wrong and busy ones."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.cluster.pki import new_authority
from lab.foundation.image_names import ImageName
from lab.supply import docker_archive, own_images
from lab.supply.cache import Cache
from lab.supply.docker_archive import read_image
from lab.supply.mirror import Mirrors, mirrors, patience
from lab.supply.mirror.settings import Mirror, MirrorList
from lab.supply.own_images import Pulled, pull
from tests.supply.stand_ins import (
    Conduct,
    Notes,
    SmallImage,
    StandIn,
    closed_host,
    loopback_certificate,
    own_network,
)

NGINX = ImageName.parse("nginx:1.25")
Registry = Callable[..., StandIn]


@pytest.fixture(autouse=True)
def _network() -> Iterator[None]:
    with own_network():
        yield


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "BACKOFF_SECONDS", 0.01)
    monkeypatch.setattr(mirrors, "ANSWER_SECONDS", 0.5)
    for module in (own_images, docker_archive):
        monkeypatch.setattr(module, "architecture", lambda: "amd64")


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def image() -> SmallImage:
    return SmallImage("bin/web", b"a program", "amd64")


@pytest.fixture
def registry(image: SmallImage) -> Iterator[Registry]:
    """Starts a mirror of Docker Hub that has the image nginx:1.25, or another one."""
    started = []

    def start(
        conduct: Conduct = Conduct.GOOD,
        served: SmallImage = image,
        *,
        listed: bool = False,
        certificate: Path | None = None,
    ) -> StandIn:
        contents = served.served_as("library/nginx", "1.25", listed=listed)
        started.append(StandIn(contents, conduct, certificate=certificate))
        return started[-1]

    yield start
    for each in started:
        each.close()


def by(notes: Notes, *hosts: str) -> Mirrors:
    """Mirrors of Docker Hub in this order and nothing else; https:// in front of a host is TLS."""
    at = (host.removeprefix("https://") if "://" in host else f"http://{host}" for host in hosts)
    return Mirrors(MirrorList(tuple(Mirror("docker.io", each) for each in at), only=True), notes)


def names_in(pulled: Pulled) -> list[str]:
    with tarfile.open(pulled.images[0].archive) as archive:
        content = archive.extractfile("manifest.json")
        assert content is not None
        return [content.read().decode().split('"RepoTags":["')[1].partition('"')[0]]


def test_an_image_comes_by_its_digest_and_is_then_in_the_cache(
    registry: Registry, image: SmallImage, notes: Notes, cache: Cache
) -> None:
    good = registry(listed=True)
    pulled = pull([NGINX], cache, by(notes, good.host), notes)
    assert names_in(pulled) == ["docker.io/library/nginx:1.25"]
    (record,) = cache.records()
    assert (record.kind, record.name, record.made_with) == ("own image", "nginx:1.25", good.host)
    assert record.used == (f"{good.host}/library/nginx@{image.digest}",)
    asked = len(good.asked)
    assert pull([NGINX], cache, by(notes, closed_host()), notes) == pulled
    assert len(good.asked) == asked
    assert notes.said == [f"nginx:1.25 is in the cache, from {good.host}; --fresh fetches it again"]


def test_fresh_asks_again_and_takes_what_is_there_now(registry: Registry, notes: Notes, cache: Cache) -> None:
    first = pull([NGINX], cache, by(notes, registry().host), notes)
    newer = registry(served=SmallImage("bin/web", b"a newer program", "amd64"))
    second = pull([NGINX], cache, by(notes, newer.host), notes, fresh=True)
    assert second.images[0].digest != first.images[0].digest


def test_a_dead_mirror_and_one_with_wrong_contents_are_told_and_the_next_is_taken(
    registry: Registry, notes: Notes, cache: Cache
) -> None:
    dead, wrong, good = closed_host(), registry(Conduct.WRONG), registry()
    pulled = pull([NGINX], cache, by(notes, dead, wrong.host, good.host), notes)
    assert len(pulled.images) == 1
    assert notes.said[0] == f"mirror {dead} dropped: Connection refused"
    assert notes.said[1].startswith(f"mirror {wrong.host} dropped: a blob of its")
    assert cache.records()[0].made_with == good.host


def test_a_registry_with_too_many_requests_is_asked_again(
    registry: Registry, notes: Notes, cache: Cache
) -> None:
    busy = registry(Conduct.BUSY_TWICE)
    assert pull([NGINX], cache, by(notes, busy.host), notes).lacking == ()
    assert busy.refused == 2


def test_a_registry_with_an_authority_of_its_own(
    registry: Registry, notes: Notes, cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = new_authority("stand-in")
    secure = registry(certificate=loopback_certificate(authority, tmp_path))
    (refused,) = pull([NGINX], cache, by(notes, f"https://{secure.host}"), notes).lacking
    assert "certificate signed by unknown authority" in (refused.details or "")
    (tmp_path / "authority.pem").write_text(authority.certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    assert len(pull([NGINX], cache, by(notes, f"https://{secure.host}"), notes).images) == 1


def test_a_registry_with_a_port_and_without_tls_is_named_as_its_own_mirror(
    image: SmallImage, notes: Notes, cache: Cache
) -> None:
    own = StandIn(image.served_as("shop/web", "1"))
    name = ImageName.parse(f"{own.host}/shop/web:1")
    listed = MirrorList((Mirror(own.host, f"http://{own.host}"),))
    pulled = pull([name], cache, Mirrors(listed, notes), notes)
    own.close()
    assert names_in(pulled) == [name.full]
    assert list((cache.root / "downloads").iterdir()) == []


def test_a_digest_that_is_asked_for_is_the_one_that_is_taken(
    registry: Registry, image: SmallImage, notes: Notes, cache: Cache
) -> None:
    pinned = ImageName.parse(f"nginx:1.25@{image.digest}")
    other = registry(served=SmallImage("bin/web", b"another program", "amd64"))
    lying = registry(served=SmallImage("bin/web", b"another program", "amd64"))
    lying.contents[f"/v2/library/nginx/manifests/{image.digest}"] = b'{"layers": [], "config": {"size": 1}}'
    good = registry()
    pulled = pull([pinned], cache, by(notes, other.host, lying.host, good.host), notes)
    assert cache.records()[0].used == (f"{good.host}/library/nginx@{image.digest}",)
    assert names_in(pulled) == ["docker.io/library/nginx:1.25"]
    assert list((cache.root / "downloads").iterdir()) == []
    (lacking,) = pull([pinned], cache, by(notes, lying.host), notes, fresh=True).lacking
    assert "digest" in (lacking.details or "")


def test_an_image_that_nobody_has_does_not_keep_others_from_coming(
    registry: Registry, notes: Notes, cache: Cache
) -> None:
    good, dead = registry(), closed_host()
    unknown = ImageName.parse("nginx:0.0")
    pulled = pull([unknown, NGINX], cache, by(notes, dead, good.host), notes)
    assert [image.name for image in pulled.images] == [NGINX]
    (error,) = pulled.lacking
    assert error.brief == "no registry gives the image nginx:0.0"
    assert f"{dead}: dropped" in (error.details or "")
    assert f"{good.host}: " in (error.details or "")
    assert "check name and tag" in (error.resolution or "")


def test_an_image_for_another_machine_is_refused(registry: Registry, notes: Notes, cache: Cache) -> None:
    foreign = SmallImage("bin/web", b"x", "arm64")
    (single,) = pull([NGINX], cache, by(notes, registry(served=foreign).host), notes).lacking
    assert single.brief == "the image nginx:1.25 is for linux/arm64, the nodes are linux/amd64"
    listed = registry(served=foreign, listed=True)
    (several,) = pull([NGINX], cache, by(notes, listed.host), notes).lacking
    assert "it has the image, but not for amd64" in (several.details or "")


def test_what_is_read_of_an_image(registry: Registry, image: SmallImage, notes: Notes, cache: Cache) -> None:
    pulled = pull([NGINX], cache, by(notes, registry().host), notes)
    read = read_image(pulled.images[0].archive)
    assert (read.platform, len(read.layers), len(read.layer_digests)) == ("linux/amd64", 1, 1)
