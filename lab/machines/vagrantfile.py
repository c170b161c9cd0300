"""The Vagrantfile of a lab, rendered from its plan."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Literal
from uuid import UUID

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from lab.foundation.paths import shipped
from lab.machines.networks import DEFAULT_MTU
from lab.supply.box.model import Box
from lab.topology.plan import NodePlan, Plan

TEMPLATE = shipped("Vagrantfile.j2")
MACHINE_ID_LENGTH = 32
"""Hexadecimal digits of a machine-id(5)."""
TIMER_SLACK = "lab.timer_slack"
"""On the kernel line it starts the box's lab-timer-slack.service."""


@dataclass(frozen=True)
class MachineSettings:
    """How the host runs the virtual machines."""

    driver: Literal["kvm", "qemu"]
    """kvm where a guest was seen to boot with it, qemu for emulation."""
    counter_khz: int | None = None
    """Frequency of the host's time stamp counter; emulated guests are told it, see time_stamp_counter."""
    emulated_cpu: str = "Nehalem"
    """CPU model of emulated guests: cheaper to emulate than newer ones, enough for x86-64-v2 code."""
    late_timers: bool = False
    """Whether the box's lab-timer-slack.service lets timers fire late."""
    boot_limit: int = 600
    """Seconds that a machine may take until ssh answers."""


def machine_id(plan: Plan, node: NodePlan) -> UUID:
    """The same in every lab of the topology, since a snapshot fits only the machine that it was taken of."""
    return UUID(sha256(f"{plan.topology}/{node.name}".encode()).hexdigest()[:MACHINE_ID_LENGTH])


def node_kernel_arguments(plan: Plan, node: NodePlan) -> tuple[str, ...]:
    """What a node's kernel line says beside the box's: its name and the addresses of all NICs but the first.

    The first NIC asks DHCP, since Vagrant learns a machine's address from its lease.
    ip=ADDRESS:PEER:GATEWAY:NETMASK:HOSTNAME:DEVICE:METHOD is dracut.cmdline(7)'s and
    systemd-network-generator(8)'s.
    """
    addresses = (
        f"ip={nic.ipv4.ip}:::{nic.ipv4.netmask}:{node.name}:{nic.device}:off"
        for nic in node.nics
        if nic.network != plan.uplink.name
    )
    return f"systemd.hostname={node.name}", f"systemd.machine_id={machine_id(plan, node).hex}", *addresses


def machine_arguments(settings: MachineSettings) -> tuple[str, ...]:
    """What a guest is told of the host.

    To wake less often, and under emulation how fast its clock counts: "tsc_early_khz" in Linux's
    kernel-parameters.
    """
    late = (TIMER_SLACK,) if settings.late_timers else ()
    if settings.driver == "kvm" or settings.counter_khz is None:
        return late
    return *late, f"tsc_early_khz={settings.counter_khz}"


def render_vagrantfile(plan: Plan, box: Box, settings: MachineSettings) -> str:
    """The Vagrantfile's text; the same for the same arguments."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATE.parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - Ruby, not HTML
    )
    return environment.get_template(TEMPLATE.name).render(
        plan=plan,
        box=box,
        settings=settings,
        default_mtu=DEFAULT_MTU,
        machine_id=lambda node: machine_id(plan, node),
        kernel_arguments=lambda node: (
            box.kernel_arguments,
            *machine_arguments(settings),
            *node_kernel_arguments(plan, node),
        ),
    )
