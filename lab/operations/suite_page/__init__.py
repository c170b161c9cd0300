"""The acceptance suite's results as one HTML page: modes across, checks down."""

from lab.operations.suite_page.page import DrawnPath, ModeRun, Station, render_page
from lab.operations.suite_page.results import Check, Outcome, checks_of, judged, read_checks

__all__ = [
    "Check",
    "DrawnPath",
    "ModeRun",
    "Outcome",
    "Station",
    "checks_of",
    "judged",
    "read_checks",
    "render_page",
]
