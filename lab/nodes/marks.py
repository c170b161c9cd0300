"""Work on a node that leaves a mark, its script's digest: so it is known whether this very work was done."""

from __future__ import annotations

import hashlib

from lab.nodes.connection import Command, NodeConnection
from lab.nodes.files import NodeFile, write_files


def with_mark(work: str, mark: str) -> str:
    """Bash lines: the work, and its mark at that path when all of it was done."""
    return work + write_files((NodeFile(mark, _digest(work) + "\n"),))


def has_mark(connection: NodeConnection, work: str, mark: str) -> bool:
    """Whether this very work was done on the node."""
    found = connection.run(Command(("cat", mark)), check=False)
    return found.status == 0 and found.stdout.strip() == _digest(work)


def _digest(work: str) -> str:
    return hashlib.sha256(work.encode()).hexdigest()
