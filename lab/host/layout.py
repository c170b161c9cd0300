"""Where the enclosure of a lab keeps its files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.foundation.errors import LabError
from lab.foundation.paths import LabFolder

SOCKET_PATH_LIMIT = 107
"""Longest path of a Unix socket in bytes: sun_path in unix(7) has 108, the last of them a zero."""


@dataclass(frozen=True)
class EnclosureLayout:
    """Paths below LabFolder.host, as seen on the host."""

    root: Path

    @classmethod
    def of(cls, folder: LabFolder) -> EnclosureLayout:
        """Raises LabError when the lab's folder lies too deep for libvirt's socket in it."""
        layout = cls(folder.host)
        length = len(str(layout.libvirt_socket).encode())
        if length > SOCKET_PATH_LIMIT:
            raise LabError(
                f"the path of the lab's folder is too long: {folder.root}",
                details=f"libvirt's socket in it would have {length} bytes; the limit is {SOCKET_PATH_LIMIT}",
                resolution="set LAB_HOME to a shorter folder, or give the lab a shorter name",
            )
        return layout

    @property
    def private_folders(self) -> Mapping[Path, Path]:
        """Folders that the enclosure mounts over the host's: the host's path by the private one."""
        return {
            self.root / "etc": Path("/etc/libvirt"),
            self.root / "run": Path("/run/libvirt"),
            self.root / "lib": Path("/var/lib/libvirt"),
            self.root / "cache": Path("/var/cache/libvirt"),
            self.root / "log": Path("/var/log/libvirt"),
        }

    @property
    def runtime_folders(self) -> tuple[Path, ...]:
        """Private folders whose content means nothing once the enclosure has ended."""
        return (self.root / "run",)

    @property
    def libvirt_socket(self) -> Path:
        return self.root / "run" / "libvirt-sock"

    @property
    def images(self) -> Path:
        """What the lab's libvirtd knows as /var/lib/libvirt/images."""
        return self.root / "lib" / "images"

    @property
    def leases(self) -> Path:
        """Where the lab's libvirtd remembers addresses it gave: a file BRIDGE.status per network."""
        return self.root / "lib" / "dnsmasq"

    @property
    def capabilities(self) -> Path:
        """Where the lab's libvirtd remembers what qemu can do, for as long as qemu stays the same."""
        return self.root / "cache" / "qemu" / "capabilities"

    @property
    def init_record(self) -> Path:
        """The identity of the enclosure's first process."""
        return self.root / "init.pid"

    @property
    def init_lock(self) -> Path:
        """Held by the enclosure's first process as long as it lives."""
        return self.root / "init.lock"

    @property
    def init_log(self) -> Path:
        return self.root / "init.log"

    def tied_record(self, program: str) -> Path:
        """The identity of a process that `lab.host.tied` started for the lab."""
        return self.root / f"{program}.pid"

    def tied_log(self, program: str) -> Path:
        return self.root / f"{program}.log"

    def lan_member_record(self, name: str) -> Path:
        """The identity of the process that holds the namespaces of a machine of the LAN, such as lan-host."""
        return self.root / f"{name}.pid"

    def lan_member_log(self, name: str) -> Path:
        return self.root / f"{name}.log"
