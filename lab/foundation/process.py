"""The one place that runs child processes, or becomes another program."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from lab.foundation.environment import for_programs, inside_a_lab, of_the_user
from lab.foundation.errors import LabError
from lab.foundation.journal import JOURNAL

TAIL_LINES = 30
UMASK = 0o022
"""Of children, for what becomes a node's root must not depend on the user's. Secrets have their own modes."""
STOP_INTERVAL_SECONDS = 0.05
"""How long a child that ended, or a wish to stop it, may go unnoticed."""
TIED = ("setpriv", "--pdeathsig", "KILL", "--")
"""Words before those of a command that ends with the process that began it: setpriv(1)."""
GRANDCHILD_SILENCE = 2.0
"""Seconds without output after which streams that a grandchild holds open are given up."""


@dataclass(frozen=True)
class Completed:
    """A child process that ended: its words, exit status, output and wall seconds."""

    command: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str
    seconds: float


class ProcessFailedError(LabError):
    """A child process ended with a status other than 0, or ran out of time."""

    def __init__(self, completed: Completed, why: str, resolution: str | None = None) -> None:
        lines = (completed.stderr.strip() or completed.stdout.strip()).splitlines()
        output = list(dict.fromkeys(lines))[-TAIL_LINES:]
        super().__init__(
            f"{shlex.join(completed.command)}: {why}",
            details="\n".join(output) or "it printed nothing",
            resolution=resolution,
        )
        self.completed = completed
        self.why = why


class ProgramMissingError(LabError):
    """A program this host needs is not installed."""

    def __init__(self, program: str) -> None:
        super().__init__(
            f"the program {program} is not installed",
            resolution="`lab doctor` names all that is missing; scripts/lab of a checkout installs it",
        )


class StoppedError(LabError):
    """A child process was ended because other work it belongs to failed or was interrupted."""


def run(
    command: Sequence[str | os.PathLike[str]],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str | bytes | None = None,
    timeout: float | None = None,
    check: bool = True,
    on_line: Callable[[str], None] | None = None,
    log: Path | None = None,
    stop: threading.Event | None = None,
) -> Completed:
    """Run `command` (a list of words, no shell) to its end and return what it printed.

    `env` is added to what programs get of this process's environment. `timeout` is in seconds. Every line of
    stdout and stderr is handed to `on_line` as it comes and appended to `log`. The child leads a process
    group of its own, which is ended with it when this process is interrupted, when time runs out, or when
    another thread sets `stop`.

    Raises ProgramMissingError, and with `check` ProcessFailedError on a status other than 0; running out of
    time always raises, and so does `stop` (StoppedError).
    """
    words = tuple(os.fspath(word) for word in command)
    started = time.monotonic()
    JOURNAL.info("run: %s", shlex.join(words))
    try:
        child = subprocess.Popen(
            words,
            cwd=cwd,
            env=for_programs(env),
            umask=UMASK,
            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except FileNotFoundError as missing:
        if cwd is not None and not cwd.is_dir():
            raise LabError(f"{shlex.join(words)}: the folder {cwd} does not exist") from missing
        raise ProgramMissingError(words[0]) from missing
    try:
        reader = _OutputReader(child, on_line, log)
        reader.feed(stdin)
        _wait(child, timeout, stop)
    except subprocess.TimeoutExpired:
        _end_group(child)
        reader.join()
        late = Completed(words, -signal.SIGKILL, reader.stdout, reader.stderr, time.monotonic() - started)
        _tell_end(late, "ended by force")
        raise ProcessFailedError(late, f"not finished after {timeout:.0f} s") from None
    except BaseException as why:
        _end_group(child)
        JOURNAL.info("stopped, %s: %s", type(why).__name__, shlex.join(words))
        raise
    reader.join()
    completed = Completed(words, child.returncode, reader.stdout, reader.stderr, time.monotonic() - started)
    _tell_end(completed, f"status {completed.returncode}")
    if check and completed.returncode != 0:
        raise ProcessFailedError(completed, f"exit status {completed.returncode}")
    return completed


def run_with_terminal(command: Sequence[str], *, env: Mapping[str, str], silent: bool = False) -> int:
    """Run `command`, which reads and writes what this process does, to its end; return its exit status.

    It talks inside a lab, and does not outlive this process, which may be killed. `env` is added to what such
    programs get of this process's environment. With `silent`, nobody sees what it writes.
    """
    output = subprocess.DEVNULL if silent else None
    started = time.monotonic()
    JOURNAL.info("run: %s", shlex.join(command))
    status = subprocess.run(
        [*TIED, *command], env=inside_a_lab(env), check=False, stdout=output, stderr=output
    ).returncode
    _tell_end(Completed(tuple(command), status, "", "", time.monotonic() - started), f"status {status}")
    return status


def start_with_pipes(command: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start `command`, which talks inside a lab, in a process group of its own.

    Its standard streams are pipes of this process. Whoever starts it ends it. Raises ProgramMissingError.
    """
    JOURNAL.info("start: %s", shlex.join(command[:-1]))
    try:
        return subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env=inside_a_lab(),
        )
    except FileNotFoundError as missing:
        raise ProgramMissingError(command[0]) from missing


