"""In what a lab's cluster differs from one that kubeadm makes by itself, and why.

With KVM a cluster has kubeadm's own settings, but for what every lab needs. Under emulation, where each
wake-up is expensive and an answer takes seconds, it has those for a slow host too.

kubeadm's own are those of v1.24.10: its package app/phases/controlplane, the defaults of each program, and
kubelet.config.k8s.io/v1beta1. In what other versions differ is in the catalogue, as their features.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from lab.cluster.credentials import COMPONENT_CERTIFICATE, COMPONENT_KEY
from lab.nodes.runtimes import ContainerRuntime
from lab.supply.catalogue import Features, load_entry
from lab.topology.models import Tuning
from lab.topology.plan import KubernetesPlan


class Part(StrEnum):
    """What is set up differently."""

    KUBEADM = "kubeadm"
    API_SERVER = "kube-apiserver"
    CONTROLLER_MANAGER = "kube-controller-manager"
    SCHEDULER = "kube-scheduler"
    ETCD = "etcd"
    KUBELET = "kubelet"
    COREDNS = "coredns"
    NODE = "node"


STATIC_PODS = (Part.ETCD, Part.API_SERVER, Part.CONTROLLER_MANAGER, Part.SCHEDULER)


class Kind(StrEnum):
    """By what it is set up differently."""

    ARGUMENT = "argument"
    ENVIRONMENT = "environment"
    PROBE = "probe"
    CONFIGURATION = "configuration"
    WEIGHT = "CPUWeight"
    """Of a unit of systemd on control planes: systemd.resource-control(5)."""
    TIMERS = "timers"
    """Of all programs but those that ssh starts: the box's lab-timer-slack.service does it."""


@dataclass(frozen=True)
class Setting:
    """One difference."""

    part: Part
    kind: Kind
    name: str
    value: Any
    """As the file has it that sets it."""
    own: str
    """What a cluster has that kubeadm makes by itself."""
    why: str

    @property
    def text(self) -> str:
        """The value for people."""
        if isinstance(self.value, Mapping):
            return ", ".join(f"{key} {value}" for key, value in self.value.items())
        return str(self.value).lower() if isinstance(self.value, bool) else str(self.value)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Settings:
    """All differences of one cluster."""

    tuning: Tuning
    """Never `auto`."""
    all: tuple[Setting, ...]
    features: Features

    def of(self, part: Part, kind: Kind) -> dict[str, Any]:
        """Value by name."""
        return {each.name: each.value for each in self.all if (each.part, each.kind) == (part, kind)}


def settings_of(
    kubernetes: KubernetesPlan, runtime: ContainerRuntime, *, emulated: bool, control_planes: int = 1
) -> Settings:
    """The settings of a cluster whose guests are emulated, or run with KVM.

    Raises WrongUseError when the catalogue does not have the plan's version.
    """
    tuning, features = tuning_of(kubernetes, emulated=emulated), load_entry(kubernetes.version).features
    settings: tuple[Setting, ...] = EVERY_LAB
    if tuning is Tuning.SLOW_HOST:
        settings = slow_host_settings(runtime, control_planes=control_planes)
    return Settings(tuning, tuple(_of_version(settings, features)), features)


def slow_host_settings(runtime: ContainerRuntime, *, control_planes: int = 1) -> tuple[Setting, ...]:
    """Those for an emulated guest, of all versions: some are called differently in one or the other."""
    slow = _SLOW_HOST if control_planes == 1 else (*_of_any_number(_SLOW_HOST), *SEVERAL_ON_A_SLOW_HOST)
    return (*EVERY_LAB, *slow, *_evictions(runtime))


def _of_version(settings: tuple[Setting, ...], features: Features) -> Iterator[Setting]:
    for each in settings:
        name = f"{each.part} {each.name}"
        if name not in features.without:
            yield replace(each, own=features.own.get(name, each.own))


def tuning_of(kubernetes: KubernetesPlan, *, emulated: bool) -> Tuning:
    """What `auto` means here; else what the topology says."""
    if kubernetes.tuning is not Tuning.AUTO:
        return kubernetes.tuning
    return Tuning.SLOW_HOST if emulated else Tuning.STOCK


