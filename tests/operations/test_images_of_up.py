"""`lab up` and `lab rebuild` end with the user's images on the nodes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab.foundation.errors import LabError, WrongUseError
from lab.foundation.image_names import ImageName
from lab.foundation.progress import SilentProgress
from lab.operations import rebuild, up
from lab.operations.context import Lab
from lab.operations.doors.node_proxies import NodeProxies
from lab.operations.steps import Step
from lab.operations.up import UpRequest, bring_up
from lab.state.records import LabRecord, existing_labs, lab_folder, save_topology, write_record
from lab.topology.loader import find_topology

KEPT = "kept images on the nodes"
STANDARD = find_topology("underlay-3node")
UNKNOWN = LabError("no registry gives the image nginx:0.0")


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The steps that were run, in a lab whose steps do nothing."""
    names: list[str] = []

    def run_steps(lab: Lab, steps: Sequence[Step]) -> tuple[()]:
        names.extend(step.name for step in steps)
        return ()

    # Sockets of libvirtd lie below it, and their paths must be short.
    home = tmp_path_factory.mktemp("a")
    monkeypatch.setenv("LAB_HOME", str(home))
    monkeypatch.setenv("LAB_CACHE", str(home / "cache"))
    machines = SimpleNamespace(snapshots=lambda: ("mode-hybridnet",))
    monkeypatch.setattr(Lab, "machines", property(lambda lab: machines))
    monkeypatch.setattr(Lab, "require_running", lambda lab: None)
    monkeypatch.setattr(Lab, "change_mode", lambda lab, mode: None)
    for module in (up, rebuild):
        monkeypatch.setattr(module, "run_steps", run_steps)
        monkeypatch.setattr(module, "summary_of", lambda lab, times, **_: None)
    return names


def test_missing_images_are_told_last(
    ran: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def keep_wanted(lab: Lab, names: Sequence[ImageName]) -> tuple[LabError, ...]:
        asked.extend(map(str, names))
        return (UNKNOWN,)

    monkeypatch.setattr(up, "keep_wanted", keep_wanted)
    topology = tmp_path / "with-images.yaml"
    topology.write_text(f"{STANDARD.read_text()}\nimages: [shop/web:1]\n")
    with pytest.raises(LabError) as caught:
        bring_up(UpRequest(str(topology), images=("nginx:0.0",)), SilentProgress())
    assert caught.value is UNKNOWN
    assert asked == ["shop/web:1", "nginx:0.0"]
    assert ran[-3:] == [KEPT, "pull-through", NodeProxies.name]


def test_a_wrong_name_is_found_before_there_is_anything_of_the_lab(ran: list[str]) -> None:
    with pytest.raises(WrongUseError, match="'Nginx' is no name of an image"):
        bring_up(UpRequest("underlay-3node", images=("Nginx",)), SilentProgress())
    assert (ran, existing_labs()) == ([], ())


def test_rebuild_ends_with_the_kept_images(ran: list[str]) -> None:
    folder = lab_folder("a")
    save_topology(folder, STANDARD)
    write_record(folder, LabRecord("a", mode="hybridnet", supply="packages", created=""))
    rebuild.rebuild_lab(folder, None, SilentProgress())
    assert ran[-3:] == [KEPT, "pull-through", NodeProxies.name]
