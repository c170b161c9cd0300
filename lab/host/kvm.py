"""Whether KVM really runs guests here: found out by booting a kernel, not by looking at /dev/kvm."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from lab.foundation.files import write_atomically
from lab.foundation.process import ProcessFailedError, run
from lab.foundation.wait import Deadline

QEMU = "qemu-system-x86_64"
DEVICE = Path("/dev/kvm")
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
LIMIT_SECONDS = 6.0
"""A kernel under KVM prints its first line within a second; on a host that pretends, it never does."""

SIGN_OF_LIFE = "Linux version"
ARGUMENTS = "earlyprintk=ttyS0 console=ttyS0 panic=-1"
"""The kernel has no root file system, so it panics at the end of its start; panic=-1 then resets at once,
which ends qemu with -no-reboot."""


@dataclass(frozen=True)
class KvmVerdict:
    """Whether guests can be run with KVM on this host, and how that was found out."""

    usable: bool
    why: str


def probe(
    kernel: Path, deadline: Deadline, *, cache: Path, device: Path = DEVICE, qemu: str = QEMU
) -> KvmVerdict:
    """Boot `kernel` with KVM and the host's CPU model, and look for its first line on the serial console.

    A host may have /dev/kvm, and may even make a virtual machine, while no guest boots: virtual machines on
    hosts without working nested virtualisation are like that. The verdict is kept in the file `cache` for as
    long as the host is up and the kernel file the same. Booting takes LIMIT_SECONDS or what the deadline
    leaves, whichever is less.
    Raises ProgramMissingError when qemu is not installed.
    """
    if not device.exists():
        return KvmVerdict(False, f"there is no {device}")
    about = _about(kernel, qemu)
    verdict = _remembered(cache, about)
    if verdict is None:
        verdict = _boot(kernel, qemu, min(LIMIT_SECONDS, deadline.left))
        content = {"about": about, "usable": verdict.usable, "why": verdict.why}
        write_atomically(cache, json.dumps(content, indent=2) + "\n")
    return verdict


def _boot(kernel: Path, qemu: str, seconds: float) -> KvmVerdict:
    command = (
        *(qemu, "-machine", "pc,accel=kvm", "-cpu", "host", "-m", "256", "-nodefaults", "-no-user-config"),
        *("-display", "none", "-monitor", "none", "-serial", "stdio", "-no-reboot"),
        *("-kernel", str(kernel), "-append", ARGUMENTS),
    )
    try:
        ended = run(command, timeout=seconds, check=False)
        printed, said = ended.stdout, ended.stderr.strip() or f"qemu ended with status {ended.returncode}"
    except ProcessFailedError as late:
        printed = late.completed.stdout
        said = f"a kernel was started and printed nothing in {seconds:.0f} s"
    if SIGN_OF_LIFE in printed:
        return KvmVerdict(True, "a kernel was seen to boot")
    return KvmVerdict(False, f"no guest boots with KVM here: {said.splitlines()[0]}")


def _about(kernel: Path, qemu: str) -> str:
    stat = kernel.stat()
    boot = BOOT_ID.read_text(encoding="utf-8").strip()
    return f"boot {boot}, {qemu}, kernel {kernel.absolute()} {stat.st_size} {stat.st_mtime_ns}"


def _remembered(record: Path, about: str) -> KvmVerdict | None:
    try:
        content = json.loads(record.read_text(encoding="utf-8"))
        if content["about"] != about:
            return None
        return KvmVerdict(bool(content["usable"]), str(content["why"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
