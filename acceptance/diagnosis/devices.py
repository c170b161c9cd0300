"""Devices: those of the mode, of its pods and of other modes, and the NICs."""

from __future__ import annotations

from fnmatch import fnmatch

from acceptance.diagnosis.subject import Subject
from acceptance.expectations import Device
from acceptance.node_facts import Link


def nics(subject: Subject) -> list[str]:
    """Is every NIC there, with the MTU of its network?"""
    said = []
    mtus = {network.name: network.mtu for network in subject.inventory.networks}
    for nic in subject.node.nics:
        link = subject.facts.link(nic.device)
        if link is not None and link.mtu != mtus[nic.network]:
            said.append(
                f"{nic.device} on {subject.node.name} has MTU {link.mtu},"
                f" its network {nic.network} carries {mtus[nic.network]}"
            )
    return said


def devices(subject: Subject) -> list[str]:
    said = []
    for wanted in subject.expectations.data_path.devices:
        name = subject.device_name(wanted.name)
        link = subject.facts.link(name)
        if link is None:
            said.append(f"{subject.node.name} has no device {name}, which {wanted.owner} makes")
        else:
            said += _wrong_with(link, wanted, subject)
    said += _pod_links(subject)
    return said


def _wrong_with(link: Link, wanted: Device, subject: Subject) -> list[str]:
    name = subject.node.name
    said = []
    if link.kind != wanted.kind:
        said.append(f"{link.name} on {name} is of kind {link.kind or 'NIC'}, expected {wanted.kind}")
    if not link.up:
        said.append(f"{link.name} on {name} is down")
    if wanted.mtu is not None and link.mtu != wanted.mtu:
        said.append(f"{link.name} on {name} has MTU {link.mtu}, expected {wanted.mtu}")
    if wanted.vni is not None and link.vni != wanted.vni:
        said.append(f"{link.name} on {name} has VNI {link.vni}, expected {wanted.vni}")
    if wanted.port is not None and link.port != wanted.port:
        said.append(f"{link.name} on {name} uses UDP port {link.port}, expected {wanted.port}")
    if wanted.over is not None:
        said += _wrong_nic(link, wanted, wanted.over, subject)
    return said


def _wrong_nic(link: Link, wanted: Device, role: str, subject: Subject) -> list[str]:
    nic = subject.inventory.nic(subject.node, role)
    if nic is None:
        return [f"{subject.node.name} has no NIC on the {role} network"]
    under = subject.facts.link_under(link)
    local = link.local
    if under == nic.device and local in (None, nic.address.ip):
        return []
    if under is None and local == nic.address.ip:  # a tunnel that is bound to an address alone
        return []
    if local is None and under is not None and (below := subject.facts.link(under)) is not None:
        local = next((address.ip for address in below.addresses), None)
    uses = under or (subject.facts.device_with(local) if local else None) or "no device"
    return [
        f"{wanted.owner} on {subject.node.name} uses {uses} ({local or 'no address'}),"
        f" expected {nic.device} ({nic.address.ip})"
    ]


def _pod_links(subject: Subject) -> list[str]:
    said = []
    for pod, links in subject.facts.pod_links.items():
        wanted = subject.expected_of(pod).pods.link
        link = next((found for found in links if found.name == "eth0"), None)
        if link is None:
            said.append(f"pod {pod} on {subject.node.name} has no eth0")
            continue
        if link.kind != wanted.kind:
            said.append(
                f"eth0 of pod {pod} on {subject.node.name} is {link.kind or 'a NIC'}, expected {wanted.kind}"
            )
        if wanted.over is not None:
            nic = subject.inventory.nic(subject.node, wanted.over)
            under = subject.facts.link_under(link)
            if nic is not None and under != nic.device:
                said.append(
                    f"eth0 of pod {pod} on {subject.node.name} lies on {under or 'no device'},"
                    f" expected {nic.device}"
                )
    return said


def other_modes(subject: Subject) -> list[str]:
    return [
        f"{subject.node.name} has the device {link.name}, which belongs to another network mode"
        for link in subject.facts.links
        if any(fnmatch(link.name, pattern) for pattern in subject.expectations.data_path.absent)
    ]
