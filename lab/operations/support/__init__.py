"""One archive about a lab for whoever is to help with it, without its secrets."""

from lab.operations.support.archive import SupportArchive, write_support

__all__ = ["SupportArchive", "write_support"]
