"""A lab on paper in which exercises run: its cluster is stood in for, its faults only say what they are."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from lab.cli.main import _run
from lab.cli.recording import recorded
from lab.exercises.recipe import load_recipe, shipped_recipes
from lab.faults.fault import Before, Fault, Site
from lab.faults.registry import fault_named
from lab.foundation import journal
from lab.foundation.journal import JOURNAL
from lab.foundation.paths import LabFolder
from lab.foundation.progress import Progress, SilentProgress
from lab.machines.machines import MachineState
from lab.nodes.connection import Result, Script
from lab.operations import context, faults, testing
from lab.operations.context import Lab
from lab.operations.exercises import lifecycle as exercises
from lab.operations.exercises import replaying
from lab.operations.faults import faults_after_revert
from lab.operations.keeping import discarding
from lab.operations.up import UpRequest
from lab.state.exercise import note_return
from lab.state.records import LabRecord, lab_folder, read_record, save_topology, write_record
from lab.topology.loader import load_topology
from lab.topology.plan import NodePlan, Plan
from lab.topology.planner import make_plan
from tests.operations.test_status import DIGEST, StandInApi, StandInNode, StandInNodes, node
from tests.stand_in_site import PaperParts, put_box

SHIPPED = {name: load_recipe(path) for name, path in shipped_recipes().items()}
KUBECTL = """\
#!/bin/sh
echo "$*" >>{folder}/kubectl.calls
case "$1" in apply) cat >>{folder}/applied.yaml;; rollout) [ ! -e {folder}/idle ];; esac
"""
SUITE = """\
from pathlib import Path
import pytest
WRONG = Path({wrong!r})
def judge():
    __tracebackhide__ = True
    if WRONG.exists(): pytest.fail("cause: " + WRONG.read_text(), pytrace=False)
