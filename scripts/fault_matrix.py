"""The outcome of each known mistake in each mode, to see at a glance what was tried."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lab.faults.registry import FAULTS
from lab.modes.registry import mode_named, mode_names
from lab.topology.loader import load_topology
from lab.topology.mode_choice import ModeChoice
from lab.topology.planner import make_plan

TOPOLOGY = Path(__file__).resolve().parent.parent / "topologies" / "underlay-3node.yaml"
NOTHING = "-"
LEGEND = f"✓: found and named; {NOTHING}: means nothing in that mode; empty: not tried yet."


def matrix(outcomes: Mapping[tuple[str, str], str]) -> str:
    """A table of Markdown, faults down, modes across; `outcomes` is by mode and fault."""
    plan = make_plan(load_topology(TOPOLOGY))
    modes = mode_names()
    plans = {mode: plan.in_mode(ModeChoice.parse(mode)) for mode in modes}
    lines = [f"| fault | {' | '.join(modes)} |", "|" + " --- |" * (len(modes) + 1)]
    for fault in FAULTS:
        cells = [
            NOTHING if fault.unfit(plans[mode], mode_named(mode)) else outcomes.get((mode, fault.name), "")
            for mode in modes
        ]
        lines.append(f"| {fault.name} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", LEGEND])
