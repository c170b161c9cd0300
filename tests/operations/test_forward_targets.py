"""Whom `lab forward` means by a name, and where that is; the API server is stood in for."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from lab.cluster.api import ApiError
from lab.doors.places import Place, Ways
from lab.doors.streams import Stream
from lab.foundation.errors import LabError, WrongUseError
from lab.foundation.paths import LabFolder
from lab.foundation.progress import SilentProgress
from lab.operations.context import Lab
from lab.operations.doors import forward_targets
from lab.operations.doors.forward_targets import Destination, Target, target_named
from lab.operations.packets.cluster_places import scheme_of_service
from lab.state.records import LabRecord
from lab.topology.loader import load_topology
from lab.topology.plan import Plan
from lab.topology.planner import make_plan
from tests.conftest import TOPOLOGIES
from tests.stand_in_site import PaperParts

WORKERS_FIRST = ("k8s-node1", "k8s-node2", "k8s-master1")
NODE2_FIRST = ("k8s-node2", "k8s-node1", "k8s-master1")
NODE1 = "k8s-node1"


def pod(name: str, address: str | None, node: str, *, ready: bool = True, **metadata: str) -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": str(ready)}]
    ports = [{"containerPort": 53, "protocol": "UDP"}, {"containerPort": 8080, "name": "http"}]
    return {
        "metadata": {"namespace": "shop", "name": name, **metadata},
        "spec": {"nodeName": node, "containers": [{"ports": ports}, {}]},
        "status": {"conditions": conditions, **({"podIP": address} if address else {})},
    }


def service(address: str | None, *ports: dict[str, Any]) -> dict[str, Any]:
    return {"spec": {"clusterIP": address, "ports": list(ports)}}


HTTP, TLS = {"port": 80, "name": "http"}, {"port": 9443, "name": "admin", "appProtocol": "https"}
DNS = {"port": 53, "protocol": "UDP", "name": "dns"}
SHOP = "/api/v1/namespaces/shop"
OBJECTS: dict[str, Any] = {
    f"{SHOP}/services/web": service("10.96.3.4", DNS, HTTP, TLS),
    f"{SHOP}/services/dns": service("10.96.3.5", DNS),
    f"{SHOP}/services/headless": service("None", HTTP),
    f"{SHOP}/services/idle": service("None", HTTP),
    f"{SHOP}/services/elsewhere": service(None),
    "/api/v1/namespaces/default/services/web": service("10.96.0.9", HTTP),
    f"{SHOP}/endpoints/headless": {
        "subsets": [
            {
                "addresses": [{"ip": "10.200.2.7", "nodeName": "k8s-node2"}],
                "ports": [{"name": "metrics", "port": 9}, {"name": "http", "port": 8080}],
            }
        ]
    },
    f"{SHOP}/endpoints/idle": {"subsets": [{"notReadyAddresses": [{"ip": "10.200.2.7"}], "ports": [HTTP]}]},
    f"{SHOP}/pods/a": pod("a", "10.200.2.5", "k8s-node2"),
    f"{SHOP}/pods/lan": pod("lan", "172.31.6.9", "k8s-node2"),
    f"{SHOP}/pods/waits": pod("waits", None, ""),
    "/apis/apps/v1/namespaces/shop/deployments/web": {"spec": {"selector": {"matchLabels": {"app": "web"}}}},
    "/apis/apps/v1/namespaces/shop/statefulsets/db": {
        "spec": {
            "selector": {
                "matchExpressions": [
                    {"key": "app", "operator": "In", "values": ["db", "old-db"]},
                    {"key": "tier", "operator": "Exists"},
                    {"key": "spare", "operator": "DoesNotExist"},
                ]
            }
        }
    },
    f"{SHOP}/pods?labelSelector=app=web": {
        "items": [
            pod("web-1", "10.200.1.1", NODE1, ready=False),
            pod("web-2", "10.200.1.2", NODE1, deletionTimestamp="now"),
            pod("web-3", "10.200.2.3", "k8s-node2"),
        ]
    },
    f"{SHOP}/pods?labelSelector=app in (db,old-db),tier,!spare": {"items": []},
}


class StandInApi:
    def read(self, path: str, *, query: list[tuple[str, str]] | None = None) -> Any:
        asked = path + "".join(f"?{key}={value}" for key, value in query or [])
        if asked not in OBJECTS:
            raise ApiError(f"read {asked}: refused", "not found", 404)
        return OBJECTS[asked]


@pytest.fixture
def lab(plan: Plan, tmp_path: Path) -> Lab:
    folder = LabFolder(tmp_path / "a")
    record = LabRecord("a", mode="flannel-vxlan", supply="packages", created="", ready=True)
    return Lab(folder, record, plan, SilentProgress(), PaperParts(folder, made_api=StandInApi()))


@pytest.mark.parametrize(
    ("text", "name", "place"),
    [
        ("api", "api", Place("172.31.7.101", 6443, direct=True)),
        ("k8s-node1:22", "k8s-node1:22", Place("172.31.7.102", 22, direct=True)),
        (
            "192.168.6.202:30080",
            "192.168.6.202:30080",
            Place("192.168.6.202", 30080, direct=True, nodes=WORKERS_FIRST),
        ),
        ("10.200.1.9:80", "10.200.1.9:80", Place("10.200.1.9", 80, False, WORKERS_FIRST)),
        ("svc/shop/web", "svc/shop/web", Place("10.96.3.4", 80, False, WORKERS_FIRST)),
        ("svc/shop/web:admin", "svc/shop/web:admin", Place("10.96.3.4", 9443, False, WORKERS_FIRST)),
        ("svc/web:80", "svc/default/web:80", Place("10.96.0.9", 80, False, WORKERS_FIRST)),
        ("svc/shop/headless", "svc/shop/headless", Place("10.200.2.7", 8080, False, NODE2_FIRST)),
        ("shop/a", "shop/a", Place("10.200.2.5", 8080, False, NODE2_FIRST)),
        ("pod/shop/a:9000", "shop/a:9000", Place("10.200.2.5", 9000, False, NODE2_FIRST)),
        ("shop/lan:http", "shop/lan:http", Place("172.31.6.9", 8080, True, NODE2_FIRST)),
        ("deploy/shop/web", "deploy/shop/web", Place("10.200.2.3", 8080, False, NODE2_FIRST)),
    ],
)
def test_who_is_where(lab: Lab, text: str, name: str, place: Place) -> None:
    target = target_named(lab, text)
    assert str(target) == name
    assert target.where() == place
    assert str(target_named(lab, name)) == name, "what is shown can be written"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("web", "there is no web in the lab"),
        ("k8s-node3:22", "did you mean k8s-node"),
        ("k8s-node1", "k8s-node1 has no port that is known"),
        ("k8s-node1:0", "there is no port 0"),
        ("k8s-node1:70000", "there is no port 70000"),
        ("192.0.2.1:80", "192.0.2.1 is no address of the lab"),
        ("lan-host", "there is no lan-host in the lab"),
        ("svc/", "there is no svc/ in the lab"),
        ("svc/../../pods", "there is no svc/../../pods in the lab"),
        ("svc/shop/nobody", "there is no Service shop/nobody in the lab"),
        ("svc/shop/web:81", "the Service shop/web has no port 81 of TCP\nit has 80 http, 9443 admin"),
        ("svc/shop/dns", "the Service shop/dns has no port of TCP\nHow to fix it: only TCP can be forwarded"),
        ("svc/shop/elsewhere", "has no port of TCP"),
        ("svc/shop/idle", "has no ClusterIP, and no pod of it is ready"),
        ("shop/nobody", "there is no pod shop/nobody in the lab"),
        ("shop/waits", "the pod shop/waits has no address yet"),
        ("shop/a:nothing", "the pod shop/a has no port nothing of TCP"),
        ("deploy/shop/nobody", "there is no shop/nobody among the deployments in the lab"),
        ("sts/shop/db", "no pod of shop/db, of the statefulsets, is ready"),
    ],
)
def test_who_is_nowhere_is_refused(lab: Lab, text: str, said: str) -> None:
    with pytest.raises(LabError, match=re.escape(said)):
        target_named(lab, text).where()


def test_a_service_inside_the_underlay_is_reached_through_nodes(tmp_path: Path) -> None:
    folder = LabFolder(tmp_path / "a")
    record = LabRecord("a", mode="macvlan", supply="packages", created="")
    plan = make_plan(load_topology(TOPOLOGIES / "course-exact.yaml"))
    lab = Lab(folder, record, plan, SilentProgress(), PaperParts(folder))
    assert not target_named(lab, "172.31.5.1:443").where().direct


@pytest.mark.parametrize(("port", "scheme"), [("", "http"), ("80", "http"), ("admin", "https")])
def test_the_scheme_of_a_service(lab: Lab, port: str, scheme: str) -> None:
    assert scheme_of_service(lab, "shop/web", port) == scheme


class Clock:
    now = 0.0

    def monotonic(self) -> float:
        return self.now


@dataclass
class Moving:
    """A target that is where it is told to be, with ways that lead only there."""

    place: Place | Exception
    asked: int = 0
    went: list[Place] = field(default_factory=list)

    def where(self) -> Place:
        self.asked += 1
        if isinstance(self.place, Exception):
            raise self.place
        return self.place

    def connect(self, place: Place) -> Stream:
        self.went.append(place)
        if isinstance(self.place, Place) and place != self.place:
            raise TimeoutError("timed out")
        return cast(Stream, object())


OLD, NEW = Place("10.200.1.1", 80, False), Place("10.200.1.2", 80, False)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(forward_targets, "time", clock)
    return clock


def moving() -> tuple[Moving, Destination]:
    target = Moving(OLD)
    return target, Destination(Target("shop/a", "", target.where), cast(Ways, target))


def test_a_place_is_asked_for_again_after_a_while(clock: Clock) -> None:
    target, destination = moving()
    for clock.now in (0.0, 1.0, 4.0, 6.0):
        destination.connect()
    assert target.asked == 2


def test_a_target_that_moved_is_found_at_once(clock: Clock) -> None:
    target, destination = moving()
    destination.connect()
    target.place = NEW
    destination.connect()
    destination.connect()
    assert target.went == [OLD, OLD, NEW, NEW]


def test_without_the_api_server_it_is_where_it_was(clock: Clock) -> None:
    target, destination = moving()
    destination.connect()
    clock.now, target.place = 60.0, ApiError("read: no answer", "timed out")
    destination.connect()
    assert target.went == [OLD, OLD]


def test_one_that_is_gone_is_told(clock: Clock) -> None:
    target, destination = moving()
    destination.connect()
    clock.now, target.place = 60.0, WrongUseError("there is no pod shop/a in the lab")
    with pytest.raises(WrongUseError, match="there is no pod"):
        destination.connect()
    assert target.went == [OLD]


def test_an_api_server_that_never_answered_is_told(clock: Clock) -> None:
    target, destination = moving()
    target.place = ApiError("read: no answer", "timed out")
    with pytest.raises(ApiError):
        destination.connect()
