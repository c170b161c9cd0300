"""The catalogue: which versions of which software belong together, and how they are made."""

from lab.supply.catalogue.loader import load_entry, versions
from lab.supply.catalogue.models import DebianTree, Entry, GoBuild, GoVersions, ImageRecipe, Use, UserProgram

__all__ = [
    "DebianTree",
    "Entry",
    "GoBuild",
    "GoVersions",
    "ImageRecipe",
    "Use",
    "UserProgram",
    "load_entry",
    "versions",
]
