"""Booting a node anew, and waiting until it is another boot that answers."""

from __future__ import annotations

import time
from collections.abc import Callable

from acceptance.problems import Problem, SuiteError
from acceptance.shell import Shell

POLL_SECONDS = 1.0
BOOT_ID = "cat /proc/sys/kernel/random/boot_id"
"""A new random number in every boot: random(4), section "Configuration"."""


def reboot(shell: Shell, disconnect: Callable[[], None], seconds: float) -> Problem | None:
    """Boot the node anew; None when it answers again. Problem when it does not within `seconds`.

    `disconnect` ends connections to the node that would outlive it.
    """
    try:
        before = shell.bash(BOOT_ID).strip()
        shell.bash("systemctl reboot --no-block")
    except SuiteError as error:
        return Problem(f"{shell.name} cannot be rebooted: {error}")
    disconnect()
    end = time.monotonic() + seconds
    last = "it still runs"
    while time.monotonic() < end:
        try:
            if shell.bash(BOOT_ID, 20).strip() != before:
                return None
            last = "it still runs"
        except SuiteError as error:
            last = str(error)
            disconnect()
        time.sleep(POLL_SECONDS)
    return Problem(f"{shell.name} is not back {seconds:.0f} s after its reboot began: {last}")
