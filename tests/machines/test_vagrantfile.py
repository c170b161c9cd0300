from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from lab.foundation.process import run
from lab.machines.vagrantfile import TIMER_SLACK, MachineSettings, node_kernel_arguments, render_vagrantfile
from lab.supply.box.model import Box
from lab.topology.plan import Plan

GOLDEN = Path(__file__).parent / "golden"
EMULATED = MachineSettings(driver="qemu", late_timers=True)


def test_the_standard_topology(plan: Plan, box: Box) -> None:
    assert render_vagrantfile(plan, box, EMULATED) == (GOLDEN / "underlay-3node.Vagrantfile").read_text()


def test_with_kvm_guests_get_the_host_s_processor(plan: Plan, box: Box) -> None:
    text = render_vagrantfile(plan, box, MachineSettings(driver="kvm"))
    assert 'libvirt.driver = "kvm"' in text
    assert 'libvirt.cpu_mode = "host-passthrough"' in text
    assert "cpu_model" not in text


def test_an_mtu_of_its_own_is_rendered_for_uplink_and_others(plan: Plan, box: Box) -> None:
    networks = tuple(replace(network, mtu=1400) for network in plan.networks)
    text = render_vagrantfile(replace(plan, networks=networks), box, EMULATED)
    assert "libvirt.management_network_mtu = 1400" in text
    assert text.count("libvirt__mtu: 1400") == 9


@pytest.mark.skipif(shutil.which("ruby") is None, reason="needs ruby")
@pytest.mark.parametrize("mtu", [1500, 1400])
def test_it_is_ruby(plan: Plan, box: Box, mtu: int) -> None:
    networks = tuple(replace(network, mtu=mtu) for network in plan.networks)
    text = render_vagrantfile(replace(plan, networks=networks), box, EMULATED)
    assert run(["ruby", "-wc"], stdin=text).stdout == "Syntax OK\n"


def test_nodes_get_their_name_and_all_addresses_but_the_uplink_s_on_the_kernel_line(plan: Plan) -> None:
    name, machine_id, *addresses = node_kernel_arguments(plan, plan.nodes[1])
    assert name == "systemd.hostname=k8s-node1"
    assert len(machine_id.partition("=")[2]) == 32
    assert addresses == [
        "ip=172.31.7.102:::255.255.248.0:k8s-node1:eth1:off",
        "ip=192.168.6.202:::255.255.255.0:k8s-node1:eth2:off",
        "ip=192.168.56.102:::255.255.255.0:k8s-node1:eth3:off",
    ]


def test_machine_ids_differ_between_nodes_and_topologies(plan: Plan) -> None:
    other = replace(plan, topology="other")
    assert len({node_kernel_arguments(each, node)[1] for each in (plan, other) for node in plan.nodes}) == 6


@pytest.mark.parametrize("driver", ["kvm", "qemu"])
def test_guests_are_told_to_let_timers_fire_late(
    plan: Plan, box: Box, driver: Literal["kvm", "qemu"]
) -> None:
    late = MachineSettings(driver=driver, late_timers=True)
    assert render_vagrantfile(plan, box, late).count(TIMER_SLACK) == len(plan.nodes)
    assert TIMER_SLACK not in render_vagrantfile(plan, box, replace(late, late_timers=False))


def test_emulated_guests_are_told_the_frequency_of_the_host_s_counter(plan: Plan, box: Box) -> None:
    measured = MachineSettings(driver="qemu", counter_khz=2_596_120)
    assert render_vagrantfile(plan, box, measured).count("tsc_early_khz=2596120") == len(plan.nodes)
    with_kvm = MachineSettings(driver="kvm", counter_khz=2_596_120)
    assert "tsc_early_khz" not in render_vagrantfile(plan, box, with_kvm)
