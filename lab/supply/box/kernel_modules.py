"""Kernel modules without their signatures: checking them is a tenth of an emulated node's boot."""

from __future__ import annotations

import struct
from pathlib import Path

MARK = b"~Module signature appended~\n"
TRAILER = struct.Struct(">8xI")
"""struct module_signature in the kernel's include/linux/module_signature.h; its last field is the length of
the signature before it, big-endian."""


def unsigned(module: bytes) -> bytes:
    """The module without the signature at its end; as it is when it has none."""
    if not module.endswith(MARK):
        return module
    end = len(module) - len(MARK) - TRAILER.size
    (length,) = TRAILER.unpack_from(module, end)
    return module[: end - int(length)]


def remove_signatures(root: Path) -> int:
    """Take the signatures off all modules below `root`; the number of modules changed.

    Debian's kernel loads unsigned modules unless Secure Boot locks it down, and marks itself as tainted.
    """
    changed = 0
    for path in (root / "usr/lib/modules").rglob("*.ko"):
        module = path.read_bytes()
        bare = unsigned(module)
        if len(bare) != len(module):
            path.write_bytes(bare)
            changed += 1
    return changed
