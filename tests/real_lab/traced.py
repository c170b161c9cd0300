"""The way of a real packet between pods of two nodes, compared with what the mode's definition draws."""

from __future__ import annotations

import fnmatch
import json
from pathlib import Path
from typing import Any

from lab.modes.mode import NIC
from lab.modes.registry import mode_named
from tests.real_lab.lab_under_test import Lab

NODES = ("k8s-node1", "k8s-node2")
SECONDS = 600
PATTERNS = {"veth": "veth*", "eth0 (macvlan)": "eth0", "eth0 (ipvlan)": "eth0"}
"""The names of devices, for what the picture of a mode calls them."""
UNDERLAY = "eth1"
NO_DEVICES = ("routes",)


def assert_the_way_is_as_drawn(lab: Lab, mode: str, folder: Path) -> None:
    """A packet and its answer pass the devices of the mode's first path, on both nodes, without a gap."""
    manifest = folder / "traced.json"
    manifest.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": _pods(lab)}))
    lab("kubectl", "apply", "-f", str(manifest))
    try:
        pods = [f"pod/traced-{node}" for node in NODES]
        lab("kubectl", "wait", "--for=condition=Ready", *pods, f"--timeout={SECONDS}s")
        sender, target = (f"default/traced-{node}" for node in NODES)
        trace = json.loads(lab("trace", sender, target, "--json"))
    finally:
        lab("kubectl", "delete", "-f", str(manifest), "--wait=true")
    drawn = [
        PATTERNS.get(device, device).replace(NIC, UNDERLAY)
        for device in mode_named(mode).paths[0].devices
        if device not in NO_DEVICES
    ]
    assert trace["verdict"] == "delivered", json.dumps(trace, indent=1)
    for way in trace["ways"]:
        assert (way["gaps"], way["lost"]) == ([], None)
        _assert_drawn(way["hops"], drawn)


def _assert_drawn(hops: list[dict[str, Any]], drawn: list[str]) -> None:
    places = [hop["place"] for hop in hops]
    left = [hop["device"] for hop in hops[: places.index("lab-host")]]
    came = [hop["device"] for hop in hops[len(places) - places[::-1].index("lab-host") :]]
    assert len(left) == len(drawn), (left, drawn)
    assert all(map(fnmatch.fnmatch, left, drawn)), (left, drawn)
    assert len(came) == len(drawn), (came, drawn)
    assert all(map(fnmatch.fnmatch, came[::-1], drawn)), (came, drawn)


def _pods(lab: Lab) -> list[dict[str, Any]]:
    image = json.loads(lab("inventory", "--json"))["probe_image"]
    return [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": f"traced-{node}",
                "annotations": {"networking.alibaba.com/network-type": "Overlay"},
            },
            "spec": {
                "nodeName": node,
                "terminationGracePeriodSeconds": 0,
                "containers": [{"name": "agnhost", "image": image, "args": ["pause"]}],
            },
        }
        for node in NODES
    ]