"""
CHECKS = {
    "reachability": "@pytest.mark.parametrize('pair', ['pod.k8s-node1-to-lan-host', 'lan-host-to-uplink'])\n"
    "def test_reach(pair): judge() if 'pod' in pair else None\n",
    "data_path": "@pytest.mark.parametrize('node', ['k8s-node2-firewall'])\ndef test_node(node): judge()\n",
    "lan": "def test_the_gateway_answers(): judge()\n",
    "life": "def test_large_transfer(): judge()\n",
}
"""Of the stand-in suite, by topic: names as the real one has them."""


@dataclass(frozen=True)
class RunningMachines:
    plan: Plan

    def states(self) -> Mapping[str, MachineState]:
        return {node.name: MachineState.RUNNING for node in self.plan.nodes}


@dataclass(frozen=True)
class BashNode(StandInNode):
    """Its scripts run in bash here; WRONG is what makes the suite fail. There is no kubelet."""

    lab: ExerciseLab

    def run(self, what: Script, *, check: bool = True, timeout: float) -> Result:
        environment = {"PATH": os.environ["PATH"], "WRONG": str(self.lab.wrong)}
        text = what.text.replace("kubelet --version", "echo Kubernetes v1.24.10")
        done = subprocess.run(
            ["bash", "-c", text],
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=check,
        )
        return Result(self.name, done.returncode, done.stdout, done.stderr)

    def put_text(self, path: str, content: str, mode: int) -> None:
        Path(path).write_text(content)
        self.lab.scripts_put(self.name)


@dataclass
class BashNodes(StandInNodes):
    lab: ExerciseLab

    def __getitem__(self, name: str) -> BashNode:
        return BashNode(name, self.lab)


@dataclass
class ExerciseLab:
    """The lab, and what is done to it; the current folder is an empty one."""

    home: Path
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]
    done: list[str] = field(default_factory=list)
    breaks: type[BaseException] | None = None
    """What the next fault that is put in is ended by."""
    made: tuple[str, ...] = ()
    """What users have made in the cluster."""
    scripts_put: Callable[[str], None] = lambda node: None
    """Told of each node that a student's script was written to."""

    def __post_init__(self) -> None:
        self.home.mkdir()
        for name, value in (("LAB_HOME", self.home), ("LAB_CACHE", self.home / "cache")):
            self.monkeypatch.setenv(name, str(value))
        self.monkeypatch.delenv("LAB_NAME", raising=False)
        put_box(DIGEST)
        self.monkeypatch.setattr(context, "LocalParts", self._parts)
        self.monkeypatch.setattr(faults, "fault_named", self._fault)
        self.monkeypatch.setattr(exercises, "bring_up", self._bring_up)
        self.monkeypatch.setattr(exercises, "rebuild_lab", self._rebuild)
        self.monkeypatch.setattr(testing, "SUITE", self._suite())
        self.monkeypatch.setattr(discarding, "made_by_users", lambda api: self.made)
        self.monkeypatch.setattr(
            discarding, "_keep", lambda lab, name, before: self.done.append(f"save {name}")
        )
        self.monkeypatch.setattr(replaying, "wait_until_lab_is_well", lambda lab, progress: None)
        self.monkeypatch.setattr(replaying, "PATH", str(self.home / "handed-in.sh"))

    @property
    def folder(self) -> LabFolder:
        return next(LabFolder(path) for path in (self.home / "labs").iterdir() if path.is_dir())

    @property
    def wrong(self) -> Path:
        """While it is there, the suite fails, and says what stands in it."""
        return self.home / "wrong"

    def open(self) -> Lab:
        return Lab.open(self.folder, SilentProgress())

    def rebuild(self) -> None:
        """As `lab rebuild` does, on paper."""
        self._rebuild(self.folder, self.open().record.mode, SilentProgress())

    def run(self, *words: str) -> tuple[int, str]:
        """`lab` with these words: its exit status, and all that it printed."""
        self.monkeypatch.setattr(sys, "argv", ["lab", *words])
        status = 0
        try:
            with recorded(words):
                _run()
        except SystemExit as end:
            status = int(end.code or 0)
        printed = self.capsys.readouterr()
        return status, printed.err + printed.out

    def _parts(self, folder: LabFolder) -> PaperParts:
        plan = make_plan(load_topology(folder.topology))
        nodes = [node(each.name) for each in plan.nodes]
        return PaperParts(folder, RunningMachines(plan), BashNodes(self), StandInApi(*nodes))

    def _fault(self, name: str) -> Fault:
        real = fault_named(name)

        def inject(site: Site, node: NodePlan, before: Before) -> None:
            JOURNAL.info("run: %s %s on %s", name, real.summary, node.name)
            site.say(real.summary)
            self.done.append(f"{name} on {node.name}")
            if broken := self.breaks:
                self.breaks = None
                raise broken(real.summary)
            self.wrong.write_text(f"{real.name} on {node.name}: {real.summary}")

        def clear(site: Site, node: NodePlan, before: Before) -> None:
            JOURNAL.info("run: without %s", name)
            self.done.append(f"without {name}")

        return replace(real, inject=inject, clear=clear, remember=lambda site, node: {"was": real.summary})

    def _bring_up(self, request: UpRequest, progress: Progress) -> None:
        self.done.append(f"up {request.name} {request.mode}")
        folder = lab_folder(request.name or "")
        save_topology(folder, Path(request.topology))
        record = LabRecord(
            folder.name,
            request.mode or "",
            "packages",
            "",
            "containerd",
            "qemu",
            box_digest=DIGEST,
            ready=True,
        )
        write_record(folder, record)
        folder.kubeconfig.touch()
        folder.programs.mkdir()
        kubectl = folder.programs / "kubectl"
        kubectl.write_text(KUBECTL.format(folder=folder.root))
        kubectl.chmod(0o755)
        journal.keep_in(folder.log)

    def _rebuild(self, folder: LabFolder, mode: str, progress: Progress) -> None:
        self.done.append(f"rebuild {mode}")
        note_return(folder, "went back to the snapshot")
        record = read_record(folder)
        assert record is not None
        write_record(folder, replace(record, mode=mode))
        self.wrong.unlink(missing_ok=True)
        faults_after_revert(Lab.open(folder, progress), ())

    def _suite(self) -> Path:
        suite = self.home / "suite"
        suite.mkdir()
        for topic, checks in CHECKS.items():
            (suite / f"test_{topic}.py").write_text(SUITE.format(wrong=str(self.wrong)) + checks)
        return suite
