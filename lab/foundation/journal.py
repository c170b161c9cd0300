"""What this program does, told line by line while it does it: for a log in a file, and for people.

Whoever does something worth knowing writes to `JOURNAL`. Until `start` the lines go nowhere. A line never
holds a secret (`lab.foundation.redaction`), and one that cannot be written is lost: that is no reason for a
command to fail.
"""

from __future__ import annotations

import fcntl
import logging
import os
import sys
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from lab.foundation.redaction import Redactor

JOURNAL = logging.getLogger("lab")
JOURNAL.setLevel(logging.DEBUG)
JOURNAL.propagate = False
JOURNAL.addHandler(logging.NullHandler())

LARGEST_BYTES = 4 << 20
"""A log of this size becomes the older one, which is then replaced: both together take at most twice that."""
LINES_WITHOUT_FILE = 1000
"""Lines remembered until it is known which file they belong to."""


def start() -> None:
    """Remember the lines of this process from now on, until `keep_in` names a file for them."""
    if not _files():
        JOURNAL.addHandler(JournalFile())


def keep_in(path: Path) -> None:
    """Append what was and will be told to the file; does nothing in a process that did not `start`."""
    for file in _files():
        file.keep_in(path)


def show_on_stderr() -> None:
    """Print the lines on stderr as they come, dimmed on a terminal."""
    if not any(isinstance(handler, _OnStderr) for handler in JOURNAL.handlers):
        JOURNAL.addHandler(_OnStderr())


class Silence:
    """Nothing of what happens within the block is told, in the log or with --verbose.

    An error leaves the block without its traceback, whose lines of code would tell it.
    """

    def __enter__(self) -> None:
        self._before = JOURNAL.disabled
        JOURNAL.disabled = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        JOURNAL.disabled = self._before
        if error is not None:
            raise error.with_traceback(None) from None


def _files() -> list[JournalFile]:
    return [handler for handler in JOURNAL.handlers if isinstance(handler, JournalFile)]


class _Lines(logging.Formatter):
    """UTC, the process, the line; the further lines of one message are indented."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(process)d %(levelname)s %(message)s")
        self._redactor = Redactor()

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        return f"{datetime.fromtimestamp(record.created, UTC):%Y-%m-%dT%H:%M:%S}.{int(record.msecs):03d}Z"

    def format(self, record: logging.LogRecord) -> str:
        text, _ = self._redactor.redact(super().format(record))
        return text.replace("\n", "\n    ")


class _Quiet(logging.Handler):
    """A handler whose failures nobody hears of."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(_Lines())

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        pass


class JournalFile(_Quiet):
    """Appends to a file that several processes may write to, and bounds it.

    The file is opened for each line and never made by one, so that a log whose folder is being removed does
    not come back.
    """

    def __init__(self, largest: int = LARGEST_BYTES) -> None:
        super().__init__()
        self._largest = largest
        self._path: Path | None = None
        self._early: deque[str] = deque(maxlen=LINES_WITHOUT_FILE)

    def keep_in(self, path: Path) -> None:
        """Write to `path`, beginning with the lines that had no file yet. Its folder's folder must exist."""
        self.acquire()
        try:
            self._path = path
            path.parent.mkdir(exist_ok=True)
            path.touch(mode=0o600)
            while self._early:
                self._append(path, self._early.popleft())
        except OSError:
            self._early.clear()
        finally:
            self.release()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
            if self._path is None:
                self._early.append(line)
            else:
                self._append(self._path, line)
        except (OSError, ValueError, TypeError):
            self.handleError(record)

    def _append(self, path: Path, line: str) -> None:
        data = f"{line}\n".encode(errors="backslashreplace")
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        try:
            if os.fstat(file).st_size + len(data) > self._largest:
                self._make_room(path, file)
                os.close(file)
                file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
            os.write(file, data)
        finally:
            os.close(file)

    def _make_room(self, path: Path, file: int) -> None:
        """Let the file become the older one, unless another process does that right now or has done it."""
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.stat().st_ino == os.fstat(file).st_ino:
                path.replace(path.with_suffix(f".1{path.suffix}"))
                path.touch(mode=0o600)


class _OnStderr(_Quiet):
    """Writes to what sys.stderr is at that moment: a live progress display puts itself in its place."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
            print(f"\x1b[2m{line}\x1b[0m" if sys.stderr.isatty() else line, file=sys.stderr, flush=True)  # noqa: T201
        except (OSError, ValueError, TypeError):
            self.handleError(record)
