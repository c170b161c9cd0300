"""What this host is: its system, processor, memory, and the versions of packages."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.foundation.process import ProgramMissingError, run

GIB = 1 << 30
LIMIT_SECONDS = 30.0
CPU_INFO = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class HostFacts:
    """One host at one moment."""

    distribution: str
    kernel: str
    architecture: str
    processor: str
    virtualization: str
    """`vmx` (Intel) or `svm` (AMD) where the processor offers it, `hypervisor` where this is a guest."""
    cores: int
    memory_gib: float
    load: float
    """Processes that wanted a processor, on average over the last minute."""
    packages: Mapping[str, str]
    """Version of each Debian package by its name; empty where it is not installed."""

    @classmethod
    def of(cls, packages: Iterable[str]) -> HostFacts:
        return cls(
            distribution=_distribution(),
            kernel=f"{platform.system()} {platform.release()}",
            architecture=platform.machine(),
            processor=processor_model(),
            virtualization=_virtualization(),
            cores=os.cpu_count() or 1,
            memory_gib=memory_gib(),
            load=os.getloadavg()[0],
            packages=_package_versions(tuple(dict.fromkeys(packages))),
        )


def processor_model() -> str:
    """The name that the kernel has for the processor."""
    models = [
        line for line in CPU_INFO.read_text(encoding="utf-8").splitlines() if line.startswith("model name")
    ]
    return models[0].partition(": ")[2] if models else platform.processor()


def memory_gib() -> float:
    """All memory of the host, in GiB, rounded to a tenth."""
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB, 1)


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "unknown")
    except OSError:
        return "unknown"


def _virtualization() -> str:
    lines = CPU_INFO.read_text(encoding="utf-8").splitlines()
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    return ", ".join(name for name in ("vmx", "svm", "hypervisor") if name in flags) or "none seen"


def _package_versions(names: tuple[str, ...]) -> Mapping[str, str]:
    form = "--showformat=${Package} ${db:Status-Status} ${Version}\n"
    try:
        # It fails when one of them is not known, and prints the others.
        listed = run(("dpkg-query", "--show", form, *names), timeout=LIMIT_SECONDS, check=False).stdout
    except ProgramMissingError:
        listed = ""
    rows = (line.split() for line in listed.splitlines())
    installed = {row[0]: row[2] for row in rows if len(row) == 3 and row[1] == "installed"}
    return {name: installed.get(name, "") for name in names}
