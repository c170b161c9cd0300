"""Drills: what several control planes do when one fails, observed each second, measured and judged."""
