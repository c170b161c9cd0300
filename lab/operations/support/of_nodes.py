"""What a node says of itself, and what passes its NICs."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Protocol

from lab.nodes.connection import Command, Result, Script
from lab.operations.support.gathering import Files, Part, Source

LIMIT = 20.0
"""Seconds for one question to a node."""
LOG_LINES = 2000
POD_LOG_LINES = 200
LARGEST_BYTES = 2 << 20
"""Of one answer, the end."""
SNAP_BYTES = 128
"""Of each packet that is captured: its headers."""
PACKETS = 20_000
"""The most of one capture."""

# sysctl names two keys in net: that of TCP Fast Open, and the secret of stable addresses (RFC 7217).
QUESTIONS = {
    "journal-kubelet.txt": f"journalctl --no-pager -o short-iso -u kubelet -n {LOG_LINES}",
    "journal-runtime.txt": f"journalctl --no-pager -o short-iso -n {LOG_LINES}"
    " -u containerd -u docker -u cri-docker",
    # Of a cluster from binaries; of one by kubeadm they are pods.
    "journal-components.txt": f"journalctl --no-pager -o short-iso -n {LOG_LINES}"
    " -u etcd -u kube-apiserver -u kube-controller-manager -u kube-scheduler -u kube-proxy",
    "units-failed.txt": "systemctl --no-pager --failed",
    "kubeadm.txt": "cat /var/log/lab-kubeadm.log",
    "ip-addr.txt": "ip -details addr",
    "ip-route.txt": "ip route show table all",
    "ip-rule.txt": "ip rule",
    "ip-neigh.txt": "ip neigh",
    "bridge-fdb.txt": "bridge fdb",
    "iptables-save.txt": "iptables-save --counters",
    "nft-ruleset.txt": "nft list ruleset",
    "sysctl-net.txt": "sysctl --all --pattern '^net[.]' 2>/dev/null"
    " | grep -v -e fastopen_key -e stable_secret",
    "ss.txt": "ss -tuanp",
    "disks.txt": "df -h",
    "memory.txt": "free -m",
    "dmesg.txt": f"dmesg | tail -n {LOG_LINES}",
    "cni.txt": "tail -n +1 /etc/cni/net.d/*.conf*",
    "pods-of-the-system.txt": f"tail -n {POD_LOG_LINES} /var/log/pods/kube-system_*/*/*.log",
}
"""What is asked of each node, as Bash; the last is there when the API server is not."""


class Shell(Protocol):
    """Where a node is asked."""

    def run(self, what: Command | Script, *, timeout: float) -> Result: ...


def node_source(
    name: str, shell: Shell, devices: Sequence[str], capture: int, why_silent: Callable[[], str | None]
) -> Source:
    """The answers of one node; with `capture`, so many seconds of what passes each of its devices."""
    parts = [_question(name, shell, file, text) for file, text in QUESTIONS.items()]
    if capture:
        parts.append(Part(f"nodes/{name}/capture/", lambda: _captured(name, shell, devices, capture)))
    return Source(parts, why_silent)


def _question(node: str, shell: Shell, file: str, text: str) -> Part:
    script = Script(f"{{ {text}; }} | tail -c {LARGEST_BYTES}", text)
    return Part.text(f"nodes/{node}/{file}", lambda: shell.run(script, timeout=LIMIT).stdout)


def _captured(node: str, shell: Shell, devices: Sequence[str], seconds: int) -> Files:
    """A pcap file per device. The connection to the node itself is not in it."""
    script = Script(_capture_script(devices, seconds), f"capture of {seconds} s")
    lines = shell.run(script, timeout=LIMIT + 2 * seconds).stdout.splitlines()
    files: dict[str, str | bytes] = {}
    for line in lines:
        device, _, content = line.partition(" ")
        files[f"nodes/{node}/capture/{device}.pcap"] = base64.b64decode(content)
    return files


def _capture_script(devices: Sequence[str], seconds: int) -> str:
    listen = "".join(
        f"timeout --signal INT {seconds} tcpdump -p -n -i {device} -s {SNAP_BYTES} -c {PACKETS}"
        f" -w $folder/{device} not tcp port 22 >/dev/null 2>&1 &\n"
        for device in devices
    )
    show = "".join(f'echo "{device} $(base64 -w 0 $folder/{device})"\n' for device in devices)
    return f'folder=$(mktemp -d)\ntrap "rm -rf $folder" EXIT\n{listen}wait\n{show}'
