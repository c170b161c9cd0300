"""Benchmarks of whole commands: figures with their spread and ratios, as a table, JSON, or a page."""
