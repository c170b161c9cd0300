"""What this host has and lacks for running labs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab.foundation.environment import search_path
from lab.foundation.errors import LabError
from lab.foundation.paths import cache_root, labs_root
from lab.foundation.process import run
from lab.foundation.wait import Deadline
from lab.host.kvm import probe

GIB = 1 << 30
NEEDED_DISK_GIB = 20
"""Cache of one Kubernetes version with its box, and one lab with a snapshot."""
NEEDED_MEMORY_GIB = 5
"""underlay-3node's guests have 4 GiB together."""
SHORT_LIMIT = 30.0
KVM_RECORD = "kvm.json"
"""Name of the KVM probe's record in the cache."""


@dataclass(frozen=True)
class Finding:
    """One thing that was checked: what was found, and what to do when it is not good."""

    name: str
    ok: bool
    found: str
    resolution: str = ""


@dataclass(frozen=True)
class Program:
    name: str
    package: str
    """The Debian package that has it."""


PROGRAMS = (
    Program("unshare", "util-linux"),
    Program("nsenter", "util-linux"),
    Program("setpriv", "util-linux"),
    Program("ip", "iproute2"),
    Program("libvirtd", "libvirt-daemon-system"),
    Program("qemu-system-x86_64", "qemu-system-x86"),
    Program("qemu-img", "qemu-utils"),
    Program("dnsmasq", "dnsmasq-base"),
    Program("iptables", "iptables"),
    Program("vagrant", "vagrant"),
    Program("nc", "netcat-openbsd"),
    Program("ssh", "openssh-client"),
    Program("ping", "iputils-ping"),
    Program("tcpdump", "tcpdump"),
    Program("mmdebstrap", "mmdebstrap"),
    Program("mkfs.ext4", "e2fsprogs"),
    Program("skopeo", "skopeo"),
    Program("umoci", "umoci"),
    Program("/usr/lib/go-1.19/bin/go", "golang-1.19-go"),
    Program("gcc", "gcc"),
)
FOR_ONE_COMMAND = {
    "lab outside": Program("slirp4netns", "slirp4netns"),
    "lab image through": Program("docker-registry", "docker-registry"),
}
"""What no lab needs to run, by the command that needs it."""
# Where Debian's packages of Ruby libraries register themselves.
RUBY_SPECIFICATIONS = Path("/usr/share/rubygems-integration/all/specifications")


def checks(kernel: Path | None = None) -> list[Finding]:
    """All findings, in the order in which they are best mended.

    `kernel` is booted to see whether KVM works; without one, that stays open. The host needs no running
    libvirt of its own, so none is looked for.
    """
    return [
        _root(),
        *(_program(program) for program in PROGRAMS),
        *(_for_one_command(command, program) for command, program in FOR_ONE_COMMAND.items()),
        _vagrant_libvirt(),
        _namespaces(),
        _device(
            Path("/dev/net/tun"), "network devices of the guests", "load the kernel module: modprobe tun"
        ),
        _cgroups(),
        _kvm(kernel),
        _disk("disk for the cache", cache_root()),
        _disk("disk for labs", labs_root()),
        _memory(),
    ]


def _root() -> Finding:
    if os.geteuid() == 0:
        return Finding("root", True, "this is root")
    return Finding("root", False, f"this is user {os.geteuid()}", "run lab with sudo")


def _program(program: Program) -> Finding:
    path = shutil.which(program.name, path=search_path())
    if path:
        return Finding(f"program {program.name}", True, path)
    return Finding(f"program {program.name}", False, "not installed", f"apt install {program.package}")


def _for_one_command(command: str, program: Program) -> Finding:
    # Never wrong: labs run without it.
    found = _program(program)
    if found.ok:
        return found
    return Finding(found.name, True, f"not installed; only `{command}` needs it: {found.resolution}")


def _vagrant_libvirt() -> Finding:
    found = sorted(RUBY_SPECIFICATIONS.glob("vagrant-libvirt-*.gemspec"))
    if found:
        return Finding("vagrant-libvirt", True, found[-1].stem)
    return Finding("vagrant-libvirt", False, "not installed", "apt install vagrant-libvirt")


def _namespaces() -> Finding:
    return _attempt(
        "namespaces",
        lambda: run(
            [
                *("unshare", "--net", "--mount", "--pid", "--uts", "--fork", "--mount-proc", "--"),
                *("mount", "-t", "sysfs", "sysfs", "/sys"),
            ],
            timeout=SHORT_LIMIT,
        ),
        "network, mount and PID namespaces can be made",
        "run as root, and in a container give it the capability SYS_ADMIN (docker run --privileged)",
    )


def _attempt(name: str, action: Callable[[], object], good: str, resolution: str) -> Finding:
    try:
        action()
    except LabError as error:
        return Finding(name, False, error.details or error.brief, resolution)
    return Finding(name, True, good)


def _device(path: Path, purpose: str, resolution: str) -> Finding:
    try:
        with path.open("r+b", buffering=0):
            return Finding(str(path), True, f"usable, for {purpose}")
    except OSError as error:
        return Finding(str(path), False, error.strerror or str(error), resolution)


def _cgroups() -> Finding:
    kinds = {
        fields[2]: fields[1]
        for fields in (line.split() for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines())
        if fields[2] in ("cgroup", "cgroup2")
    }
    if kinds:
        return Finding("cgroups", True, ", ".join(sorted(kinds)) + " mounted")
    return Finding(
        "cgroups", False, "no cgroup file system is mounted", "mount -t cgroup2 none /sys/fs/cgroup"
    )


def _kvm(kernel: Path | None) -> Finding:
    # Never wrong: labs run without it, only slower.
    if kernel is None:
        return Finding("KVM", True, "not tried yet: that needs a box, whose kernel is booted")
    verdict = probe(kernel, Deadline(SHORT_LIMIT), cache=cache_root() / KVM_RECORD)
    if verdict.usable:
        return Finding("KVM", True, verdict.why)
    return Finding("KVM", True, f"not used, guests are emulated and several times slower: {verdict.why}")


def _disk(name: str, folder: Path) -> Finding:
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free / GIB
    return Finding(
        name,
        free >= NEEDED_DISK_GIB,
        f"{free:.0f} GiB free at {there}, {NEEDED_DISK_GIB} GiB are enough",
        "free some space, or set LAB_CACHE and LAB_HOME to folders on a larger disk",
    )


def _memory() -> Finding:
    lines = (line.split() for line in Path("/proc/meminfo").read_text(encoding="utf-8").splitlines())
    available = next(int(line[1]) for line in lines if line[0] == "MemAvailable:") * 1024 / GIB
    return Finding(
        "memory",
        available >= NEEDED_MEMORY_GIB,
        f"{available:.1f} GiB available, {NEEDED_MEMORY_GIB} GiB are enough for underlay-3node",
        "end other programs, or take a topology with smaller nodes",
    )
