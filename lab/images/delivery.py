"""Images to nodes, and what nodes have of them: on all nodes at once, one node's failure not the others'."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from lab.foundation.errors import LabError
from lab.foundation.image_names import ImageName
from lab.foundation.progress import StepContext
from lab.images.node_files import NodeImage
from lab.images.stores import NO_ROOM, RECORD_BYTES, Store, StoredImage
from lab.nodes.connection import NodeCommandError, Script
from lab.nodes.file_server import serve_files
from lab.nodes.pool import Nodes
from lab.supply.own_images import OwnImage
from lab.topology.plan import NodePlan

T = TypeVar("T")
LIMIT = 1800.0
"""Seconds for one image on one node; 70 MB take about ten under emulation."""


@dataclass(frozen=True)
class Failed:
    """A node on which it did not come to its end."""

    node: str
    error: LabError


@dataclass(frozen=True)
class Outcome:
    """What nodes said by name, and those that failed."""

    said: Mapping[str, tuple[StoredImage, ...]] = field(default_factory=dict)
    failed: tuple[Failed, ...] = ()


@dataclass(frozen=True)
class NodeStores:
    """The stores of some of a lab's nodes."""

    nodes: Nodes
    chosen: tuple[NodePlan, ...]
    store: Store

    def bring(self, images: Sequence[OwnImage], folder: Path, at: StepContext) -> tuple[Failed, ...]:
        """Let the nodes have the images; what one has already it does not fetch.

        Files for them are made below `folder`, which is empty, and served by HTTP on the lab's own network:
        scp spends ten times as long on encryption, under emulation. Returns the nodes that do not have all of
        them now; the others do. Raises LabError when nothing can be prepared or served.
        """
        prepared = []
        for number, image in enumerate(images):
            at.doing(f"put {image.name} together")
            own = folder / str(number)
            own.mkdir()
            prepared.append(self.store.prepare(image, own))
        host = str(self.nodes.plan.uplink.host_address.ip)
        files = {
            f"{number}/{what}": path
            for number, image in enumerate(prepared)
            for what, path in image.files.items()
        }
        meter = _Meter(at, sum(image.size for image in prepared) * len(self.chosen))
        with serve_files(self.nodes.site, host, files) as port:
            at.doing("to the nodes")

            def fetch(node: NodePlan) -> None:
                for number, image in enumerate(prepared):
                    urls = {what: f"http://{host}:{port}/{number}/{what}" for what in image.files}
                    self._take(node, image, urls, meter.share(image.size))

            return self._on_each(fetch)[1]

    def stored(self) -> Outcome:
        """The names in the stores."""
        script = Script(self.store.listing(), "list the images")
        said, failed = self._on_each(lambda node: self.store.parse(self.nodes[node.name].run(script).stdout))
        return Outcome(said, failed)

    def remove(self, names: Iterable[ImageName]) -> tuple[Failed, ...]:
        """Take these names out of the stores; the nodes that did not, and why."""
        scripts = [Script(self.store.remove(name), f"remove the image {name}") for name in names]

        def drop(node: NodePlan) -> None:
            for script in scripts:
                self.nodes[node.name].run(script)

        return self._on_each(drop)[1]

    def _on_each(self, work: Callable[[NodePlan], T]) -> tuple[dict[str, T], tuple[Failed, ...]]:
        """Do `work` for all of them at once; what each came to, and the errors of the others."""

        def guarded(node: NodePlan) -> T | Failed:
            try:
                return work(node)
            except LabError as error:
                return Failed(node.name, error)

        results = self.nodes.on_each(self.chosen, guarded)
        well = {name: result for name, result in results.items() if not isinstance(result, Failed)}
        return well, tuple(result for result in results.values() if isinstance(result, Failed))

    def _take(self, node: NodePlan, image: NodeImage, urls: Mapping[str, str], share: _Share) -> None:
        script = Script(self.store.take(image, urls), f"take the image {image.name}")
        try:
            self.nodes[node.name].run(script, timeout=LIMIT, on_line=share.line)
        except NodeCommandError as error:
            if error.result.status != NO_ROOM:
                raise
            raise LabError(
                f"node {node.name} has no room for the image {image.name}",
                details=error.result.stderr.strip(),
                resolution="remove images that are not needed there (lab image list), or lab rebuild; "
                "then run the same command again",
            ) from error
        share.done()


class _Meter:
    """How much of all images is on all nodes, as one bar."""

    def __init__(self, at: StepContext, total: int) -> None:
        self._at = at
        self._total = total
        self._written = 0
        self._lock = threading.Lock()

    def share(self, size: int) -> _Share:
        return _Share(self, size)

    def add(self, size: int) -> None:
        with self._lock:
            self._written += size
            self._at.advance(self._written, self._total)


class _Share:
    """One image on one node."""

    def __init__(self, meter: _Meter, size: int) -> None:
        self._meter = meter
        self._size = size
        self._written = 0

    def line(self, printed: str) -> None:
        """Take what tar says about how many records it has read."""
        number = printed.rpartition(" ")[2]
        if number.isdigit():
            self._to(min(int(number) * RECORD_BYTES, self._size))

    def done(self) -> None:
        self._to(self._size)

    def _to(self, written: int) -> None:
        self._meter.add(written - self._written)
        self._written = written
