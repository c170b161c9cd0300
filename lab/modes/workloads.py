"""Deployments and DaemonSets of a mode's own programs."""

from __future__ import annotations

from collections.abc import Mapping

from lab.cluster.api import Manifest
from lab.cluster.objects import Workload
from lab.cluster.tuning import FORGIVING_PROBE

STARTS_WITHIN = {"periodSeconds": 5, "timeoutSeconds": 60, "failureThreshold": 120}
"""Ten minutes. On an emulated host with a third of its processor, hybridnet's daemon took more than the two
minutes that its chart allows: it was killed, and began again, which took the processor from the others."""


def patient_probes(asked: Mapping[str, object]) -> dict[str, Mapping[str, object]]:
    """What asks a daemon whether it lives: not before it has begun, and with patience.

    `asked` is how: an httpGet of the API's Probe.
    """
    return {
        "startupProbe": {**asked, **STARTS_WITHIN},
        "livenessProbe": {**asked, **FORGIVING_PROBE},
    }


def workload_manifest(
    workload: Workload,
    labels: Mapping[str, str],
    pod: Mapping[str, object],
    *,
    only_pods: Mapping[str, str] | None = None,
    spec: Mapping[str, object] | None = None,
) -> Manifest:
    """The workload's object (API apps/v1), which finds its pods by the labels.

    `pod` is the specification of a pod; `only_pods` are labels that its pods have besides, and `spec` is what
    the workload's own specification says besides: replicas, strategy.
    """
    pod_labels = {**labels, **only_pods} if only_pods else labels
    return {
        "apiVersion": "apps/v1",
        "kind": workload.kind.value,
        "metadata": {"name": workload.name, "namespace": workload.namespace, "labels": labels},
        "spec": {
            **(spec or {}),
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": pod_labels}, "spec": pod},
        },
    }
