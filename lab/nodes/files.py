"""Files on a node, as text of a script, so that many are written in one round trip."""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

PLAIN_MODE = 0o644
NEW_SUFFIX = ".lab-new"


@dataclass(frozen=True)
class NodeFile:
    """A text file on a node: absolute path, content, permission bits; root owns it."""

    path: str
    content: str
    mode: int = PLAIN_MODE


def write_files(files: Sequence[NodeFile]) -> str:
    """Bash lines that write the files, each whole or not at all, the parents made where missing.

    The content is written by a builtin: starting processes is what costs under emulation.
    """
    if not files:
        return ""
    folders = sorted({posixpath.dirname(file.path) for file in files})
    lines = [f"mkdir -p {shlex.join(folders)}", "umask 077"]
    for file in files:
        lines.append(f"printf %s {shlex.quote(file.content)} > {shlex.quote(file.path + NEW_SUFFIX)}")
    for mode in sorted({file.mode for file in files}):
        paths = [file.path + NEW_SUFFIX for file in files if file.mode == mode]
        lines.append(f"chmod {mode:04o} {shlex.join(paths)}")
    for file in files:
        lines.append(f"mv {shlex.quote(file.path + NEW_SUFFIX)} {shlex.quote(file.path)}")
    lines.append("umask 022")
    return "\n".join(lines) + "\n"
