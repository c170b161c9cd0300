"""Which mirrors there are: the project's list, with the user's in front of it or in its place."""

from __future__ import annotations

import os
from dataclasses import field
from pathlib import Path

import yaml
from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from lab.foundation.errors import WrongUseError
from lab.foundation.strict import STRICT
from lab.supply.catalogue.loader import FOLDER

NAME = "mirrors.yaml"


@dataclass(frozen=True, config=STRICT)
class Mirror:
    """`at` stands in for `of`: beginnings of image names (registry.k8s.io) or of URLs (https://dl.k8s.io).

    A registry that speaks plain HTTP is written with `http://` in `at`.
    """

    of: str
    at: str
    flat: bool = False
    """Whether it keeps only the last part of an image's path."""

    def __post_init__(self) -> None:
        """Raises ValueError when a site is to stand in for a registry's image or the other way round."""
        if "://" in self.of and "://" not in self.at:
            raise ValueError(f"{self.at} is not a URL, so it cannot replace {self.of}")
        if "://" not in self.of and self.at.startswith("https://"):
            raise ValueError(f"{self.at}: leave out https:// before a registry")


@dataclass(frozen=True, config=STRICT)
class MirrorList:
    """Mirrors in the order in which they are asked."""

    mirrors: tuple[Mirror, ...] = field(default=())
    only: bool = False
    """Whether nothing else is asked: neither the project's list nor upstream."""


def settings_file() -> Path:
    """The user's list: `lab/mirrors.yaml` in XDG_CONFIG_HOME or ~/.config."""
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "lab" / NAME


def load_mirrors() -> MirrorList:
    """The user's mirrors, then the project's. Raises WrongUseError when the user's file is wrong."""
    own = _read(settings_file()) if settings_file().exists() else MirrorList()
    if own.only:
        return own
    return MirrorList((*own.mirrors, *_read(FOLDER / NAME).mirrors))


def _read(path: Path) -> MirrorList:
    try:
        return TypeAdapter(MirrorList).validate_python(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except (yaml.YAMLError, ValidationError, OSError) as error:
        raise WrongUseError(
            f"the list of mirrors {path} is wrong",
            details=str(error),
            resolution="docs/supplies.md shows what it may say",
        ) from error
