"""The supply `bundle`: one file that carries the software and a box from one machine to another."""

from lab.supply.bundle.exporting import export_bundle
from lab.supply.bundle.importing import import_bundle
from lab.supply.bundle.manifest import Manifest

__all__ = ["Manifest", "export_bundle", "import_bundle"]