def end_with_pipes(
    child: subprocess.Popen[bytes], readers: Iterable[threading.Thread], seconds: float
) -> None:
    """Let what `start_with_pipes` started end, which it does when its standard input does, or be ended.

    It has so many seconds, and after that each thread that reads its output; then the pipes are closed.
    """
    assert child.stdin is not None
    with contextlib.suppress(OSError):  # nobody reads what was written last
        child.stdin.close()
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    for reader in readers:
        reader.join(seconds)
    for stream in (child.stdout, child.stderr):
        assert stream is not None
        stream.close()


def become(command: Sequence[str], *, told: Sequence[str], env: Mapping[str, str] | None = None) -> NoReturn:
    """Let this process be the program, inside a lab, from now on.

    It keeps the user's environment but for proxies; `env` is added. `told` are the words of it that the log
    may hold.
    """
    JOURNAL.info("becomes: %s", shlex.join(told))
    os.execvpe(command[0], list(command), of_the_user(env or {}))  # noqa: S606 - words, no shell is wanted


def _tell_end(completed: Completed, how: str) -> None:
    JOURNAL.info("%s after %.1f s: %s", how, completed.seconds, shlex.join(completed.command))


def _wait(child: subprocess.Popen[bytes], timeout: float | None, stop: threading.Event | None) -> None:
    if stop is None:
        child.wait(timeout=timeout)
        return
    end = None if timeout is None else time.monotonic() + timeout
    while child.poll() is None:
        if stop.wait(STOP_INTERVAL_SECONDS):
            raise StoppedError(f"{child.args!r} was stopped")
        if end is not None and time.monotonic() > end:
            raise subprocess.TimeoutExpired(child.args, timeout or 0)


def _end_group(child: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(child.pid, signal.SIGTERM)
        child.wait(timeout=5)
    except ProcessLookupError:
        return
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


class _OutputReader:
    """Collects both output streams of a child in threads, so that neither can block it."""

    def __init__(
        self, child: subprocess.Popen[bytes], on_line: Callable[[str], None] | None, log: Path | None
    ) -> None:
        self._child = child
        self._on_line = on_line
        self._log = log
        self._lock = threading.Lock()
        self._out: list[str] = []
        self._err: list[str] = []
        assert child.stdout is not None
        assert child.stderr is not None
        self._threads = [
            threading.Thread(target=self._collect, args=(child.stdout, self._out), daemon=True),
            threading.Thread(target=self._collect, args=(child.stderr, self._err), daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def stdout(self) -> str:
        return "".join(self._out)

    @property
    def stderr(self) -> str:
        return "".join(self._err)

    def feed(self, stdin: str | bytes | None) -> None:
        if stdin is None:
            return
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(stdin.encode() if isinstance(stdin, str) else stdin)
            self._child.stdin.close()
        except BrokenPipeError:
            pass

    def join(self) -> None:
        """Wait for the streams to close; one held open by a grandchild, only while it prints."""
        seen = -1
        while any(thread.is_alive() for thread in self._threads) and seen != len(self._out) + len(self._err):
            seen = len(self._out) + len(self._err)
            for thread in self._threads:
                thread.join(timeout=GRANDCHILD_SILENCE)

    def _collect(self, stream: object, into: list[str]) -> None:
        for raw in stream:  # type: ignore[attr-defined]
            line = raw.decode(errors="replace")
            with self._lock:
                into.append(line)
                if self._log is not None:
                    with self._log.open("a", encoding="utf-8") as log:
                        log.write(line)
            if self._on_line is not None:
                self._on_line(line.rstrip("\n"))
