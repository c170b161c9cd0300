"""An image that no node and no registry has runs on three nodes, after a rebuild too, and goes again."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real_lab.lab_under_test import Lab

pytestmark = pytest.mark.real_lab

IMAGE = "lab-selftest:1"
NAMESPACE = "images"
ON_ALL_NODES = {
    "spec": {
        "template": {
            "spec": {
                "tolerations": [{"operator": "Exists"}],
                "topologySpreadConstraints": [
                    {
                        "maxSkew": 1,
                        "topologyKey": "kubernetes.io/hostname",
                        "whenUnsatisfiable": "DoNotSchedule",
                        "labelSelector": {"matchLabels": {"app": "web"}},
                    }
                ],
            }
        }
    }
}


@pytest.fixture
def archive(lab: Lab, tmp_path: Path) -> Path:
    """An image made here, of a program that the lab has on this host."""
    program = Path(json.loads(lab("inventory", "--json"))["ssh_config"]).parent / "bin" / "agnhost"
    layout, file = f"{tmp_path}/layout:web", tmp_path / "web.tar"
    commands = (
        ["umoci", "init", f"--layout={tmp_path}/layout"],
        ["umoci", "new", f"--image={layout}"],
        ["umoci", "insert", f"--image={layout}", str(program), "/web"],
        ["umoci", "config", f"--image={layout}", "--config.entrypoint=/web", "--config.cmd=netexec"],
        ["skopeo", "--insecure-policy", "copy", f"oci:{layout}", f"docker-archive:{file}:{IMAGE}"],
    )
    for command in commands:
        subprocess.run(command, check=True, capture_output=True)
    return file


@pytest.fixture
def namespace(lab: Lab) -> Iterator[str]:
    lab("kubectl", "create", "namespace", NAMESPACE)
    yield NAMESPACE
    lab("kubectl", "delete", "namespace", NAMESPACE)


def nodes_with_the_image(lab: Lab) -> list[str]:
    rows = json.loads(lab("image", "list", "--json"))["images"]
    return next((row["nodes"] for row in rows if row["name"] == IMAGE), [])


def test_a_kept_image_is_on_all_nodes_after_a_rebuild(lab: Lab, archive: Path) -> None:
    lab("image", "load", str(archive), "--keep")
    assert len(nodes_with_the_image(lab)) == 3
    lab("rebuild")
    assert len(nodes_with_the_image(lab)) == 3


def test_it_runs_on_three_nodes_under_the_name_that_a_manifest_has(lab: Lab, namespace: str) -> None:
    in_it = ("kubectl", "-n", namespace)
    lab(*in_it, "create", "deployment", "web", f"--image={IMAGE}", "--replicas=0")
    lab(*in_it, "patch", "deployment", "web", "--patch", json.dumps(ON_ALL_NODES))
    lab(*in_it, "scale", "deployment", "web", "--replicas=3")
    lab(*in_it, "rollout", "status", "deployment/web", "--timeout=300s")
    pods = json.loads(lab(*in_it, "get", "pods", "--selector=app=web", "--output=json"))["items"]
    assert len({pod["spec"]["nodeName"] for pod in pods}) == 3


def test_a_removed_image_is_gone(lab: Lab) -> None:
    lab("image", "remove", IMAGE)
    assert nodes_with_the_image(lab) == []
