"""A browser of this host without a window: Chromium, of the package chromium or chromium-headless-shell."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

PROGRAMS = ("chromium-headless-shell", "chromium")
LIMIT = 120.0
"""Seconds until the page must be there."""


def shown_by_a_browser(url: str, folder: Path) -> str:
    """The page at that URL of this host's loopback as HTML, after the browser has read it."""
    found = [path for path in map(shutil.which, PROGRAMS) if path]
    assert found, f"there is no {' and no '.join(PROGRAMS)}: apt-get install {PROGRAMS[0]}"
    words = (
        *(found[0], "--headless", f"--user-data-dir={folder / 'profile'}"),
        # As root it has no sandbox; it reads a page of ours, and can reach nobody else.
        *("--no-sandbox", "--no-proxy-server", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
        *("--dump-dom", url),
    )
    done = subprocess.run(
        words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True, timeout=LIMIT
    )
    return done.stdout
