"""Putting container images together from programs and a base layer, with umoci and skopeo."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from lab.foundation.files import tree_digest
from lab.foundation.process import run
from lab.supply.cache import Cache, Record, explain_full_disk, key_of
from lab.supply.catalogue import ImageRecipe
from lab.supply.layers import Layer, write_layer
from lab.supply.software import REGISTRY

KIND = "image"
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
FOLDERS = Path(__file__).parent / "images"
"""Folders of files that images have from this project itself."""
RECIPE = 1
"""Raised when the way images are put together changes, so that they are made anew."""


def reference(recipe: ImageRecipe) -> str:
    """The full name of an image, such as registry.lab.internal/pause:3.7."""
    return named(recipe.name, recipe.tag)


def named(name: str, tag: str) -> str:
    return f"{REGISTRY}/{name}:{tag}"


@dataclass(frozen=True)
class ImageBuilder:
    """Makes one image of the catalogue. `products` are the digests of programs and base layers by name."""

    recipe: ImageRecipe
    products: Mapping[str, str]
    moment: int
    cache: Cache
    stop: threading.Event

    @property
    def key(self) -> str:
        recipe = self.recipe
        return key_of(
            {
                "reference": reference(recipe),
                "files": {path: self.products[program] for path, program in recipe.files.items()},
                "base": self._base,
                "configuration": self._configuration,
                "moment": self.moment,
                "recipe": RECIPE,
                **({"layers": [self.products[name] for name in recipe.layers]} if recipe.layers else {}),
                **({"folder": tree_digest(self._folder)} if self._folder else {}),
                **({"links": dict(recipe.links)} if recipe.links else {}),
            }
        )

    def made(self) -> Record | None:
        """The record of an earlier run with the same contents."""
        return self.cache.recall(KIND, self.key)

    def make(self) -> Record:
        """Put the image together; the only output is a docker-archive tar.

        Raises LabError when the disk is full or a tool fails.
        """
        with self.cache.work_folder() as folder:
            own = folder / "own.tar"
            files = {path: self.cache.blob(self.products[name]) for path, name in self.recipe.files.items()}
            write_layer(own, Layer.of_programs(files), self.moment)
            below = [
                *([self._base] if self._base else []),
                *(self.products[each] for each in self.recipe.layers),
            ]
            layers = [*map(self.cache.blob, below), own]
            if self._folder is not None or self.recipe.links:
                write_layer(folder / "folder.tar", self._own_files, self.moment)
                layers.append(folder / "folder.tar")
            archive = self._assemble(folder, layers)
            record = Record(
                kind=KIND,
                name=reference(self.recipe),
                version=self.recipe.tag,
                outputs={self.recipe.name: self.cache.put(archive)},
                made_with="umoci, skopeo",
            )
        self.cache.remember(self.key, record)
        return record

    def _assemble(self, folder: Path, layers: list[Path]) -> Path:
        layout = folder / "layout"
        image = f"{layout}:image"
        created = f"--history.created={self._created}"
        archive = folder / "image.tar"
        commands = [["umoci", "init", f"--layout={layout}"], ["umoci", "new", f"--image={image}"]]
        commands += [
            ["umoci", "raw", "add-layer", f"--image={image}", created, str(layer)] for layer in layers
        ]
        commands += [
            [
                "umoci",
                "config",
                f"--image={image}",
                f"--created={self._created}",
                created,
                *self._configuration,
            ],
            # No signature to check: the image was made the line above.
            [
                *("skopeo", "--insecure-policy", f"--tmpdir={folder}", "copy", "--quiet"),
                *(f"oci:{image}", f"docker-archive:{archive}:{reference(self.recipe)}"),
            ],
        ]
        with explain_full_disk(self.cache.root):
            for command in commands:
                run(command, stop=self.stop)
        return archive

    @property
    def _base(self) -> str | None:
        return self.products[self.recipe.base] if self.recipe.base else None

    @property
    def _folder(self) -> Path | None:
        return FOLDERS / self.recipe.folder if self.recipe.folder else None

    @property
    def _own_files(self) -> Layer:
        links = {path.lstrip("/"): named for path, named in self.recipe.links.items()}
        content = Layer.of_tree(self._folder).content if self._folder else {}
        return Layer(content, links=links)

    @property
    def _created(self) -> str:
        return datetime.fromtimestamp(self.moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    @property
    def _configuration(self) -> list[str]:
        recipe = self.recipe
        labels = {
            "title": recipe.name,
            "version": recipe.tag,
            "vendor": "lab",
            "description": f"Built by lab from {recipe.made_of}; not the upstream image",
        }
        words = [f"--config.env=PATH={SEARCH_PATH}"]
        words += [f"--config.label=org.opencontainers.image.{name}={text}" for name, text in labels.items()]
        words += [f"--config.entrypoint={word}" for word in recipe.entrypoint]
        words += [f"--config.cmd={word}" for word in recipe.command]
        return [*words, f"--config.user={recipe.user}"] if recipe.user else words
