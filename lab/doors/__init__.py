"""Ports of the host that lead into a lab."""
