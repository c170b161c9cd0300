"""Drills of a lab: which there are, one that is run and judged, the way back."""
