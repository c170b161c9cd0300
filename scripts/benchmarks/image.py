"""How long an image of the user's takes to all nodes of a lab: by `lab`, and by hand, node by node."""

from __future__ import annotations

import hashlib
import io
import json
import random
import subprocess
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from lab.supply.architecture import architecture
from lab.topology.models import Runtime
from scripts.benchmarks.runs import Program, Run

NAME = "docker.io/library/lab-bench-image:1"
SIZE = 70 * 10**6
"""Bytes of its one layer, which cannot be compressed."""
COPY, IMPORT = "scp, node by node", "import into the runtime, node by node"
ON_NODE = "/root/lab-bench-image.tar"
IMPORTS = {
    Runtime.CONTAINERD.value: f"ctr --namespace k8s.io images import {ON_NODE}",
    Runtime.CRI_DOCKERD.value: f"docker load --input {ON_NODE}",
}


def measure_image(program: Program, name: str) -> Run:
    """`lab image load`, from the file until all nodes have it."""
    with TemporaryDirectory() as folder, _gone_at_the_end(program, name):
        return program.timed("image", "load", str(write_image(Path(folder))), "--name", name)


def measure_image_by_hand(program: Program, name: str) -> Run:
    """The same file with scp, and imported, on one node after the other; its steps are both."""
    told = json.loads(program.lab("inventory", "--json", "--name", name))
    config, runs = ("-F", told["ssh_config"]), IMPORTS[told["kubernetes"]["runtime"]]
    steps = {COPY: 0.0, IMPORT: 0.0}
    with TemporaryDirectory() as folder, _gone_at_the_end(program, name):
        file = str(write_image(Path(folder)))
        for node in (each["name"] for each in told["nodes"]):
            steps[COPY] += _seconds("scp", "-q", *config, file, f"{node}:{ON_NODE}")
            steps[IMPORT] += _seconds("ssh", *config, node, runs)
            _seconds("ssh", *config, node, f"rm {ON_NODE}")
    return Run(sum(steps.values()), steps)


def write_image(folder: Path, size: int = SIZE) -> Path:
    """A docker-archive as `docker save` writes it, the same at each call, so that the cache holds one."""
    layer = folder / "layer.tar"
    with tarfile.open(layer, "w") as tar:
        _add(tar, "data", random.Random(size).randbytes(size))
    with layer.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    rootfs = {"type": "layers", "diff_ids": [f"sha256:{digest}"]}
    said = {"os": "linux", "architecture": architecture(), "config": {}, "rootfs": rootfs}
    index = [{"Config": "config.json", "RepoTags": [NAME], "Layers": [layer.name]}]
    archive = folder / "image.tar"
    with tarfile.open(archive, "w") as tar:
        for member, text in (("config.json", said), ("manifest.json", index)):
            _add(tar, member, json.dumps(text).encode())
        tar.add(layer, layer.name)
    layer.unlink()
    return archive


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


@contextmanager
def _gone_at_the_end(program: Program, name: str) -> Iterator[None]:
    """The image, so that the next measurement finds nodes that lack it."""
    yield
    program.lab("image", "remove", NAME, "--name", name)


def _seconds(*words: str) -> float:
    began = time.monotonic()
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return time.monotonic() - began
