"""How a command ends when it is asked to from outside, or when the system refuses it something."""

from __future__ import annotations

import signal

from lab.foundation.errors import LabError, refused_by_system

SIGNALLED = 128
"""Added to a signal's number, it is the exit status that shells give to what the signal ended."""


class EndedError(SystemExit):
    """This process was asked to end by SIGTERM or SIGHUP."""

    def __init__(self, number: int) -> None:
        super().__init__(SIGNALLED + number)


def heed_signals() -> None:
    """Let SIGTERM and SIGHUP end a command as Ctrl-C does: its children end with it, its work is tidied up.

    Under nohup SIGHUP stays without effect.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)


def _end(number: int, _: object) -> None:
    # Once is enough: another one must not disturb the tidying up.
    for heeded in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(heeded, lambda *_: None)
    raise EndedError(number)


def system_error(error: OSError) -> LabError:
    """What to tell of an error of the system that no part of the program expected."""
    what = error.filename2 or error.filename
    return refused_by_system(f"the system refused {what}" if what else "the system refused a file", error)
