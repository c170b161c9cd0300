"""How long pods take from their creation until all are ready, and until they are gone."""

from __future__ import annotations

import os
import subprocess
import time

from lab.supply.software import REGISTRY
from scripts.benchmarks.runs import LAB, Run

NAME = "bench-pods"
LIMIT = "30m"
STARTED, GONE = "ready", "gone after deletion"


def measure_pods(name: str, count: int, version: str) -> Run:
    """`count` pods of the lab `name`, of the image that every node has; its steps are start and end."""
    image = f"{REGISTRY}/agnhost:{version}"
    began = time.monotonic()
    words = (f"--image={image}", f"--replicas={count}", "--", "sleep", "infinity")
    _kubectl(name, "create", "deployment", NAME, *words)
    _kubectl(name, "rollout", "status", f"deployment/{NAME}", f"--timeout={LIMIT}")
    ready = time.monotonic()
    _kubectl(name, "delete", "deployment", NAME)
    _kubectl(name, "wait", "--for=delete", "pod", "--selector", f"app={NAME}", f"--timeout={LIMIT}")
    return Run(ready - began, {STARTED: ready - began, GONE: time.monotonic() - ready})


def _kubectl(lab: str, *words: str) -> None:
    subprocess.run(
        [*LAB, "kubectl", *words], check=True, stdout=subprocess.DEVNULL, env={**os.environ, "LAB_NAME": lab}
    )
