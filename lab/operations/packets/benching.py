"""`lab bench`: what network modes cost, each measured on the clean cluster of its own snapshot."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from lab.bench.counter import Instructions, build_plugin, emulator_version, read_counts
from lab.bench.result import Bench, ModeBench
from lab.bench.session import Effort, Gauges, Session
from lab.foundation.errors import LabError
from lab.foundation.paths import LabFolder, cache_root
from lab.foundation.process import run
from lab.foundation.progress import Progress
from lab.operations.context import Lab
from lab.operations.exercises.during_exercise import refuse_during_exercise
from lab.operations.keeping.keep import mode_snapshot
from lab.operations.keeping.snapshots import remove_snapshot, restore_snapshot, save_snapshot
from lab.operations.packets.bench_ends import TwoNodes, keep_still, make_pods, two_nodes, wire_of
from lab.operations.packets.trace_ends import node_spot
from lab.operations.rebuild import GoBack, rebuild_lab
from lab.operations.steps import run_steps
from lab.operations.up_order import BROUGHT_BACK
from lab.state.records import locked, now
from lab.topology.mode_choice import ModeChoice

SAVE_POINT = "before-bench"
"""The lab as it was, while it is measured."""
COUNTS = "bench"
"""The folder of a lab with the counters."""
MESSAGE_BYTES = 64
EMULATED = Effort(blocks=9, rounds=150, message_bytes=MESSAGE_BYTES)
WITH_KVM = Effort(blocks=9, rounds=3000, message_bytes=MESSAGE_BYTES)
ASK_LIMIT = 60.0


def bench_modes(
    folder: LabFolder, modes: Sequence[str], progress: Progress, told: Callable[[Bench], None]
) -> Bench:
    """Measure each of the modes; with none, the mode that the lab has.

    The lab is as it was at the end, some minutes later. `told` is called with all modes so far. A mode that
    does not come up is told in its place. Raises WrongUseError for a mode that there is not, a lab with
    one node, and during an exercise; LabError without a C compiler where guests are emulated.
    """
    refuse_during_exercise(folder, "put its machines back")
    lab = Lab.open(folder, progress)
    lab.require_running()
    wanted = [ModeChoice.parse(mode) for mode in modes] or [lab.plan.choice]
    for choice in wanted:
        lab.require_able(choice)
    nodes = two_nodes(lab.plan)
    plugin = build_plugin(cache_root() / COUNTS) if lab.emulated else None
    bench = _of_lab(lab, nodes)
    with _put_back(folder, progress):
        for choice in wanted:
            try:
                measured = _measure(folder, choice, plugin, progress)
            except LabError as error:
                progress.note(f"{choice} was not measured: {error.brief}")
                measured = ModeBench(str(choice), (), {}, 0.0, str(error))
            bench = replace(bench, modes=(*bench.modes, measured))
            told(bench)
    return bench


@contextmanager
def _put_back(folder: LabFolder, progress: Progress) -> Iterator[None]:
    """Save the lab, and bring it back as it was at the end of the block."""
    if SAVE_POINT in Lab.open(folder, progress).machines.snapshots():
        raise LabError(
            f"the lab {folder.name} still has the save point {SAVE_POINT}, of a lab bench that was killed",
            resolution=(
                f"`lab snapshot restore {SAVE_POINT}` brings back what the lab was then; "
                f"`lab snapshot remove {SAVE_POINT}` gives it up"
            ),
        )
    save_snapshot(folder, SAVE_POINT, "made by lab bench", progress)
    try:
        yield
    finally:
        restore_snapshot(folder, SAVE_POINT, progress)
        remove_snapshot(folder, SAVE_POINT, progress)
        shutil.rmtree(_counts(folder), ignore_errors=True)


def _measure(folder: LabFolder, choice: ModeChoice, plugin: Path | None, progress: Progress) -> ModeBench:
    started = time.monotonic()
    lab = Lab.open(folder, progress)
    if lab.plan.choice != choice or mode_snapshot(choice) not in lab.machines.snapshots():
        rebuild_lab(folder, str(choice), progress)
    with locked(folder):
        lab = Lab.open(folder, progress)
        nodes = two_nodes(lab.plan)
        names = [nodes.asks.name, nodes.echoes.name]
        files = {name: _counts(folder) / f"{name}.count" for name in names}
        run_steps(lab, (GoBack(mode_snapshot(choice), _plugins(plugin, files)), *BROUGHT_BACK))
        gauges = Gauges(_counter(files) if plugin is not None else None, wire_of(lab, nodes.echoes.name))
        with progress.step(f"pods for {choice}"):
            pairs = make_pods(lab, nodes)
        with Session(pairs, gauges, EMULATED if lab.emulated else WITH_KVM) as session:
            with progress.step(f"paths of {choice}"):
                silent = session.unreachable()
                mtu = session.mtu(silent)
            keep_still(lab, nodes)
            with progress.step(f"round trips in {choice}") as step:
                series = session.measure(silent, step.advance)
        return ModeBench(str(choice), series, mtu, time.monotonic() - started)


def _plugins(plugin: Path | None, files: Mapping[str, Path]) -> Mapping[str, str]:
    if plugin is None:
        return {}
    for file in files.values():
        file.parent.mkdir(exist_ok=True)
    # In QEMU's options a comma is written twice.
    return {node: f"{_doubled(plugin)},counts={_doubled(file)}" for node, file in files.items()}


def _counter(files: Mapping[str, Path]) -> Callable[[Collection[str]], Instructions]:
    return lambda names: read_counts(file for node, file in files.items() if node in names)


def _doubled(path: Path) -> str:
    return str(path).replace(",", ",,")


def _counts(folder: LabFolder) -> Path:
    return folder.root / COUNTS


def _of_lab(lab: Lab, nodes: TwoNodes) -> Bench:
    kernel = run(
        node_spot(lab, nodes.echoes.name).machine.command("uname -r"), timeout=ASK_LIMIT
    ).stdout.strip()
    return Bench(
        lab=lab.folder.name,
        topology=lab.plan.topology,
        started=now(),
        accelerator=lab.record.accelerator,
        kernel=kernel,
        emulator=emulator_version(),
        message_bytes=MESSAGE_BYTES,
        modes=(),
    )
