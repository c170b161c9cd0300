"""Faults of several control planes: their common address, etcd, certificates, and what leads to the API."""

from __future__ import annotations

import shlex
from ipaddress import IPv4Address

from lab.cluster.balancer import balancer_files
from lab.cluster.binaries.units import start_unit, stop_unit
from lab.cluster.credentials import PKI, api_server_certificate, control_plane_files
from lab.cluster.kubeadm import STATIC_PODS
from lab.cluster.tuning import Part
from lab.faults.fault import Before, Fault, Site
from lab.faults.firewall import Rule
from lab.foundation.wait import NotYetError
from lab.modes.mode import Mode
from lab.nodes.files import NodeFile, write_files
from lab.topology.models import LoadBalancer, NodeRole
from lab.topology.plan import NodePlan, Plan
from lab.topology.planner import API_PORT

ASIDE = "/etc/kubernetes/lab/fault"
ETCD_HEALTH = "http://127.0.0.1:2381/health"
"""etcd's own, as kubeadm has it listen."""
SSH_PORT = 22
"""Of a server where somebody listens, and no API server."""
HAPROXY, NGINX = "/etc/haproxy/haproxy.cfg", "/etc/nginx/nginx.conf"
VRRP = Rule("INPUT", "-p 112")
"""The protocol's number: RFC 5798, 5.1.1.4."""


def _several(plan: Plan, mode: Mode) -> str:
    return "" if plan.load_balancer is not None else "the topology has one control plane"


def _with_haproxy(plan: Plan, mode: Mode) -> str:
    return _with(LoadBalancer.KEEPALIVED_HAPROXY, plan, mode)


def _with_nginx(plan: Plan, mode: Mode) -> str:
    return _with(LoadBalancer.LOCAL_NGINX, plan, mode)


def _with(wanted: LoadBalancer, plan: Plan, mode: Mode) -> str:
    if why := _several(plan, mode):
        return why
    return "" if plan.load_balancer is wanted else f"the load balancer is {plan.load_balancer}"


def _has_address(site: Site, node: NodePlan) -> bool:
    address = site.plan.kubernetes.api.address
    return bool(site.run(node, f"ip -oneline -4 address show to {address}/32", "read the addresses"))


def _deaf(site: Site, node: NodePlan, before: Before) -> None:
    site.run(node, VRRP.put(), "drop VRRP")

    def held() -> None:
        if not _has_address(site, node):
            raise NotYetError(f"{node.name} has not taken the address yet")

    site.wait(held, f"{node.name} takes the API's address too")


def _hearing(site: Site, node: NodePlan, before: Before) -> None:
    site.run(node, VRRP.take(), "take VRRP in")

    def single() -> None:
        holders = [each.name for each in site.plan.control_planes if _has_address(site, each)]
        if len(holders) != 1:
            raise NotYetError(f"the API's address is on {', '.join(holders) or 'no node'}")

    site.wait(single, "one node has the API's address")


def _no_member(site: Site, node: NodePlan, before: Before) -> None:
    manifest = f"""\
mkdir -p {ASIDE}
if [ -e {STATIC_PODS}/etcd.yaml ]; then mv {STATIC_PODS}/etcd.yaml {ASIDE}/; fi
"""
    site.run(node, stop_unit(Part.ETCD) if site.plan.from_binaries else manifest, "let etcd not run")

    def gone() -> None:
        if site.succeeds(node, "curl", "--silent", "--max-time", "10", "--output", "/dev/null", ETCD_HEALTH):
            raise NotYetError(f"etcd on {node.name} still answers")

    site.wait(gone, f"etcd on {node.name} is gone")


def _member(site: Site, node: NodePlan, before: Before) -> None:
    manifest = f"if [ -e {ASIDE}/etcd.yaml ]; then mv {ASIDE}/etcd.yaml {STATIC_PODS}/; fi"
    site.run(node, start_unit(Part.ETCD) if site.plan.from_binaries else manifest, "let etcd run")

    def healthy() -> None:
        words = ("curl", "--silent", "--fail", "--max-time", "10", "--output", "/dev/null", ETCD_HEALTH)
        if not site.succeeds(node, *words):
            raise NotYetError(f"etcd on {node.name} is not healthy yet")

    site.wait(healthy, f"etcd on {node.name} is healthy")
    _wait_for_server(site, node)


def _wait_for_server(site: Site, node: NodePlan) -> None:
    words = _ask(node, f"{node.internal_address}:{API_PORT}", "/readyz")

    def ready() -> None:
        if not site.succeeds(node, *words):
            raise NotYetError(f"the API server on {node.name} is not ready yet")

    site.wait(ready, f"the API server on {node.name} is ready")


def _ask(node: NodePlan, authority: str, path: str) -> tuple[str, ...]:
    """Words that ask the node's own API server as if it were called so."""
    curl = ("curl", "--silent", "--fail", "--max-time", "20", "--output", "/dev/null")
    own = f"{authority}:{node.internal_address}:{API_PORT}"
    return (*curl, "--cacert", f"{PKI}/ca.crt", "--connect-to", own, f"https://{authority}{path}")


