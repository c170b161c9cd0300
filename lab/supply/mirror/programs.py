"""Taking programs out of what was downloaded: archives, and images."""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Iterable
from pathlib import Path

from lab.foundation.errors import LabError
from lab.supply.catalogue.downloads import Inside


def from_file(file: Path, programs: Iterable[Inside], folder: Path) -> dict[str, Path]:
    """The programs of a downloaded file, by name, below `folder`. Raises LabError when one is not in it."""
    found = {}
    for program in programs:
        target = folder / program.name
        if program.path is None:
            shutil.copyfile(file, target)
        else:
            with _open(file) as archive:
                _extract(archive, program.path, target, file.name)
        found[program.name] = target
    return found


def from_image(archive: Path, programs: Iterable[Inside], folder: Path) -> dict[str, Path]:
    """The same for an image in a docker-archive: a file of an upper layer hides one below it."""
    found = {}
    with tarfile.open(archive) as image:
        member = image.extractfile("manifest.json")
        assert member is not None
        layers = json.loads(member.read())[0]["Layers"]
        for program in programs:
            assert program.path is not None
            for name in reversed(layers):
                with tarfile.open(fileobj=image.extractfile(name)) as layer:
                    if _member(layer, program.path):
                        _extract(layer, program.path, folder / program.name, archive.name)
                        found[program.name] = folder / program.name
                        break
            else:
                raise LabError(f"the image has no {program.path}", details=f"looked for in {archive.name}")
    return found


def _open(file: Path) -> tarfile.TarFile:
    try:
        return tarfile.open(file)
    except tarfile.TarError as error:
        raise LabError(f"the download {file.name} is not an archive", details=str(error)) from error


def _member(archive: tarfile.TarFile, path: str) -> tarfile.TarInfo | None:
    for name in (path, f"./{path}", f"/{path}"):
        try:
            return archive.getmember(name)
        except KeyError:
            continue
    return None


def _extract(archive: tarfile.TarFile, path: str, target: Path, where: str) -> None:
    member = _member(archive, path)
    content = archive.extractfile(member) if member else None
    if content is None:
        raise LabError(f"the download {where} has no {path}", details="the catalogue is wrong about it")
    with target.open("wb") as file:
        shutil.copyfileobj(content, file)
