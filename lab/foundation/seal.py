"""Text that nobody reads by accident. It is hidden, not protected: whoever wants to read it can."""

from __future__ import annotations

import base64
import binascii
import zlib

MAXIMUM_BYTES = 4 << 20
"""Of what was sealed: ends what unpacks to much more than it is."""


def seal(text: str) -> str:
    """The text, compressed and in base64, in one line."""
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def unseal(sealed: str) -> str:
    """What was sealed. Raises ValueError for what is none."""
    unpacker = zlib.decompressobj()
    try:
        data = unpacker.decompress(base64.b64decode(sealed, validate=True), MAXIMUM_BYTES)
    except (binascii.Error, zlib.error) as error:
        raise ValueError(f"it cannot be unpacked: {error}") from error
    if not unpacker.eof:
        raise ValueError("its end is missing, or it is too large")
    return data.decode()
