"""Asking every source of a supply whether it has what a lab needs, and transferring none of it."""

from lab.supply.probe.asking import probe
from lab.supply.probe.questions import Question, Wanted
from lab.supply.probe.result import Answer, Found, ProbeResult
from lab.supply.probe.wanted import wanted_of

__all__ = ["Answer", "Found", "ProbeResult", "Question", "Wanted", "probe", "wanted_of"]
