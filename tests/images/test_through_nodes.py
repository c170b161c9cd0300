"""What a node is told of its lab's registry: in a folder that stands for its root."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.images.through_nodes import ContainerdNode, DockerNode, ThroughNode, through_node
from lab.topology.models import Runtime

URL, OTHER = "http://192.168.31.1:40001", "http://192.168.31.1:40002"
RECIPE = Path("lab/supply/box/recipe")
DOCKERD = """
trap 'cp {root}/etc/docker/daemon.json {root}/read' HUP
echo $$ > {root}/run/docker.pid
while :; do sleep 0.02; done
"""
DOCKER = """#!/bin/bash
mirrors=$(grep -s registry-mirrors {root}/read | sed 's/.*: \\[//; s/"//g; s/,$//')
echo "[${{mirrors%]}}${{mirrors:+/}}]"
"""
"""As `docker info` prints them: with a slash behind each."""


class Node:
    def __init__(self, root: Path) -> None:
        self.root = root
        for folder in ("etc/containerd", "etc/docker", "run", "bin"):
            (root / folder).mkdir(parents=True)
        for name in ("containerd/config.toml", "docker/daemon.json"):
            source = next(RECIPE.glob(f"*/etc/{name}"))
            (root / "etc" / name).write_text(source.read_text())
        self.program("systemctl", f'#!/bin/sh\necho "$@" >> {root}/systemctl\n')
        self.program("ctr", "#!/bin/sh\n")
        self.program("docker", DOCKER.format(root=root))

    def program(self, name: str, text: str) -> None:
        path = self.root / "bin" / name
        path.write_text(text)
        path.chmod(0o755)

    def run(self, script: str) -> int:
        for path in ("/etc/containerd", "/etc/docker", "/run/docker.pid"):
            script = script.replace(path, f"{self.root}{path}")
        path = f"{self.root}/bin:{os.environ['PATH']}"
        words = ["bash", "-c", f"set -euo pipefail\n{script}"]
        return subprocess.run(words, env={**os.environ, "PATH": path}, check=False).returncode

    def read(self, path: str) -> str:
        return (self.root / path).read_text()

    @property
    def restarts(self) -> list[str]:
        file = self.root / "systemctl"
        return file.read_text().splitlines() if file.exists() else []


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


@pytest.fixture
def dockerd(node: Node) -> Iterator[None]:
    # bash cannot trap what nohup lets its children ignore.
    words = ["env", "--default-signal=HUP", "bash", "-c", DOCKERD.format(root=node.root)]
    with subprocess.Popen(words) as daemon:
        while not (node.root / "run/docker.pid").exists():
            assert daemon.poll() is None
        yield
        daemon.send_signal(signal.SIGKILL)


def test_containerd_finds_the_registry_for_all_images(node: Node) -> None:
    containerd = ContainerdNode()
    assert node.run(containerd.is_open(URL)) != 0
    assert node.run(containerd.is_closed()) == 0
    assert node.run(containerd.opened(URL)) == 0
    assert node.run(containerd.is_open(URL)) == 0
    assert node.run(containerd.is_closed()) != 0
    config = tomllib.loads(node.read("etc/containerd/config.toml"))
    folder = config["plugins"]["io.containerd.grpc.v1.cri"]["registry"]["config_path"]
    hosts = tomllib.loads((Path(folder) / "_default" / "hosts.toml").read_text())
    assert hosts["host"] == {URL: {"capabilities": ["pull", "resolve"]}}
    assert (hosts["server"], hosts["capabilities"]) == (URL, ["push"])


def test_containerd_starts_again_once_only(node: Node) -> None:
    containerd = ContainerdNode()
    for url in (URL, OTHER):
        assert node.run(containerd.opened(url)) == 0
    assert node.restarts == ["restart containerd.service"]
    assert node.run(containerd.is_open(URL)) != 0
    assert node.run(containerd.closed()) == 0
    assert node.run(containerd.is_open(OTHER)) != 0
    assert node.run(containerd.is_closed()) == 0
    assert node.run(containerd.opened(URL)) == 0
    assert node.restarts == ["restart containerd.service"]


def test_containerd_2_has_the_setting_elsewhere(node: Node) -> None:
    (node.root / "etc/containerd/config.toml").write_text("version = 3\n")
    assert node.run(ContainerdNode().opened(URL)) == 0
    config = tomllib.loads(node.read("etc/containerd/config.toml"))
    assert "config_path" in config["plugins"]["io.containerd.cri.v1.images"]["registry"]


@pytest.mark.usefixtures("dockerd")
def test_docker_has_a_mirror_of_docker_hub_while_it_is_open(node: Node) -> None:
    docker, before = DockerNode(), node.read("etc/docker/daemon.json")
    for url in (URL, OTHER):
        assert node.run(docker.is_open(url)) != 0
        assert node.run(docker.opened(url)) == 0
        assert node.run(docker.is_open(url)) == 0
        assert node.run(docker.is_closed()) != 0
        said = json.loads(node.read("read"))
        assert said == {**json.loads(before), "registry-mirrors": [url]}
    assert node.run(docker.closed()) == 0
    assert node.run(docker.is_closed()) == 0
    assert node.read("etc/docker/daemon.json") == node.read("read") == before


@pytest.mark.parametrize(
    ("runtime", "kind"), [(Runtime.CONTAINERD, ContainerdNode), (Runtime.CRI_DOCKERD, DockerNode)]
)
def test_each_runtime_has_its_own_way(runtime: Runtime, kind: type[ThroughNode]) -> None:
    assert isinstance(through_node(runtime), kind)
