"""The boxes in the cache: what there is, and taking away those that nobody needs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lab.foundation.paths import cache_root
from lab.foundation.progress import Progress
from lab.state.records import existing_labs, read_record
from lab.supply.box import Box, all_boxes, box_keys, remove_box
from lab.supply.cache import Cache
from lab.supply.stock import all_kept
from lab.topology.models import Supply


@dataclass(frozen=True)
class BoxRow:
    """One box."""

    name: str
    built: str
    """UTC, ISO 8601."""
    size: int
    """Bytes."""
    digest: str
    labs: tuple[str, ...]
    """Whose machines are made from it."""

    def as_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def box_rows() -> tuple[BoxRow, ...]:
    """All boxes, the one built last first. Raises LabError when a lab's record cannot be read."""
    users = _users()
    return tuple(_row(box, users) for box in all_boxes(cache_root()))


def prune_boxes(progress: Progress) -> tuple[BoxRow, ...]:
    """Remove the boxes that no lab is made from, and no lab will be; return the removed.

    The newest of each name stays, and those for software that a mirror or a bundle brought: without a network
    they could not be built again. Raises LabError when a lab's record cannot be read, whose box is not known.
    """
    users = _users()
    needed = users.keys() | _of_brought_software()
    newest: set[str] = set()
    removed = []
    with progress.step("remove old boxes"):
        for box in all_boxes(cache_root()):
            if box.name in newest and box.digest not in needed:
                removed.append(_row(box, users))
                remove_box(cache_root(), box)
            newest.add(box.name)
    return tuple(removed)


def _users() -> Mapping[str, tuple[str, ...]]:
    """The names of the labs made from a box, by its digest."""
    found: dict[str, tuple[str, ...]] = {}
    for folder in existing_labs():
        record = read_record(folder)
        if record is not None and record.box_digest:
            found[record.box_digest] = (*found.get(record.box_digest, ()), folder.name)
    return found


def _of_brought_software() -> set[str]:
    """The digests of the boxes for what supplies have in stock, whether there are such boxes or not."""
    cache = Cache()
    return {
        key
        for supply in Supply
        for contents in all_kept(cache, supply)
        for key in box_keys(contents.software(cache))
    }


def _row(box: Box, users: Mapping[str, tuple[str, ...]]) -> BoxRow:
    built = datetime.fromtimestamp(box.built, UTC).isoformat(timespec="seconds")
    return BoxRow(box.name, built, box.size, box.digest, users.get(box.digest, ()))
