"""The lab's networks and storage pool, as libvirt wants them described."""

from __future__ import annotations

from uuid import NAMESPACE_DNS, uuid5
from xml.etree.ElementTree import Element, SubElement, indent, register_namespace, tostring

from lab.machines.libvirt_api import Libvirt
from lab.topology.models import NetworkRole
from lab.topology.plan import NetworkPlan, NodePlan, Plan

POOL = "default"
POOL_FOLDER = "/var/lib/libvirt/images"
# https://libvirt.org/formatnetwork.html#network-namespaces
DNSMASQ_NAMESPACE = "http://libvirt.org/schemas/network/dnsmasq/1.0"
# Names that are not the lab's own do not exist: an answer at once, where forwarding would wait for nothing.
DNSMASQ_OPTIONS = ("no-resolv", "local=/#/")
DEFAULT_MTU = 1500


def bridge_mac(network: NetworkPlan) -> str:
    """The MAC of the bridge: 52:54:01 and the last three bytes of its address, so no node's MAC equals it."""
    tail = network.host_address.ip.packed[1:]
    return "52:54:01:" + ":".join(f"{byte:02x}" for byte in tail)


def network_xml(network: NetworkPlan, nodes: tuple[NodePlan, ...]) -> str:
    """The libvirt definition: bridge, address and MTU; on the uplink also fixed leases and names."""
    register_namespace("dnsmasq", DNSMASQ_NAMESPACE)
    root = Element("network")
    SubElement(root, "name").text = network.name
    SubElement(root, "uuid").text = _uuid("network", network.name)
    SubElement(root, "forward", mode="open")
    SubElement(root, "bridge", name=network.bridge, stp="off", delay="0")
    if network.mtu != DEFAULT_MTU:
        SubElement(root, "mtu", size=str(network.mtu))
    SubElement(root, "mac", address=bridge_mac(network))
    serves = network.role is NetworkRole.UPLINK
    dns = SubElement(root, "dns", enable="yes" if serves else "no")
    ip = SubElement(
        root, "ip", address=str(network.host_address.ip), netmask=str(network.host_address.network.netmask)
    )
    if serves:
        _add_leases(root, dns, ip, network, nodes)
    indent(root)
    return tostring(root, encoding="unicode") + "\n"


def _add_leases(
    root: Element, dns: Element, ip: Element, network: NetworkPlan, nodes: tuple[NodePlan, ...]
) -> None:
    dhcp = SubElement(ip, "dhcp")
    for node in nodes:
        nic = node.nic_on(network.name)
        named = SubElement(dns, "host", ip=str(nic.ipv4.ip))
        SubElement(named, "hostname").text = node.name
        host = SubElement(dhcp, "host", mac=nic.mac, name=node.name, ip=str(nic.ipv4.ip))
        SubElement(host, "lease", expiry="0")
    options = SubElement(root, f"{{{DNSMASQ_NAMESPACE}}}options")
    for option in DNSMASQ_OPTIONS:
        SubElement(options, f"{{{DNSMASQ_NAMESPACE}}}option", value=option)


def pool_xml() -> str:
    root = Element("pool", type="dir")
    SubElement(root, "name").text = POOL
    SubElement(root, "uuid").text = _uuid("pool", POOL)
    SubElement(SubElement(root, "target"), "path").text = POOL_FOLDER
    indent(root)
    return tostring(root, encoding="unicode") + "\n"


def _uuid(kind: str, name: str) -> str:
    """Always the same, so that defining again changes what is there."""
    return str(uuid5(NAMESPACE_DNS, f"{name}.{kind}.lab.internal"))


def make_networks(connection: Libvirt, plan: Plan) -> None:
    """Define and start all networks of the plan; those that are active already are left as they are."""
    active = connection.active_networks()
    for network in plan.networks:
        if network.name not in active:
            nodes = tuple(
                node for node in plan.nodes if any(nic.network == network.name for nic in node.nics)
            )
            connection.define_network(network_xml(network, nodes))


def make_pool(connection: Libvirt) -> None:
    connection.define_pool(pool_xml())
