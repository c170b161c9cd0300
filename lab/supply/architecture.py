"""What the software's own world calls this host's processor."""

from __future__ import annotations

import platform

_NAMES = {"x86_64": "amd64", "aarch64": "arm64"}


def architecture() -> str:
    """The name that Go, Debian and container images have for it: amd64, arm64."""
    return _NAMES.get(platform.machine(), platform.machine())
