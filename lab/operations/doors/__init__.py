"""Ports that lead into a lab, its way out, its registry and a real LAN: opened, told, and closed."""
