"""Doors of the lab in mode macvlan: a LAN that plays the real one, and a proxy of the host."""

from __future__ import annotations

import json
import subprocess

import pytest

from lab.foundation.wait import Deadline, NotYetError, wait_for
from tests.real_lab.lab_under_test import Lab
from tests.real_lab.neighbours import DEVICE, MACHINE, a_lan, a_proxy

pytestmark = pytest.mark.real_lab

UNKNOWN = "registry.example:443"


@pytest.fixture
def image(lab: Lab) -> str:
    found: str = json.loads(lab("inventory", "--json"))["probe_image"]
    return found


def test_a_machine_of_the_lan_and_a_pod_reach_each_other_by_their_own_addresses(
    lab: Lab, namespace: str, image: str
) -> None:
    in_it = ("kubectl", "-n", namespace)
    lab(*in_it, "run", "page", f"--image={image}", "--", "netexec")
    lab(*in_it, "wait", "pod/page", "--for=condition=Ready", "--timeout=300s")
    address = lab(*in_it, "get", "pod", "page", "-o", "jsonpath={.status.podIP}").strip()
    with a_lan() as machine, machine.server() as visitors:
        lab("lan", "open", DEVICE)
        assert json.loads(lab("status", "--json"))["lan"]["state"] == "open"
        assert machine.fetch(f"http://{address}:8080/clientip").partition(":")[0] == MACHINE
        goes_there = ("--restart=Never", "--", "connect", f"{MACHINE}:8000")
        lab(*in_it, "run", "visitor", f"--image={image}", *goes_there)
        lab(*in_it, "wait", "pod/visitor", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=300s")
        own = lab(*in_it, "get", "pod", "visitor", "-o", "jsonpath={.status.podIP}").strip()
        assert next(visitors) == own
        lab("lan", "close")


def test_a_machine_of_the_lan_with_an_address_of_the_lab_is_found_first(lab: Lab) -> None:
    with a_lan() as machine:
        machine.take("172.31.7.102")
        done = subprocess.run(["lab", "lan", "open", DEVICE], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "172.31.7.102, for k8s-node1" in done.stderr
    assert json.loads(lab("status", "--json"))["lan"]["state"] == "closed"


def test_runtime_and_apt_of_nodes_use_the_proxy_of_the_host_while_they_may(
    lab: Lab, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_it = ("kubectl", "-n", namespace)
    with a_proxy() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        lab("outside", "open", "--allow-host")
        monkeypatch.delenv("HTTPS_PROXY")
        (shown,) = json.loads(lab("outside", "status", "--json"))["proxies"]
        assert shown in lab("exec", "k8s-node1", "--", "apt-config", "dump", "Acquire::https::Proxy")
        lab(*in_it, "run", "far", f"--image={UNKNOWN}/web:1")

        def asked() -> None:
            if not any(line.startswith(f"CONNECT {UNKNOWN} ") for line in proxy.asked):
                raise NotYetError(f"the proxy was asked for {proxy.asked}")

        wait_for(asked, what="a node to ask the proxy for the image", deadline=Deadline(300))
        lab("outside", "close")
    assert shown not in lab("exec", "k8s-node1", "--", "apt-config", "dump", "Acquire::https::Proxy")
