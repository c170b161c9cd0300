"""The supply `packages`: software built on this host from Go modules and Debian packages."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from functools import cached_property, partial
from itertools import count

from lab.foundation.process import ProgramMissingError
from lab.foundation.progress import Progress, SilentProgress
from lab.supply import oci
from lab.supply.cache import Cache, Record
from lab.supply.catalogue import DebianTree, Entry, GoBuild, ImageRecipe, Parts, Use, load_entry
from lab.supply.debian_tree import DebianTreeBuilder
from lab.supply.go_build import GoBuilder
from lab.supply.go_download import ToolchainDownload, toolchain_for
from lab.supply.go_toolchain import GoMissingError, GoToolchain, host_toolchains
from lab.supply.lock_file import write_lock_file
from lab.supply.oci import ImageBuilder
from lab.supply.side_by_side import side_by_side
from lab.supply.software import Software
from lab.supply.stock import Contents
from lab.supply.user_programs import user_programs

HOST_PROGRAMS = ("mmdebstrap", "umoci", "skopeo")


def fetch(version: str, cache: Cache, progress: Progress, only: Parts | None = None) -> Software:
    """Build what the cache lacks of Kubernetes `version` (such as v1.24.10) and all that goes into its box.

    `only` restricts it to some parts, or names images on demand; what users brought comes with them.

    What was made before from the same inputs is taken from the cache; then nothing runs and no step is shown.
    Raises WrongUseError for a version that the catalogue does not have, and LabError when something cannot be
    downloaded or built, or the disk is full. Run again it goes on where it stopped.
    """
    entry = load_entry(version)
    with cache.locked(progress):
        return _Fetch(
            entry.only(entry.parts if only is None else only), cache, progress, whole=only is None
        ).run()


def made(version: str, cache: Cache) -> Software | None:
    """What `fetch` would return, where the cache has everything, so that it would only look it up.

    Raises WrongUseError for a version that the catalogue does not have.
    """
    entry = load_entry(version)
    return _Fetch(entry.only(entry.parts), cache, SilentProgress(), whole=True).made()


class _Fetch:
    """One run for one entry of the catalogue."""

    def __init__(self, entry: Entry, cache: Cache, progress: Progress, *, whole: bool) -> None:
        self._entry = entry
        self._whole = whole
        self._cache = cache
        self._progress = progress
        self._moment = int(entry.released.timestamp())
        self._stop = threading.Event()
        # The entry's first build is by far the longest. The others take turns beside it: they fill the core
        # that it leaves idle while it links.
        self._turn = threading.Lock()

    def made(self) -> Software | None:
        try:
            builders, left_out = self._go_builders()
        except GoMissingError:
            return None
        trees = (self._tree_builder(tree) for tree in self._entry.debian_trees)
        made = _all_of((*(builder.made() for builder in builders), *(tree.made() for tree in trees)))
        if made is None:
            return None
        users, recipes = self._users(), self._recipes(left_out)
        products = {name: digest for record in (*made, *users) for name, digest in record.outputs.items()}
        images = _all_of(self._image_builder(recipe, products).made() for recipe in recipes)
        return None if images is None else self._software(products, users, recipes, images)

    def run(self) -> Software:
        builders, left_out = self._go_builders()
        left_out |= self._bring_toolchains(builders)
        builders = [builder for builder in builders if not left_out & builder.build.program_names]
        trees = [self._tree_builder(tree) for tree in self._entry.debian_trees]
        made = side_by_side(
            [partial(self._go_build, builder) for builder in builders]
            + [partial(self._debian_tree, tree) for tree in trees],
            self._stop,
        )
        users = self._users()
        products = {name: digest for record in (*made, *users) for name, digest in record.outputs.items()}
        recipes = self._recipes(left_out)
        images = self._images(recipes, products)
        software = self._software(products, users, recipes, images)
        if self._whole:
            write_lock_file(self._cache, software, [*made, *users, *images])
        return software

    def _go_builders(self) -> tuple[list[GoBuilder], set[str]]:
        """The builds that this host can make, and the names of the programs that it cannot."""
        builders = []
        left_out: set[str] = set()
        for build in self._entry.go_builds:
            try:
                builders.append(self._go_builder(build))
            except GoMissingError as missing:
                left_out |= self._leave_out(build, missing)
        return builders, left_out

    def _go_builder(self, build: GoBuild) -> GoBuilder:
        toolchain = toolchain_for(build, self._host_toolchains, self._cache)
        return GoBuilder(build, toolchain, self._cache, self._stop, moment=self._moment)

    @cached_property
    def _host_toolchains(self) -> tuple[GoToolchain, ...]:
        return host_toolchains()

    def _bring_toolchains(self, builders: Sequence[GoBuilder]) -> set[str]:
        """Download what the host lacks; returns the names of the programs that cannot be built without."""
        left_out: set[str] = set()
        brought = set(self._host_toolchains)
        for builder in builders:
            toolchain = builder.toolchain
            if toolchain in brought or builder.made():
                continue
            download = ToolchainDownload(
                builder.build, toolchain, self._host_toolchains, self._cache, self._stop
            )
            try:
                with self._progress.step(f"{toolchain.version}: fetching the toolchain") as step:
                    download.run(step)
                brought.add(toolchain)
            except GoMissingError as missing:
                left_out |= self._leave_out(builder.build, missing)
        return left_out

    def _leave_out(self, build: GoBuild, missing: GoMissingError) -> set[str]:
        """Say that the build is left out, and why; returns the names of its programs.

        Raises `missing` when a lab cannot do without them.
        """
        if build.missing_without_go is None:
            raise missing
        why = " ".join((missing.details or "").split())
        self._progress.note(
            f"{missing.brief} ({why}); left out, and with it {build.missing_without_go}. "
            f"How to fix it: {missing.resolution}"
        )
        return build.program_names

    def _tree_builder(self, tree: DebianTree) -> DebianTreeBuilder:
        return DebianTreeBuilder(tree, self._moment, self._cache, self._stop)

    def _go_build(self, builder: GoBuilder) -> Record:
        if made := builder.made():
            return made
        title = f"{builder.build.title} {builder.build.version}"
        with self._progress.step(f"{title}: fetching Go modules") as step:
            packages = builder.download(step)
        first = builder.build == self._entry.go_builds[0]
        turn = nullcontext() if first else self._turn
        with turn, self._progress.step(f"{title}: building") as step:
            return builder.compile(packages, step)

    def _debian_tree(self, builder: DebianTreeBuilder) -> Record:
        if made := builder.made():
            return made
        _need_host_programs()
        with self._progress.step(f"Debian packages for images ({builder.tree.name})") as step:
            return builder.make(step)

    def _recipes(self, left_out: set[str]) -> list[ImageRecipe]:
        brought = {record.name for record in self._users()}
        lacking = left_out | {program.name for program in self._entry.user_programs} - brought
        return [recipe for recipe in self._entry.images if not lacking & set(recipe.files.values())]

    def _users(self) -> list[Record]:
        return user_programs(self._cache, self._entry.user_programs)

    def _image_builder(self, recipe: ImageRecipe, products: Mapping[str, str]) -> ImageBuilder:
        return ImageBuilder(recipe, products, self._moment, self._cache, self._stop)

    def _images(self, recipes: Sequence[ImageRecipe], products: Mapping[str, str]) -> tuple[Record, ...]:
        builders = [self._image_builder(recipe, products) for recipe in recipes]
        if all(builder.made() for builder in builders):
            return tuple(record for builder in builders if (record := builder.made()))
        _need_host_programs()
        with self._progress.step(f"container images ({len(builders)})") as step:
            finished = count(1)

            def make(builder: ImageBuilder) -> Record:
                record = builder.made() or builder.make()
                step.doing(f"{builder.recipe.name}:{builder.recipe.tag}")
                step.advance(next(finished), len(builders))
                return record

            return side_by_side([partial(make, builder) for builder in builders], self._stop, workers=2)

    def _software(
        self,
        products: Mapping[str, str],
        users: Sequence[Record],
        recipes: Sequence[ImageRecipe],
        made: Sequence[Record],
    ) -> Software:
        use = {program.name: program.use for build in self._entry.go_builds for program in build.programs}
        binaries = {name: digest for name, digest in products.items() if use.get(name) is Use.NODE}
        of_nodes = {program.name for program in self._entry.user_programs if program.use is Use.NODE}
        binaries |= {
            name: digest for record in users for name, digest in record.outputs.items() if name in of_nodes
        }
        cni_plugins = {name: digest for name, digest in products.items() if use.get(name) is Use.CNI}
        images = {
            oci.reference(recipe): record.outputs[recipe.name]
            for recipe, record in zip(recipes, made, strict=True)
        }
        return Contents(
            kubernetes_version=self._entry.kubernetes_version,
            binaries=binaries,
            cni_plugins=cni_plugins,
            images=images,
        ).software(self._cache)


def _all_of(records: Iterable[Record | None]) -> list[Record] | None:
    """All records; None when one of them is missing."""
    found = []
    for record in records:
        if record is None:
            return None
        found.append(record)
    return found


def _need_host_programs() -> None:
    for program in HOST_PROGRAMS:
        if shutil.which(program) is None:
            raise ProgramMissingError(program)
