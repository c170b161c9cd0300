"""When a kept lab stands for another."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab.foundation.errors import LabError
from lab.foundation.paths import LabFolder
from lab.foundation.progress import SilentProgress
from lab.machines.vagrantfile import TEMPLATE
from lab.operations.context import Lab
from lab.operations.keeping import keep as keeping
from lab.operations.keeping.keep import (
    bring_mode,
    is_kept,
    kind_of,
    mode_of_snapshot,
    mode_snapshot,
    take_mode_snapshot,
)
from lab.state.kept_labs import KeptLab, KeptLabs, Kind
from lab.state.records import LabRecord
from lab.topology.loader import find_topology, load_topology
from lab.topology.mode_choice import ModeChoice
from lab.topology.planner import make_plan
from tests.stand_in_site import PaperParts, put_box

DIGEST = "0" * 64
OTHER_DIGEST = "1" * 64


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """A lab on paper, with two boxes in the cache."""
    monkeypatch.setenv("LAB_CACHE", str(tmp_path / "cache"))
    for digest in (DIGEST, OTHER_DIGEST):
        put_box(digest)
    plan = make_plan(load_topology(find_topology("underlay-3node")))
    record = LabRecord(
        "a", mode="macvlan", supply="packages", created="", accelerator="qemu", box_digest=DIGEST
    )
    folder = LabFolder(tmp_path / "a")
    return Lab(folder, record, plan, SilentProgress(), PaperParts(folder))


def other(lab: Lab, **changes: object) -> Lab:
    """The same lab with another name and another record."""
    record = replace(lab.record, **changes)  # type: ignore[arg-type]
    folder = LabFolder(lab.folder.root.parent / "b")
    return Lab(folder, record, lab.plan, SilentProgress(), PaperParts(folder))


def test_a_lab_of_another_name_is_of_the_same_kind(lab: Lab) -> None:
    assert kind_of(other(lab, name="b", created="later")) == kind_of(lab)


@pytest.mark.parametrize("changes", [{"box_digest": OTHER_DIGEST}, {"accelerator": "kvm"}])
def test_another_box_or_accelerator_is_another_kind(lab: Lab, changes: dict[str, str]) -> None:
    assert kind_of(other(lab, **changes)).key != kind_of(lab).key


def test_another_plan_is_another_kind(lab: Lab) -> None:
    key = kind_of(lab).key
    master, *workers = lab.plan.nodes
    lab.plan = replace(lab.plan, nodes=(replace(master, memory_mib=master.memory_mib + 1), *workers))
    assert kind_of(lab).key != key


def test_another_mode_is_of_the_same_cluster(lab: Lab) -> None:
    one = kind_of(lab)
    lab.plan = replace(lab.plan, mode="flannel-vxlan")
    assert kind_of(lab).key == one.key
    assert kind_of(lab).mode == "flannel-vxlan"


def test_other_options_of_the_mode_are_of_the_same_cluster(lab: Lab) -> None:
    one = kind_of(lab)
    lab.plan = replace(lab.plan, mode_options={"host_shim": False})
    assert kind_of(lab).key == one.key
    assert kind_of(lab) != one


def test_other_images_of_the_mode_are_of_the_same_cluster(lab: Lab) -> None:
    lab.plan = replace(lab.plan, mode="calico-vxlan", mode_options={})
    calico = other(lab, images=("lab/pause:3.7",), images_on_demand={"lab/calico-node:v3": DIGEST})
    newer = other(lab, images=("lab/pause:3.7",), images_on_demand={"lab/calico-node:v3": OTHER_DIGEST})
    assert kind_of(calico).key == kind_of(newer).key
    assert kind_of(calico) != kind_of(newer)
    for each in (calico, newer):
        each.plan = replace(lab.plan, mode="macvlan")
    assert kind_of(calico) == kind_of(newer)


def test_other_code_is_another_kind(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = kind_of(lab).key
    changed = tmp_path / "Vagrantfile.j2"
    changed.write_bytes(TEMPLATE.read_bytes() + b"\n")
    monkeypatch.setattr(keeping, "TEMPLATE", changed)
    assert kind_of(lab).key != key


def test_without_a_box_there_is_no_kind(lab: Lab) -> None:
    with pytest.raises(LabError, match="has no box yet"):
        kind_of(other(lab, box_digest=""))


def test_a_modes_snapshot_tells_its_mode() -> None:
    assert mode_of_snapshot(mode_snapshot(ModeChoice("macvlan"))) == "macvlan"
    assert mode_of_snapshot("cluster") == ""


class Saved(SilentProgress):
    """Machines with snapshots of one GiB each on a disk that has little room; and what is said about it."""

    def __init__(self, *names: str, free_gib: float) -> None:
        self.names = list(names)
        self.free_gib = free_gib
        self.notes: list[str] = []

    def snapshots_by_age(self) -> tuple[str, ...]:
        return tuple(self.names)

    def remove_snapshot(self, name: str) -> None:
        self.names.remove(name)
        self.free_gib += 1

    def snapshot(self, name: str, beside: object) -> None:
        self.names.append(name)

    def disk_usage(self, path: Path) -> SimpleNamespace:
        return SimpleNamespace(free=int(self.free_gib * 2**30))

    def note(self, text: str) -> None:
        self.notes.append(text)


def on_a_disk(lab: Lab, monkeypatch: pytest.MonkeyPatch, *names: str, beyond_gib: float) -> Saved:
    """Machines with these snapshots; `beyond_gib` is what the disk has beyond what one more takes."""
    memory_gib = sum(node.memory_mib for node in lab.plan.nodes) / 1024
    saved = Saved(*names, free_gib=memory_gib + keeping.DISK_LEFT_GIB + beyond_gib)
    monkeypatch.setattr("shutil.disk_usage", saved.disk_usage)
    lab.folder.root.mkdir(exist_ok=True)
    return saved


def take_in_macvlan(lab: Lab, saved: Saved) -> None:
    in_macvlan = lab.plan.in_mode(ModeChoice("macvlan"))
    parts = PaperParts(lab.folder, made_machines=saved)
    take_mode_snapshot(Lab(lab.folder, lab.record, in_macvlan, saved, parts))


def kept(lab: Lab, monkeypatch: pytest.MonkeyPatch, *names: str, beyond_gib: float) -> Saved:
    """What is there after a snapshot in macvlan."""
    saved = on_a_disk(lab, monkeypatch, *names, beyond_gib=beyond_gib)
    take_in_macvlan(lab, saved)
    return saved


def test_the_snapshot_of_a_mode_costs_no_other_where_there_is_room(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = kept(lab, monkeypatch, "cluster", "mode-bridge", beyond_gib=0)
    assert saved.names == ["cluster", "mode-bridge", "mode-macvlan"]
    assert saved.notes == []


def test_the_snapshots_of_modes_taken_first_make_room(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("mode-hybridnet", "cluster", "mode-bridge", "mine", "mode-routed")
    saved = kept(lab, monkeypatch, *names, beyond_gib=-1.5)
    assert saved.names == ["cluster", "mine", "mode-routed", "mode-macvlan"]
    assert [note.rpartition("of the ")[2] for note in saved.notes] == [
        "mode hybridnet",
        "mode bridge",
    ]


def add_to_the_cache(kind: Kind, used: float) -> None:
    """A kept lab of that kind, last used at that instant (seconds since 1970)."""
    with KeptLabs().adding(kind, "2026-01-01T00:00:00Z") as folder:
        (folder / "disk").write_text("")
    found = next(each for each in KeptLabs().all() if each.kind == kind)
    os.utime(found.folder / "kept.json", (used, used))


def test_kept_labs_of_other_kinds_make_room_first_those_used_longest_ago(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = replace(kind_of(lab), mode="hybridnet")
    for used, kind in enumerate((own, *(Kind(f"other-{n}", "flat-3node", "bridge") for n in "abc")), start=1):
        add_to_the_cache(kind, used)
    remove = KeptLabs.remove

    def remove_a_gib(kept: KeptLabs, which: KeptLab) -> None:
        saved.free_gib += 1
        remove(kept, which)

    monkeypatch.setattr(KeptLabs, "remove", remove_a_gib)
    saved = on_a_disk(lab, monkeypatch, "cluster", "mode-bridge", beyond_gib=-1.5)
    take_in_macvlan(lab, saved)
    assert saved.names == ["cluster", "mode-bridge", "mode-macvlan"]
    assert [each.kind.key for each in KeptLabs().all()] == ["other-c", own.key]
    assert saved.notes == ["the disk is nearly full: removed the kept lab of flat-3node in bridge"] * 2


def test_without_room_there_is_no_snapshot_of_the_mode_and_the_users_own_stay(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = kept(lab, monkeypatch, "cluster", "mine", "mode-bridge", beyond_gib=-3)
    assert saved.names == ["cluster", "mine"]
    assert "no snapshot of the mode macvlan was taken" in saved.notes[-1]


@dataclass
class TakesOver:
    """Machines that note what they take over."""

    taken: list[tuple[str, str]] = field(default_factory=list)

    def take_over(self, source: Path, snapshot: str) -> None:
        self.taken.append((source.name, snapshot))


@pytest.mark.parametrize(
    ("kept_mode", "secrets", "brought"),
    [("macvlan", "ours", True), ("routed", "ours", False), ("macvlan", "another", False), (None, "", False)],
)
def test_a_mode_comes_from_the_cache_where_the_same_cluster_left_it(
    lab: Lab, kept_mode: str | None, secrets: str, brought: bool
) -> None:
    machines = TakesOver()
    parts = PaperParts(lab.folder, made_machines=machines)
    lab = Lab(lab.folder, lab.record, lab.plan.in_mode(ModeChoice("macvlan")), SilentProgress(), parts)
    lab.folder.root.mkdir(parents=True)
    lab.folder.secrets.write_text("ours")
    if kept_mode is not None:
        kind = replace(kind_of(lab), mode=kept_mode)
        with KeptLabs().adding(kind, "now") as folder:
            (folder / lab.folder.secrets.name).write_text(secrets)
    assert is_kept(lab) == (kept_mode == "macvlan")
    assert bring_mode(lab) is brought
    assert machines.taken == ([("machines", "mode-macvlan")] if brought else [])
