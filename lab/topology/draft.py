"""As much of a topology file as can be understood, so that checks find all they can beside other errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from lab.topology.models import (
    Address,
    AddressRange,
    Allowance,
    Cidr,
    DeviceName,
    Kubernetes,
    LoadBalancer,
    Network,
    NetworkRole,
    NodeRole,
)

T = TypeVar("T")


@dataclass(frozen=True)
class DraftNetwork:
    """A network; None stands for what is not given or not understood."""

    name: str
    role: NetworkRole | None
    cidr: IPv4Network | None
    gateway: IPv4Address | None
    """With the default filled in; None only where it is not understood."""
    pod_range: AddressRange | None
    lan_host: IPv4Address | None
    host_nic: str | None


@dataclass(frozen=True)
class DraftNode:
    name: str
    role: NodeRole | None
    addresses: Mapping[str, IPv4Address | None]
    """By network name; None for an address that is not understood."""
    has_addresses: bool
    """Whether `addresses` could be understood as a mapping at all."""


@dataclass(frozen=True)
class Draft:
    networks: Mapping[str, DraftNetwork]
    nodes: Mapping[str, DraftNode]
    pod_cidr: IPv4Network | None
    service_cidr: IPv4Network | None
    node_network: str | None
    load_balancer: LoadBalancer | None
    """With the default filled in."""
    api_address: IPv4Address | None
    given: frozenset[str]
    """The keys that `kubernetes` has, understood or not."""
    allow: frozenset[Allowance]


_ADDRESS: TypeAdapter[IPv4Address] = TypeAdapter(Address)
_DEVICE: TypeAdapter[str] = TypeAdapter(DeviceName)
_CIDR: TypeAdapter[IPv4Network] = TypeAdapter(Cidr)
_RANGE: TypeAdapter[AddressRange] = TypeAdapter(AddressRange)
_NETWORK_ROLE: TypeAdapter[NetworkRole] = TypeAdapter(NetworkRole)
_NODE_ROLE: TypeAdapter[NodeRole] = TypeAdapter(NodeRole)
_LOAD_BALANCER: TypeAdapter[LoadBalancer] = TypeAdapter(LoadBalancer)
_ALLOWANCE: TypeAdapter[Allowance] = TypeAdapter(Allowance)
_NAME: TypeAdapter[str] = TypeAdapter(str)


def draft_of(value: object) -> Draft:
    """The draft of the plain value of a topology file, whatever is wrong with it."""
    top = _mapping(value)
    kubernetes = _mapping(top.get("kubernetes"))
    allow = top.get("allow")
    words = [_understood(_ALLOWANCE, word) for word in allow] if isinstance(allow, list) else []
    return Draft(
        networks={
            name: _network(name, _mapping(given)) for name, given in _mapping(top.get("networks")).items()
        },
        nodes={name: _node(name, _mapping(given)) for name, given in _mapping(top.get("nodes")).items()},
        pod_cidr=_given_or_default(_CIDR, kubernetes, "pod_cidr"),
        service_cidr=_given_or_default(_CIDR, kubernetes, "service_cidr"),
        node_network=_given_or_default(_NAME, kubernetes, "node_network"),
        load_balancer=_given_or_default(_LOAD_BALANCER, kubernetes, "load_balancer"),
        api_address=_understood(_ADDRESS, kubernetes.get("api_address")),
        given=frozenset(key for key, value in kubernetes.items() if value is not None),
        allow=frozenset(word for word in words if word is not None),
    )


def _network(name: str, given: Mapping[str, object]) -> DraftNetwork:
    cidr = _understood(_CIDR, given.get("cidr"))
    gateway = _understood(_ADDRESS, given.get("gateway"))
    if given.get("gateway") is None and cidr is not None:
        gateway = Network(role=NetworkRole.HOST_ONLY, cidr=cidr).gateway_address
    return DraftNetwork(
        name=name,
        role=_understood(_NETWORK_ROLE, given.get("role")),
        cidr=cidr,
        gateway=gateway,
        pod_range=_understood(_RANGE, given.get("pod_range")),
        lan_host=_understood(_ADDRESS, given.get("lan_host")),
        host_nic=_understood(_DEVICE, given.get("host_nic")),
    )


def _node(name: str, given: Mapping[str, object]) -> DraftNode:
    addresses = given.get("addresses")
    return DraftNode(
        name=name,
        role=_understood(_NODE_ROLE, given.get("role")),
        addresses={name: _understood(_ADDRESS, address) for name, address in _mapping(addresses).items()},
        has_addresses=isinstance(addresses, dict),
    )


def _given_or_default(kind: TypeAdapter[T], kubernetes: Mapping[str, object], key: str) -> T | None:
    default: Any = Kubernetes.model_fields[key].default
    return _understood(kind, kubernetes.get(key, default))


def _understood(kind: TypeAdapter[T], value: object) -> T | None:
    try:
        return kind.validate_python(value)
    except ValidationError:
        return None


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
