"""The order of the steps of `lab up`: reading these lists is reading what it does."""

from __future__ import annotations

from lab.operations.binary_steps import (
    API_SERVERS,
    CERTIFICATES,
    CONTROLLERS,
    ETCD,
    KUBELETS,
    PROGRAMS,
    PROXIES,
    AddOns,
)
from lab.operations.cluster_steps import Balancers, InitControlPlane, JoinControlPlanes, JoinWorkers
from lab.operations.steps import NamedStep, Step
from lab.operations.up_steps import (
    Accelerator,
    AllReady,
    Boot,
    BringBack,
    ImagesOnNodes,
    InstallMode,
    InstallPrograms,
    KeepCluster,
    KeepLab,
    KeepMode,
    LabelNodes,
    LanHostUp,
    ModeImages,
    PrepareNodes,
    PrivateLibvirt,
    Software,
)
from lab.topology.plan import Plan

OF_MODE: Step = ModeImages()
"""Run before a lab goes into a mode, too."""

GROUND: tuple[Step, ...] = (Software(), OF_MODE, Accelerator(), PrivateLibvirt())
"""What a lab is made of, and where it will live: software comes from outside."""

WARM: Step = BringBack(with_mode=True)
"""Run before the others; what it brings, they need not do."""
WARM_CLUSTER: Step = BringBack(with_mode=False)

BY_KUBEADM: tuple[NamedStep, ...] = (
    Boot(),
    LanHostUp(),
    PrepareNodes(),
    Balancers(),
    InitControlPlane(),
    JoinControlPlanes(),
    JoinWorkers(),
    KeepCluster(),
)
"""From there on nothing outside the lab is reached."""

FROM_BINARIES: tuple[NamedStep, ...] = (
    Boot(),
    LanHostUp(),
    CERTIFICATES,
    PrepareNodes(),
    PROGRAMS,
    ETCD,
    Balancers(),
    API_SERVERS,
    CONTROLLERS,
    KUBELETS,
    PROXIES,
    AddOns(),
    KeepCluster(),
)

POD_NETWORK: tuple[NamedStep, ...] = (ImagesOnNodes(), InstallMode(), LabelNodes(), AllReady(), KeepMode())


def cluster_steps(plan: Plan) -> tuple[NamedStep, ...]:
    """From machines to a cluster without pod network."""
    return FROM_BINARIES if plan.from_binaries else BY_KUBEADM


def all_steps(plan: Plan) -> tuple[NamedStep, ...]:
    """Those of a lab that comes from nothing and of which nothing is kept yet."""
    return (*cluster_steps(plan), *POD_NETWORK)


def until_cluster(plan: Plan) -> tuple[NamedStep, ...]:
    """Without a pod network, and with the images for one."""
    return (*cluster_steps(plan), ImagesOnNodes())


def until_programs(plan: Plan) -> tuple[Step, ...]:
    """Without networks for pods and without the topology's labels: the mode's programs wait for both."""
    return (*until_cluster(plan), InstallPrograms())


BROUGHT_BACK: tuple[Step, ...] = (LanHostUp(), AllReady())
"""What a lab needs that came back in its mode, from the cache or from its own snapshot."""

KEEP: Step = KeepLab()
"""Last: what is kept are the snapshots, so that a lab comes back as it was then."""
