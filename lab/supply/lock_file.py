"""The lock file: what exactly the software of one version was made of, for people and for `git diff`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import yaml

from lab.foundation.files import write_atomically
from lab.supply.cache import Cache, Record
from lab.supply.software import Software

NAME = "lab-supply.lock.yaml"


def lock_file(cache: Cache, version: str) -> Path:
    """Where the lock file of a Kubernetes version lies."""
    return cache.root / "software" / version / NAME


def write_lock_file(cache: Cache, software: Software, records: Iterable[Record]) -> None:
    """Write down every product with its digest, and the modules and packages that it was made of."""
    content = {
        "kubernetes": software.kubernetes_version,
        "digest": software.digest,
        "products": [
            {
                "name": record.name,
                "kind": record.kind,
                "made with": record.made_with,
                "sha256": dict(sorted(record.outputs.items())),
                **({"used": list(record.used)} if record.used else {}),
            }
            for record in records
        ],
    }
    text = yaml.safe_dump(content, sort_keys=False, width=110)
    path = lock_file(cache, software.kubernetes_version)
    if not path.exists() or path.read_text() != text:
        write_atomically(path, text)
