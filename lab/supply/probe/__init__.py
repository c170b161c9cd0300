"""Asking every source of a supply whether it has what a lab needs, and transferring none of it."""

from lab.supply.probe.asking import probe
from lab.supply.probe.questions import Question, Wanted
from lab.supply.probe.result import Answer, Found, ProbeResult
from lab.supply.probe.wanted import debian_wanted, downloads_wanted, modules_wanted

__all__ = [
    "Answer",
    "Found",
    "ProbeResult",
    "Question",
    "Wanted",
    "debian_wanted",
    "downloads_wanted",
    "modules_wanted",
    "probe",
]
