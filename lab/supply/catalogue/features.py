"""In what a version of Kubernetes wants to be set up differently from others, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum

from pydantic.dataclasses import dataclass

from lab.foundation.strict import STRICT


class KubeadmApi(StrEnum):
    """The API of kubeadm's configuration files (cmd/kubeadm/app/apis/kubeadm)."""

    V1BETA3 = "kubeadm.k8s.io/v1beta3"
    V1BETA4 = "kubeadm.k8s.io/v1beta4"
    """Arguments are lists of names and values, and all limits of time are under `timeouts`."""


@dataclass(frozen=True, config=STRICT)
class Features:
    """One version's. Parts and settings are called as in lab/cluster/tuning.py."""

    kubeadm_api: KubeadmApi = KubeadmApi.V1BETA3
    waits_for_control_plane: bool = False
    """Whether `kubeadm init` waits for controller manager and scheduler as for the API server.

    It then wants the manifests of all three before it begins to wait
    (app/cmd/phases/init/waitcontrolplane.go).
    """
    control_plane_taints: tuple[str, ...] = ("node-role.kubernetes.io/control-plane",)
    """What kubeadm lets keep pods away from control planes (app/phases/markcontrolplane)."""
    without: tuple[str, ...] = ()
    """Settings for slow hosts that this version does not know, each as `PART NAME`."""
    kube_proxy_modes: Mapping[str, str] = field(default_factory=lambda: {"iptables": "", "ipvs": ""})
    """What its kube-proxy can be, and the feature gate that must be set for that; empty where none must.

    pkg/features/kube_features.go, NFTablesProxyMode: alpha in v1.29, beta in v1.31, stable in v1.33.
    """
    own: Mapping[str, str] = field(default_factory=dict)
    """What kubeadm's own cluster has, where it differs from v1.24.10's: the value by `PART NAME`."""
