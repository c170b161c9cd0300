"""A supply is one object, and nothing but the order that `auto` prefers knows supplies by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import cast

import pytest

from lab.foundation.errors import LabError, WrongUseError
from lab.foundation.progress import Progress
from lab.supply import choice, on_demand, user_programs
from lab.supply.cache import Cache
from lab.supply.catalogue import Entry, load_entry
from lab.supply.lacking import lacking_images
from lab.supply.probe import Wanted
from lab.supply.software import Image, Software
from lab.supply.stock import Contents, keep
from lab.supply.suppliers import SUPPLIERS, registry, supplier_of
from lab.topology.models import Supply
from tests.supply.stand_ins import Notes

VERSION = "v1.24.10"
AGNHOST = Image("registry.lab.internal/agnhost:v1", Path("agnhost"), "a" * 64)
CALICO = Image("registry.lab.internal/calico-node:v1", Path("calico-node"), "c" * 64)
CALICO_NAMES = on_demand.names_on_demand(VERSION)


class More(StrEnum):
    """A name that topologies would have."""

    SHELF = "shelf"


SHELF = cast(Supply, More.SHELF)


@dataclass(frozen=True)
class FromShelf:
    """Has the image calico-node, and no other one on demand."""

    name = SHELF
    imported = False
    asked: list[str] = field(default_factory=list)

    def kept(self, version: str, cache: Cache) -> Software | None:
        return None

    def lacking(self, names: Iterable[str], version: str, cache: Cache) -> Mapping[str, str]:
        return {name: f"the shelf has no {name}" for name in names if name != CALICO.name}

    def bring(self, version: str, cache: Cache, progress: Progress) -> Software:
        self.asked.append(version)
        return Software(version, {}, {}, (AGNHOST,), "d" * 64)

    def on_demand(
        self, names: frozenset[str], version: str, cache: Cache, progress: Progress
    ) -> tuple[Image, ...]:
        return (CALICO,)

    def will_bring(self, program: str, version: str, cache: Cache) -> bool:
        return False

    def wanted(
        self, entry: Entry, on_demand: frozenset[str], cache: Cache, progress: Progress
    ) -> tuple[Wanted, ...]:
        return (Wanted("place", "shelf", ()),)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path)


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> FromShelf:
    supplier = FromShelf()
    monkeypatch.setattr(registry, "SUPPLIERS", (*SUPPLIERS, supplier))
    return supplier


def test_every_name_of_a_supply_but_auto_has_its_supplier() -> None:
    names = [supplier.name for supplier in SUPPLIERS]
    assert sorted(names) == sorted(set(Supply) - {Supply.AUTO})
    assert all(supplier_of(name).name is name for name in names)


def test_a_further_supply_needs_nothing_but_its_place_among_the_suppliers(
    shelf: FromShelf, cache: Cache
) -> None:
    notes = Notes()
    settled = choice.settle(SHELF, VERSION, cache, notes)
    supply, software = choice.bring(settled, VERSION, cache, notes)
    assert (settled.supply, supply, shelf.asked) == (SHELF, SHELF, [VERSION])
    assert software.images == (AGNHOST,)

    assert lacking_images(VERSION, ["calico-node", "calico-cni"], SHELF, cache) == {
        "calico-cni": "the shelf has no calico-cni"
    }
    (place,) = choice.may_bring(SHELF)[0].wanted(load_entry(VERSION), frozenset(), cache, notes)
    assert place.name == "shelf"

    wanted = frozenset({"calico-node"})
    assert on_demand.images_on_demand(wanted, VERSION, SHELF, cache, notes) == (CALICO,)
    with pytest.raises(LabError, match="the supply shelf does not have the images calico-cni"):
        on_demand.images_on_demand(wanted | {"calico-cni"}, VERSION, SHELF, cache, notes)
    assert notes.said == []
    whole = on_demand.with_all_images(software, SHELF, cache, notes)
    assert whole == replace(software, images_on_demand=(CALICO,))
    assert sorted(notes.said) == sorted(
        f"left out: the shelf has no {name}" for name in CALICO_NAMES - {"calico-node"}
    )


def test_one_supply_takes_the_place_of_another_that_fails(shelf: FromShelf, cache: Cache) -> None:
    notes, bundle = Notes(), supplier_of(Supply.BUNDLE)
    supply, _ = choice.bring(choice.Choice(bundle, fall_back=shelf), VERSION, cache, notes)
    assert supply is SHELF
    assert notes.said == ["supply: shelf instead of bundle: the cache has no bundle with Kubernetes v1.24.10"]


def test_what_was_imported_is_not_asked_for_images_on_demand(cache: Cache) -> None:
    keep(cache, Supply.BUNDLE, Contents(VERSION, {}, {}, {}))
    software = supplier_of(Supply.BUNDLE).bring(VERSION, cache, Notes())
    assert on_demand.with_all_images(software, Supply.BUNDLE, cache, Notes()) is software


@pytest.mark.parametrize("supply", [Supply.MIRROR, Supply.BUNDLE])
def test_what_another_cache_would_have_is_not_kept(supply: Supply, cache: Cache) -> None:
    keep(cache, supply, Contents(VERSION, {"kubelet": "a" * 64}, {}, {}))
    assert supplier_of(supply).kept(VERSION, cache) is None


def test_what_mirrors_gave_for_other_wishes_is_not_kept(cache: Cache) -> None:
    keep(cache, Supply.MIRROR, Contents(VERSION, {}, {}, {}, made_of="other wishes"))
    assert supplier_of(Supply.MIRROR).kept(VERSION, cache) is None


def test_a_bundle_has_no_source_to_ask(cache: Cache) -> None:
    with pytest.raises(WrongUseError, match="the supply bundle has no source to ask"):
        supplier_of(Supply.BUNDLE).wanted(load_entry(VERSION), frozenset(), cache, Notes())


def test_whether_cri_dockerd_will_come_is_guessed_from_what_the_cache_has(cache: Cache) -> None:
    def guesses() -> list[bool]:
        return [
            supplier_of(each).will_bring("cri-dockerd", VERSION, cache) for each in Supply if each != "auto"
        ]

    assert guesses() == [False, True, False]
    keep(cache, Supply.MIRROR, Contents(VERSION, {}, {}, {}, made_of="other wishes"))
    assert guesses() == [False, False, False]
    user_programs.add("cri-dockerd", Path("/bin/true"), cache, Notes())
    (digest,) = (record.outputs["cri-dockerd"] for record in cache.records())
    for supply in (Supply.MIRROR, Supply.BUNDLE):
        keep(cache, supply, Contents(VERSION, {"cri-dockerd": digest}, {}, {}))
    assert guesses() == [True, True, True]
