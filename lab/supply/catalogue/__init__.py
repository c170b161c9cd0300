"""The catalogue: which versions of which software belong together, and how they are made."""

from lab.supply.catalogue.downloads import (
    Download,
    DownloadedFile,
    DownloadedImage,
    Downloads,
    Inside,
    Place,
)
from lab.supply.catalogue.features import Features, KubeadmApi
from lab.supply.catalogue.loader import full_version, load_entry, versions
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
    "Features",
    "GoBuild",
    "GoFolder",
    "GoVersions",
    "ImageRecipe",
    "Inside",
    "KubeadmApi",
    "Parts",
    "Place",
    "Use",
    "UserProgram",
    "full_version",
    "load_entry",
    "versions",
]
