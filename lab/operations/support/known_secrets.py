"""Every secret that lies in a lab's folder, so that none of them goes into an archive."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from lab.foundation.files import is_plain_file
from lab.foundation.paths import LabFolder

LARGEST_BYTES = 256 << 10
"""Files with secrets are small; what is larger (disks, memory, programs) is not read."""
SHORTEST_LINE = 16
"""Characters; a shorter last line of a key says nothing by itself."""

_PRIVATE = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?-----END [A-Z0-9 ]*PRIVATE KEY-----\n?", re.S)
_USER_DATA = re.compile(r"(?:client-key-data|client-certificate-data|token|password): *\"?([^\s\"]+)")


def known_secrets(folder: LabFolder) -> frozenset[str]:
    """Join token, private keys (line by line, and whole in base64) and what kubeconfig files hold.

    The files of snapshots and of Vagrant are among those looked at.
    """
    found: set[str] = set()
    for path in _small_files(folder.root):
        text = path.read_text(errors="replace")
        found.update(_of_keys(text))
        if path.name == folder.secrets.name:
            found.update(_of_token(text))
        if path.name in (folder.kubeconfig.name, folder.host_kubeconfig.name):
            found.update(_of_kubeconfig(text))
    return frozenset(found)


def _small_files(root: Path) -> Iterator[Path]:
    for path in root.rglob("*"):
        try:
            if is_plain_file(path) and path.stat().st_size <= LARGEST_BYTES:
                yield path
        except OSError:
            continue  # gone in the meantime


def _of_keys(text: str) -> Iterator[str]:
    # In JSON the ends of lines are escaped.
    for pem in _PRIVATE.findall(text.replace("\\n", "\n")):
        yield base64.b64encode(pem.encode()).decode()
        yield from (line for line in _body(pem.splitlines()) if len(line) >= SHORTEST_LINE)


def _body(lines: Iterable[str]) -> Iterator[str]:
    return (line for line in lines if not line.startswith("-----"))


def _of_token(text: str) -> Iterator[str]:
    try:
        token = str(json.loads(text)["token"])
    except (ValueError, KeyError, TypeError):
        return
    yield token
    yield token.rpartition(".")[2]


def _of_kubeconfig(text: str) -> Iterator[str]:
    for value in _USER_DATA.findall(text):
        yield value
        try:
            yield from _of_keys(base64.b64decode(value, validate=True).decode())
        except (binascii.Error, UnicodeDecodeError):
            continue  # a token or a password is no base64 of text
