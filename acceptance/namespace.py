"""Entering the network of a lab."""

from __future__ import annotations

import ctypes
import os
import socket
from pathlib import Path

from acceptance.problems import SuiteError

RUN_LOCK = "\0lab-acceptance"  # an abstract socket: seen in its network namespace only, gone with its process
CLONE_NEWNET = 0x40000000  # linux/sched.h


def enter_network_namespace(pid: int) -> None:
    """Move this thread, and all that it starts later, into the network namespace of process `pid`.

    Does nothing when it is there already. Raises SuiteError when the process is gone or root is missing.
    """
    theirs = Path(f"/proc/{pid}/ns/net")
    try:
        if theirs.stat().st_ino == Path("/proc/self/ns/net").stat().st_ino:
            return
        handle = os.open(theirs, os.O_RDONLY)
    except FileNotFoundError as error:
        raise SuiteError(
            f"the lab's process {pid} is gone, so its network is too: `lab status`, then `lab up`"
        ) from error
    except PermissionError as error:
        raise SuiteError(
            "entering the lab's network needs root: run pytest as root, or `lab test`"
        ) from error
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(handle, CLONE_NEWNET) != 0:
            why = os.strerror(ctypes.get_errno())
            raise SuiteError(
                f"cannot enter the lab's network (setns: {why}): run pytest as root, or `lab test`"
            )
    finally:
        os.close(handle)


def claim_lab() -> socket.socket:
    """Keep other runs of the suite off the lab whose network this is, until the socket is closed.

    Raises SuiteError when another run is at work: two would remove each other's pods.
    """
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        claim.bind(RUN_LOCK)
    except OSError as error:
        claim.close()
        raise SuiteError(
            "another run of the acceptance suite is running on this lab: wait until it ends"
        ) from error
    return claim
