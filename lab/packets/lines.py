"""Frames as lines of text."""

from __future__ import annotations

from datetime import datetime

from lab.packets.capture import Seen
from lab.packets.headers import Ethernet, headers_of


def line_of(seen: Seen) -> str:
    """One line: time by the clock of the machine that saw it, place, headers from the outermost in."""
    moment = datetime.fromtimestamp(seen.frame.time / 1e9).astimezone()
    headers = headers_of(seen.link_type, seen.frame)
    inner = [str(header) for header in headers if not isinstance(header, Ethernet)] or [
        "a frame without more"
    ]
    return f"{moment:%H:%M:%S.%f} {seen.interface}  {' | '.join(inner)}, {seen.length} bytes"
