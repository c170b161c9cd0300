"""By which words the acceptance suite must name each known mistake.

Each is a regular expression that must be found in one line of a failing check's own words; NODE stands for
the node that the fault is on.
"""

from __future__ import annotations

import re

WORDS = {
    "wrong-nic": r"(flannel|of pod \S+) on \S+ (uses|lies on) eth0\b|flannel announces \S+ .* on eth0\b",
    "mtu-too-large": r"eth1 on NODE has MTU 1600, its network underlay carries 1500",
    "lossy-link": r"eth1 on NODE loses \d+ % of what it sends",
    "forward-drop": r"FORWARD policy is DROP on NODE",
    "encapsulation-dropped": r"the firewall of NODE drops (UDP to port \d+|IP in IP .*) from \S+ \(",
    "udp-dropped": r"the firewall of NODE drops UDP in FORWARD",
    "large-packets-dropped": r"the firewall of NODE drops packets of 1000 bytes and more in FORWARD",
    "ip-forward-off": r"ip_forward is 0 on NODE|ip_forward is not 1 on NODE",
    "rp-filter-strict": r"rp_filter is 1 \(strict\) on NODE",
    "route-missing": r"NODE has no route to pod|NODE reaches pod \S+ .* through",
    "kube-proxy-gone": r"kube-proxy is not running on NODE",
    "kube-proxy-halted": r"kube-proxy on NODE is stopped",
    "cni-daemon-stopped": r"the daemon of \S+ is not running on NODE",
    "coredns-zero": r"there is no CoreDNS pod|CoreDNS: it has no pod",
    "label-missing": r"NODE lacks the labels? .*network",
    "duplicate-address": r"of pod \S+ on \S+ is there twice on the LAN|answers for \d+ addresses of the pod",
    "gateway-silent": r"the gateway \S+ of the underlay is silent",
    "clock-off": r"the clock of NODE is \d+ s or more behind",
    "disk-full": r"the disk of NODE is full",
    "vrrp-split": r"\S+ is on (NODE and on \S+|\S+ and on NODE): they do not hear each other's VRRP",
    "etcd-member-down": r"etcd on NODE does not answer",
    "certificate-nameless": r"the certificate that the API server serves on NODE is not good for \S+",
    "health-check-lies": r"the load balancer on NODE leads to \S+:22, where no API is",
    "dead-server-named": r"the load balancer on NODE leads to \S+:6443, where no API is",
}


def line_that_names(fault: str, node: str, message: str) -> str:
    """The first line of the message that names the fault; empty when none does."""
    words = re.compile(WORDS[fault].replace("NODE", re.escape(node)))
    return next((line.strip() for line in message.splitlines() if words.search(line)), "")
