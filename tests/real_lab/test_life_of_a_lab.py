"""The life of one real lab, in order: up, up again, judged in each mode, its faults caught, down."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.real_lab

NAME = "selftest"
TOPOLOGY = "underlay-3node"


@dataclass(frozen=True)
class HostTrace:
    """What labs could leave on a host."""

    processes: frozenset[str]
    mounts: frozenset[str]
    devices: frozenset[str]
    labs: frozenset[str]

    @classmethod
    def now(cls) -> HostTrace:
        words = ("qemu-system", "libvirtd", "dnsmasq", "agnhost", "vagrant", "lab.host")
        processes = set()
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                command = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if any(word in command.split(" ")[0] or f"-m {word}" in command for word in words):
                processes.add(f"{entry.parent.name} {command}")
        labs = Path(os.environ.get("LAB_HOME", Path.home() / ".local/share/lab")) / "labs"
        return cls(
            processes=frozenset(processes),
            mounts=frozenset(Path("/proc/self/mounts").read_text().splitlines()),
            devices=frozenset(path.name for path in Path("/sys/class/net").iterdir()),
            labs=frozenset(path.name for path in labs.iterdir()) if labs.is_dir() else frozenset(),
        )


def lab(*words: str, capture: bool = False) -> str:
    """Run `lab`; its progress goes to the terminal. The test fails with its exit status."""
    completed = subprocess.run(
        ["lab", *words],
        env={**os.environ, "LAB_NAME": NAME},
        stdout=subprocess.PIPE if capture else None,
        text=True,
        check=False,
    )
    assert completed.returncode == 0, f"lab {' '.join(words)}: exit status {completed.returncode}"
    return completed.stdout or ""


@pytest.fixture(scope="module")
def before() -> Iterator[HostTrace]:
    """The host before the lab; whatever happens, the lab is taken down at the end."""
    trace = HostTrace.now()
    yield trace
    subprocess.run(["lab", "down", "--name", NAME], check=False)


def nodes() -> dict[str, str]:
    """Condition by node name."""
    return {
        node["name"]: node["condition"] for node in json.loads(lab("status", "--json", capture=True))["nodes"]
    }


def test_up_ends_with_three_ready_nodes(before: HostTrace) -> None:
    assert NAME not in before.labs
    lab("up", "--topology", TOPOLOGY, "--mode", "macvlan")
    assert nodes() == {"k8s-master1": "Ready", "k8s-node1": "Ready", "k8s-node2": "Ready"}


def test_a_second_up_has_nothing_to_do(before: HostTrace) -> None:
    assert "Nothing to do" in lab("up", "--topology", TOPOLOGY, "--mode", "macvlan", capture=True)


def test_macvlan_is_accepted(before: HostTrace) -> None:
    lab("test")


def test_flannel_vxlan_is_accepted_after_a_rebuild(before: HostTrace) -> None:
    lab("test", "--mode", "flannel-vxlan")
    assert json.loads(lab("status", "--json", capture=True))["mode"] == "flannel-vxlan"


def test_vagrant_knows_the_nodes_from_a_plain_shell(before: HostTrace) -> None:
    folder = Path(json.loads(lab("inventory", "--json", capture=True))["ssh_config"]).parent
    status = subprocess.run(
        ["vagrant", "status"], cwd=folder, capture_output=True, text=True, check=True
    ).stdout
    for name in nodes():
        assert any(line.split()[:2] == [name, "running"] for line in status.splitlines()), status


def test_down_leaves_nothing(before: HostTrace) -> None:
    lab("down")
    assert HostTrace.now() == before
