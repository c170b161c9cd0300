"""Images that users bring into a lab: pulled or loaded, on the nodes, kept for a rebuild, and removed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lab.foundation.errors import LabError, WrongUseError
from lab.foundation.image_names import DEFAULT_TAG, ImageName
from lab.foundation.paths import LabFolder
from lab.foundation.progress import Progress, SilentProgress, StepContext
from lab.images.delivery import Failed, NodeStores
from lab.images.stores import store_of
from lab.operations.context import Lab
from lab.state.records import locked
from lab.supply import image_files
from lab.supply.cache import Cache
from lab.supply.mirror import Mirrors, load_mirrors
from lab.supply.own_images import OwnImage, pull
from lab.topology.models import Runtime
from lab.topology.plan import NodePlan


@dataclass(frozen=True)
class ImageRow:
    """One image in the stores of a lab's nodes."""

    name: str
    """As people write it in manifests."""
    nodes: tuple[str, ...]
    size: str
    """As the runtime prints it."""
    origin: str
    """box, mode, kept (it comes back after a rebuild) or user."""

    def as_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class ImageList:
    """What there is on the nodes that answered, and the nodes that did not."""

    rows: tuple[ImageRow, ...]
    asked: tuple[str, ...]
    failed: tuple[Failed, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "images": [row.as_json() for row in self.rows],
            "unanswered": {each.node: each.error.brief for each in self.failed},
        }


@dataclass(frozen=True)
class Brought:
    """Images that are on nodes now."""

    names: tuple[str, ...]
    nodes: tuple[str, ...]


def names_of(texts: Iterable[str]) -> tuple[ImageName, ...]:
    """The images that a user names, each once. Raises WrongUseError for what is no name of an image."""
    return tuple(dict.fromkeys(name_of(text) for text in texts))


def name_of(text: str) -> ImageName:
    """Raises WrongUseError for what is no name of an image."""
    try:
        return ImageName.parse(text)
    except ValueError as error:
        raise WrongUseError(
            f"{text!r} is no name of an image",
            details=f"expected {error}",
            resolution="write it as in a manifest: NAME:TAG",
        ) from None


def pull_images(
    folder: LabFolder,
    names: Sequence[ImageName],
    nodes: Sequence[str],
    progress: Progress,
    *,
    keep: bool = False,
    fresh: bool = False,
) -> Brought:
    """Let the nodes (all, when none is named) have these images from registries, by way of the cache.

    An image that is not to be had, and a node that cannot be reached, does not keep the others from it.
    Raises LabError about those at the end, WrongUseError for a node that there is not.
    """
    with locked(folder):
        lab = _up(folder, progress)
        chosen = _chosen(lab, nodes)
        pulled = pull(names, Cache(), Mirrors(load_mirrors(), progress), progress, fresh=fresh)
        _deliver(lab, chosen, pulled.images, pulled.lacking, keep=keep)
        return Brought(tuple(str(image.name) for image in pulled.images), _names(chosen))


def load_images(
    folder: LabFolder,
    path: Path,
    nodes: Sequence[str],
    progress: Progress,
    *,
    only: Sequence[ImageName] = (),
    name: ImageName | None = None,
    keep: bool = False,
) -> Brought:
    """The same with images in a file or folder: all, or `only` those; `name` is for an image without one."""
    with locked(folder):
        lab = _up(folder, progress)
        chosen = _chosen(lab, nodes)
        picked = image_files.chosen(path, image_files.images_in(path), only, name)
        images = image_files.load(path, picked, Cache(), progress)
        _deliver(lab, chosen, images, (), keep=keep)
        return Brought(tuple(str(image.name) for image in images), _names(chosen))


def list_images(folder: LabFolder, nodes: Sequence[str]) -> ImageList:
    """The images in the stores of the nodes (all, when none is named)."""
    lab = _up(folder, SilentProgress())
    chosen = _chosen(lab, nodes)
    outcome = _stores(lab, chosen).stored()
    found: dict[str, list[str]] = {}
    sizes: dict[str, str] = {}
    for node, images in outcome.said.items():
        for image in images:
            found.setdefault(image.name, []).append(node)
            sizes.setdefault(image.name, image.size)
    rows = tuple(
        ImageRow(_familiar(name), tuple(where), sizes[name], _origin(lab, _familiar(name)))
        for name, where in sorted(found.items(), key=lambda item: _familiar(item[0]))
    )
    return ImageList(rows, tuple(outcome.said), outcome.failed)


def remove_images(
    folder: LabFolder, names: Sequence[ImageName], nodes: Sequence[str], progress: Progress
) -> Brought:
    """Take these images off the nodes; without named nodes they do not come back after a rebuild either.

    Raises WrongUseError for an image that the lab needs, or that no node has; LabError about nodes that
    cannot be reached, after the others.
    """
    with locked(folder):
        lab = _up(folder, progress)
        chosen = _chosen(lab, nodes)
        stores = _stores(lab, chosen)
        _require_removable(lab, names, stores)
        with progress.step(f"remove {', '.join(map(str, names))}"):
            failed = stores.remove(names)
        gone = {name.full for name in names} & lab.record.kept_images.keys()
        if gone and not nodes and not failed:
            kept = {name: digest for name, digest in lab.record.kept_images.items() if name not in gone}
            lab.update(replace(lab.record, kept_images=kept))
        raise_about(failed, ())
        return Brought(tuple(map(str, names)), _names(chosen))


