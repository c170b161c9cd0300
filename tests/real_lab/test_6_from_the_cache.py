"""What `lab up` built is kept: a lab taken down comes back from the cache, and is as good as a new one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from lab.foundation.paths import cache_root
from tests.real_lab.lab_under_test import (
    TOPOLOGY,
    HostTrace,
    Lab,
    opened_by_vagrants_key,
    vagrant_states,
)

pytestmark = pytest.mark.real_lab

FROM_THE_CACHE = "machines from the cache"
BUILT = {"kubeadm init", "kubeadm join", "pod network"}


def steps_of_up(lab: Lab, mode: str) -> set[str]:
    """The names of the steps that a `lab up` in that mode ran."""
    summary = json.loads(lab("up", "--topology", TOPOLOGY, "--mode", mode, "--json"))
    return {step["name"] for step in summary["steps"]}


def free_gib() -> float:
    return shutil.disk_usage(cache_root()).free / 2**30


def test_a_lab_of_the_same_kind_comes_from_the_cache(lab: Lab) -> None:
    rows = json.loads(lab("cache", "list", "--json"))
    assert "macvlan" in [row["mode"] for row in rows], f"not kept: {free_gib():.0f} GiB of the disk are free"
    steps = steps_of_up(lab, "macvlan")
    assert FROM_THE_CACHE in steps
    assert not steps & BUILT
    nodes = {node["name"]: node["condition"] for node in json.loads(lab("status", "--json"))["nodes"]}
    assert set(nodes.values()) == {"Ready"}
    assert vagrant_states(lab) == dict.fromkeys(nodes, "running")


def test_it_has_keys_of_its_own_all_the_same(lab: Lab, tmp_path: Path) -> None:
    assert opened_by_vagrants_key(lab, tmp_path) == []


def test_it_is_accepted(lab: Lab) -> None:
    lab("test", "--", "-q", "--brief", "--reboot", "no")


def test_a_save_point_brings_back_what_was_there(lab: Lab) -> None:
    lab("exec", "k8s-node1", "--", "touch", "/root/mine")
    lab("snapshot", "save", "mine")
    lab("exec", "k8s-node1", "--", "rm", "/root/mine")
    lab("snapshot", "restore", "mine")
    assert lab("exec", "k8s-node1", "--", "ls", "/root/mine").strip() == "/root/mine"
    assert "mine" in {row["name"] for row in json.loads(lab("snapshot", "list", "--json"))}


def test_it_leaves_as_little_as_any_other(lab: Lab, before: HostTrace) -> None:
    lab("down")
    HostTrace.now().assert_as(before)
