"""The first process of a lab's enclosure.

Started by `unshare` as process 1 of new network, mount and PID namespaces, it prepares them, keeps libvirtd
serving and reaps orphans. When it dies, the kernel ends everything that lives in its namespaces.
"""

from __future__ import annotations

import fcntl
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import TextIO

from lab.foundation import journal
from lab.foundation.files import write_atomically
from lab.foundation.journal import JOURNAL
from lab.foundation.paths import LabFolder
from lab.foundation.plain_paths import link_to, plain_paths
from lab.foundation.process import run
from lab.host.layout import EnclosureLayout
from lab.host.process_identity import ProcessIdentity

LIBVIRTD = ("libvirtd", "--pid-file", "/run/libvirt/libvirtd.pid")
SHORTEST_SERVICE = 10.0
"""Seconds; a libvirtd that ends sooner is broken and not started again."""

# https://libvirt.org/drvqemu.html: everything that would reach beyond the lab's own namespaces is off.
QEMU_CONF = """\
security_driver = "none"
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
cgroup_controllers = [ ]
namespaces = [ ]
stdio_handler = "file"
"""
LIBVIRTD_CONF = """\
unix_sock_rw_perms = "0700"
unix_sock_ro_perms = "0700"
auth_unix_ro = "none"
auth_unix_rw = "none"
"""
# The lab forwards between its networks, takes answers on any, and keeps bridged frames from netfilter.
SYSCTLS = {
    "net/ipv4/ip_forward": "1",
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/conf/default/rp_filter": "0",
    "net/bridge/bridge-nf-call-iptables": "0",
    "net/bridge/bridge-nf-call-arptables": "0",
    "net/bridge/bridge-nf-call-ip6tables": "0",
}


def main() -> int:
    folder = LabFolder(Path(sys.argv[1]))
    # dnsmasq, which is nobody, reads what libvirtd writes.
    os.umask(0o022)
    journal.start()
    journal.keep_in(folder.log)
    layout = EnclosureLayout.of(folder)
    lock = _lock(layout.init_lock)
    if lock is None:
        print("another enclosure of this lab is running", file=sys.stderr)  # noqa: T201
        return 1
    _record_self(layout.init_record)
    _mount(layout)
    run(["ip", "link", "set", "lo", "up"])
    _set_sysctls()
    write_atomically(Path("/etc/libvirt/qemu.conf"), QEMU_CONF)
    write_atomically(Path("/etc/libvirt/libvirtd.conf"), LIBVIRTD_CONF)
    return _keep_serving()


def _lock(path: Path) -> TextIO | None:
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("w", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def _record_self(path: Path) -> None:
    # /proc is still the host's here, so it knows this process by the host's number.
    identity = ProcessIdentity.of(int(os.readlink("/proc/self")))
    assert identity is not None
    identity.write(path)


def _mount(layout: EnclosureLayout) -> None:
    # Nothing that runs on the host can be reached by its socket, and no folder made below stays on the host.
    links = plain_paths()
    run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"])
    for link, folder in links.items():
        link.parent.mkdir(exist_ok=True)
        link_to(link, folder)
    for private, over in layout.private_folders.items():
        private.mkdir(parents=True, exist_ok=True)
        private.chmod(0o755)
        over.mkdir(parents=True, exist_ok=True)
        run(["mount", "--bind", private, over])
    run(["mount", "-t", "proc", "proc", "/proc"])
    # A fresh sysfs shows this namespace's network devices in place of the host's.
    run(["mount", "-t", "sysfs", "sysfs", "/sys"])


def _set_sysctls() -> None:
    for name, value in SYSCTLS.items():
        path = Path("/proc/sys") / name
        if path.exists():
            path.write_text(value)


def _keep_serving() -> int:
    while True:
        started = time.monotonic()
        JOURNAL.info("start: %s", shlex.join(LIBVIRTD))
        libvirtd = subprocess.Popen(LIBVIRTD, stdin=subprocess.DEVNULL)
        status = _reap_until(libvirtd.pid)
        JOURNAL.info("status %d after %.1f s: %s", status, time.monotonic() - started, shlex.join(LIBVIRTD))
        if time.monotonic() - started < SHORTEST_SERVICE:
            print(f"libvirtd ended at once with status {status}", file=sys.stderr)  # noqa: T201
            return 1


def _reap_until(pid: int) -> int:
    while True:
        ended, status = os.wait()
        if ended == pid:
            return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main())
