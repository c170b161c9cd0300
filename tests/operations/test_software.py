"""What is in the cache: each thing once, whether it was made here or imported."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.operations.software import cached_software
from lab.supply.cache import Cache, Record
from lab.supply.stock import Contents, keep
from lab.topology.models import Supply


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    monkeypatch.setenv("LAB_CACHE", str(tmp_path / "cache"))
    return Cache()


def test_what_mirrors_brought_is_listed_by_its_records_and_a_bundle_by_what_it_holds(
    cache: Cache, tmp_path: Path
) -> None:
    file = tmp_path / "kubelet"
    file.write_text("a kubelet")
    digest = cache.put(file)
    cache.remember(
        "key", Record("mirror", "https://dl.k8s.io/kubelet", "", {"kubelet": digest}, (), "a host")
    )
    for supply in (Supply.MIRROR, Supply.BUNDLE):
        keep(cache, supply, Contents("v1.24.10", {"kubelet": digest}, {}, {}))
    assert [(row.kind, row.record, row.name, row.size, row.digest) for row in cached_software()] == [
        ("mirror", "https://dl.k8s.io/kubelet", "kubelet", 9, digest),
        ("bundle", "Kubernetes v1.24.10", "kubelet", 9, digest),
    ]
