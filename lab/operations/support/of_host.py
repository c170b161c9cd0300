"""What this host has of a lab, and what it says of itself."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

from lab.foundation.paths import LabFolder
from lab.foundation.process import run
from lab.host.doctor import Finding
from lab.host.enclosure import Enclosure
from lab.operations.support.gathering import Files, Part, Source

LAST_BYTES = 2 << 20
"""So much of the end of each log."""
LIMIT = 20.0
"""Seconds for one program."""
PROGRAMS = ("vagrant", "libvirtd", "qemu-system-x86_64", "qemu-img", "ip", "tcpdump", "ssh")
VERSION_WORD = {"ip": "-V", "ssh": "-V"}
OF_HOST = {
    "memory.txt": ("free", "-m"),
    "disks.txt": ("df", "-h"),
    "load.txt": ("uptime",),
}
OF_NETWORK = {
    "ip-addr.txt": ("ip", "-details", "addr"),
    "ip-route.txt": ("ip", "route", "show", "table", "all"),
    "ip-rule.txt": ("ip", "rule"),
    "ip-neigh.txt": ("ip", "neigh"),
    "iptables-save.txt": ("iptables-save", "--counters"),
    "ss.txt": ("ss", "-tunlp"),
}
"""In the network that the lab's machines are connected to."""


def host_source(folder: LabFolder, findings: Callable[[], Sequence[Finding]]) -> Source:
    """Records, rendered files, logs, versions, doctor; the lab need not run, its records may be damaged."""
    return Source(
        (
            *(
                _file(path, "lab")
                for path in (folder.topology, folder.state, folder.faults, folder.vagrantfile)
            ),
            Part("logs/", lambda: _logs(folder)),
            Part.text("host/versions.txt", _versions),
            *(Part.text(f"host/{name}", _printed_by(words)) for name, words in OF_HOST.items()),
            *(_in_network(folder, name, words) for name, words in OF_NETWORK.items()),
            Part.text("host/doctor.txt", lambda: "".join(map(_line, findings()))),
        )
    )


def _file(path: Path, under: str) -> Part:
    return Part.text(f"{under}/{path.name}", lambda: path.read_text(encoding="utf-8", errors="replace"))


def _logs(folder: LabFolder) -> Files:
    """Those that `lab logs` lists, what libvirtd and the LAN host said, and QEMU of each machine."""
    paths = {
        *folder.logs.rglob("*.log"),
        *folder.host.glob("*.log"),
        *folder.host.rglob("qemu/*.log"),
    }
    return {
        f"logs/{path.relative_to(folder.root).as_posix().removeprefix('logs/')}": _end_of(path)
        for path in sorted(paths)
        if path.is_file()
    }


def _end_of(path: Path) -> str:
    with path.open("rb") as file:
        size = file.seek(0, 2)
        begin = max(0, size - LAST_BYTES)
        file.seek(begin)
        text = file.read().decode(errors="replace")
    # The first line may be cut anywhere, also in a secret.
    return text.partition("\n")[2] if begin else text


def _versions() -> str:
    lines = [f"lab {version('lab')}", f"Python {sys.version}", " ".join(platform.uname())]
    lines.append(Path("/etc/os-release").read_text(encoding="utf-8"))
    for program in PROGRAMS:
        try:
            said = run([program, VERSION_WORD.get(program, "--version")], check=False, timeout=LIMIT)
            lines.append(f"{program}: {(said.stdout or said.stderr).strip().splitlines()[0]}")
        except Exception as error:  # one program that is missing is a line too
            lines.append(f"{program}: {error}")
    return "\n".join(lines) + "\n"


def _printed_by(words: Sequence[str]) -> Callable[[], str]:
    return lambda: run(words, timeout=LIMIT).stdout


def _in_network(folder: LabFolder, name: str, words: Sequence[str]) -> Part:
    def printed() -> str:
        return run(Enclosure(folder).network_command(words), timeout=LIMIT).stdout

    return Part.text(f"host/network/{name}", printed)


def _line(finding: Finding) -> str:
    mark = "ok" if finding.ok else "wrong"
    return f"{mark:6} {finding.name}: {finding.found}\n"
