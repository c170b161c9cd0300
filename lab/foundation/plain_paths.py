"""Plain paths for folders whose own path some program does not take, as /srv/实验 室/50%.

Each is a link in `PLACE` that is named by the folder it leads to, so it is the same for every command, and
kept labs that hold it stay good. Links are gone after the host was started anew, and are made again.
"""

from __future__ import annotations

import os
import string
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

PLACE = Path("/run/lab-folders")
NAME_LENGTH = 8
"""Hexadecimal digits of the folder's SHA-256. The path of a socket has little room."""
_PLAIN = frozenset(f"{string.ascii_letters}{string.digits}/._+=@,~-")
"""What a path may have in an OpenSSH configuration, in a URI and in a shell, as it is.

A colon ends a path in KUBECONFIG, in PATH and in the names of image archives (containers-transports(5)).
"""


def odd_letters(path: Path) -> tuple[str, ...]:
    """What of a path, links followed, is not plain."""
    return tuple(sorted({letter for letter in f"{path}{path.resolve()}" if letter not in _PLAIN}))


def plain_path(folder: Path) -> Path:
    """A path without odd letters that leads to the folder; both are made if they are not there.

    Raises OSError when they cannot be made, as by a user who is not root.
    """
    target = folder.resolve()
    link = PLACE / sha256(os.fsencode(target)).hexdigest()[:NAME_LENGTH]
    target.mkdir(parents=True, exist_ok=True)
    PLACE.mkdir(exist_ok=True)
    PLACE.chmod(0o755)
    link_to(link, target)
    return link


def plain_paths() -> Mapping[Path, Path]:
    """All there are, with the folders they lead to."""
    return {link: link.readlink() for link in sorted(PLACE.glob("[0-9a-f]*")) if link.is_symlink()}


def link_to(link: Path, target: Path) -> None:
    """Have that link lead there, at every instant, whoever else does the same."""
    if link.is_symlink() and link.readlink() == target:
        return
    new = link.with_name(f".{link.name}.{os.getpid()}")
    new.unlink(missing_ok=True)
    new.symlink_to(target)
    new.replace(link)