def _nameless(site: Site, node: NodePlan, before: Before) -> None:
    api = site.plan.kubernetes.api
    pair = api_server_certificate(site.plan, site.secrets, without=api.addresses)
    files = (
        NodeFile(f"{PKI}/apiserver.crt", pair.certificate),
        NodeFile(f"{PKI}/apiserver.key", pair.key, 0o600),
    )
    site.run(node, write_files(files), "a certificate without the API's address")
    _wait_for_name(site, node, borne=False)


def _named(site: Site, node: NodePlan, before: Before) -> None:
    files = [
        file
        for file in control_plane_files(site.plan, node, site.secrets)
        if file.path in (f"{PKI}/apiserver.crt", f"{PKI}/apiserver.key")
    ]
    site.run(node, write_files(files), "a certificate with all names")
    _wait_for_name(site, node, borne=True)


def _wait_for_name(site: Site, node: NodePlan, *, borne: bool) -> None:
    """The API server looks at its files once a minute."""
    words = _ask(node, f"{site.plan.kubernetes.api.address}:{API_PORT}", "/version")

    def served() -> None:
        if site.succeeds(node, *words) is not borne:
            raise NotYetError(f"{node.name} still serves the certificate that it had")

    site.wait(served, f"{node.name} serves the other certificate")


def _lying(site: Site, node: NodePlan, before: Before) -> None:
    """HAProxy asks one port whether a server is well, and leads to another."""
    other = next(each for each in site.plan.control_planes if each.name != node.name)
    right = f"server {other.name} {other.internal_address}:{API_PORT}"
    wrong = f"server {other.name} {other.internal_address}:{SSH_PORT} port {API_PORT}"
    _replace(site, node, HAPROXY, right, wrong)
    _reload(site, node, "haproxy.service")


def _outdated(site: Site, node: NodePlan, before: Before) -> None:
    """nginx names an address in place of a server's that no machine has any more."""
    other = next(each for each in site.plan.control_planes if each.name != node.name)
    right = f"server {other.internal_address}:{API_PORT}"
    _replace(site, node, NGINX, right, f"server {_nobody(site.plan)}:{API_PORT}")
    _reload(site, node, "nginx.service")


def _nobody(plan: Plan) -> IPv4Address:
    """The last address of the nodes' network that nobody in the plan has."""
    network = plan.network(plan.node_network)
    taken = {nic.primary.ip for node in plan.nodes for nic in node.nics}
    taken |= {*plan.kubernetes.api.addresses, network.host_address.ip}
    taken |= {network.lan_host.ip} if network.lan_host else set()
    return next(
        address
        for number in range(2, network.cidr.num_addresses)
        if (address := network.cidr[-number]) not in taken
    )


def _replace(site: Site, node: NodePlan, path: str, right: str, wrong: str) -> None:
    """Whole words only; nothing happens where it is replaced already."""
    expressions = f"s|{right}$|{wrong}|; s|{right} |{wrong} |"
    site.run(node, f"sed --in-place {shlex.quote(expressions)} {path}", f"change {path}")


def _right_balancer(site: Site, node: NodePlan, before: Before) -> None:
    files = balancer_files(site.plan, node, site.tuning)
    site.run(node, write_files(files), "the load balancer's own files")
    local = site.plan.load_balancer is LoadBalancer.LOCAL_NGINX
    _reload(site, node, "nginx.service" if local else "haproxy.service")


def _reload(site: Site, node: NodePlan, unit: str) -> None:
    site.run(node, f"systemctl reload-or-restart {unit}", f"reload {unit}")


CONTROL_PLANE_FAULTS = (
    Fault(
        "vrrp-split",
        "a control plane does not hear the others' VRRP, and has the API's address too",
        _deaf,
        _hearing,
        unfit=_with_haproxy,
        only=NodeRole.CONTROL_PLANE,
    ),
    Fault(
        "etcd-member-down",
        "the member of etcd on a control plane does not run",
        _no_member,
        _member,
        unfit=_several,
        only=NodeRole.CONTROL_PLANE,
    ),
    Fault(
        "certificate-nameless",
        "the certificate of an API server does not bear the API's common address",
        _nameless,
        _named,
        unfit=_with_haproxy,
        only=NodeRole.CONTROL_PLANE,
    ),
    Fault(
        "health-check-lies",
        "the load balancer on a control plane checks one port of a server and leads to another",
        _lying,
        _right_balancer,
        unfit=_with_haproxy,
        only=NodeRole.CONTROL_PLANE,
    ),
    Fault(
        "dead-server-named",
        "the load balancer on a control plane names an address in place of a server's that nobody has",
        _outdated,
        _right_balancer,
        unfit=_with_nginx,
        only=NodeRole.CONTROL_PLANE,
    ),
)
