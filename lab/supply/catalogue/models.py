"""What an entry of the catalogue says: one version of Kubernetes and all that belongs to it, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from datetime import datetime
from enum import StrEnum

from pydantic.dataclasses import dataclass

from lab.foundation.strict import STRICT
from lab.supply.catalogue.downloads import Downloads
from lab.supply.catalogue.features import Features


class Use(StrEnum):
    """Where a program goes."""

    NODE = "node"
    """On every node's PATH."""
    CNI = "cni"
    """In every node's folder of CNI plugins."""
    IMAGE = "image"
    """Into container images only."""


@dataclass(frozen=True, config=STRICT)
class GoVersions:
    """Which Go toolchains may build a module: from `oldest` to any patch release of `newest`.

    Each as major.minor; `oldest` may name a patch release, as the line `go` of a go.mod does.
    """

    oldest: str
    newest: str | None = None
    debian_package: str | None = None
    """The Debian package that brings such a toolchain."""
    toolchain: str | None = None
    """Such a toolchain as Go names it, go1.25.4, which the module proxy gives where the host has none.

    Its checksums are in lab/supply/modules/go-toolchains/go.sum.
    """


@dataclass(frozen=True, config=STRICT)
class GoProgram:
    """A main package; `name` is what the program is called from then on."""

    name: str
    package: str
    use: Use


@dataclass(frozen=True, config=STRICT)
class GoFolder:
    """A folder of a Go module's sources that images are made of, as a layer named `name`.

    What lies below `path` in the module lies below `at` in the image; all files are executable there, for Go
    modules do not tell which ones are.
    """

    name: str
    module: str
    path: str
    at: str


@dataclass(frozen=True, config=STRICT)
class GoBuild:
    """Programs that one `go build` makes from one module folder (lab/supply/modules/`module`)."""

    name: str
    title: str
    version: str
    module: str
    go: GoVersions
    programs: tuple[GoProgram, ...]
    tags: tuple[str, ...] = ()
    variables: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """String variables set by the linker: package, variable, value."""
    link: tuple[str, ...] = ()
    """Further words for the linker."""
    cgo: bool = False
    folders: tuple[GoFolder, ...] = ()
    missing_without_go: str | None = None
    """When set, the build is left out on a host without such a Go, and this is what a lab then cannot do."""

    @property
    def program_names(self) -> set[str]:
        return {program.name for program in self.programs}


@dataclass(frozen=True, config=STRICT)
class DebianProgram:
    """A file of a Debian tree that images are made of; `path` is relative to the tree's root."""

    name: str
    path: str


@dataclass(frozen=True, config=STRICT)
class DebianTree:
    """Debian packages with all they depend on, unpacked: the base layer of images."""

    name: str
    suite: str
    packages: tuple[str, ...]
    programs: tuple[DebianProgram, ...] = ()
    left_out: tuple[str, ...] = ()
    """Patterns of paths, relative to the tree's root, that no program of the images needs."""


@dataclass(frozen=True, config=STRICT)
class ImageRecipe:
    """A container image. `files` maps paths in the image to names of programs."""

    name: str
    tag: str
    made_of: str
    files: Mapping[str, str]
    base: str | None = None
    """The Debian tree under the files; None: nothing but the files."""
    layers: tuple[str, ...] = ()
    """Folders of Go modules, between the base and the files."""
    folder: str | None = None
    """Further files of this project, laid over all: a folder of lab/supply/images, with their modes."""
    links: Mapping[str, str] = field(default_factory=dict)
    """Symbolic links, laid over all too: absolute path, and what it names. (A wheel can hold none.)"""
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    user: str = ""


@dataclass(frozen=True, config=STRICT)
class UserProgram:
    """A program that a user may bring, and the words that make it print its version."""

    name: str
    version_words: tuple[str, ...]
    use: Use = Use.NODE


@dataclass(frozen=True)
class Parts:
    """Parts of the software by name: programs of nodes (CNI plugins too), and images."""

    programs: frozenset[str]
    images: frozenset[str]

    def __sub__(self, other: Parts) -> Parts:
        return Parts(self.programs - other.programs, self.images - other.images)

    def __or__(self, other: Parts) -> Parts:
        return Parts(self.programs | other.programs, self.images | other.images)

    def __and__(self, other: Parts) -> Parts:
        return Parts(self.programs & other.programs, self.images & other.images)

    def __bool__(self) -> bool:
        return bool(self.programs or self.images)

    def __str__(self) -> str:
        return ", ".join((*sorted(self.programs), *(f"image {name}" for name in sorted(self.images))))


@dataclass(frozen=True, config=STRICT)
class Entry:
    """All that belongs to one version of Kubernetes."""

    kubernetes_version: str
    released: datetime
    go_builds: tuple[GoBuild, ...]
    debian_trees: tuple[DebianTree, ...]
    images: tuple[ImageRecipe, ...]
    user_programs: tuple[UserProgram, ...]
    images_on_demand: tuple[ImageRecipe, ...] = ()
    """Images that the box does without: they are made, and brought to nodes, for a mode that needs them."""
    downloads: Downloads = field(default_factory=Downloads)
    """What the supply `mirror` brings instead."""
    features: Features = field(default_factory=Features)

    @property
    def parts(self) -> Parts:
        """Everything that goes into a box."""
        programs = [program for build in self.go_builds for program in build.programs]
        return Parts(
            frozenset(program.name for program in programs if program.use is not Use.IMAGE),
            frozenset(image.name for image in self.images),
        )

    def only(self, parts: Parts) -> Entry:
        """The entry with nothing but these parts, and what they are made of; no image is on demand then."""
        all_images = (*self.images, *self.images_on_demand)
        images = tuple(image for image in all_images if image.name in parts.images)
        names = parts.programs.union(*((*image.files.values(), *image.layers) for image in images))
        bases = {image.base for image in images}
        builds = (
            replace(
                build,
                programs=tuple(program for program in build.programs if program.name in names),
                folders=tuple(folder for folder in build.folders if folder.name in names),
            )
            for build in self.go_builds
        )
        trees = (
            tree
            for tree in self.debian_trees
            if tree.name in bases or names & {program.name for program in tree.programs}
        )
        return replace(
            self,
            go_builds=tuple(build for build in builds if build.programs),
            debian_trees=tuple(trees),
            images=images,
            images_on_demand=(),
        )

    def __post_init__(self) -> None:
        """Raises ValueError when an image names what the entry does not have, or a name is twice."""
        programs = [program.name for build in self.go_builds for program in build.programs]
        programs += [program.name for tree in self.debian_trees for program in tree.programs]
        programs += [program.name for program in self.user_programs if program.use is Use.IMAGE]
        twice = sorted({name for name in programs if programs.count(name) > 1})
        if twice:
            raise ValueError(f"programs named twice: {', '.join(twice)}")
        trees = {tree.name for tree in self.debian_trees}
        folders = {folder.name for build in self.go_builds for folder in build.folders}
        for image in (*self.images, *self.images_on_demand):
            unknown = sorted(set(image.files.values()) - set(programs))
            if unknown:
                raise ValueError(f"image {image.name}: unknown programs {', '.join(unknown)}")
            if unknown := sorted(set(image.layers) - folders):
                raise ValueError(f"image {image.name}: unknown folders {', '.join(unknown)}")
            if image.base is not None and image.base not in trees:
                raise ValueError(f"image {image.name}: unknown base {image.base}")
