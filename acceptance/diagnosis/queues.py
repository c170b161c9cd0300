"""What a node's devices do to packets while these wait to be sent."""

from __future__ import annotations

from acceptance.diagnosis.subject import Subject
from acceptance.node_facts import Netem


def queues(subject: Subject) -> list[str]:
    """Does a device lose packets, or worse, because it was told to?"""
    return [
        f"{netem.device} on {subject.node.name} {_effect(netem)}: netem is its queueing discipline."
        f" `tc qdisc delete dev {netem.device} root` there"
        for netem in subject.facts.netems
    ]


def _effect(netem: Netem) -> str:
    return f"loses {netem.loss:.0%} of what it sends".replace("%", " %") if netem.loss else "disturbs packets"
