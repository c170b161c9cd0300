"""From what was gathered to one file: secrets are taken out here, as the last thing, whatever came before."""

from __future__ import annotations

import gzip
import io
import tarfile
import time
from dataclasses import dataclass

from lab.foundation.redaction import Redactor
from lab.operations.support.gathering import Gathered

INDEX = "INDEX"
HOLDS_SECRET = "holds a secret of the lab, so it is left out"  # noqa: S105


@dataclass(frozen=True)
class Packed:
    """A tar file, compressed with gzip, and what is in it."""

    data: bytes
    files: tuple[str, ...]
    missing: dict[str, str]
    redactions: int


def pack(folder: str, about: str, gathered: Gathered, redactor: Redactor) -> Packed:
    """All files below `folder`, with an INDEX that begins with `about` and says what is missing and why."""
    clean: dict[str, bytes] = {}
    missing = {name: redactor.redact(why)[0] for name, why in gathered.missing.items()}
    notes: dict[str, str] = {}
    redactions = 0
    for path, content in sorted(gathered.files.items()):
        if isinstance(content, str):
            text, count = redactor.redact(content)
            redactions += count
            clean[path] = text.encode(errors="replace")
            notes[path] = f", {count} secrets left out" if count else ""
        elif redactor.has_secret(content):
            missing[path] = HOLDS_SECRET
        else:
            clean[path] = content
    lines = [about, ""]
    lines += [f"{path}: {len(data)} bytes{notes.get(path, '')}" for path, data in clean.items()]
    lines += [f"missing: {name}: {why}" for name, why in sorted(missing.items())]
    index = "".join(f"{line}\n" for line in lines).encode()
    return Packed(_tar(folder, {INDEX: index, **clean}), tuple(clean), missing, redactions)


def _tar(folder: str, files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb") as packed, tarfile.open(fileobj=packed, mode="w") as tar:
        for path, data in files.items():
            entry = tarfile.TarInfo(f"{folder}/{path}")
            entry.size, entry.mtime, entry.mode = len(data), int(time.time()), 0o644
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()
