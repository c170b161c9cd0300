"""The catalogue: which versions of which software belong together, and how they are made."""

from lab.supply.catalogue.downloads import (
    Download,
    DownloadedFile,
    DownloadedImage,
    Downloads,
    Inside,
    Place,
)
from lab.supply.catalogue.loader import load_entry, versions
from lab.supply.catalogue.models import (
    DebianTree,
    Entry,
    GoBuild,
    GoFolder,
    GoVersions,
    ImageRecipe,
    Parts,
    Use,
    UserProgram,
)

__all__ = [
    "DebianTree",
    "Download",
    "DownloadedFile",
    "DownloadedImage",
    "Downloads",
    "Entry",
    "GoBuild",
    "GoFolder",
    "GoVersions",
    "ImageRecipe",
    "Inside",
    "Parts",
    "Place",
    "Use",
    "UserProgram",
    "load_entry",
    "versions",
]
