"""The settings of a cluster by kubeadm, as one from binaries has them."""

from __future__ import annotations

from dataclasses import replace

from lab.cluster.tuning import STATIC_PODS, Kind, Part, Setting, Settings

WEIGHTS = tuple(
    Setting(
        Part.NODE,
        Kind.WEIGHT,
        f"{part}.service",
        400,
        "100",
        "when all want the processor, kubelet and the runtime would keep it from the API server",
    )
    for part in STATIC_PODS
)
"""In place of those of slices, which set static pods apart from units."""


def for_units(settings: Settings) -> Settings:
    """The same for units: without what only kubeadm and static pods have."""
    kept = tuple(each for each in settings.all if not _of_static_pods(each))
    slow = any(each.kind is Kind.WEIGHT for each in settings.all)
    return replace(settings, all=(*kept, *(WEIGHTS if slow else ())))


def _of_static_pods(each: Setting) -> bool:
    return (
        each.part is Part.KUBEADM
        or each.kind is Kind.WEIGHT
        or (each.kind is Kind.PROBE and each.part in STATIC_PODS)
    )
