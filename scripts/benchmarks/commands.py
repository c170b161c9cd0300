"""Measurements on one lab. Each brings the lab where it has to begin, uncounted."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping

from lab.topology.loader import find_topology, load_topology
from scripts.benchmarks.idle import measure_idle
from scripts.benchmarks.image import measure_image, measure_image_by_hand
from scripts.benchmarks.pod_start import measure_pods
from scripts.benchmarks.runs import CHECKOUT, Program, Run

NAME = "bench"
BY_HAND = "bench-by-hand"
OTHER_MODES = ("flannel-vxlan", "macvlan")


class Commands:
    """The commands of daily work, and the same lab made by hand."""

    def __init__(self, topology: str, mode: str, program: Program) -> None:
        # `lab` runs in its own checkout, and finds by name what comes with that; all else by its whole path.
        file = find_topology(topology).resolve()
        of_checkout = file.is_relative_to(CHECKOUT) and file.stem == topology
        self._topology = topology if of_checkout else str(file)
        self.program = program
        self._mode = mode
        self._is_up = False
        self._is_kept = False

    def up_cold(self) -> Run:
        """From no lab to Ready, software and box in the cache, the lab itself not."""
        self.end()
        return self._up("--cold")

    def up_warm(self) -> Run:
        """From no lab to Ready, with the lab in the cache."""
        if not self._is_kept:
            self._ensure_up()
        self.end()
        return self._up()

    def rebuild(self) -> Run:
        """Back to the clean cluster in its mode."""
        self._ensure_up()
        return self.program.timed("rebuild", "--name", NAME)

    def mode_switch(self) -> Run:
        """Into a mode that the lab has been in before."""
        self._ensure_up()
        other = next(mode for mode in OTHER_MODES if mode != self._mode)
        self.program.timed("rebuild", "--name", NAME, "--mode", other)
        return self.program.timed("rebuild", "--name", NAME, "--mode", self._mode)

    def suite(self) -> Run:
        """The acceptance suite of the mode."""
        self._ensure_up()
        return self.program.timed("test", "--name", NAME, "--", "-q")

    def idle(self) -> Run:
        """The processor time that the lab takes in a minute in which nobody wants anything from it."""
        self._ensure_up()
        return measure_idle(self.program, NAME)

    def one_pod(self) -> Run:
        """From a pod's creation until it is ready."""
        return self._pods(1)

    def ten_pods(self) -> Run:
        """The same for ten at once."""
        return self._pods(10)

    def image(self) -> Run:
        """An image of 70 MB, from a file of this host until all nodes have it."""
        self._ensure_up()
        return measure_image(self.program, NAME)

    def image_by_hand(self) -> Run:
        """The same with scp, node by node."""
        self._ensure_up()
        return measure_image_by_hand(self.program, NAME)

    def down(self) -> Run:
        """From Ready to nothing left."""
        self._ensure_up()
        return self.end()

    def by_hand(self) -> Run:
        """The same cluster made as in the coursework: see by_hand.py."""
        self.end()
        words = [sys.executable, "-m", "scripts.benchmarks.by_hand", self._topology, self._mode, BY_HAND]
        try:
            done = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True)
        finally:
            self.program.take_down(BY_HAND)
        steps: dict[str, float] = json.loads(done.stdout)
        return Run(sum(steps.values()), steps)

    def end(self) -> Run:
        """Take the lab down."""
        self._is_up = False
        return self.program.take_down(NAME)

    def _pods(self, count: int) -> Run:
        self._ensure_up()
        version = load_topology(find_topology(self._topology)).kubernetes.version
        return measure_pods(self.program, NAME, count, version)

    def _up(self, *words: str) -> Run:
        words = ("--topology", self._topology, "--mode", self._mode, *words)
        run = self.program.timed_up(NAME, *words)
        self._is_up = self._is_kept = True
        return run

    def _ensure_up(self) -> None:
        if not self._is_up:
            self._up()


MEASUREMENTS: Mapping[str, Callable[[Commands], Run]] = {
    "up-cold": Commands.up_cold,
    "rebuild": Commands.rebuild,
    "mode-switch": Commands.mode_switch,
    "idle": Commands.idle,
    "pod-start": Commands.one_pod,
    "ten-pods": Commands.ten_pods,
    "suite": Commands.suite,
    "image": Commands.image,
    "image-by-hand": Commands.image_by_hand,
    "down": Commands.down,
    "up-warm": Commands.up_warm,
    "by-hand": Commands.by_hand,
}
"""In an order in which each begins where the one before ended."""
