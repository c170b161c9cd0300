"""How long pods take from their creation until all are ready, and until they are gone."""

from __future__ import annotations

import time

from lab.supply.software import REGISTRY
from scripts.benchmarks.runs import Program, Run

NAME = "bench-pods"
LIMIT = "30m"
STARTED, GONE = "ready", "gone after deletion"


def measure_pods(program: Program, name: str, count: int, version: str) -> Run:
    """`count` pods of the lab `name`, of the image that every node has; its steps are start and end."""
    image = f"{REGISTRY}/agnhost:{version}"

    def kubectl(*words: str) -> None:
        program.lab("kubectl", *words, LAB_NAME=name)

    began = time.monotonic()
    words = (f"--image={image}", f"--replicas={count}", "--", "sleep", "infinity")
    kubectl("create", "deployment", NAME, *words)
    kubectl("rollout", "status", f"deployment/{NAME}", f"--timeout={LIMIT}")
    ready = time.monotonic()
    kubectl("delete", "deployment", NAME)
    kubectl("wait", "--for=delete", "pod", "--selector", f"app={NAME}", f"--timeout={LIMIT}")
    return Run(ready - began, {STARTED: ready - began, GONE: time.monotonic() - ready})
