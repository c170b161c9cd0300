"""In what clusters differ from kubeadm's own, by tuning and accelerator."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import yaml

from lab.cluster.configuration import control_plane_patches, dns_patch, init_configuration, join_configuration
from lab.cluster.kubeadm import Membership, init_script
from lab.cluster.secrets import ClusterSecrets
from lab.cluster.tuning import (
    EVERY_LAB,
    Kind,
    Part,
    Setting,
    Settings,
    settings_of,
    slow_host_settings,
    tuning_of,
)
from lab.nodes.keys import KeyFiles
from lab.nodes.pool import Nodes
from lab.nodes.runtimes import Containerd, ContainerRuntime, CriDockerd
from lab.supply.catalogue import versions
from lab.topology.models import Tuning
from lab.topology.plan import Plan
from tests.stand_in_site import Here

PAGE = Path(__file__).parents[2] / "docs" / "tuning.md"
ALL_LABS_HAVE = {"certSANs"}
"""Names and addresses in the API server's certificate, beside kubeadm's own."""


def with_tuning(plan: Plan, tuning: Tuning) -> Plan:
    return dataclasses.replace(plan, kubernetes=dataclasses.replace(plan.kubernetes, tuning=tuning))


@pytest.mark.parametrize(
    ("tuning", "emulated", "meant"),
    [
        (Tuning.AUTO, True, Tuning.SLOW_HOST),
        (Tuning.AUTO, False, Tuning.STOCK),
        (Tuning.STOCK, True, Tuning.STOCK),
        (Tuning.SLOW_HOST, False, Tuning.SLOW_HOST),
    ],
)
def test_auto_is_decided_by_the_accelerator(
    plan: Plan, tuning: Tuning, emulated: bool, meant: Tuning
) -> None:
    kubernetes = with_tuning(plan, tuning).kubernetes
    assert tuning_of(kubernetes, emulated=emulated) is meant
    settings = settings_of(kubernetes, Containerd(), emulated=emulated)
    assert settings.tuning is meant
    assert bool(settings.of(Part.NODE, Kind.TIMERS)) is (meant is Tuning.SLOW_HOST)


@pytest.mark.parametrize("runtime", [Containerd(), CriDockerd()])
def test_stock_sets_nothing_but_what_every_lab_needs(
    plan: Plan, secrets: ClusterSecrets, runtime: ContainerRuntime
) -> None:
    stock = settings_of(plan.kubernetes, runtime, emulated=False)
    init, cluster, kubelet, proxy = yaml.safe_load_all(init_configuration(plan, runtime, secrets, stock))
    assert "patches" not in init
    assert init["nodeRegistration"]["kubeletExtraArgs"].keys() == {"node-ip"}
    assert cluster["apiServer"].keys() == ALL_LABS_HAVE
    always = {part: {each.name for each in EVERY_LAB if each.part is part} for part in Part}
    arguments = cluster["controllerManager"].pop("extraArgs")
    assert arguments.keys() == always[Part.CONTROLLER_MANAGER] == {"cluster-signing-duration"}
    assert (cluster["controllerManager"], cluster["scheduler"], cluster["etcd"]) == ({}, {}, {"local": {}})
    given = {"apiVersion", "kind", "cgroupDriver", "resolvConf", "rotateCertificates"}
    assert kubelet.keys() - given == always[Part.KUBELET]
    assert proxy["mode"] == "iptables"
    join = yaml.safe_load(join_configuration(plan, plan.workers[0], runtime, secrets, stock))
    assert join["nodeRegistration"]["kubeletExtraArgs"].keys() == {"node-ip"}
    assert control_plane_patches(stock) == ()
    assert dns_patch(stock) is None


def test_every_setting_for_a_slow_host_reaches_a_file_or_the_kernel_line(
    plan: Plan, secrets: ClusterSecrets, membership: Membership, tmp_path: Path
) -> None:
    settings = membership.settings
    of_dns = dns_patch(settings)
    assert of_dns is not None
    written = "".join(
        (
            init_configuration(plan, Containerd(), secrets, settings),
            *(patch.content for patch in control_plane_patches(settings)),
            of_dns.content,
            init_script(Nodes(plan, KeyFiles(tmp_path, tmp_path), Here()), membership).text,
        )
    )
    on_the_kernel_line = settings.of(Part.NODE, Kind.TIMERS).keys()
    missing = [each.name for each in settings.all if each.name not in written]
    assert missing == list(on_the_kernel_line)


def test_every_setting_says_what_kubeadm_has_and_why_it_differs(settings: Settings) -> None:
    assert all(each.why and each.own != each.text for each in settings.all)
    assert len({(each.part, each.kind, each.name) for each in settings.all}) == len(settings.all)


@pytest.mark.parametrize("version", versions())
@pytest.mark.parametrize("runtime", [Containerd(), CriDockerd()])
def test_what_the_catalogue_says_of_a_version_is_said_of_settings_that_there_are(
    plan: Plan, version: str, runtime: ContainerRuntime
) -> None:
    every = (*slow_host_settings(CriDockerd()), *slow_host_settings(CriDockerd(), control_planes=3))
    known = {f"{each.part} {each.name}" for each in every}
    settings = settings_of(plan.of_version(version).kubernetes, runtime, emulated=True)
    assert known >= {*settings.features.without, *settings.features.own}
    names = {f"{each.part} {each.name}" for each in settings.all}
    assert not names & set(settings.features.without)
    own = {f"{each.part} {each.name}": each.own for each in settings.all}
    assert {name: own[name] for name in settings.features.own} == settings.features.own
    limits = {"timeoutForControlPlane", "controlPlaneComponentHealthCheck"}
    assert len(limits & {each.name for each in settings.all}) == 1
    isolation = {"featureGates", "localStorageCapacityIsolation"}
    assert len(isolation & {each.name for each in settings.all}) == (not runtime.cheap_statistics)


def rows(settings: tuple[Setting, ...]) -> list[str]:
    """The lines of the page's table."""
    return [
        f"| {each.part} | {each.name} ({each.kind}) | {each.text} | {each.own or 'not set'} | {each.why} |"
        for each in settings
    ]


@pytest.mark.parametrize("control_planes", [1, 3])
@pytest.mark.parametrize("runtime", [Containerd(), CriDockerd()])
def test_the_page_lists_all_settings(plan: Plan, runtime: ContainerRuntime, control_planes: int) -> None:
    lines = PAGE.read_text().splitlines()
    settings = settings_of(plan.kubernetes, runtime, emulated=True, control_planes=control_planes)
    assert [row for row in rows(settings.all) if row not in lines] == []
