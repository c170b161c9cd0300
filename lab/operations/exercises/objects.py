"""The Kubernetes objects of an exercise, by kubectl, as a student would apply them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import yaml

from lab.foundation.process import Completed, run
from lab.operations.context import Lab

WORKLOADS = ("Deployment", "DaemonSet", "StatefulSet")
"""Those whose pods `kubectl rollout status` waits for."""
READY_SECONDS = 600
"""Emulation takes its time."""
LOOK_SECONDS = 30
"""How long a workload may need to be ready when it is only looked at."""


@dataclass(frozen=True)
class WorkloadName:
    namespace: str
    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind.lower()} {self.namespace}/{self.name}"


def apply_objects(lab: Lab, objects: Sequence[str]) -> None:
    """Apply the files in their order, and wait until their pods are ready. Raises LabError."""
    for text in objects:
        _kubectl(lab, "apply", "--filename", "-", stdin=text)
    for workload in workloads_of(objects):
        _rollout(lab, workload, READY_SECONDS, check=True)


def workloads_not_ready(lab: Lab, objects: Sequence[str]) -> tuple[WorkloadName, ...]:
    """Those that are gone, or whose pods are not ready."""
    return tuple(
        workload
        for workload in workloads_of(objects)
        if _rollout(lab, workload, LOOK_SECONDS, check=False).returncode != 0
    )


def workloads_of(objects: Sequence[str]) -> Iterator[WorkloadName]:
    """What has pods, in the order of the files."""
    for text in objects:
        for each in yaml.safe_load_all(text):
            if each is not None and each["kind"] in WORKLOADS:
                metadata = each["metadata"]
                yield WorkloadName(metadata.get("namespace", "default"), each["kind"], metadata["name"])


def _rollout(lab: Lab, workload: WorkloadName, seconds: int, *, check: bool) -> Completed:
    where = (f"{workload.kind.lower()}/{workload.name}", "--namespace", workload.namespace)
    return _kubectl(lab, "rollout", "status", *where, f"--timeout={seconds}s", check=check)


def _kubectl(lab: Lab, *words: str, stdin: str | None = None, check: bool = True) -> Completed:
    command = [str(lab.folder.programs / "kubectl"), *words]
    return run(
        lab.site.network_command(command),
        env={"KUBECONFIG": str(lab.folder.kubeconfig)},
        stdin=stdin,
        check=check,
    )
