"""How soon a lab's cluster notices what fails, as it is configured: what a drill compares its times with.

HAProxy: https://docs.haproxy.org/2.6/configuration.html, `fall`, `fastinter`, `timeout check`. VRRP: RFC
5798, 6.1. etcd: a follower waits for one to two election timeouts, https://etcd.io/docs/v3.5/tuning/.
"""

from __future__ import annotations

from dataclasses import dataclass

from lab.cluster.balancer import PATIENCE
from lab.cluster.tuning import Kind, Part, Settings
from lab.topology.models import LoadBalancer

FAST_CHECK = 1.0
"""Seconds between checks of a server that failed one."""
OWN_ELECTION_MS = 1000
OWN_LEASE = "15s"
OWN_RETRY = "2s"


@dataclass(frozen=True)
class Configured:
    """All in seconds, and each at most."""

    takeover: float
    """Until another control plane takes the address of one that is gone: VRRP."""
    refusing: float
    """Until the load balancer knows of a server that refuses connections or says that it is not ready."""
    gone: float
    """Until it knows of one that does not answer at all."""
    election: float
    """Until etcd has another leader."""
    lease: float
    """How long the lease of a controller manager or scheduler that is gone is still its own."""
    retry: float
    """How often the others look whether it is."""

    @property
    def member_gone(self) -> float:
        """Until nobody waits for a member of etcd, which takes its own API server with it."""
        return self.election + self.refusing

    @property
    def node_gone(self) -> float:
        """The same of a node: address, servers and etcd notice it side by side, its API server after etcd."""
        return max(self.takeover + self.gone, self.member_gone)


def configured_of(
    settings: Settings, balancer: LoadBalancer | None = LoadBalancer.KEEPALIVED_HAPROXY
) -> Configured:
    """Of a cluster with several control planes and these settings.

    nginx has no checks: each client's connection that fails goes to the next server.
    """
    patience = PATIENCE[settings.tuning]
    election = settings.of(Part.ETCD, Kind.ARGUMENT).get("election-timeout", OWN_ELECTION_MS)
    manager = settings.of(Part.CONTROLLER_MANAGER, Kind.ARGUMENT)
    again = (patience.failures - 1) * FAST_CHECK
    connect = min(patience.connect, patience.check_every)
    checks = balancer is not LoadBalancer.LOCAL_NGINX
    checked = patience.check_every + again
    return Configured(
        takeover=4.0 * patience.advert_every if checks else 0.0,
        refusing=checked if checks else FAST_CHECK,
        gone=checked + patience.failures * connect if checks else float(patience.connect),
        election=2 * int(election) / 1000,
        lease=_seconds(manager.get("leader-elect-lease-duration", OWN_LEASE)),
        retry=_seconds(manager.get("leader-elect-retry-period", OWN_RETRY)),
    )


def _seconds(text: object) -> float:
    return float(str(text).removesuffix("s"))
