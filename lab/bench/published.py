"""What others have measured, to compare with; each figure with where it is from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """One source, and what it says of modes that a lab can have."""

    source: str
    address: str
    measured: str
    figures: tuple[tuple[str, str], ...]
    """By mode, as the source has them."""
    differs: str
    """Why it does not say the same as `lab bench`."""


PUBLISHED = (
    Published(
        "Cueric Lee, networks of containers compared",
        "https://cuericlee.github.io",
        "TCP throughput, share of the direct one (3.02 Gbit/s, virtual machines)",
        (
            ("flannel-vxlan", "45 %"),
            ("flannel-host-gw", "93 %"),
            ("calico-bgp", "93 %"),
            ("calico-ipip", "64 %"),
        ),
        "throughput: offloads of the NIC, which work for plain TCP and less inside of a tunnel, decide there",
    ),
    Published(
        "DaoCloud, CNI performance report 2023",
        "https://docs.daocloud.io",
        "TCP request and response, time in multiples of node to node (0.1133 ms)",
        (("calico-bgp", "1.73"), ("calico-ipip", "2.20"), ("calico-vxlan", "2.43"), ("macvlan", "0.72")),
        "time, with interrupts and queues in it; macvlan is faster than its own base there",
    ),
    Published(
        "ONCache, NSDI 2025",
        "https://arxiv.org/abs/2305.05455",
        "an overlay (Antrea) beside near bare metal: request and response 74 %, throughput 89 %",
        (),
        "another overlay, on fast NICs with offloads",
    ),
)
