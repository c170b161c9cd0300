"""From what nodes, cluster and LAN say to the cause of a failure, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from acceptance.diagnosis.cluster import cluster_causes, labels
from acceptance.diagnosis.devices import devices, nics, other_modes
from acceptance.diagnosis.firewall import dropping_rules, forwarding, reverse_path
from acceptance.diagnosis.machine import clock, disk
from acceptance.diagnosis.programs import daemon
from acceptance.diagnosis.proxy import kube_proxy
from acceptance.diagnosis.queues import queues
from acceptance.diagnosis.routes import node_annotations, routes
from acceptance.diagnosis.subject import Finding, FreshService, PlacedPod, Subject, Topic

__all__ = ["Finding", "FreshService", "PlacedPod", "Subject", "Topic", "cluster_causes", "findings"]


def findings(subject: Subject) -> tuple[Finding, ...]:
    """Everything that is wrong on one node, by topic."""
    said: Mapping[Topic, Sequence[str]] = {
        Topic.CLOCK: clock(subject),
        Topic.DISK: disk(subject),
        Topic.NICS: nics(subject),
        Topic.QUEUES: queues(subject),
        Topic.LABELS: labels(subject),
        Topic.FORWARDING: forwarding(subject.facts),
        Topic.FIREWALL: dropping_rules(subject),
        Topic.REVERSE_PATH: reverse_path(subject),
        Topic.KUBE_PROXY: kube_proxy(subject),
        Topic.DAEMON: daemon(subject),
        Topic.DEVICES: devices(subject),
        Topic.OTHER_MODES: other_modes(subject),
        Topic.ROUTES: routes(subject),
        Topic.ANNOTATIONS: node_annotations(subject),
    }
    return tuple(Finding(subject.node.name, topic, text) for topic, texts in said.items() for text in texts)
