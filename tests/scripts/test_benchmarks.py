"""The benchmarks' own parts that need no lab."""

from __future__ import annotations

import zlib
from argparse import ArgumentTypeError
from itertools import pairwise
from pathlib import Path
from subprocess import PIPE, CalledProcessError, run
from tempfile import gettempdir

import pytest
import yaml
from pydantic import ValidationError

from lab.foundation.image_names import ImageName
from lab.modes.registry import mode_named, mode_names
from lab.supply import image_files
from lab.supply.docker_archive import layer_files, read_image, require_architecture
from lab.supply.software import Image, Software
from lab.topology.loader import find_topology, load_topology
from lab.topology.planner import make_plan
from scripts.benchmarks.__main__ import Call, Wish, _parser, main, measure
from scripts.benchmarks.by_hand import SameOnWorkers, images_of
from scripts.benchmarks.commands import MEASUREMENTS, Commands
from scripts.benchmarks.figures import SPREAD_RUNS, Figures, Record, load_record, save_record
from scripts.benchmarks.idle import read_statistics
from scripts.benchmarks.image import COPY, IMPORT, NAME, write_image
from scripts.benchmarks.machine import Machine
from scripts.benchmarks.page import PAGE, page_of
from scripts.benchmarks.report import Results, as_text
from scripts.benchmarks.runs import CHECKOUT, Program, Run
from scripts.benchmarks.scale import COUNTS, topology_of


