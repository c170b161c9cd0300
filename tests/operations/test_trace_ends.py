"""Whom `lab trace` and `lab capture` mean by a name; the API server is stood in for."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from lab.cluster.api import ApiError
from lab.foundation.errors import WrongUseError
from lab.foundation.paths import LabFolder
from lab.foundation.progress import SilentProgress
from lab.operations.context import Lab
from lab.operations.packets.capturing import spot_of
from lab.operations.packets.trace_ends import sender_of, target_of
from lab.operations.packets.tracing import trace
from lab.packets.protocols import Protocol
from lab.packets.spots import HOST_SIDE
from lab.state.records import LabRecord
from lab.topology.plan import Plan
from tests.stand_in_site import PaperParts


def pod(name: str, address: str, node: str, **spec: object) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "default", "name": name, "uid": f"uid-of-{name}"},
        "spec": {"nodeName": node, "containers": [{"ports": [{"containerPort": 8080}]}], **spec},
        "status": {"podIP": address},
    }


def service(name: str, address: str | None, *ports: tuple[int, str]) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "default", "name": name},
        "spec": {"clusterIP": address, "ports": [{"port": p, "protocol": kind} for p, kind in ports]},
    }


WEB = pod("web", "10.200.1.2", "k8s-node1")
HOST = pod("host", "172.31.7.103", "k8s-node2", hostNetwork=True)
SVC = service("web", "10.96.3.4", (80, "TCP"), (53, "UDP"))
OBJECTS: dict[str, Any] = {
    "/api/v1/namespaces/default/pods/web": WEB,
    "/api/v1/namespaces/default/pods/host": HOST,
    "/api/v1/namespaces/default/pods/waits": {
        "metadata": {"namespace": "default", "name": "waits", "uid": "u"},
        "spec": {"containers": []},
    },
    "/api/v1/namespaces/default/services/web": SVC,
    "/api/v1/namespaces/default/services/headless": service("headless", "None", (80, "TCP")),
    "/api/v1/namespaces/default/endpoints/web": {
        "subsets": [
            {
                "addresses": [
                    {"ip": "10.200.1.2", "targetRef": {"kind": "Pod", "namespace": "default", "name": "web"}},
                    {"ip": "172.31.7.102"},
                ]
            }
        ]
    },
    "/api/v1/services": {"items": [SVC]},
}


class StandInApi:
    def read(self, path: str, *, query: list[tuple[str, str]] | None = None) -> Any:
        if path == "/api/v1/pods":
            (selector,) = [value for key, value in query or [] if key == "fieldSelector"]
            found = [each for each in (WEB, HOST) if f"status.podIP={each['status']['podIP']}" == selector]
            return {"items": found}
        if path not in OBJECTS:
            raise ApiError(f"read {path}: refused", "not found", 404)
        return OBJECTS[path]


@pytest.fixture
def lab(plan: Plan, tmp_path: Path) -> Lab:
    folder = LabFolder(tmp_path / "a")
    record = LabRecord("a", mode="flannel-vxlan", supply="packages", created="", ready=True)
    return Lab(folder, record, plan, SilentProgress(), PaperParts(folder, made_api=StandInApi()))


@pytest.mark.parametrize(
    ("name", "kind", "address", "place"),
    [
        ("web", "pod", "10.200.1.2", "default/web"),
        ("default/web", "pod", "10.200.1.2", "default/web"),
        ("host", "pod", "172.31.7.103", "k8s-node2"),
        ("k8s-node1", "node", "172.31.7.102", "k8s-node1"),
    ],
)
def test_senders(lab: Lab, name: str, kind: str, address: str, place: str) -> None:
    found = sender_of(lab, name)
    assert (found.end.kind, found.end.address) == (kind, IPv4Address(address))
    assert [spot.name for spot in found.spots] == [place]


@pytest.mark.parametrize("name", ["uplink", "nobody", "k8s-node9", "svc/web"])
def test_who_cannot_send(lab: Lab, name: str) -> None:
    with pytest.raises(WrongUseError, match=f"there is no {name} in the lab"):
        sender_of(lab, name)


@pytest.mark.parametrize(
    ("text", "asked", "protocol", "port", "places"),
    [
        ("web", None, Protocol.ICMP, 0, ["default/web"]),
        ("web:9000", None, Protocol.TCP, 9000, ["default/web"]),
        ("web", Protocol.TCP, Protocol.TCP, 8080, ["default/web"]),
        ("svc/web", None, Protocol.TCP, 80, ["default/web", "k8s-node1"]),
        ("svc/web:8443", None, Protocol.TCP, 8443, ["default/web", "k8s-node1"]),
        ("svc/default/web", Protocol.UDP, Protocol.UDP, 53, ["default/web", "k8s-node1"]),
        ("k8s-node2", None, Protocol.ICMP, 0, ["k8s-node2"]),
        ("k8s-node2", Protocol.TCP, Protocol.TCP, 10250, ["k8s-node2"]),
        ("10.200.1.2", None, Protocol.ICMP, 0, ["default/web"]),
        ("10.96.3.4:80", None, Protocol.TCP, 80, ["default/web", "k8s-node1"]),
        ("172.31.7.103", None, Protocol.ICMP, 0, ["k8s-node2"]),
        ("203.0.113.9:443", None, Protocol.TCP, 443, []),
        ("uplink", None, Protocol.ICMP, 0, [HOST_SIDE]),
    ],
)
def test_targets(  # noqa: PLR0917 - one column each
    lab: Lab, text: str, asked: Protocol | None, protocol: Protocol, port: int, places: list[str]
) -> None:
    found, chosen = target_of(lab, text, asked)
    assert chosen is protocol
    assert found.end.port == port
    assert [spot.name for spot in found.spots] == places


@pytest.mark.parametrize(
    ("text", "asked", "said"),
    [
        ("nobody", None, "there is no nobody in the lab"),
        ("k8s-node3", None, "did you mean k8s-node"),
        ("svc/nobody", None, "there is no svc/nobody in the lab"),
        ("svc/headless", None, "headless"),
        ("waits", None, "has no address yet"),
        ("10.200.1.2", Protocol.UDP, "has no port that is known"),
    ],
)
def test_wrong_targets_are_refused(lab: Lab, text: str, asked: Protocol | None, said: str) -> None:
    with pytest.raises(WrongUseError) as refused:
        target_of(lab, text, asked)
    assert said in str(refused.value)


def test_a_size_that_cannot_be_is_refused(lab: Lab) -> None:
    for protocol, size, said in (
        (None, 20, "a packet cannot have 20 bytes here"),
        (Protocol.TCP, 100, "TCP's first packet has the size that the kernel gives it"),
    ):
        with pytest.raises(WrongUseError, match=said):
            trace(lab, "web", "k8s-node1", protocol, size)


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("k8s-node1", "k8s-node1"),
        ("k8s-node1:eth1", "k8s-node1:eth1"),
        ("pod/default/web", "default/web"),
        ("pod/web", "default/web"),
        ("pod/host", "k8s-node2"),
        ("lan", "lan:br-underlay"),
        ("management", "management:br-management"),
    ],
)
def test_places_to_capture(lab: Lab, where: str, said: str) -> None:
    assert str(spot_of(lab, where)) == said


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("k8s-node9", "did you mean k8s-node"),
        ("pod/nobody", "there is no pod default/nobody"),
        ("pod/waits", "runs on no node yet"),
        ("lan-host", "there is no lan-host to capture on"),
    ],
)
def test_wrong_places_are_refused(lab: Lab, where: str, said: str) -> None:
    with pytest.raises(WrongUseError) as refused:
        spot_of(lab, where)
    assert said in str(refused.value)
