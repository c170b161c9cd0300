"""Text that nobody reads by accident. It is hidden, not protected: whoever wants to read it can."""

from __future__ import annotations

import base64
import binascii
import zlib

MAXIMUM_BYTES = 4 << 20
"""Of what was packed: ends what unpacks to much more than it is."""


def seal(text: str) -> str:
    """The text, compressed and in base64, in one line."""
    return base64.b64encode(pack_text(text)).decode()


def unseal(sealed: str) -> str:
    """What was sealed. Raises ValueError for what is none."""
    try:
        return unpack_text(base64.b64decode(sealed, validate=True))
    except binascii.Error as error:
        raise ValueError(f"it cannot be unpacked: {error}") from error


def pack_text(text: str) -> bytes:
    """The text, compressed."""
    return zlib.compress(text.encode(), 9)


def unpack_text(packed: bytes) -> str:
    """What `pack_text` packed. Raises ValueError for something else, and for more than `MAXIMUM_BYTES`."""
    unpacker = zlib.decompressobj()
    try:
        data = unpacker.decompress(packed, MAXIMUM_BYTES)
    except zlib.error as error:
        raise ValueError(f"it cannot be unpacked: {error}") from error
    if not unpacker.eof:
        raise ValueError("its end is missing, or it is too large")
    return data.decode()
