"""Everything a box is made from, and the keys by which its stages are found again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from lab.foundation.errors import LabError
from lab.foundation.files import tree_digest
from lab.supply.box.model import KERNEL_ARGUMENTS
from lab.supply.software import Software
from lab.topology.models import Runtime

SUITE = "bookworm"
VIRTUAL_SIZE_GIB = 20
CRI_DOCKERD = "cri-dockerd"

RECIPE = Path(__file__).parent / "recipe"
"""Scripts that run while a box is built, and `root`, the files that are laid over the Debian base."""

SYSTEM_PACKAGES = (
    "dbus",
    "e2fsprogs",
    "kmod",
    "linux-image-cloud-amd64",
    "openssh-server",
    "procps",
    "qemu-guest-agent",
    "sudo",
    "systemd",
    "systemd-sysv",
    "udev",
)

KUBERNETES_PACKAGES = (
    "conntrack",
    "ebtables",
    "ethtool",
    "ipset",
    "iptables",
    "ipvsadm",
    "socat",
)
"""What kubeadm's preflight looks for, and what kube-proxy and the CNI plugins call."""

LOAD_BALANCERS = (
    "haproxy",
    "keepalived",
    "libnginx-mod-stream",
    "nginx",
)
"""Installed and disabled: only the nodes of a lab with several control planes start one."""

TOOLS = (
    "busybox-static",
    "ca-certificates",
    "curl",
    "iperf3",
    "iproute2",
    "iputils-arping",
    "iputils-ping",
    "less",
    "nano",
    "netbase",
    "netcat-openbsd",
    "tcpdump",
    "traceroute",
)
"""What people use on a node to look at its network; busybox is also the initrd's only program."""

RUNTIME_PACKAGES = {
    Runtime.CONTAINERD: ("containerd", "runc"),
    Runtime.CRI_DOCKERD: ("docker.io", "containerd", "runc"),
}

LEFT_OUT = (
    "/usr/share/doc/*",
    "/usr/share/man/*",
    "/usr/share/info/*",
    "/usr/share/locale/*",
    "/usr/share/lintian/*",
)
"""Paths of packages that are not unpacked."""


def settle_runtime(runtime: Runtime, software: Software) -> Runtime:
    """What `auto` means for this software: docker with cri-dockerd where the binary is, else containerd.

    Raises LabError when cri-dockerd is asked for and the software has none.
    """
    if runtime is Runtime.AUTO:
        return Runtime.CRI_DOCKERD if CRI_DOCKERD in software.binaries else Runtime.CONTAINERD
    if runtime is Runtime.CRI_DOCKERD and CRI_DOCKERD not in software.binaries:
        raise LabError(
            "the runtime cri-dockerd is not in the supply",
            details="this supply has no binary of cri-dockerd, which docker needs to serve Kubernetes",
            resolution="write `runtime: containerd` (or leave it out) in the topology",
        )
    return runtime


def packages(runtime: Runtime) -> tuple[str, ...]:
    """The Debian packages asked for, sorted; their dependencies come with them."""
    return tuple(
        sorted({*SYSTEM_PACKAGES, *KUBERNETES_PACKAGES, *LOAD_BALANCERS, *TOOLS, *RUNTIME_PACKAGES[runtime]})
    )


def base_key(runtime: Runtime) -> str:
    """The digest of what the Debian base is made from. No Kubernetes software is part of it."""
    return _digest({"suite": SUITE, "packages": packages(runtime), "left out": LEFT_OUT})


def box_key(software: Software, runtime: Runtime, recipe: Path = RECIPE) -> str:
    """The digest of all inputs of a box: equal inputs, equal box. `runtime` is a settled one."""
    return _digest(
        {
            "base": base_key(runtime),
            "software": software.digest,
            "kubernetes": software.kubernetes_version,
            "runtime": runtime.value,
            "recipe": tree_digest(recipe),
            "kernel arguments": KERNEL_ARGUMENTS,
            "size": VIRTUAL_SIZE_GIB,
        }
    )


def box_keys(software: Software) -> frozenset[str]:
    """The digests of all boxes with this software: one for each settled runtime."""
    return frozenset(box_key(software, each) for each in Runtime if each is not Runtime.AUTO)


def _digest(inputs: object) -> str:
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()
