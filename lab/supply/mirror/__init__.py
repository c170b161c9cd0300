"""The supply `mirror`: files and images of their makers, from mirrors and, last, from upstream."""

from lab.supply.mirror.fetching import asked_for, fetch, fetch_images
from lab.supply.mirror.mirrors import Mirrors
from lab.supply.mirror.settings import load_mirrors

__all__ = ["Mirrors", "asked_for", "fetch", "fetch_images", "load_mirrors"]
