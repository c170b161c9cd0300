"""Doors of a lab: ports of the host that lead into it, and its way out."""
