from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from lab.cluster.configuration import control_plane_patches, init_configuration, join_configuration
from lab.cluster.secrets import ClusterSecrets
from lab.cluster.tuning import Settings, settings_of
from lab.nodes.runtimes import Containerd, CriDockerd
from lab.topology.models import Taint
from lab.topology.plan import Plan

GOLDEN = Path(__file__).parent / "golden"
TOKEN = "abcdef.0123456789abcdef"  # noqa: S105
Compare = Callable[[Path, str], None]


@pytest.fixture(scope="module")
def known(secrets: ClusterSecrets) -> ClusterSecrets:
    return dataclasses.replace(secrets, token=TOKEN)


def test_init(plan: Plan, known: ClusterSecrets, settings: Settings, compare_with_golden: Compare) -> None:
    compare_with_golden(GOLDEN / "init.yaml", init_configuration(plan, Containerd(), known, settings))


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("v1.24.10", {"featureGates": {"LocalStorageCapacityIsolation": False}}),
        ("v1.30.4", {"localStorageCapacityIsolation": False}),
    ],
)
def test_on_docker_kubelet_evicts_nothing_and_measures_nothing(
    plan: Plan, known: ClusterSecrets, version: str, said: dict[str, object]
) -> None:
    plan = dataclasses.replace(plan, kubernetes=dataclasses.replace(plan.kubernetes, version=version))
    settings = settings_of(plan.kubernetes, CriDockerd(), emulated=True)
    init = init_configuration(plan, CriDockerd(), known, settings)
    kubelet = {text["kind"]: text for text in yaml.safe_load_all(init)}["KubeletConfiguration"]
    assert set(kubelet["evictionHard"].values()) == {"0%"}
    assert {key: kubelet.get(key) for key in said} == said


def later(plan: Plan) -> tuple[Plan, Settings]:
    """The plan for a kubeadm with the API v1beta4, on a slow host."""
    plan = plan.of_version("v1.37.2")
    return plan, settings_of(plan.kubernetes, Containerd(), emulated=True)


def test_init_of_a_later_version(plan: Plan, known: ClusterSecrets, compare_with_golden: Compare) -> None:
    plan, settings = later(plan)
    compare_with_golden(GOLDEN / "init-v1beta4.yaml", init_configuration(plan, Containerd(), known, settings))


def test_join_of_a_later_version(
    plan: Plan, known: ClusterSecrets, compare_with_golden: Compare, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.cluster.configuration.discovery_hash", lambda _: "sha256:0123")
    plan, settings = later(plan)
    text = join_configuration(plan, plan.workers[0], Containerd(), known, settings)
    compare_with_golden(GOLDEN / "join-v1beta4.yaml", text)


def test_later_versions_have_their_own_readiness_probes_patched_too(plan: Plan) -> None:
    _, settings = later(plan)
    patched = {
        Path(patch.path).name.partition("+")[0]
        for patch in control_plane_patches(settings)
        if "readinessProbe" in patch.content
    }
    assert patched == {"etcd", "kube-apiserver", "kube-scheduler"}


def test_join(
    plan: Plan,
    known: ClusterSecrets,
    settings: Settings,
    compare_with_golden: Compare,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lab.cluster.configuration.discovery_hash", lambda _: "sha256:0123")
    text = join_configuration(plan, plan.workers[0], CriDockerd(), known, settings)
    compare_with_golden(GOLDEN / "join.yaml", text)


def test_patches(settings: Settings, compare_with_golden: Compare) -> None:
    text = "".join(f"# {patch.path}\n{patch.content}" for patch in control_plane_patches(settings))
    compare_with_golden(GOLDEN / "patches.yaml", text)


def test_patches_leave_the_startup_probe_alone_and_have_kubeadms_names(settings: Settings) -> None:
    names = {Path(patch.path).name for patch in control_plane_patches(settings)}
    components = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
    assert names == {f"{component}+strategic.yaml" for component in components}
    assert not any("startupProbe" in patch.content for patch in control_plane_patches(settings))


@pytest.mark.parametrize("taints", [(), (Taint(key="dedicated", value="x", effect="NoSchedule"),)])
def test_taints_of_the_topology_replace_kubeadms(
    plan: Plan, known: ClusterSecrets, settings: Settings, taints: tuple[Taint, ...]
) -> None:
    node = dataclasses.replace(plan.first_control_plane, taints=taints)
    changed = dataclasses.replace(plan, nodes=(node, *plan.workers))
    init = next(yaml.safe_load_all(init_configuration(changed, Containerd(), known, settings)))
    wanted = [{"key": taint.key, "value": taint.value, "effect": taint.effect} for taint in taints]
    assert init["nodeRegistration"]["taints"] == wanted


def test_without_a_word_on_taints_kubeadm_sets_its_own(
    plan: Plan, known: ClusterSecrets, settings: Settings
) -> None:
    init = next(yaml.safe_load_all(init_configuration(plan, Containerd(), known, settings)))
    assert "taints" not in init["nodeRegistration"]
