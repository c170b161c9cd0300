"""Files that are either whole or not there."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from lab.foundation.errors import LabError, refused_by_system

BLOCK = 512
"""Bytes, the unit of st_blocks in stat(2)."""


def write_atomically(path: Path, content: str | bytes, mode: int = 0o644) -> None:
    """Write `content` to `path` so that a reader sees the old content or all of the new.

    Raises LabError when it cannot be written, as on a full disk.
    """
    data = content.encode() if isinstance(content, str) else content
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise refused_by_system(f"cannot write {path}", error) from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode)
        Path(name).replace(path)
    except OSError as error:
        Path(name).unlink(missing_ok=True)
        raise refused_by_system(f"cannot write {path}", error) from error
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_output(path: Path, content: str, *, private: bool = False) -> None:
    """Write what a user asked for into the file that they named, as UTF-8: a file whole or not at all.

    It belongs to the user who called sudo; with `private` nobody else may read it. Devices and pipes, such as
    /dev/stdout, stay what they are. Raises LabError when it cannot be written.
    """
    if not path.parent.is_dir():
        raise LabError(f"cannot write {path}: there is no folder {path.parent}", resolution="make it first")
    if path.is_file() or not path.exists():
        write_atomically(path.resolve(), content, 0o600 if private else 0o644)
        give_to_caller(path.resolve())
        return
    try:
        path.write_bytes(content.encode())
    except OSError as error:
        raise refused_by_system(f"cannot write {path}", error) from error


def write_report(path: Path, content: str) -> None:
    """Write a file that `lab` names itself, into a folder that is made if need be; both belong to the caller.

    Raises LabError when it cannot be written.
    """
    make_callers_folder(path.parent)
    write_atomically(path, content)
    give_to_caller(path)


def make_callers_folder(path: Path) -> None:
    """Make the folder, and those above it, for the user who called; what is there stays as it is.

    Raises LabError when it cannot be made.
    """
    if path.is_dir():
        return
    make_callers_folder(path.parent)
    try:
        path.mkdir(exist_ok=True)
    except OSError as error:
        raise refused_by_system(f"cannot make {path}", error) from error
    give_to_caller(path)


def give_to_caller(path: Path) -> None:
    """Let the file belong to the user who called sudo; without sudo, or on a disk without owners, it stays.

    https://www.sudo.ws/docs/man/sudo.man/ (ENVIRONMENT): SUDO_UID, SUDO_GID.
    """
    user, group = os.environ.get("SUDO_UID", ""), os.environ.get("SUDO_GID", "")
    if os.geteuid() == 0 and user.isdigit() and group.isdigit():
        with contextlib.suppress(OSError):
            os.chown(path, int(user), int(group), follow_symlinks=False)


def is_plain_file(path: Path) -> bool:
    """Whether a file itself is there: no link to one, no pipe or device, which may be read without end."""
    return path.is_file() and not path.is_symlink()


def read_at_most(path: Path, largest: int) -> bytes:
    """The first `largest` bytes of the file. Raises LabError when it cannot be read."""
    try:
        with path.open("rb") as content:
            return content.read(largest)
    except OSError as error:
        raise refused_by_system(f"cannot read {path}", error) from error


def sha256_of(path: Path) -> str:
    """The SHA-256 of the file's content, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tree_digest(root: Path) -> str:
    """SHA-256 over the names, modes and contents of all files below `root`."""
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        if path.is_file():
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            executable = path.stat().st_mode & 0o100 != 0
            digest.update(f"{path.relative_to(root)}\0{executable}\0{content}\n".encode())
    return digest.hexdigest()


def make_folder(path: Path) -> None:
    """Make the folder, and those above it, readable by everybody, whatever the umask; what is there stays."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir()
    path.chmod(0o755)


def lay_over(source: Path, target: Path) -> None:
    """Copy all below `source` into the folder `target`; what is there stays, but for files of the same names.

    Modes are those of any checkout (0755 and 0644), whatever the umask was when it was made.
    """
    for path in sorted(source.rglob("*")):
        there = target / path.relative_to(source)
        if path.is_symlink():
            there.unlink(missing_ok=True)
            there.symlink_to(path.readlink())
        elif path.is_dir():
            make_folder(there)
        else:
            there.unlink(missing_ok=True)
            shutil.copyfile(path, there)
            there.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)


def link_or_copy(source: Path, target: Path) -> None:
    """Make `target` the same file as `source` by a hard link, or a copy where they lie on different disks."""
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(source)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK):
            raise
        shutil.copy2(source, target)
