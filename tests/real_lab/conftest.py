"""One real lab for all tests of this folder, which run in the order of their file names."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

NAME = "selftest"
TOPOLOGY = "underlay-3node"
PROGRAMS = ("qemu-system", "libvirtd", "dnsmasq", "agnhost", "vagrant", "virtlogd")


@dataclass(frozen=True)
class HostTrace:
    """What a lab could leave on a host."""

    processes: frozenset[str]
    mounts: frozenset[str]
    devices: frozenset[str]
    namespaces: frozenset[str]
    labs: frozenset[str]

    @classmethod
    def now(cls) -> HostTrace:
        labs = Path(os.environ.get("LAB_HOME", Path.home() / ".local/share/lab")) / "labs"
        return cls(
            processes=frozenset(_processes()),
            mounts=frozenset(Path("/proc/self/mounts").read_text().splitlines()),
            devices=frozenset(path.name for path in Path("/sys/class/net").iterdir()),
            namespaces=frozenset(_network_namespaces()),
            labs=frozenset(path.name for path in labs.iterdir()) if labs.is_dir() else frozenset(),
        )


def _processes() -> Iterator[str]:
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if any(program in words[0] for program in PROGRAMS) or "lab.host.init" in words:
            yield f"{entry.parent.name} {' '.join(words)}"


def _network_namespaces() -> Iterator[str]:
    for entry in Path("/proc").glob("[0-9]*/ns/net"):
        try:
            yield str(entry.readlink())
        except OSError:
            continue


Lab = Callable[..., str]


@pytest.fixture(scope="session", autouse=True)
def _name() -> Iterator[None]:
    os.environ["LAB_NAME"] = NAME
    yield
    del os.environ["LAB_NAME"]


@pytest.fixture(scope="session")
def before() -> Iterator[HostTrace]:
    """The host before the lab; whatever happens, the lab is taken down at the end."""
    trace = HostTrace.now()
    assert NAME not in trace.labs, f"there is a lab {NAME} already: lab down --name {NAME}"
    yield trace
    subprocess.run(["lab", "down", "--name", NAME], check=False, capture_output=True)


@pytest.fixture(scope="session")
def lab(before: HostTrace) -> Lab:
    """Runs `lab` with the words and returns what it printed; its progress goes to the terminal."""

    def run(*words: str) -> str:
        done = subprocess.run(["lab", *words], stdout=subprocess.PIPE, text=True, check=False)
        print(done.stdout)  # noqa: T201 - pytest shows it
        assert done.returncode == 0, f"lab {' '.join(words)}: exit status {done.returncode}"
        return done.stdout

    return run
