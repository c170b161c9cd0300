"""How the time of `lab up` grows with the number of nodes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import yaml

from scripts.benchmarks.runs import Program, Run

NAME = "bench-scale"
MODEL = Path(__file__).parents[2] / "topologies" / "underlay-3node.yaml"
COUNTS = range(1, 7)
COLD = "up-cold"
WARM = "up-warm"


def topology_of(count: int) -> dict[str, Any]:
    """The standard topology with that many nodes: one control plane, the rest workers like its first."""
    topology: dict[str, Any] = yaml.safe_load(MODEL.read_text())
    control_plane, worker, *_ = topology["nodes"].values()
    names = list(topology["nodes"])
    nodes = {names[0]: control_plane}
    for number in range(1, count):
        addresses = {
            network: str(IPv4Address(address) + number - 1)
            for network, address in worker["addresses"].items()
        }
        nodes[f"k8s-node{number}"] = {**worker, "addresses": addresses}
    return {**topology, "name": f"scale-{count}node", "nodes": nodes}


def measure_scale(counts: Iterable[int], mode: str) -> Iterator[tuple[str, Run]]:
    """For each number of nodes: built anew, and from the cache. Named as in `up-cold, 3`."""
    program = Program()
    with tempfile.TemporaryDirectory() as folder:
        for count in counts:
            path = Path(folder) / f"scale-{count}node.yaml"
            path.write_text(yaml.safe_dump(topology_of(count), sort_keys=False))
            words = ("--topology", str(path), "--mode", mode)
            try:
                yield f"{COLD}, {count}", program.timed_up(NAME, *words, "--cold")
                program.take_down(NAME)
                yield f"{WARM}, {count}", program.timed_up(NAME, *words)
            finally:
                program.take_down(NAME)
