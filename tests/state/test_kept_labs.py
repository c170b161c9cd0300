from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from lab.foundation.errors import WrongUseError
from lab.state.kept_labs import DESCRIPTION, GIB, KeptLabs, Kind, limit_bytes

MACVLAN = Kind("a" * 64, "underlay-3node", "macvlan")
FLANNEL = Kind("a" * 64, "underlay-3node", "flannel-vxlan")
OTHER = Kind("b" * 64, "underlay-3node", "macvlan")
BLOCK = 4096
MADE = "2026-01-01T00:00:00+00:00"


@pytest.fixture
def kept(tmp_path: Path) -> KeptLabs:
    return KeptLabs(tmp_path / "labs")


def add(kept: KeptLabs, kind: Kind, used: float = 0.0) -> None:
    with kept.adding(kind, MADE) as folder:
        (folder / "disk").write_bytes(os.urandom(10 * BLOCK))
    found = kept.find(kind)
    assert found is not None
    os.utime(found.folder / DESCRIPTION, (used, used))


def test_a_lab_is_found_by_all_that_went_into_it(kept: KeptLabs) -> None:
    assert kept.find(MACVLAN) is None
    add(kept, MACVLAN)
    found = kept.find(MACVLAN)
    assert found is not None
    assert (found.kind, found.made) == (MACVLAN, MADE)
    assert (found.folder / "disk").stat().st_size == 10 * BLOCK
    assert kept.find(OTHER) is None


def test_one_in_another_mode_is_better_than_none(kept: KeptLabs) -> None:
    add(kept, MACVLAN)
    found = kept.find(FLANNEL)
    assert found is not None
    assert found.kind == MACVLAN
    assert not kept.has(FLANNEL)
    add(kept, FLANNEL)
    assert kept.has(FLANNEL)


def test_other_options_are_another_kind_of_the_same_cluster(kept: KeptLabs) -> None:
    without_shim = replace(MACVLAN, options='{"host_shim": false}')
    add(kept, MACVLAN)
    assert not kept.has(without_shim)
    add(kept, without_shim)
    assert kept.has(without_shim)
    assert len(kept.all()) == 2


def test_what_fails_while_it_is_filled_is_not_kept(kept: KeptLabs, tmp_path: Path) -> None:
    def fill() -> None:
        with kept.adding(MACVLAN, MADE) as folder:
            (folder / "disk").write_text("half")
            raise RuntimeError("cut off")

    with pytest.raises(RuntimeError, match="cut off"):
        fill()
    assert kept.all() == ()
    assert [path.name for path in (tmp_path / "labs").iterdir()] == [".lock"]


def test_what_a_killed_one_left_goes_with_the_next(kept: KeptLabs, tmp_path: Path) -> None:
    for name in (".unfinished-x", "0123-half-removed"):
        (tmp_path / "labs" / name).mkdir(parents=True)
        (tmp_path / "labs" / name / "disk").write_text("half")
    assert kept.all() == ()
    add(kept, MACVLAN)
    assert {path.name for path in (tmp_path / "labs").iterdir()} == {".lock", MACVLAN.folder_name}


def test_the_labs_used_longest_ago_make_room(kept: KeptLabs) -> None:
    add(kept, MACVLAN, used=100)
    add(kept, FLANNEL, used=300)
    add(kept, OTHER, used=200)
    one = kept.all()[0].size
    removed = kept.prune(2 * one)
    assert [lab.kind for lab in removed] == [MACVLAN]
    assert [lab.kind for lab in kept.all()] == [FLANNEL, OTHER]


def test_what_kept_labs_share_is_counted_once(kept: KeptLabs) -> None:
    add(kept, MACVLAN, used=100)
    disk = kept.all()[0].folder / "disk"
    with kept.adding(FLANNEL, MADE) as folder:
        (folder / "disk").hardlink_to(disk)
    assert kept.prune(15 * BLOCK) == ()
    assert [lab.kind for lab in kept.all()] == [FLANNEL, MACVLAN]


def test_a_lab_in_use_counts_as_used_now(kept: KeptLabs) -> None:
    add(kept, MACVLAN, used=100)
    add(kept, OTHER, used=200)
    found = kept.find(MACVLAN)
    assert found is not None
    with kept.in_use(found) as folder:
        assert (folder / "disk").exists()
    assert [lab.kind for lab in kept.all()] == [MACVLAN, OTHER]


def test_adding_keeps_to_the_limit(kept: KeptLabs, monkeypatch: pytest.MonkeyPatch) -> None:
    add(kept, MACVLAN, used=100)
    monkeypatch.setenv("LAB_KEPT_GIB", str(15 * BLOCK / GIB))
    with kept.adding(OTHER, MADE) as folder:
        (folder / "disk").write_bytes(os.urandom(10 * BLOCK))
    assert [lab.kind for lab in kept.all()] == [OTHER]


def test_the_limit_is_a_number_of_gib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAB_KEPT_GIB", raising=False)
    assert limit_bytes() == 20 * GIB
    monkeypatch.setenv("LAB_KEPT_GIB", "1.5")
    assert limit_bytes() == 1.5 * GIB
    monkeypatch.setenv("LAB_KEPT_GIB", "much")
    with pytest.raises(WrongUseError, match="'much', expected a number of GiB"):
        limit_bytes()
