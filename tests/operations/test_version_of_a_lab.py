"""A lab has the version of Kubernetes that its topology or `--kubernetes` names, and keeps it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from lab.foundation.errors import LabError, WrongUseError
from lab.foundation.progress import SilentProgress
from lab.operations import up
from lab.operations.context import Lab
from lab.operations.planning import Chosen
from lab.operations.topologies import checked_plan
from lab.operations.up import UpRequest, bring_up
from lab.state.records import LabRecord, lab_folder, now, read_record, save_topology, write_record
from lab.supply.catalogue import full_version, versions
from lab.topology.loader import find_topology
from lab.topology.models import KubeProxy, PolicyEnforcer


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LAB_CACHE", str(tmp_path / "cache"))


class ReachedError(Exception):
    """The steps would have begun."""


@pytest.fixture
def _stop_at_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    def reached(*_: object) -> None:
        raise ReachedError

    monkeypatch.setattr(up, "run_steps", reached)


def begin(
    kubernetes: str | None,
    mode: str = "flannel-vxlan",
    topology: str = "underlay-3node",
    *,
    kube_proxy: str | None = None,
    policy: str | None = None,
) -> None:
    request = UpRequest(
        topology,
        mode,
        supply="packages",
        name="a",
        kubernetes=kubernetes,
        kube_proxy=kube_proxy,
        policy=policy,
    )
    bring_up(request, SilentProgress())


def opened() -> Lab:
    return Lab.open(lab_folder("a"), SilentProgress())


@pytest.mark.usefixtures("_stop_at_steps")
@pytest.mark.parametrize(("wanted", "meant"), [(None, "v1.24.10"), ("v1.37", full_version("v1.37"))])
def test_the_lab_keeps_the_version_that_it_was_made_with(wanted: str | None, meant: str) -> None:
    with pytest.raises(ReachedError):
        begin(wanted)
    lab = opened()
    assert lab.plan.kubernetes.version == lab.record.kubernetes == meant
    with pytest.raises(ReachedError):
        begin(wanted)


@pytest.mark.usefixtures("_stop_at_steps")
def test_a_topology_may_name_the_version_without_its_patch_release(tmp_path: Path) -> None:
    text = find_topology("underlay-3node").read_text()
    topology = tmp_path / "new.yaml"
    topology.write_text(text.replace("version: v1.24.10", "version: v1.37"))
    assert checked_plan(str(topology)).kubernetes.version == full_version("v1.37")
    with pytest.raises(ReachedError):
        begin(None, topology=str(topology))
    assert opened().plan.kubernetes.version == full_version("v1.37")


@pytest.mark.usefixtures("_stop_at_steps")
def test_another_version_for_a_lab_that_is_there_is_refused() -> None:
    with pytest.raises(ReachedError):
        begin("v1.37")
    with pytest.raises(WrongUseError, match=r"runs Kubernetes v1\.37\.\d+, not v1\.24\.10") as caught:
        begin(None)
    assert f"--kubernetes {full_version('v1.37')}" in (caught.value.resolution or "")


@pytest.mark.usefixtures("_stop_at_steps")
def test_a_lab_of_an_earlier_program_has_its_topologys_version() -> None:
    folder = lab_folder("a")
    folder.root.mkdir(parents=True)
    save_topology(folder, find_topology("underlay-3node"))
    write_record(folder, LabRecord("a", mode="flannel-vxlan", supply="packages", created=now()))
    with pytest.raises(ReachedError):
        begin(None)
    with pytest.raises(WrongUseError, match=r"runs Kubernetes v1\.24\.10, not v1\.30\.4"):
        begin("v1.30")


def test_an_unknown_version_is_answered_with_all_before_anything_is_there(tmp_path: Path) -> None:
    with pytest.raises(WrongUseError, match=r"Kubernetes v1\.99 is not in the catalogue") as caught:
        begin("v1.99")
    assert ", ".join(versions()) in str(caught.value)
    assert read_record(lab_folder("a")) is None
    text = find_topology("underlay-3node").read_text()
    topology = tmp_path / "new.yaml"
    topology.write_text(text.replace("version: v1.24.10", "version: v1.99.1"))
    with pytest.raises(WrongUseError, match=r"v1\.99\.1 is not in the catalogue"):
        checked_plan(str(topology))


@pytest.mark.parametrize(("mode", "lacks"), [("hybridnet", "hybridnet"), ("calico-vxlan", "calico-node")])
def test_a_mode_whose_software_the_version_lacks_is_refused_before_anything_is_there(
    mode: str, lacks: str
) -> None:
    with pytest.raises(LabError) as caught:
        begin("v1.37", mode)
    assert f"the catalogue has no image {lacks} for Kubernetes v1.37" in str(caught.value)
    assert read_record(lab_folder("a")) is None


def test_all_that_can_be_chosen_is_told_where_it_differs() -> None:
    assert set(up.RUNS) == {field.name for field in dataclasses.fields(Chosen)}


@pytest.mark.usefixtures("_stop_at_steps")
def test_of_another_topology_and_version_it_is_the_topology_that_differs(tmp_path: Path) -> None:
    with pytest.raises(ReachedError):
        begin(None)
    other = tmp_path / "other.yaml"
    other.write_text(find_topology("underlay-3node").read_text().replace("172.31.0.100", "172.31.0.101"))
    with pytest.raises(WrongUseError, match="made from a topology that differs"):
        begin("v1.37", topology=str(other))


@pytest.mark.usefixtures("_stop_at_steps")
def test_the_lab_keeps_its_kube_proxy_too() -> None:
    with pytest.raises(ReachedError):
        begin(None, kube_proxy="ipvs")
    assert opened().plan.kubernetes.kube_proxy is KubeProxy.IPVS
    with pytest.raises(ReachedError):
        begin(None, kube_proxy="ipvs")
    with pytest.raises(
        WrongUseError, match=r"runs kube-proxy \(ipvs\), not kube-proxy \(iptables\)"
    ) as caught:
        begin(None)
    assert "add --kube-proxy ipvs" in (caught.value.resolution or "")


def test_a_kube_proxy_that_the_version_lacks_is_refused_before_anything_is_there() -> None:
    with pytest.raises(WrongUseError, match=r"v1\.24\.10 has no mode nftables"):
        begin(None, kube_proxy="nftables")
    assert read_record(lab_folder("a")) is None


@pytest.mark.usefixtures("_stop_at_steps")
def test_the_lab_keeps_what_enforces_its_policies() -> None:
    with pytest.raises(ReachedError):
        begin(None, policy="kube-network-policies")
    assert opened().plan.kubernetes.policy is PolicyEnforcer.KUBE_NETWORK_POLICIES
    with pytest.raises(WrongUseError, match="runs with --policy kube-network-policies, not none") as caught:
        begin(None)
    assert "add --policy kube-network-policies" in (caught.value.resolution or "")


def test_an_enforcer_beside_a_mode_that_enforces_is_refused_before_anything_is_there() -> None:
    with pytest.raises(WrongUseError) as caught:
        begin(None, "calico-vxlan", policy="kube-network-policies")
    assert "enforces network policies itself" in (caught.value.details or "")
    assert read_record(lab_folder("a")) is None
