"""What leads to an API server that works, on the nodes of a cluster with several: files and units.

HAProxy: https://docs.haproxy.org/2.6/configuration.html. keepalived: keepalived.conf(5). nginx:
https://nginx.org/en/docs/stream/ngx_stream_proxy_module.html. All are Debian's, and disabled in the box.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lab.foundation.progress import StepContext
from lab.nodes.connection import Script
from lab.nodes.files import NodeFile, write_files
from lab.nodes.marks import has_mark, with_mark
from lab.nodes.pool import Nodes
from lab.topology.models import LoadBalancer, Tuning
from lab.topology.plan import LOOPBACK, NodePlan, Plan
from lab.topology.planner import API_PORT

MARK = "/etc/lab/load-balancer"
AUTHORITY = "/etc/haproxy/cluster-ca.crt"
"""Whose certificates HAProxy's checks trust."""
CHECK = "/usr/local/sbin/lab-api-reachable"
STATE_PORT = 8404
"""Where HAProxy says on loopback whether it knows an API server that is ready: with status 200 or 503."""

FIRST_PRIORITY = 150
FAILED = 50
"""What a holder of the address loses whose HAProxy knows no API server: more than between any two of them."""


@dataclass(frozen=True)
class Patience:
    """How soon something counts as dead; seconds, and how many times in a row."""

    check_every: int
    check_limit: int
    failures: int
    connect: int
    advert_every: int
    """Of VRRP: after three that are missing, and a part of one, another control plane takes the address."""


PATIENCE: Mapping[Tuning, Patience] = {
    Tuning.STOCK: Patience(check_every=2, check_limit=2, failures=2, connect=1, advert_every=1),
    Tuning.SLOW_HOST: Patience(check_every=4, check_limit=10, failures=3, connect=5, advert_every=2),
}

UNITS: Mapping[LoadBalancer, tuple[str, ...]] = {
    LoadBalancer.KEEPALIVED_HAPROXY: ("haproxy.service", "keepalived.service"),
    LoadBalancer.LOCAL_NGINX: ("nginx.service",),
}


def balancing_nodes(plan: Plan) -> tuple[NodePlan, ...]:
    """The nodes that have a load balancer of the API."""
    match plan.load_balancer:
        case LoadBalancer.KEEPALIVED_HAPROXY:
            return plan.control_planes
        case LoadBalancer.LOCAL_NGINX:
            return plan.nodes
    return ()


def start_balancers(nodes: Nodes, tuning: Tuning, authority: str, at: StepContext) -> None:
    """Configure and start them on all nodes that have one; they wait for the first API server.

    `authority` is the certificate, as PEM, that has signed those of the API servers. Raises LabError when a
    unit does not start.
    """
    plan = nodes.plan
    at.doing(f"{plan.load_balancer} on {len(balancing_nodes(plan))} nodes")

    def start(node: NodePlan) -> None:
        nodes[node.name].run(balancer_script(plan, node, tuning, authority))

    nodes.on_each(balancing_nodes(plan), start)


def balancers_started(nodes: Nodes, tuning: Tuning, authority: str) -> bool:
    """True when every node that needs one has been given it as the plan says now."""

    def started(node: NodePlan) -> bool:
        return has_mark(nodes[node.name], _work(nodes.plan, node, tuning, authority), MARK)

    return all(nodes.on_each(balancing_nodes(nodes.plan), started).values())


def balancer_script(plan: Plan, node: NodePlan, tuning: Tuning, authority: str) -> Script:
    """What one node needs; it may run again at any time."""
    work = with_mark(_work(plan, node, tuning, authority), MARK)
    return Script(work, f"load balancer of the API on {node.name}")


def balancer_files(plan: Plan, node: NodePlan, tuning: Tuning) -> tuple[NodeFile, ...]:
    """The configuration of the load balancer on that node, which is one of `balancing_nodes`.

    HAProxy's names the file AUTHORITY.
    """
    patience = PATIENCE[tuning]
    if plan.load_balancer is LoadBalancer.LOCAL_NGINX:
        return (NodeFile("/etc/nginx/nginx.conf", _nginx(plan, patience)),)
    return (
        NodeFile("/etc/haproxy/haproxy.cfg", _haproxy(plan, patience)),
        NodeFile("/etc/keepalived/keepalived.conf", _keepalived(plan, node, patience)),
        NodeFile(CHECK, _CHECK, 0o755),
    )


