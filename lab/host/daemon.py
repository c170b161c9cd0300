"""The one place that starts processes which outlive this one."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.foundation.environment import inside_a_lab
from lab.foundation.journal import JOURNAL
from lab.foundation.process import ProgramMissingError

LOG_LINES = 15

_started: list[subprocess.Popen[bytes]] = []


def start_daemon(
    command: Sequence[str | os.PathLike[str]],
    log: Path,
    *,
    env: Mapping[str, str] | None = None,
    files: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start `command` in a session of its own, its output appended to `log`.

    It has the environment of what talks inside a lab, or `env`, and the open `files` of this process by the
    same numbers. The child is kept, so that it is reaped if it ends while this process lives. Raises
    ProgramMissingError.
    """
    words = [os.fspath(word) for word in command]
    JOURNAL.info("start: %s", shlex.join(words))
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        try:
            child = subprocess.Popen(
                words,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=inside_a_lab() if env is None else env,
                pass_fds=files,
            )
        except FileNotFoundError as missing:
            raise ProgramMissingError(words[0]) from missing
    _started.append(child)
    return child


def last_words(log: Path) -> str:
    """The last lines of such a log."""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:])
