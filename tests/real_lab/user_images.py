"""An image that nobody else has, and pods of it on all nodes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.real_lab.lab_under_test import Lab, folder_of

WORKLOAD = "web"
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
                        "labelSelector": {"matchLabels": {"app": WORKLOAD}},
                    }
                ],
            }
        }
    }
}


def make_image(lab: Lab, folder: Path, name: str) -> Path:
    """An archive with an image of that name, of a program that the lab has on this host."""
    program = folder_of(lab) / "bin" / "agnhost"
    folder.mkdir(exist_ok=True)
    layout, file = f"{folder}/layout:web", folder / "web.tar"
    commands = (
        ["umoci", "init", f"--layout={folder}/layout"],
        ["umoci", "new", f"--image={layout}"],
        ["umoci", "insert", f"--image={layout}", str(program), "/web"],
        ["umoci", "config", f"--image={layout}", "--config.entrypoint=/web", "--config.cmd=netexec"],
        ["skopeo", "--insecure-policy", "copy", f"oci:{layout}", f"docker-archive:{file}:{name}"],
    )
    for command in commands:
        subprocess.run(command, check=True, capture_output=True)
    return file


def nodes_that_run(lab: Lab, namespace: str, image: str) -> int:
    """How many of three nodes have a ready pod of the image, once a Deployment of it is there."""
    in_it = ("kubectl", "-n", namespace)
    lab(*in_it, "create", "deployment", WORKLOAD, f"--image={image}", "--replicas=0")
    lab(*in_it, "patch", "deployment", WORKLOAD, "--patch", json.dumps(ON_ALL_NODES))
    lab(*in_it, "scale", "deployment", WORKLOAD, "--replicas=3")
    lab(*in_it, "rollout", "status", f"deployment/{WORKLOAD}", "--timeout=600s")
    pods = json.loads(lab(*in_it, "get", "pods", f"--selector=app={WORKLOAD}", "--output=json"))["items"]
    return len({pod["spec"]["nodeName"] for pod in pods})


def remove_workload(lab: Lab, namespace: str) -> None:
    """With its pods, of which none is left at the end."""
    lab("kubectl", "-n", namespace, "delete", "deployment", WORKLOAD, "--cascade=foreground", "--wait")
