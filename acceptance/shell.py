"""Many commands in one go: a batch is one script over one connection, and its commands run concurrently."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from acceptance.problems import SuiteError

BATCH_TIMEOUT = 120.0
SOCKET_PATH_LIMIT = 107
"""Longest path of a Unix socket in bytes: sun_path in unix(7) has 108, the last of them a zero."""
SOCKET_NAME_LENGTH = 40 + 1 + 16
"""ssh_config(5): %C is a SHA-1 in hex; until it listens, ssh's mux.c adds a dot and 16 letters."""


@dataclass(frozen=True)
class Command:
    """A piece of bash. It runs in a scratch folder that the commands of a batch share."""

    key: str
    script: str


@dataclass(frozen=True)
class Output:
    status: int
    stdout: str
    stderr: str

    @property
    def reason(self) -> str:
        """Why it failed, in one line."""
        said = " ".join((self.stderr.strip() or self.stdout.strip()).split())
        return said or f"exit status {self.status}"


class Shell(Protocol):
    """Where batches run."""

    @property
    def name(self) -> str: ...

    def bash(self, script: str, timeout: float = BATCH_TIMEOUT) -> str:
        """Run `script` as root and return what it printed. Raises SuiteError."""


@dataclass(frozen=True)
class LocalShell:
    """This machine, in the network namespace of this process."""

    name: str = "this machine"

    def bash(self, script: str, timeout: float = BATCH_TIMEOUT) -> str:
        return _run(("bash", "-s"), script, timeout, self.name)


@dataclass(frozen=True)
class SshShell:
    """A node, by its name in the ssh configuration."""

    name: str
    config: Path

    def bash(self, script: str, timeout: float = BATCH_TIMEOUT) -> str:
        as_root = 'if [ "$(id -u)" = 0 ]; then exec bash -s; else exec sudo -n bash -s; fi'
        return _run(("ssh", "-F", str(self.config), self.name, as_root), script, timeout, self.name)


def _without_proxies() -> dict[str, str]:
    """The environment of this process, for programs that ask inside the lab, where no proxy is."""
    return {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}


def _run(words: Sequence[str], script: str, timeout: float, where: str) -> str:
    try:
        done = subprocess.run(
            words,
            input=script,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout,
            check=False,
            env=_without_proxies(),
        )
    except subprocess.TimeoutExpired as error:
        raise SuiteError(f"{where} did not finish its commands within {timeout:.0f} s") from error
    except OSError as error:
        raise SuiteError(f"cannot run {words[0]}: {error.strerror}") from error
    if done.returncode != 0:
        said = " ".join(done.stderr.split()) or f"exit status {done.returncode}"
        raise SuiteError(f"commands on {where} failed: {said}")
    return done.stdout


def run_batch(
    shell: Shell, commands: Sequence[Command], *, prelude: str = "", timeout: float = BATCH_TIMEOUT
) -> dict[str, Output]:
    """Run all commands at once on one machine and return their outputs by key.

    `prelude` runs first, in the shell the commands are forked from, so they see its variables and functions.
    Raises SuiteError when the machine cannot be reached or does not finish.
    """
    mark = f"batch-{secrets.token_hex(8)}"
    return parse_batch(shell.bash(batch_script(commands, mark, prelude), timeout), commands, mark, shell.name)


def batch_script(commands: Sequence[Command], mark: str, prelude: str = "") -> str:
    """The script: every command in the background, then all outputs, framed by lines with `mark`."""
    lines = [
        "set -u",
        # In memory where there is such a place: a machine whose disk is full must still tell so.
        "scratch=$(mktemp -d -p /run 2>/dev/null || mktemp -d) || exit 1",
        "trap 'rm -rf \"$scratch\"' EXIT",
        'export TMPDIR="$scratch"',
        'cd "$scratch" || exit 1',
        prelude,
    ]
    for index, command in enumerate(commands):
        lines += [
            "{ (",
            command.script,
            f") >{index}.out 2>{index}.err </dev/null; echo $? >{index}.status; }} &",
        ]
    lines.append("wait")
    for index in range(len(commands)):
        lines.append(
            f"printf '{mark} {index} %s\\n%s\\n{mark}\\n%s\\n'"
            f' "$(<{index}.status)" "$(<{index}.out)" "$(<{index}.err)"'
        )
    lines.append(f"echo '{mark} end'")
    return "\n".join(lines) + "\n"


def parse_batch(text: str, commands: Sequence[Command], mark: str, where: str) -> dict[str, Output]:
    """Outputs by key. Raises SuiteError when the end is missing."""
    body, found, _ = text.partition(f"{mark} end\n")
    if not found:
        raise SuiteError(f"the answer of {where} is cut short")
    outputs: dict[str, Output] = {}
    pieces = body.split(f"{mark} ")[1:]
    for command, piece in zip(commands, pieces, strict=True):
        head, _, rest = piece.partition("\n")
        stdout, _, stderr = rest.partition(f"\n{mark}\n")
        outputs[command.key] = Output(int(head.split()[1]), stdout, stderr.rstrip("\n"))
    return outputs


@contextlib.contextmanager
def folder_for_sockets() -> Iterator[Path]:
    """A temporary folder whose path is short and plain enough for ssh's sockets.

    Raises SuiteError when neither TMPDIR nor /tmp has room for one.
    """
    name = f"lab-acceptance-{secrets.token_hex(4)}"
    places = dict.fromkeys((tempfile.gettempdir(), "/tmp", "/run", "/dev/shm"))
    fitting = [place for place in places if _has_room(f"{place}/{name}/") and os.access(place, os.W_OK)]
    if not fitting:
        raise SuiteError(f"no folder has a path short enough for ssh's sockets: {', '.join(places)}")
    folder = Path(fitting[0], name)
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _has_room(folder: str) -> bool:
    """ssh cuts ControlPath at blanks and replaces what follows a percent sign."""
    plain = all(letter.isalnum() or letter in "/._-" for letter in folder)
    return plain and len(os.fsencode(folder)) + SOCKET_NAME_LENGTH <= SOCKET_PATH_LIMIT


@dataclass(frozen=True)
class SshConnections:
    """One kept connection per node, so that every batch after the first starts at once."""

    config: Path
    folder: Path

    @staticmethod
    def open(lab_config: Path, folder: Path) -> SshConnections:
        """Lay an ssh configuration of our own over the lab's, in `folder`."""
        config = folder / "ssh_config"
        config.write_text(
            "Host *\n"
            f"  ControlMaster auto\n  ControlPath {folder}/%C\n  ControlPersist 120\n"
            "  BatchMode yes\n  ConnectTimeout 15\n  ServerAliveInterval 10\n  LogLevel ERROR\n"
            f"Include {lab_config}\n"
        )
        return SshConnections(config, folder)

    def to(self, node: str) -> SshShell:
        return SshShell(node, self.config)

    def close(self, nodes: Sequence[str]) -> None:
        """End the kept connections; one that is not there is no error."""
        for node in nodes:
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                subprocess.run(
                    ("ssh", "-F", str(self.config), "-O", "exit", node),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    timeout=10,
                    check=False,
                    env={**os.environ, "LC_ALL": "C"},
                )
