"""NetworkPolicies as a truth table: what each round of them allows among all pods of three namespaces."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any, Literal

from acceptance.asking import POD_HTTP_PORT, POD_UDP_PORT
from acceptance.expectations import Expectations
from acceptance.manifests import CROWD_NAMESPACES, NAMESPACE
from acceptance.matrix import Endpoint, EndpointKind
from acceptance.probes import Probe, Protocol

X, (Y, Z) = NAMESPACE, CROWD_NAMESPACES
NAMESPACE_LABEL = "kubernetes.io/metadata.name"
"""The API server puts it on every namespace since v1.22."""
SHORT = {X: "x", Y: "y", Z: "z"}
TCP, UDP = Protocol.TCP, Protocol.UDP

Spec = dict[str, Any]


@dataclass(frozen=True)
class PolicyPod:
    """A pod of one of the three namespaces."""

    name: str
    namespace: str
    node: str
    uid: str
    address: IPv4Address

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(EndpointKind.POD, self.node, group=str(self))

    def __str__(self) -> str:
        return f"{SHORT[self.namespace]}/{self.name}"

    def probe(self, protocol: Protocol) -> Probe:
        """The question to it."""
        port = PORTS[protocol]
        return Probe(f"{self}:{protocol}", protocol, str(self.address), port)


PORTS: Mapping[Protocol, int] = {TCP: POD_HTTP_PORT, UDP: POD_UDP_PORT}

Allows = Callable[[PolicyPod, Protocol], bool]
"""Whether the pod at the other end gets through."""


@dataclass(frozen=True)
class Case:
    """The policy of one namespace in one round."""

    name: str
    namespace: str
    direction: Literal["ingress", "egress"]
    rules: Sequence[Spec]
    """Those of the one policy, which selects all pods of the namespace; none is the default deny."""
    allows: Allows
    protocols: tuple[Protocol, ...] = (TCP,)

    @property
    def policy(self) -> Spec:
        """The object."""
        kind = self.direction.capitalize()
        spec = {"podSelector": {}, "policyTypes": [kind], self.direction: list(self.rules)}
        return {"metadata": {"name": self.name}, "spec": spec}

    def judges(self, sender: PolicyPod, target: PolicyPod) -> bool:
        """Whether the pair shows what this policy does."""
        own = target if self.direction == "ingress" else sender
        return own.namespace == self.namespace

    def lets(self, sender: PolicyPod, target: PolicyPod, protocol: Protocol) -> bool:
        return self.allows(sender if self.direction == "ingress" else target, protocol)


INGRESS_CASES = ("ingress-default-deny", "ingress-by-pod", "ingress-by-namespace")
"""Those of the first round."""
FURTHER_CASES = (
    "ingress-by-cidr",
    "ingress-by-port",
    "egress-by-cidr",
    "egress-by-namespace",
    "egress-by-port",
)


def rounds(pods: Sequence[PolicyPod], nodes: Sequence[IPv4Address]) -> tuple[tuple[Case, ...], ...]:
    """What is in force at the same time; each namespace has one policy at most.

    `nodes` are addresses that pods may always send to, so that the silence of others can be believed.
    """
    chosen = next((pod for pod in pods if pod.namespace == Y), pods[0])
    one = {"podSelector": {"matchLabels": {"role": chosen.name}}}
    to_nodes = {"to": [_block(address) for address in nodes]}
    tcp_only = [{"protocol": "TCP", "port": POD_HTTP_PORT}]
    both = (TCP, UDP)
    return (
        (
            Case("ingress-default-deny", X, "ingress", (), lambda other, _: False),
            Case("ingress-by-pod", Y, "ingress", [{"from": [one]}], lambda other, _: other == chosen),
            Case(
                "ingress-by-namespace",
                Z,
                "ingress",
                [{"from": [_all_of(X)]}],
                lambda other, _: other.namespace == X,
            ),
        ),
        (
            Case(
                "ingress-by-cidr",
                X,
                "ingress",
                [{"from": [_block(chosen.address)]}],
                lambda other, _: other == chosen,
            ),
            Case(
                "ingress-by-port",
                Y,
                "ingress",
                [{"ports": tcp_only}],
                lambda _, protocol: protocol is TCP,
                both,
            ),
        ),
        (
            Case("egress-by-cidr", X, "egress", [to_nodes], lambda other, _: False),
            Case(
                "egress-by-namespace",
                Y,
                "egress",
                [to_nodes, {"to": [_all_of(Z)]}],
                lambda other, _: other.namespace == Z,
            ),
            Case(
                "egress-by-port",
                Z,
                "egress",
                [to_nodes, {"ports": tcp_only}],
                lambda _, protocol: protocol is TCP,
                both,
            ),
        ),
    )


def _all_of(namespace: str) -> Spec:
    return {"namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: namespace}}}


def _block(address: IPv4Address) -> Spec:
    return {"ipBlock": {"cidr": f"{address}/32"}}


def case_names(expectations: Expectations) -> tuple[str, ...]:
    """Where nobody enforces policies, the first round shows it."""
    if expectations.policies == "unasked":
        return ()
    return (*INGRESS_CASES, *FURTHER_CASES) if expectations.policies == "enforced" else INGRESS_CASES
