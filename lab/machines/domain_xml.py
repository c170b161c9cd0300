"""What a domain's XML says of its disk, https://libvirt.org/formatdomain.html#hard-drives-floppy-disks-cdroms.

NICs have <target dev=...> as well, so names are taken from <disk> elements alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, fromstring, register_namespace, tostring

from lab.foundation.errors import LabError

QEMU = "http://libvirt.org/schemas/domain/qemu/1.0"
"""The namespace of what libvirt hands on to QEMU as it is: https://libvirt.org/drvqemu.html."""
register_namespace("qemu", QEMU)


@dataclass(frozen=True)
class Disk:
    """The one disk of a machine."""

    target: str
    """As the guest sees it: vda."""
    path: str
    """Its topmost layer, as libvirtd sees it."""


def disk_of(domain: str) -> Disk:
    """Raises LabError when the machine has not exactly one disk, in a file."""
    disk = _only_disk(_parse(domain))
    target, source = disk.find("target"), disk.find("source")
    if target is None or source is None or "file" not in source.attrib:
        raise LabError("a machine's disk is not a file", details=domain)
    return Disk(target.attrib["dev"], source.attrib["file"])


def with_disk(domain: str, path: str) -> str:
    """The same machine with its disk in another file; libvirt finds the layers below by itself."""
    root = _parse(domain)
    disk = _only_disk(root)
    for name in ("source", "backingStore"):
        for element in disk.findall(name):
            disk.remove(element)
    SubElement(disk, "source", file=path)
    return tostring(root, encoding="unicode")


def with_plugin(domain: str, plugin: str) -> str:
    """The same machine, emulated with a plugin: its program and options as QEMU's -plugin has them."""
    root = _parse(domain)
    line = SubElement(root, f"{{{QEMU}}}commandline")
    for word in ("-plugin", plugin):
        SubElement(line, f"{{{QEMU}}}arg", value=word)
    return tostring(root, encoding="unicode")


def taps_of(domain: str) -> tuple[str, ...]:
    """The host's ends of a running machine's NICs, in their order."""
    return tuple(target.attrib["dev"] for target in _parse(domain).findall("devices/interface/target"))


def snapshot_xml(disk: Disk, memory: str, layer: str) -> str:
    """Memory into a file, and a new layer on top of the disk: https://libvirt.org/formatsnapshot.html."""
    root = Element("domainsnapshot")
    SubElement(root, "memory", snapshot="external", file=memory)
    described = SubElement(SubElement(root, "disks"), "disk", name=disk.target, snapshot="external")
    SubElement(described, "driver", type="qcow2")
    SubElement(described, "source", file=layer)
    return tostring(root, encoding="unicode")


def _parse(domain: str) -> Element:
    return fromstring(domain)  # noqa: S314 - libvirt wrote it


def _only_disk(root: Element) -> Element:
    disks = [disk for disk in root.findall("devices/disk") if disk.get("device", "disk") == "disk"]
    if len(disks) != 1:
        raise LabError(f"a machine has {len(disks)} disks, expected one")
    return disks[0]
