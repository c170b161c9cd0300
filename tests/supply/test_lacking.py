"""What a supply cannot bring is known before it begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.foundation.progress import SilentProgress
from lab.supply import user_programs
from lab.supply.cache import Cache
from lab.supply.go_toolchain import GoToolchain
from lab.supply.lacking import lacking_images
from lab.supply.suppliers import from_packages
from lab.topology.models import Supply

NO_GO = "lab-flanneld (flannel) v0.28.4 needs Go 1.25 or newer to be built; this host has no Go at all"


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path)


def with_go(monkeypatch: pytest.MonkeyPatch, *versions: str) -> None:
    found = tuple(GoToolchain(Path("go"), Path(version), f"go{version}") for version in versions)
    monkeypatch.setattr(from_packages, "host_toolchains", lambda: found)


@pytest.mark.parametrize("supply", [Supply.PACKAGES, Supply.AUTO])
def test_an_image_that_the_catalogue_does_not_have(supply: Supply, cache: Cache) -> None:
    assert lacking_images("v1.30.4", ["agnhost", "hybridnet"], supply, cache) == {
        "hybridnet": "the catalogue has no image hybridnet for Kubernetes v1.30.4"
    }
    assert lacking_images("v1.24.10", ["hybridnet"], supply, cache) == {}


def test_an_image_that_is_left_out_without_any_go(monkeypatch: pytest.MonkeyPatch, cache: Cache) -> None:
    for versions in (["1.19.8", "1.26.1"], ["1.19.8"]):
        with_go(monkeypatch, *versions)
        assert lacking_images("v1.24.10", ["flannel"], Supply.PACKAGES, cache) == {}
    with_go(monkeypatch)
    assert lacking_images("v1.24.10", ["flannel"], Supply.PACKAGES, cache) == {"flannel": NO_GO}
    assert lacking_images("v1.24.10", ["flannel"], Supply.AUTO, cache) == {}


def test_what_mirrors_do_not_have_and_what_a_bundle_may_hold(cache: Cache) -> None:
    assert lacking_images("v1.24.10", ["flannel", "tomcat"], Supply.MIRROR, cache) == {
        "tomcat": "the catalogue has no mirrored image tomcat for Kubernetes v1.24.10"
    }
    assert lacking_images("v1.24.10", ["nosuch"], Supply.BUNDLE, cache) == {}


def test_an_image_with_a_program_that_users_bring(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    for supply in (Supply.MIRROR, Supply.AUTO):
        assert lacking_images("v1.24.10", ["calico-node-ipip"], supply, cache) == {}
    (why,) = lacking_images("v1.24.10", ["calico-node", "calico-node-ipip"], Supply.PACKAGES, cache).values()
    assert "the image calico-node-ipip needs the program bird" in why
    assert "lab supply add bird FILE" in why
    user_programs.add("bird", Path("/bin/true"), cache, SilentProgress())
    assert lacking_images("v1.24.10", ["calico-node-ipip"], Supply.PACKAGES, cache) == {}
