"""Where Debian packages are fetched from: Debian's own archive, or the mirror that the user names."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from lab.foundation.errors import LabError, WrongUseError
from lab.foundation.process import ProcessFailedError

ARCHIVE_VARIABLE = "LAB_DEBIAN_ARCHIVE"


def archive_words(suite: str) -> tuple[str, ...]:
    """What mmdebstrap is told after suite and target: nothing for Debian's own archive, else its sources.

    mmdebstrap's own sources have the suite's updates and security fixes too, and so have these. A mirror has
    the latter in a folder beside the archive, as Debian has: `URL` and `URL-security`.
    Raises WrongUseError when LAB_DEBIAN_ARCHIVE is no URL.
    """
    named = os.environ.get(ARCHIVE_VARIABLE, "").rstrip("/")
    if not named:
        return ()
    url = urlsplit(named)
    if url.scheme not in ("http", "https") or not url.hostname or named.split() != [named]:
        raise WrongUseError(
            f"{ARCHIVE_VARIABLE} is no URL of a Debian archive: {named}",
            resolution=f"{ARCHIVE_VARIABLE}=https://HOST/debian, or leave it unset for Debian's own",
        )
    return (
        f"deb {named} {suite} main",
        f"deb {named} {suite}-updates main",
        f"deb {named}-security {suite}-security main",
    )


def packages_missing(what: str, failed: ProcessFailedError) -> LabError:
    """The error for a mmdebstrap that failed to get the packages for `what`."""
    return LabError(
        f"the Debian packages for {what} cannot be had: mmdebstrap: {failed.why}",
        details=failed.details,
        resolution="see that this host reaches Debian's own archive, or name a mirror of it in "
        f"{ARCHIVE_VARIABLE}, then run the same command again",
    )
