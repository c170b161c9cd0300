"""Right topologies of every shape, for tests of what holds for all of them."""

from __future__ import annotations

from ipaddress import IPv4Network

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from lab.topology.checks import (
    NODE_NAME_LENGTH,
    OTHERS_NAMES,
    OWN_NAMES,
    check,
    is_address,
    is_text,
    pods_per_node,
)
from lab.topology.draft import draft_of
from lab.topology.models import LoadBalancer, Topology

# A laden machine draws slowly: time is no verdict here.
examples = settings(
    max_examples=40, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)

odd_words = st.sampled_from(("on", "no", "y", "null", "true", "5", "010", "08", "1e3", "0b1", "2024-01-01"))
"""What YAML takes for something else than text: names of networks may be so, those of nodes not."""
names = odd_words | st.from_regex(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True)
longest = st.integers(0, 9).map(lambda digit: f"{'n' * (NODE_NAME_LENGTH - 1)}{digit}")
"""The strategy above hardly ever draws a long name."""
node_names = longest | names.filter(
    lambda name: (
        len(name) <= NODE_NAME_LENGTH
        and not is_address(name)
        and is_text(name)
        and name not in (*OWN_NAMES, *OTHERS_NAMES)
    )
)


def load_balancers(address: str) -> st.SearchStrategy[dict[str, str]]:
    """The keys of `kubernetes` that several control planes have."""
    return st.sampled_from(
        (
            {"api_address": address},
            {"load_balancer": LoadBalancer.KEEPALIVED_HAPROXY.value, "api_address": address},
            {"load_balancer": LoadBalancer.LOCAL_NGINX.value},
        )
    )


@st.composite
def topologies(draw: st.DrawFn) -> Topology:
    """Right topologies: each network is a /20 to /23 of its own, nodes are at the end, pods before them."""
    of_nodes = draw(st.lists(node_names, min_size=1, max_size=8, unique=True))
    network_names = draw(st.lists(names, min_size=2, max_size=6, unique=True))
    blocks = draw(st.lists(st.integers(16, 31), min_size=6, max_size=6, unique=True))
    cidrs = [IPv4Network((f"172.{block}.0.0", draw(st.integers(20, 23)))) for block in blocks]
    networks = {
        name: {"role": "host-only", "cidr": str(cidr)}
        for name, cidr in zip(network_names, cidrs, strict=False)
    }
    networks[network_names[0]]["role"] = "uplink"
    pods = draw(st.integers(len(of_nodes) * pods_per_node(len(of_nodes)), 400))
    networks[network_names[1]] |= {
        "role": "underlay",
        "pod_range": f"{cidrs[1][50]}-{cidrs[1][50 + pods - 1]}",
        "lan_host": str(cidrs[1][draw(st.integers(2, 49))]),
    }
    optional = set(draw(st.lists(st.sampled_from(network_names), max_size=4))) - set(network_names[:2])
    hosts = draw(st.sampled_from([number for number in (1, 3, 5) if number <= len(of_nodes)]))
    node_network = draw(st.integers(0, 1))
    nodes = {
        node: {
            "role": "control-plane" if index < hosts else "worker",
            "cpus": draw(st.integers(1, 8)),
            "memory": draw(st.sampled_from(("512MiB", "1GiB", "1536MiB", "16GiB"))),
            "addresses": {
                name: str(cidr[-2 - index])
                for name, cidr in zip(network_names, cidrs, strict=False)
                if index == 0 or name not in optional
            },
        }
        for index, node in enumerate(of_nodes)
    }
    value = {
        "name": draw(names),
        "kubernetes": {
            "version": "v1.24.10",
            "node_network": network_names[node_network],
            **(draw(load_balancers(str(cidrs[node_network][-12]))) if hosts > 1 else {}),
        },
        "mode": "macvlan",
        "networks": networks,
        "nodes": nodes,
    }
    assert list(check(draft_of(value))) == []
    return Topology.model_validate(value)
