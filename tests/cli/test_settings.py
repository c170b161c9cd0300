"""`lab status --settings`: in what a cluster differs from kubeadm's own."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lab.cli.main import cli
from lab.state.records import LabRecord, lab_folder, save_topology, write_record
from lab.topology.loader import find_topology

RECORD = LabRecord("a", mode="macvlan", supply="packages", created="", runtime="containerd")


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("LAB_NAME", raising=False)


def settings(record: LabRecord, *words: str) -> Result:
    folder = lab_folder("a")
    save_topology(folder, find_topology("underlay-3node"))
    write_record(folder, record)
    return CliRunner().invoke(cli, ["status", "--settings", *words])


@pytest.mark.parametrize(("accelerator", "tuning"), [("qemu", "slow-host"), ("kvm", "stock")])
def test_the_table_follows_the_accelerator(accelerator: str, tuning: str) -> None:
    said = settings(replace(RECORD, accelerator=accelerator)).stdout
    assert said.startswith(f"tuning {tuning}: ")
    assert "imageGCHighThresholdPercent (configuration)" in said
    assert ("unsafe-no-fsync (argument)" in said) is (tuning == "slow-host")


def test_programs_get_every_difference_with_its_reason() -> None:
    listed = json.loads(settings(replace(RECORD, accelerator="qemu"), "--json").stdout)
    [found] = [each for each in listed if each["name"] == "unsafe-no-fsync"]
    assert (found["part"], found["kind"], found["value"], found["own"]) == (
        "etcd",
        "argument",
        "true",
        "false",
    )
    assert "host's disk" in found["why"]


def test_before_the_box_is_there_it_says_so() -> None:
    done = settings(replace(RECORD, runtime=""))
    assert done.exit_code != 0
    assert "has no box yet" in str(done.exception or done.output)
