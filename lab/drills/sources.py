"""The questions of a drill: to the API, to each API server, to each member of etcd, and to the network.

etcd's JSON gateway: https://etcd.io/docs/v3.5/dev-guide/api_grpc_gateway/.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from lab.drills import arp_asker
from lab.drills.asking import Answer, Asker, Server, ask_once
from lab.drills.sampler import NotAskedError, RefusedError
from lab.foundation.errors import LabError
from lab.foundation.process import end_with_pipes, start_with_pipes
from lab.host.site import Site
from lab.topology.plan import Plan

ETCD_PORT = 2379
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
CONTROLLER_MANAGER, SCHEDULER = "kube-controller-manager", "kube-scheduler"
LEADERS = (CONTROLLER_MANAGER, SCHEDULER)
EACH = "each node"
"""Who has the API's address where every node finds the API on its own loopback."""


@dataclass(frozen=True)
class Lease:
    """Who leads, as an object of the API says it."""

    node: str
    renewed: float
    """Seconds since the epoch."""


@dataclass(frozen=True)
class Member:
    """What one member of etcd says."""

    identity: str
    leader: str
    """The leader's identity; empty when it knows of none."""
    term: int


class ApiSource:
    """A reader of the leases through the load balancer, by a new connection each time."""

    def __init__(self, server: Server, seconds: float) -> None:
        self._server = server
        self._seconds = seconds

    def __call__(self) -> Mapping[str, Lease]:
        """By name; those that nobody holds are left out."""
        items = _object(ask_once(self._server, "GET", LEASES, seconds=self._seconds)).get("items", [])
        found = {item["metadata"]["name"]: item.get("spec", {}) for item in items}
        return {
            name: Lease(str(found[name]["holderIdentity"]).partition("_")[0], _seconds_of(found[name]))
            for name in LEADERS
            if found.get(name, {}).get("holderIdentity") and found[name].get("renewTime")
        }


class ReadySource:
    """Whether one API server, past the load balancer, says that it is ready."""

    def __init__(self, server: Server, seconds: float) -> None:
        self._asker = Asker(server)
        self._seconds = seconds

    def __call__(self) -> bool:
        _good(self._asker.ask("GET", "/readyz", seconds=self._seconds))
        return True


class EtcdSource:
    """What one member of etcd says of itself and of its leader."""

    def __init__(self, server: Server, seconds: float) -> None:
        self._asker = Asker(server)
        self._seconds = seconds

    def __call__(self) -> Member:
        said = self.post("maintenance/status", {})
        leader = str(said.get("leader", "0"))
        header = said.get("header", {})
        return Member(
            str(header.get("member_id", "")),
            "" if leader == "0" else leader,
            int(said.get("raftTerm", header.get("raft_term", 0))),
        )

    def post(self, path: str, question: Mapping[str, Any]) -> dict[str, Any]:
        """Any other call of the gateway. Raises like a question."""
        return _object(self._asker.ask("POST", f"/v3/{path}", question, seconds=self._seconds))

    def names(self) -> Mapping[str, str]:
        """Of all members, by identity."""
        members = self.post("cluster/member/list", {}).get("members", [])
        return {str(member["ID"]): str(member.get("name", "")) for member in members}

    def keys(self, prefix: str) -> frozenset[str]:
        """The keys with that prefix that this member has itself, without it."""
        start = prefix.encode()
        end = start[:-1] + bytes([start[-1] + 1])
        question = {
            "key": base64.b64encode(start).decode(),
            "range_end": base64.b64encode(end).decode(),
            "keys_only": True,
            "serializable": True,
        }
        found = self.post("kv/range", question).get("kvs", [])
        return frozenset(base64.b64decode(each["key"]).decode().removeprefix(prefix) for each in found)


class HolderSource:
    """Which nodes answer ARP for the API's address, as their neighbours on the network see it."""

    def __init__(self, plan: Plan, site: Site) -> None:
        network = plan.network(plan.node_network)
        self._nodes = {node.nic_on(network.name).mac: node.name for node in plan.nodes}
        words = [network.bridge, str(plan.kubernetes.api.address)]
        program = str(Path(arp_asker.__file__))
        self._words = site.network_command([sys.executable, "-I", "-S", program, *words])
        self._child: subprocess.Popen[bytes] | None = None

    def __call__(self) -> frozenset[str]:
        """Names of nodes; a MAC address that is no node's stands for itself."""
        try:
            child = self._child = self._child or start_with_pipes(self._words)
            assert child.stdin is not None
            assert child.stdout is not None
            child.stdin.write(b"\n")
            child.stdin.flush()
            line = child.stdout.readline().decode()
        except (OSError, LabError) as error:
            raise NotAskedError(f"ARP could not be asked: {error}") from error
        if not line.endswith("\n"):
            self.close()
            raise NotAskedError("the program that asks by ARP has ended")
        return frozenset(self._nodes.get(mac, mac) for mac in line.split())

    def close(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            with suppress(OSError):
                end_with_pipes(child, (), 2.0)


class EachNode:
    """In place of `HolderSource` where there is no address that somebody could have."""

    def __call__(self) -> frozenset[str]:
        return frozenset({EACH})

    def close(self) -> None:
        """Nothing was opened."""


def _good(answer: Answer) -> Answer:
    if not answer.good:
        raise RefusedError(answer.reason)
    return answer


def _object(answer: Answer) -> dict[str, Any]:
    text = _good(answer).text
    try:
        found = json.loads(text)
    except ValueError as error:
        raise RefusedError(f"the answer is no JSON: {text[:80]!r}") from error
    if not isinstance(found, dict):
        raise RefusedError(f"the answer is no object: {text[:80]!r}")
    return found


def _seconds_of(spec: Mapping[str, Any]) -> float:
    return datetime.fromisoformat(str(spec["renewTime"])).timestamp()
