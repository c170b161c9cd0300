"""The benchmarks' own parts that need no lab."""

from __future__ import annotations

import sys
from argparse import ArgumentTypeError
from pathlib import Path
from subprocess import CalledProcessError

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

from benchmarks.__main__ import Wish, measure
from benchmarks.by_hand import images_of
from benchmarks.commands import MEASUREMENTS, Commands
from benchmarks.report import Machine, as_markdown, as_text
from benchmarks.runs import Run
from benchmarks.scale import COUNTS, topology_of

from lab.modes.registry import mode_named, mode_names
from lab.supply.software import Image, Software
from lab.topology.loader import find_topology, load_topology
from lab.topology.planner import make_plan


@pytest.fixture(autouse=True)
def no_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a test gets wrong, it starts no lab."""
    monkeypatch.setattr("benchmarks.runs.LAB", ("false",))


MACHINE = Machine("a processor", 2, 23.4, "6.1", kvm=False, load=0.31)
RUNS = {
    "up-cold": [Run(200.0, {"kubeadm init": 60.0, "pod network": 20.0})],
    "rebuild": [Run(4.0), Run(6.0), Run(5.0)],
}


@pytest.mark.parametrize("count", COUNTS)
def test_topologies_of_any_size_are_right(count: int, tmp_path: Path) -> None:
    path = tmp_path / "scale.yaml"
    path.write_text(yaml.safe_dump(topology_of(count), sort_keys=False))
    plan = make_plan(load_topology(path, known_modes=mode_names()))
    assert len(plan.nodes) == count
    assert len(plan.workers) == count - 1


def test_the_table_compares_with_a_lab_built_anew() -> None:
    lines = as_text(RUNS, MACHINE).splitlines()
    assert any(line.split() == ["rebuild", "3", "5.0", "4.0", "6.0", "40.0", "times"] for line in lines)
    assert (
        lines[0] == "a processor, 2 cores, 23.4 GiB, Linux 6.1, no KVM, guests are emulated; load before: 0.3"
    )
    assert any(line.split() == ["kubeadm", "init", "60.0", "60.0", "60.0", "30%"] for line in lines)


def test_by_hand_comes_first_where_it_was_measured() -> None:
    page = as_markdown({"by-hand": [Run(800.0)], **RUNS}, MACHINE, ["by-hand", "up-cold"])
    assert "| by hand it takes | built anew it takes |" in page
    assert "| `lab rebuild` | 3 | 5.0 | 4.0 | 6.0 | 10 | 160.0 times | 40.0 times |" in page
    assert "`scripts/bench by-hand up-cold`" in page


def test_sizes_are_a_table_of_their_own() -> None:
    sizes = {"up-cold, 1": [Run(90.0)], "up-warm, 1": [Run(3.0)], "up-cold, 3": [Run(200.0)]}
    page = as_markdown({**RUNS, **sizes}, MACHINE, ["up-cold", "rebuild", "scale"])
    assert "| 1 | 90.0 | 3.0 | 30.0 times |" in page
    assert "| 3 | 200.0 | - | - |" in page
    assert as_markdown(sizes, MACHINE, ["scale"]).startswith("## One to six nodes")


def test_the_page_tells_how_the_cluster_by_hand_is_made() -> None:
    assert "scp" not in as_markdown(RUNS, MACHINE, [])
    assert "`kubeadm join` on one worker after the other" in as_markdown(
        {"by-hand": [Run(800.0)]}, MACHINE, []
    )


@pytest.mark.parametrize(
    ("text", "wish"),
    [("rebuild:5", Wish("rebuild", 5)), ("by-hand", Wish("by-hand")), ("scale", Wish("scale"))],
)
def test_a_measurement_may_say_how_often(text: str, wish: Wish) -> None:
    assert Wish.parse(text) == wish


@pytest.mark.parametrize("text", ["rebuilt", "rebuild:0", "rebuild:x", "rebuild:-1", ""])
def test_what_is_no_measurement_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="NAME one of up-cold, "):
        Wish.parse(text)


def test_what_fails_is_named_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(MEASUREMENTS, "rebuild", fail)
    monkeypatch.setitem(MEASUREMENTS, "down", lambda _: Run(1.0))
    monkeypatch.setattr(Commands, "end", lambda _: Run(0.0))
    runs, failed = measure(Commands("underlay-3node", "macvlan"), {"rebuild": 2, "down": 1})
    assert (runs, failed) == ({"down": [Run(1.0)]}, ["rebuild"])
    assert "rebuild failed" in capfd.readouterr().err


def fail(_: Commands) -> Run:
    raise CalledProcessError(1, "lab")


def test_by_hand_a_worker_gets_what_it_runs_first() -> None:
    plan = make_plan(load_topology(find_topology("underlay-3node")))
    names = ["kube-apiserver", "etcd", "kube-proxy", "coredns", "flannel", "tomcat"]
    software = Software("v1", {}, {}, tuple(Image(f"r/{name}:1", Path(name), name) for name in names), "")
    flannel = mode_named("flannel-vxlan")
    assert [image.digest for image in images_of(plan.workers[0], software, flannel)] == names[2:5]
    assert [image.digest for image in images_of(plan.control_plane, software, flannel)] == names[:5]
