"""The acceptance suite's results as one HTML page: modes across, checks down."""

from lab.operations.suite_page.page import ModeRun, render_page

__all__ = ["ModeRun", "render_page"]
