"""All supplies there are."""

from __future__ import annotations

from lab.supply.suppliers.from_bundle import FromBundle
from lab.supply.suppliers.from_mirrors import FromMirrors
from lab.supply.suppliers.from_packages import FromPackages
from lab.supply.suppliers.supplier import Supplier
from lab.topology.models import Supply

SUPPLIERS: tuple[Supplier, ...] = (FromPackages(), FromMirrors(), FromBundle())


def supplier_of(supply: Supply) -> Supplier:
    """The supplier of that name. Raises KeyError for `auto`, which `choice` settles."""
    return {supplier.name: supplier for supplier in SUPPLIERS}[supply]
