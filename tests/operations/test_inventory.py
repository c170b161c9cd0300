"""What an inventory says of a lab; its site is stood in for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lab.foundation.paths import LabFolder
from lab.foundation.progress import SilentProgress
from lab.operations.context import Lab
from lab.operations.inventory import inventory_of
from lab.operations.up_steps import AllReady
from lab.state.records import LabRecord
from lab.topology.loader import load_topology
from lab.topology.plan import Plan
from lab.topology.planner import make_plan
from tests.conftest import TOPOLOGIES
from tests.stand_in_site import PaperParts


def test_it_says_since_when_the_cluster_is_up(plan: Plan, tmp_path: Path) -> None:
    folder = LabFolder(tmp_path / "a")
    record = LabRecord("a", mode="macvlan", supply="packages", created="")
    lab = Lab(folder, record, plan, SilentProgress(), PaperParts(folder))
    assert inventory_of(lab).as_json()["ready_since"] is None
    folder.root.mkdir(parents=True)
    lab.update(record.with_step(AllReady.name, 12.0))
    assert inventory_of(lab).as_json()["ready_since"] == lab.record.steps[0].ended


def test_it_says_how_several_control_planes_are_reached(plan: Plan, tmp_path: Path) -> None:
    record = LabRecord("a", mode="flannel-vxlan", supply="packages", created="")
    several = make_plan(load_topology(TOPOLOGIES / "ha-3node.yaml"))

    def of_kubernetes(plan: Plan) -> dict[str, Any]:
        folder = LabFolder(tmp_path / plan.topology)
        lab = Lab(folder, record, plan, SilentProgress(), PaperParts(folder))
        said: dict[str, Any] = inventory_of(lab).as_json()["kubernetes"]
        return said

    said = of_kubernetes(several)
    assert said["api_address"] == "172.31.7.100"
    assert (said["load_balancer"], said["api_port"]) == ("keepalived-haproxy", 8443)
    assert not {"load_balancer", "api_port"} & of_kubernetes(plan).keys()