@pytest.fixture(autouse=True)
def no_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a test gets wrong, it starts no lab."""
    monkeypatch.setattr("scripts.benchmarks.runs.LAB", ("false",))


MACHINE = Machine("a processor", 2, 23.4, "6.1", kvm=False, load=0.3)
COMMAND = "scripts/bench up-cold:1 rebuild:5 --topology underlay-3node --modes hybridnet"
RESULTS = Results(
    {
        ("hybridnet", "rebuild"): [Run(4.0), Run(6.0), Run(5.0), Run(5.0), Run(5.0)],
        ("hybridnet", "up-cold"): [Run(200.0, {"kubeadm init": 60.0, "pod network": 20.0})],
    },
    (),
)
BY_HAND = Results(
    {
        **RESULTS.runs,
        ("hybridnet", "by-hand"): [Run(800.0, {"kubeadm init": 80.0, SameOnWorkers.name: 100.0})],
    },
    (),
)


def page(folder: Path, commands: Results = RESULTS, sizes: Results | None = None) -> str:
    save_record("commands", Record(COMMAND, "2026-01-01", MACHINE, commands.of_commands), folder)
    if sizes:
        save_record("sizes", Record("scripts/bench scale", "2026-01-02", MACHINE, sizes.of_sizes), folder)
    return page_of(folder)


def test_the_page_in_the_repository_is_what_the_script_prints() -> None:
    assert PAGE.read_text() == page_of()


def test_each_table_of_the_page_names_its_mode() -> None:
    blocks = page_of().split("\n\n")
    tables = [(before, block) for before, block in pairwise(blocks) if block[0] == "|"]
    assert len(tables) >= 5
    for before, table in tables:
        head, _, *rows = table.splitlines()
        assert "mode" in before or all(row.split(" | ")[1] in mode_names() for row in rows), head


def test_few_runs_have_no_spread(tmp_path: Path) -> None:
    assert Figures.of([3.0]).cells == ("1 run", "3.0", "", "")
    assert Figures.of([3.0, 5.0, 4.0]).cells == ("median of 3", "4.0", "", "")
    assert Figures.of([3.0, 5.0, 4.0, 4.0, 4.0]).cells == ("median of 5", "4.0", "3.0", "5.0")
    with pytest.raises(ValidationError, match="5 runs or more"):
        Figures(1, 3.0, 3.0, 3.0)
    assert "| kubeadm init | 1 run | 60.0 |  |  | 30% |" in page(tmp_path)


def test_what_is_measured_without_a_word_is_the_topologys_own_mode() -> None:
    call = Call.of(_parser().parse_args([]))
    assert call.modes == ["hybridnet"]
    assert set(call.counts.values()) == {SPREAD_RUNS}
    assert str(call).endswith(" --topology underlay-3node --modes hybridnet")
    words = ["rebuild:2", "scale", "--modes", "macvlan,routed", "--nodes", "1,2"]
    named = Call.of(_parser().parse_args(words))
    assert str(named) == (
        "scripts/bench rebuild:2 scale --topology underlay-3node --modes macvlan,routed --nodes 1,2"
    )


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    record = Record(COMMAND, "2026-01-01", MACHINE, RESULTS.of_commands, "a note")
    save_record("commands", record, tmp_path)
    assert load_record("commands", tmp_path) == record


@pytest.mark.parametrize("count", COUNTS)
def test_topologies_of_any_size_are_right(count: int, tmp_path: Path) -> None:
    path = tmp_path / "scale.yaml"
    path.write_text(yaml.safe_dump(topology_of(count), sort_keys=False))
    plan = make_plan(load_topology(path, known_modes=mode_names()))
    assert len(plan.nodes) == count
    assert len(plan.workers) == count - 1


def test_the_table_compares_with_a_lab_built_anew() -> None:
    lines = as_text(RESULTS, MACHINE, COMMAND).splitlines()
    assert lines[:2] == [
        COMMAND,
        "a processor, 2 cores, 23.4 GiB, Linux 6.1, no KVM, guests are emulated; load before: 0.3",
    ]
    (rebuild,) = (line for line in lines if line.startswith("`lab rebuild`"))
    words = ["hybridnet", "median", "of", "5", "5.0", "4.0", "6.0", "10", "40", "times"]
    assert rebuild.removeprefix("`lab rebuild`").split() == words
    assert "steps of up-cold, mode hybridnet" in lines


def test_by_hand_comes_first_where_it_was_measured(tmp_path: Path) -> None:
    text = page(tmp_path, BY_HAND)
    assert "| by hand it takes | built anew it takes |" in text
    assert "| `lab rebuild` | hybridnet | median of 5 | 5.0 | 4.0 | 6.0 | 10 | 160 times | 40 times |" in text
    assert text.index("the same cluster by hand") < text.index("`lab rebuild`")
    assert "700 s, 3.5 times as long as built anew." in text
    assert f"`{COMMAND}`, 2026-01-01, on" in text


def test_an_image_is_compared_with_the_same_by_hand(tmp_path: Path) -> None:
    by_hand = Run(150.0, {COPY: 40.0, IMPORT: 110.0})
    image = {("macvlan", "image"): [Run(30.0)], ("macvlan", "image-by-hand"): [by_hand]}
    lines = as_text(Results({**RESULTS.runs, **image}, ()), MACHINE, "scripts/bench").splitlines()
    head, *rows = (line for line in lines if " macvlan " in line or line.startswith("command"))
    assert head.split("goal s")[1].split("  ") == ["", "by hand it takes", "built anew it takes"]
    assert [row.split("1 run")[1].split() for row in rows] == [["150.0"], ["30.0", "5.0", "times"]]
    assert "steps of image-by-hand, mode macvlan" in lines


def test_the_measured_image_is_one_that_lab_takes(tmp_path: Path) -> None:
    archive = write_image(tmp_path, 1000)
    (found,) = image_files.images_in(archive)
    assert str(found.name) == str(ImageName.parse(NAME))
    image = read_image(archive)
    require_architecture(image, NAME)
    with layer_files(archive, image) as (layer,):
        content = layer.extractfile("data")
        assert content is not None
        assert len(zlib.compress(content.read())) > 1000
    assert read_image(write_image(tmp_path, 1000)) == image


def test_figures_of_another_mode_are_compared_with_nothing(tmp_path: Path) -> None:
    text = page(tmp_path, Results({**RESULTS.runs, ("macvlan", "rebuild"): [Run(4.0)]}, ()))
    assert "| `lab rebuild` | macvlan | 1 run | 4.0 |  |  | 10 |  |" in text


def test_sizes_are_a_table_of_their_own(tmp_path: Path) -> None:
    runs = {"up-cold, 1": 90.0, "up-warm, 1": 3.0, "up-cold, 3": 200.0}
    sizes = Results({("macvlan", name): [Run(seconds)] for name, seconds in runs.items()}, ())
    text = page(tmp_path, RESULTS, sizes)
    assert "| 1 | macvlan | 1 run | 90.0 | 3.0 | 30 times |" in text
    assert "| 3 | macvlan | 1 run | 200.0 | - | - |" in text


def test_the_page_tells_how_the_cluster_by_hand_is_made(tmp_path: Path) -> None:
    assert "scp" not in page(tmp_path)
    assert "`kubeadm join` on one worker after the other" in page(tmp_path, BY_HAND)


def test_a_host_with_kvm_ends_the_sentence_that_there_is_none(tmp_path: Path) -> None:
    assert "No figure is from a host with KVM." in page(tmp_path)
    machine = Machine("a processor", 2, 23.4, "6.1", kvm=True)
    save_record("commands", Record(COMMAND, "2026-01-01", machine, RESULTS.of_commands), tmp_path)
    assert "No figure is from a host with KVM." not in page_of(tmp_path)


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


def test_processor_time_is_read_by_the_name_of_the_process() -> None:
    line = "7 ({}) S 1 7 7 0 -1 4194560 1 2 3 4 {} {} {} {} 20 0 1 0 5 0 0"
    ended = (70, 5)
    lines = [
        "100",
        line.format("kubelet", 250, 50, *ended),
        line.format("a (b) c", 1, 2, 0, 0),
        line.format("kubelet", 0, 100, 0, 0),
    ]
    assert read_statistics("\n".join(lines)) == {"kubelet": 4.75, "a (b) c": 0.03}


def test_an_idle_lab_is_taken_apart_into_shares() -> None:
    results = Results({("hybridnet", "idle"): [Run(60.0, {"k8s-master1": 45.0})]}, ())
    lines = as_text(results, MACHINE, COMMAND).splitlines()
    table = lines[lines.index("shares of idle, mode hybridnet") :]
    assert table[2].split() == ["k8s-master1", "1", "run", "45.0", "75%"]


def test_what_fails_is_named_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(MEASUREMENTS, "rebuild", fail)
    monkeypatch.setitem(MEASUREMENTS, "down", lambda _: Run(1.0))
    monkeypatch.setattr(Commands, "end", lambda _: Run(0.0))
    results = measure(Call({"rebuild": 2, "down": 1}, "underlay-3node", ["hybridnet", "macvlan"], COUNTS))
    assert results.runs == {("hybridnet", "down"): [Run(1.0)], ("macvlan", "down"): [Run(1.0)]}
    assert results.then == {}
    assert results.failed == ["rebuild", "rebuild"]
    assert "rebuild in mode macvlan failed" in capfd.readouterr().err


def test_another_commit_is_measured_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    def rebuild(lab: Commands) -> Run:
        order.append(where := "here" if lab.program.folder == CHECKOUT else "there")
        return Run(2.0 if where == "here" else 6.0)

    monkeypatch.setitem(MEASUREMENTS, "rebuild", rebuild)
    monkeypatch.setattr(Commands, "end", lambda _: order.append("down"))
    results = measure(Call({"rebuild": 2}, "underlay-3node", ["hybridnet"], COUNTS, against="HEAD"))
    assert order[:8] == ["here", "down", "there", "down"] * 2
    assert results.then == {("hybridnet", "rebuild"): [Run(6.0), Run(6.0)]}
    (line,) = (line for line in as_text(results, MACHINE, COMMAND).splitlines() if "3.00 times" in line)
    assert line.split()[:6] == ["`lab", "rebuild`", "hybridnet", "median", "of", "2"]
    worktrees = run(["git", "-C", CHECKOUT, "worktree", "list"], check=True, stdout=PIPE, text=True).stdout
    assert str(gettempdir()) not in worktrees


def test_a_topology_s_file_is_found_from_any_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.yaml").write_text(find_topology("underlay-3node").read_text())
    monkeypatch.chdir(tmp_path)
    said: list[str] = []

    def timed_up(_: Program, *words: str) -> Run:
        said.extend(words)
        return Run(1.0)

    monkeypatch.setattr(Program, "timed_up", timed_up)
    monkeypatch.setattr(Program, "take_down", lambda *_: Run(0.0))
    for topology in ("mine.yaml", "underlay-3node"):
        MEASUREMENTS["up-cold"](Commands(topology, "macvlan", Program(tmp_path / "elsewhere")))
    assert {str(tmp_path / "mine.yaml"), "underlay-3node"} <= set(said)


@pytest.mark.parametrize("words", [("--write", "rebuild"), ("scale",), ("by-hand",)])
def test_what_another_commit_cannot_be_compared_in_is_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit):
        main([*words, "--against", "HEAD"])


def fail(_: Commands) -> Run:
    raise CalledProcessError(1, "lab")


def test_by_hand_a_worker_gets_what_it_runs_first() -> None:
    plan = make_plan(load_topology(find_topology("underlay-3node")))
    names = ["kube-apiserver", "etcd", "kube-proxy", "coredns", "flannel", "tomcat"]
    software = Software("v1", {}, {}, tuple(Image(f"r/{name}:1", Path(name), name) for name in names), "")
    flannel = mode_named("flannel-vxlan")
    assert [image.digest for image in images_of(plan.workers[0], software, flannel)] == names[2:5]
    assert [image.digest for image in images_of(plan.first_control_plane, software, flannel)] == names[:5]