def _probe(part: Part, name: str, value: Mapping[str, int], own: str) -> Setting:
    return Setting(part, Kind.PROBE, name, value, own, "a program that answers late is not started again")


PATIENCE_OF_A_STATIC_POD = "periodSeconds 10, timeoutSeconds 15, failureThreshold 8"
FORGIVING_PROBE = {"periodSeconds": 30, "timeoutSeconds": 60, "failureThreshold": 8}

EVERY_LAB = (
    Setting(
        Part.KUBELET,
        Kind.CONFIGURATION,
        "imageGCHighThresholdPercent",
        100,
        "85",
        "images come with the box and from nowhere else: they must never be collected",
    ),
    Setting(
        Part.CONTROLLER_MANAGER,
        Kind.ARGUMENT,
        "cluster-signing-duration",
        "87600h",
        "8760h0m0s",
        "a lab may be restored years later: workers' kubelets have certificates as long as all others",
    ),
)

_ONE_OF_ITS_KIND = "with one control plane there is nobody to elect; a lease lost on a busy host only hurts"
_METRICS = "its own metrics of requests in flight are half of an idle API server's work"
_SERVING = "making a key takes seconds at each start"

_SLOW_HOST = (
    *(
        Setting(
            Part.KUBEADM,
            Kind.CONFIGURATION,
            name,
            "10m0s",
            "4m0s",
            "the first start of a control plane takes minutes; kubeadm's startup probes last as long",
        )
        for name in ("timeoutForControlPlane", "controlPlaneComponentHealthCheck")
    ),
    Setting(Part.API_SERVER, Kind.ARGUMENT, "enable-priority-and-fairness", "false", "true", _METRICS),
    Setting(Part.API_SERVER, Kind.ARGUMENT, "max-requests-inflight", "0", "400", _METRICS),
    Setting(Part.API_SERVER, Kind.ARGUMENT, "max-mutating-requests-inflight", "0", "200", _METRICS),
    *(
        Setting(part, Kind.ARGUMENT, name, value, own, why)
        for part in (Part.CONTROLLER_MANAGER, Part.SCHEDULER)
        for name, value, own, why in (
            ("leader-elect", "false", "true", _ONE_OF_ITS_KIND),
            ("tls-cert-file", COMPONENT_CERTIFICATE, "made at each start", _SERVING),
            ("tls-private-key-file", COMPONENT_KEY, "made at each start", _SERVING),
        )
    ),
    Setting(
        Part.CONTROLLER_MANAGER,
        Kind.ARGUMENT,
        "node-monitor-grace-period",
        "120s",
        "40s",
        "a busy node is late with its lease, and its pods would be taken out of all Services",
    ),
    Setting(Part.ETCD, Kind.ARGUMENT, "heartbeat-interval", "1000", "100", "ten times fewer wake-ups"),
    Setting(Part.ETCD, Kind.ARGUMENT, "election-timeout", "10000", "1000", "ten heartbeats, as etcd advises"),
    Setting(
        Part.ETCD,
        Kind.ARGUMENT,
        "unsafe-no-fsync",
        "true",
        "false",
        "each write waits for the host's disk; a lab whose host fails is built anew",
    ),
    Setting(
        Part.ETCD,
        Kind.ARGUMENT,
        "log-level",
        "error",
        "info",
        "it tells of every request that takes 0.1 s: under emulation of most",
    ),
    *(
        Setting(part, Kind.ENVIRONMENT, name, value, own, why)
        for part in STATIC_PODS
        for name, value, own, why in (
            ("GOGC", "400", "100", "a fourth of the garbage collections"),
            (
                "GODEBUG",
                "asyncpreemptoff=1",
                "",
                "no signals to preempt goroutines, which are expensive",
            ),
        )
    ),
    *(_probe(part, "livenessProbe", FORGIVING_PROBE, PATIENCE_OF_A_STATIC_POD) for part in STATIC_PODS),
    *(
        _probe(
            part,
            "readinessProbe",
            {"periodSeconds": 10, "timeoutSeconds": 60},
            "periodSeconds 1, timeoutSeconds 15",
        )
        for part in STATIC_PODS
    ),
    _probe(
        Part.COREDNS,
        "livenessProbe",
        FORGIVING_PROBE,
        "periodSeconds 10, timeoutSeconds 5, failureThreshold 5",
    ),
    # kubeadm gives it one second to say that it is ready. On a busy host it often needs more; then its
    # Service has no endpoints, and names do not resolve though it answers.
    _probe(Part.COREDNS, "readinessProbe", {"timeoutSeconds": 60}, "timeoutSeconds 1"),
    Setting(
        Part.KUBELET,
        Kind.ARGUMENT,
        "housekeeping-interval",
        "60s",
        "10s",
        "reading the statistics of all containers (cAdvisor) is a sixth of an idle kubelet's work",
    ),
    Setting(
        Part.KUBELET,
        Kind.CONFIGURATION,
        "nodeLeaseDurationSeconds",
        120,
        "40",
        "it is renewed each 30 s, not 10 s; the renewals are half of what is asked of an idle API server",
    ),
    Setting(
        Part.KUBELET,
        Kind.CONFIGURATION,
        "runtimeRequestTimeout",
        "5m0s",
        "2m0s",
        "a busy runtime takes minutes for a pod",
    ),
    *(
        Setting(
            Part.NODE,
            Kind.WEIGHT,
            unit,
            25,
            "100",
            "a control plane's pods together have 79: when all want the processor, kubelet, the runtime and"
            " systemd kept it from the API server, and leases were lost",
        )
        for unit in ("system.slice", "init.scope")
    ),
    Setting(
        Part.NODE,
        Kind.TIMERS,
        "latest",
        "20 ms",
        "0.05 ms",
        "many fire at once, and the node wakes less often: a third of an idle lab's processor time",
    ),
)