def _work(plan: Plan, node: NodePlan, tuning: Tuning, authority: str) -> str:
    assert plan.load_balancer is not None
    units = " ".join(UNITS[plan.load_balancer])
    files = balancer_files(plan, node, tuning)
    if plan.load_balancer is LoadBalancer.KEEPALIVED_HAPROXY:
        files += (NodeFile(AUTHORITY, authority),)
    return write_files(files) + f"systemctl --quiet enable {units}\n" + f"systemctl restart {units}\n"


def _haproxy(plan: Plan, patience: Patience) -> str:
    # Connections may be silent as long as they like: watches are for minutes, `kubectl exec` for hours.
    # A dead server is told by the checks, or by two clients that cannot connect; what is open to it is cut.
    #
    # When no server is ready (etcd without quorum), one that listens at least says why. One whose certificate
    # has run out is not ready: its clients fail, and as it so has the fewest, it would get the next one.
    api = plan.kubernetes.api
    return f"""\
global
    log stdout format raw daemon notice
    user haproxy
    group haproxy
    stats socket /run/haproxy.sock mode 600 level admin

defaults
    mode tcp
    log global
    option redispatch 1
    retries 3
    timeout connect {patience.connect}s
    timeout check {patience.check_limit}s
    timeout client 24h
    timeout server 24h
    default-server inter {patience.check_every}s fastinter 1s fall {patience.failures} rise 1
    default-server check observe layer4 error-limit 2 on-error mark-down

frontend api
    bind :{api.port}
    use_backend listening if {{ nbsrv(ready) eq 0 }}
    default_backend ready

backend ready
    balance leastconn
    option httpchk GET /readyz
    http-check expect status 200
    default-server check-ssl verify required ca-file {AUTHORITY} on-marked-down shutdown-sessions
{_haproxy_servers(plan)}
backend listening
    balance leastconn
{_haproxy_servers(plan)}
frontend state
    mode http
    bind {LOOPBACK}:{STATE_PORT}
    timeout client 5s
    monitor-uri /
    monitor fail if {{ nbsrv(ready) eq 0 }}
"""


def _haproxy_servers(plan: Plan) -> str:
    return "".join(f"    server {name} {address}\n" for name, address in _servers(plan))


def _keepalived(plan: Plan, node: NodePlan, patience: Patience) -> str:
    place = [each.name for each in plan.control_planes].index(node.name)
    address, device = plan.kubernetes.api.address, node.nic_on(plan.node_network).device
    return f"""\
global_defs {{
    router_id {node.name}
    script_user root
    enable_script_security
    vrrp_garp_master_refresh 30
}}

vrrp_script api {{
    script "{CHECK}"
    interval {patience.check_every}
    timeout {patience.check_limit}
    fall {patience.failures}
    rise 1
    weight -{FAILED}
}}

vrrp_instance api {{
    state BACKUP
    interface {device}
    virtual_router_id {_router(plan)}
    priority {FIRST_PRIORITY - place}
    advert_int {patience.advert_every}
    virtual_ipaddress {{
        {address}/32 dev {device}
    }}
    track_script {{
        api
    }}
}}
"""


def _router(plan: Plan) -> int:
    """1 to 255; labs have networks of their own, so that it is alone there."""
    return int(plan.kubernetes.api.address) % 255 + 1


_CHECK = f"""\
#!/bin/bash
# Whether this node's HAProxy runs and knows an API server that is ready: keepalived asks.
exec 3<>/dev/tcp/{LOOPBACK}/{STATE_PORT} || exit 1
printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3
read -r -t 5 _ status _ <&3
[ "$status" = 200 ]
"""
"""By bash alone: the busybox of a node ends with a segmentation fault when it is to look up an address."""


def _nginx(plan: Plan, patience: Patience) -> str:
    # nginx without a licence has no checks of its own: a connection that fails goes to the next server, and
    # the one that failed is left alone for a while.
    patient = f"max_fails={patience.failures} fail_timeout={patience.check_every * patience.failures}s"
    servers = "".join(f"        server {address} {patient};\n" for _, address in _servers(plan))
    return f"""\
user www-data;
worker_processes 1;
pid /run/nginx.pid;
error_log stderr notice;
include /etc/nginx/modules-enabled/*.conf;

events {{
    worker_connections 1024;
}}

stream {{
    upstream api {{
        least_conn;
{servers}    }}

    server {{
        listen {LOOPBACK}:{API_PORT};
        proxy_pass api;
        proxy_connect_timeout {patience.connect}s;
        proxy_timeout 24h;
        proxy_socket_keepalive on;
    }}
}}
"""


def _servers(plan: Plan) -> Sequence[tuple[str, str]]:
    return [(node.name, f"{node.internal_address}:{API_PORT}") for node in plan.control_planes]
