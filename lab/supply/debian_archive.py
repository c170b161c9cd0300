"""Where Debian packages are fetched from: Debian's own archive, or the mirror that the user names."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from urllib.parse import urlsplit

from lab.foundation.errors import LabError, WrongUseError
from lab.foundation.process import ProcessFailedError

ARCHIVE_VARIABLE = "LAB_DEBIAN_ARCHIVE"
OWN_ARCHIVES = re.compile(r"my \$(?:sec)?mirror\s*=\s*'([^']+)'")
"""Where mmdebstrap, a Perl program, says what it takes when no archive is named (1.3.5): the archive, then
its security fixes."""


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
    return _sources(named, f"{named}-security", suite)


def index_urls(suite: str, architecture: str) -> tuple[str, ...]:
    """What apt reads first: of each of the suite's archives, the release and its list of packages.

    Raises WrongUseError when LAB_DEBIAN_ARCHIVE is no URL, LabError when mmdebstrap does not say what it
    takes.
    """
    urls = []
    for source in archive_words(suite) or _sources(*_mmdebstraps_own(), suite):
        _, archive, name, component = source.split()
        root = f"{archive}/dists/{name}"
        urls += [f"{root}/InRelease", f"{root}/{component}/binary-{architecture}/Packages.xz"]
    return tuple(urls)


def _mmdebstraps_own() -> tuple[str, str]:
    program = shutil.which("mmdebstrap")
    found = OWN_ARCHIVES.findall(Path(program).read_text(encoding="utf-8")) if program else []
    if len(found) != 2:
        raise LabError(
            f"the archive that mmdebstrap takes is not known: {program or 'it is not installed'}",
            resolution=f"apt install mmdebstrap, or name an archive in {ARCHIVE_VARIABLE}",
        )
    archive, security = found
    return archive, security


def _sources(archive: str, security: str, suite: str) -> tuple[str, ...]:
    return (
        f"deb {archive} {suite} main",
        f"deb {archive} {suite}-updates main",
        f"deb {security} {suite}-security main",
    )


def packages_missing(what: str, failed: ProcessFailedError) -> LabError:
    """The error for a mmdebstrap that failed to get the packages for `what`."""
    return LabError(
        f"the Debian packages for {what} cannot be had: mmdebstrap: {failed.why}",
        details=failed.details,
        resolution="see that this host reaches Debian's own archive, or name a mirror of it in "
        f"{ARCHIVE_VARIABLE}, then run the same command again",
    )