ONLY_ALONE = frozenset({"leader-elect", "unsafe-no-fsync"})
"""Wrong with several control planes: one of them leads, and an etcd member must not forget what it said."""

_LEASE = "a lease is lost only by a program that is gone, not by one that is late"

SEVERAL_ON_A_SLOW_HOST = (
    *(
        Setting(
            Part.API_SERVER,
            Kind.ARGUMENT,
            name,
            "10s",
            "2s",
            "the load balancer takes one that says it is not ready out of use, and it need only be late",
        )
        for name in ("etcd-healthcheck-timeout", "etcd-readycheck-timeout")
    ),
    *(
        Setting(part, Kind.ARGUMENT, name, value, own, _LEASE)
        for part in (Part.CONTROLLER_MANAGER, Part.SCHEDULER)
        for name, value, own in (
            ("leader-elect-lease-duration", "60s", "15s"),
            ("leader-elect-renew-deadline", "40s", "10s"),
            ("leader-elect-retry-period", "10s", "2s"),
        )
    ),
)
"""Under emulation, in place of those that hold for one control plane only."""


def _of_any_number(settings: tuple[Setting, ...]) -> tuple[Setting, ...]:
    return tuple(each for each in settings if each.name not in ONLY_ALONE)


def _evictions(runtime: ContainerRuntime) -> tuple[Setting, ...]:
    """kubelet's measures against a full disk, and on docker against lack of memory too.

    0% takes a threshold away.
    """
    thresholds = {
        "memory.available": "50Mi" if runtime.cheap_statistics else "0%",
        "nodefs.available": "0%",
        "nodefs.inodesFree": "0%",
        "imagefs.available": "0%",
    }
    own = "memory.available 100Mi, nodefs.available 10%, nodefs.inodesFree 5%, imagefs.available 15%"
    why = "deleting images is kubelet's first answer to a full disk, and they would not come back"
    evictions = Setting(Part.KUBELET, Kind.CONFIGURATION, "evictionHard", thresholds, own, why)
    if runtime.cheap_statistics:
        return (evictions,)
    # Once it never evicts pods, this keeps it from measuring all containers. A version has one of the two.
    why = "with docker, measuring all containers takes a third of an emulated node"
    isolation = {
        "featureGates": {"LocalStorageCapacityIsolation": False},
        "localStorageCapacityIsolation": False,
    }
    return evictions, *(
        Setting(Part.KUBELET, Kind.CONFIGURATION, name, value, "true", why)
        for name, value in isolation.items()
    )
