"""The lab that the tests of this folder share, and what it could leave on the host."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.operations.suite_page import Outcome, read_checks

NAME = "selftest"
TOPOLOGY = "underlay-3node"
MODULES = ("lab.host.init", "lab.operations.doors.forwarder", "lab.doors.through_server")
PROGRAMS = (
    *("qemu-system", "libvirtd", "dnsmasq", "agnhost", "vagrant", "virtlogd", "slirp4netns"),
    "docker-registry",
)


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

    def assert_as(self, before: HostTrace) -> None:
        """Nothing is here that was not there before, and nothing is missing but network namespaces."""
        assert self.processes == before.processes
        assert self.mounts == before.mounts
        assert self.devices == before.devices
        assert self.namespaces <= before.namespaces
        assert self.labs == before.labs


def _processes() -> Iterator[str]:
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if any(program in words[0] for program in PROGRAMS) or not set(MODULES).isdisjoint(words):
            yield f"{entry.parent.name} {' '.join(words)}"


def _network_namespaces() -> Iterator[str]:
    for entry in Path("/proc").glob("[0-9]*/ns/net"):
        try:
            yield str(entry.readlink())
        except OSError:
            continue


Lab = Callable[..., str]


def folder_of(lab: Lab) -> Path:
    return Path(json.loads(lab("inventory", "--json"))["ssh_config"]).parent


def vagrant_states(lab: Lab) -> dict[str, str]:
    """What `vagrant status` in the lab's folder says of each node, by name."""
    folder = folder_of(lab)
    words = ["vagrant", "status", "--machine-readable"]
    printed = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=True).stdout
    fields = (line.split(",") for line in printed.splitlines())
    return {each[1]: each[3] for each in fields if each[2:3] == ["state"]}


def failed_checks(since: float, most: int = 8) -> Iterator[str]:
    """The checks that failed in reports of the acceptance suite written `since` (seconds since 1970)."""
    reports = [
        each for each in Path("reports").glob(f"acceptance-{NAME}-*.xml") if each.stat().st_mtime >= since
    ]
    failed = [check for report in reports for check in read_checks(report) if check.outcome is Outcome.FAILED]
    for check in failed[:most]:
        yield f"{check.topic}: {check.function} {check.parameter}: {check.own_words or check.evidence}"
    if failed[most:]:
        yield f"and {len(failed) - most} more checks failed"


def published_key(folder: Path) -> Path:
    """The private key that Vagrant publishes, as the file `key` of that folder, which ssh accepts."""
    (published,) = Path("/usr/share/rubygems-integration/all/gems").glob("vagrant-[0-9]*/keys/vagrant")
    key = folder / "key"
    key.write_bytes(published.read_bytes())
    key.chmod(0o600)
    return key


def opened_by_vagrants_key(lab: Lab, tmp: Path) -> list[str]:
    """The nodes, with user, that let somebody in by the private key that Vagrant publishes."""
    folder = folder_of(lab)
    config = tmp / "ssh_config"
    config.write_text((folder / "ssh_config").read_text().replace(f"{folder}/keys/id_ecdsa", f"{tmp}/key"))
    published_key(tmp)
    found = []
    for node in vagrant_states(lab):
        for user in ("root", "vagrant"):
            words = ["ssh", "-F", str(config), "-o", "BatchMode=yes", "-l", user, node, "true"]
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            if done.returncode == 0:
                found.append(f"{user}@{node}")
            else:
                # The node has answered, with the host key that is known, and refused.
                assert "Permission denied (publickey)" in done.stderr
    return found