def keep_wanted(lab: Lab, names: Sequence[ImageName]) -> tuple[LabError, ...]:
    """Pull what `lab up` was asked for, and keep it for the nodes; about what is not to be had, errors."""
    absent = [name for name in names if name.full not in lab.record.kept_images]
    if not absent:
        return ()
    pulled = pull(absent, Cache(), Mirrors(load_mirrors(), lab.progress), lab.progress)
    _keep(lab, pulled.images)
    _tell_of_pulls(lab, pulled.images)
    return pulled.lacking


class KeptImages:
    """The images that the user wants to have again, on the nodes."""

    name = "kept images on the nodes"

    def done(self, lab: Lab) -> bool:
        if not lab.record.kept_images:
            return True
        stores = _stores(lab, lab.plan.nodes)
        wanted = {stores.store.name_of(ImageName.parse(name)) for name in lab.record.kept_images}
        said = stores.stored().said
        return len(said) == len(lab.plan.nodes) and all(
            wanted <= {image.name for image in images} for images in said.values()
        )

    def run(self, lab: Lab, at: StepContext) -> None:
        cache = Cache()
        images = [
            OwnImage(ImageName.parse(name), cache.blob(digest), digest)
            for name, digest in lab.record.kept_images.items()
        ]
        there = [image for image in images if image.archive.exists()]
        lost = [
            LabError(
                f"the image {image.name} is not in the cache any more",
                resolution=f"lab image pull --keep {image.name} --name {lab.folder.name}",
            )
            for image in images
            if not image.archive.exists()
        ]
        with cache.work_folder() as folder:
            failed = _stores(lab, lab.plan.nodes).bring(there, folder, at)
        raise_about(failed, lost)


def _deliver(
    lab: Lab,
    chosen: tuple[NodePlan, ...],
    images: Sequence[OwnImage],
    lacking: Sequence[LabError],
    *,
    keep: bool,
) -> None:
    if keep:
        # Before anything is sent: what does not get to a node now comes with the next lab up or rebuild.
        _keep(lab, images)
    failed: tuple[Failed, ...] = ()
    if images:
        names = ", ".join(str(image.name) for image in images)
        with (
            lab.progress.step(f"{names} on {', '.join(_names(chosen))}") as at,
            Cache().work_folder() as folder,
        ):
            failed = _stores(lab, chosen).bring(images, folder, at)
    _tell_of_pulls(lab, images)
    raise_about(failed, lacking)


def _keep(lab: Lab, images: Sequence[OwnImage]) -> None:
    kept = {**lab.record.kept_images, **{image.name.full: image.digest for image in images}}
    lab.update(replace(lab.record, kept_images=kept))


def _tell_of_pulls(lab: Lab, images: Sequence[OwnImage]) -> None:
    for image in images:
        if image.name.tag == DEFAULT_TAG:
            lab.progress.note(
                f"{image.name}: an image with the tag {DEFAULT_TAG} is pulled each time by Kubernetes;"
                " give its containers imagePullPolicy: IfNotPresent"
            )


def raise_about(failed: Sequence[Failed], lacking: Sequence[LabError]) -> None:
    """Raises LabError that tells of all nodes and images on which it did not come to its end."""
    errors = [*lacking, *(each.error for each in failed)]
    if len(errors) == 1:
        raise errors[0]
    if errors:
        nodes = f", on {', '.join(each.node for each in failed)}" if failed else ""
        raise LabError(
            f"not done for all images and nodes{nodes}; the others are done",
            details="\n\n".join(map(str, errors)),
            resolution="run the same command again once that is put right: it does what is left",
        )


def _up(folder: LabFolder, progress: Progress) -> Lab:
    """The lab, whose machines run. Raises LabError when it is not up, or paused."""
    lab = Lab.open(folder, progress)
    lab.require_up()
    return lab


def _chosen(lab: Lab, names: Sequence[str]) -> tuple[NodePlan, ...]:
    """The nodes of these names, all for none. Raises WrongUseError for one that there is not."""
    named = [lab.node_named(name) for name in names]
    return tuple(node for node in lab.plan.nodes if not named or node in named)


def _require_removable(lab: Lab, names: Sequence[ImageName], stores: NodeStores) -> None:
    for name in names:
        if name.full in lab.images.references:
            raise WrongUseError(
                f"the image {name} belongs to the lab itself", resolution="lab image list shows your own"
            )
    found = stores.stored()
    there = {image.name for images in found.said.values() for image in images}
    for name in names:
        known = stores.store.name_of(name) in there or name.full in lab.record.kept_images
        if not known and not found.failed:
            raise WrongUseError(
                f"no node has the image {name}", resolution="lab image list shows those that are there"
            )


def _origin(lab: Lab, familiar: str) -> str:
    try:
        full = ImageName.parse(familiar).full
    except ValueError:
        full = familiar
    if full in lab.record.images:
        return "box"
    if full in lab.record.images_on_demand:
        return "mode"
    return "kept" if full in lab.record.kept_images else "user"


def _familiar(name: str) -> str:
    """As people write it; a name by digest alone, which only others have brought, stays as it is."""
    try:
        return ImageName.parse(name).familiar
    except ValueError:
        return name


def _stores(lab: Lab, chosen: tuple[NodePlan, ...]) -> NodeStores:
    return NodeStores(lab.nodes, chosen, store_of(Runtime(lab.record.runtime)))


def _names(nodes: Sequence[NodePlan]) -> tuple[str, ...]:
    return tuple(node.name for node in nodes)
