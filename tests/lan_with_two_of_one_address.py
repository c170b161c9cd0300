"""A LAN of namespaces, on which two machines have the same address."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest

GATEWAY = IPv4Address("172.31.0.2")
POD = IPv4Address("172.31.6.5")
NOBODY = IPv4Address("172.31.6.6")
MACS = ("02:00:00:00:00:01", "02:00:00:00:00:02")


@pytest.fixture
def lan() -> Iterator[int]:
    """A namespace with a bridge, on it two machines that both have the pod's address and one the gateway's.

    The one who asks is the bridge's own side, with 172.31.0.100; the value is a process in it.
    """
    if os.geteuid() != 0:
        pytest.skip("namespaces need root")
    holders = [_namespace() for _ in range(3)]
    own, *others = (int(Path(f"/proc/{each.pid}/stat").read_text().split()[0]) for each in holders)
    _in(own, "ip link add br0 type bridge; ip address add 172.31.0.100/21 dev br0; ip link set br0 up")
    for number, (pid, mac) in enumerate(zip(others, MACS, strict=True)):
        _in(own, f"ip link add v{number} type veth peer name eth0 address {mac} netns {pid}")
        _in(own, f"ip link set v{number} master br0 up")
        _in(pid, f"ip address add {POD}/21 dev eth0; ip link set eth0 up")
    _in(others[0], f"ip address add {GATEWAY}/32 dev eth0")
    yield own
    for each in holders:
        each.kill()
        each.wait()
        if each.stdout is not None:
            each.stdout.close()


def _namespace() -> subprocess.Popen[str]:
    words = ["unshare", "--net", "sh", "-c", "echo ready; exec sleep infinity"]
    holder = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "ready\n"
    return holder


def _in(pid: int, script: str) -> None:
    subprocess.run(["nsenter", "-t", str(pid), "-n", "bash", "-euc", script], check=True)
