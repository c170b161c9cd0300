"""The supplies, each as one object with the methods of `Supplier`."""

from lab.supply.suppliers.registry import SUPPLIERS, supplier_of
from lab.supply.suppliers.supplier import Supplier

__all__ = ["SUPPLIERS", "Supplier", "supplier_of"]
