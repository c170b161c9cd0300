"""What an inventory says of a lab; its site is stood in for."""

from __future__ import annotations

from pathlib import Path

from lab.foundation.paths import LabFolder
from lab.foundation.progress import SilentProgress
from lab.operations.context import Lab
from lab.operations.inventory import inventory_of
from lab.operations.up_steps import AllReady
from lab.state.records import LabRecord
from lab.topology.plan import Plan
from tests.stand_in_site import PaperParts


def test_it_says_since_when_the_cluster_is_up(plan: Plan, tmp_path: Path) -> None:
    folder = LabFolder(tmp_path / "a")
    record = LabRecord("a", mode="macvlan", supply="packages", created="")
    lab = Lab(folder, record, plan, SilentProgress(), PaperParts(folder))
    assert inventory_of(lab).as_json()["ready_since"] is None
    folder.root.mkdir(parents=True)
    lab.update(record.with_step(AllReady.name, 12.0))
    assert inventory_of(lab).as_json()["ready_since"] == lab.record.steps[0].ended
