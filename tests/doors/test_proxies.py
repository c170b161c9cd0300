"""The host's proxies as nodes reach them, and the lines by which nodes are told."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from lab.doors.off_limits import HostNetwork
from lab.doors.outside_rules import Link
from lab.doors.proxies import Proxies, ProxyWay, are_offered, for_nodes, none_are_offered, offered, withdrawn
from lab.topology.models import Runtime
from lab.topology.plan import Plan

ADDRESSES = {"proxy.office": "10.7.0.8", "proxy.example": "203.0.113.8", "localhost": "127.0.0.1"}


def resolve(name: str) -> str:
    if name in ADDRESSES:
        return ADDRESSES[name]
    try:
        return str(IPv4Address(name))
    except ValueError as error:
        raise OSError(f"no address of {name}") from error


CLOSED = ProxyWay(
    Link(IPv4Network("10.0.2.0/24")),
    HostNetwork((IPv4Address("203.0.113.2"),), (IPv4Network("203.0.113.0/30"),)),
    allow_host=False,
    allow_lan=False,
    resolve=resolve,
)
OPEN = replace(CLOSED, allow_host=True, allow_lan=True)


@pytest.mark.parametrize(
    ("environment", "found"),
    [
        ({}, Proxies()),
        ({"HTTPS_PROXY": "http://a:1"}, Proxies(https="http://a:1")),
        ({"https_proxy": "http://a:1", "HTTPS_PROXY": "http://b:1"}, Proxies(https="http://a:1")),
        ({"ALL_PROXY": "socks5://a:1", "http_proxy": "b:1"}, Proxies("b:1", "socks5://a:1")),
        ({"NO_PROXY": "office,.cn"}, Proxies(exceptions="office,.cn")),
    ],
)
def test_what_the_environment_names(environment: dict[str, str], found: Proxies) -> None:
    assert Proxies.of_host(environment) == found
    assert bool(found) is bool(found.http or found.https)


@pytest.mark.parametrize(
    ("url", "way", "reached"),
    [
        ("http://proxy.example:3128", CLOSED, "http://proxy.example:3128"),
        ("proxy.example:3128", CLOSED, "http://proxy.example:3128"),
        ("http://unknown:3128", CLOSED, "http://unknown:3128"),
        ("http://me:s%40t@localhost:7890", OPEN, "http://me:s%40t@10.0.2.2:7890"),
        ("socks5://127.0.0.1:7891", OPEN, "socks5://10.0.2.2:7891"),
        ("http://203.0.113.2:3128", OPEN, "http://203.0.113.2:3128"),
        ("http://proxy.office:3128", OPEN, "http://proxy.office:3128"),
    ],
)
def test_how_nodes_reach_it(plan: Plan, url: str, way: ProxyWay, reached: str) -> None:
    proxies, refused = for_nodes(Proxies(https=url), plan, way)
    assert (proxies.https, refused) == (reached, ())


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://me:secret@localhost:7890", "the proxy http://localhost:7890 is on this host: nodes"),
        ("http://203.0.113.2:3128", "reach it with --allow-host"),
        ("http://proxy.office:3128", "has a private address: nodes reach it with --allow-lan"),
        ("http://203.0.113.1:3128", "reach it with --allow-lan"),
    ],
)
def test_what_the_door_does_not_let_through_is_told_and_not_offered(plan: Plan, url: str, why: str) -> None:
    proxies, (refused,) = for_nodes(Proxies(url, url), plan, CLOSED)
    assert not proxies
    assert why in refused
    assert "secret" not in refused


def test_traffic_inside_the_lab_uses_none(plan: Plan) -> None:
    proxies, _ = for_nodes(Proxies("http://proxy.example:1", exceptions="office"), plan, CLOSED)
    exceptions = proxies.exceptions.split(",")
    inside = [str(network.cidr) for network in plan.networks] + [node.name for node in plan.nodes]
    clusters = [str(plan.kubernetes.pod_cidr), str(plan.kubernetes.service_cidr), ".cluster.local", ".svc"]
    assert {*inside, *clusters, "office", "localhost", "10.0.2.0/24"} <= set(exceptions)


@pytest.mark.parametrize("login", ["me:secret", "me", "me:se/cr@et"])
def test_it_is_shown_without_login(login: str) -> None:
    assert Proxies(f"http://{login}@proxy:1", f"{login}@proxy:1").urls == ("http://proxy:1", "proxy:1")


class Machine:
    """A node of folders and stand-ins, where the lines of bash are run."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.done = root / "done"
        for name in ("systemctl", "ctr", "docker", "kill"):
            program = root / "bin" / name
            program.parent.mkdir(parents=True, exist_ok=True)
            program.write_text(f'#!/bin/sh\necho {name} "$@" >> {self.done}\necho true\n')
            program.chmod(0o755)

    def run(self, script: str) -> int:
        here = script.replace("/etc/", f"{self.root}/etc/").replace("/run/", f"{self.root}/run/")
        words = ["bash", "-euo", "pipefail", "-c", f"enable -n kill\n{here}"]
        environment = {"PATH": f"{self.root}/bin:/usr/bin:/bin"}
        return subprocess.run(words, env=environment, check=False).returncode

    def text(self, path: str) -> str:
        return (self.root / path).read_text()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    for path, text in (("etc/docker/daemon.json", '{\n  "a": 1\n}\n'), ("run/docker.pid", "1")):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text(text)
    return machine


PROXIES = Proxies("http://a:1", 'http://me:100%"\\@a:1', "office,10.0.0.0/8")


@pytest.mark.parametrize(
    ("runtime", "service"), [(Runtime.CONTAINERD, "containerd"), (Runtime.CRI_DOCKERD, "docker")]
)
def test_a_node_is_told_and_told_off(machine: Machine, runtime: Runtime, service: str) -> None:
    drop_in = f"etc/systemd/system/{service}.service.d/50-lab-proxy.conf"
    assert machine.run(are_offered(PROXIES, runtime)) != 0
    assert machine.run(none_are_offered(runtime)) == 0
    assert machine.run(offered(PROXIES, runtime)) == 0
    assert machine.run(are_offered(PROXIES, runtime)) == 0
    assert machine.run(none_are_offered(runtime)) == 1
    assert machine.run(are_offered(replace(PROXIES, http="http://b:1"), runtime)) == 1
    assert machine.text(drop_in).splitlines()[:4] == [
        "[Service]",
        'Environment="HTTP_PROXY=http://a:1"',
        'Environment="HTTPS_PROXY=http://me:100%%\\"\\\\@a:1"',
        'Environment="NO_PROXY=office,10.0.0.0/8"',
    ]
    assert (machine.root / drop_in).stat().st_mode & 0o777 == 0o600
    assert 'Acquire::http::Proxy "http://a:1";' in machine.text("etc/apt/apt.conf.d/50-lab-proxy")
    assert f"systemctl restart {service}.service" in machine.text("done")
    machine.done.unlink()
    assert machine.run(withdrawn(runtime)) == 0
    assert machine.run(none_are_offered(runtime)) == 0
    assert f"systemctl restart {service}.service" in machine.text("done")
    assert list((machine.root / "etc").rglob("*lab-proxy*")) == []


def test_containers_of_docker_live_on(machine: Machine) -> None:
    assert machine.run(offered(PROXIES, Runtime.CRI_DOCKERD)) == 0
    lines = machine.text("done").splitlines()
    assert lines.index("kill -HUP 1") < lines.index("systemctl restart docker.service")
    assert machine.text("etc/docker/daemon.json").splitlines()[1] == '  "live-restore": true,'


def test_docker_is_not_started_again_while_its_containers_would_end(machine: Machine) -> None:
    (machine.root / "bin" / "docker").write_text("#!/bin/sh\necho false\n")
    # Time is not waited for: it does not pass.
    sleep = machine.root / "bin" / "sleep"
    sleep.write_text("#!/bin/sh\n")
    sleep.chmod(0o755)
    assert machine.run(offered(PROXIES, Runtime.CRI_DOCKERD)) == 1
    assert "restart" not in machine.text("done")


def test_a_node_that_was_told_of_none_is_left_alone(machine: Machine) -> None:
    assert machine.run(withdrawn(Runtime.CONTAINERD)) == 0
    assert not machine.done.exists()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_reads_the_file(machine: Machine) -> None:
    machine.run(offered(PROXIES, Runtime.CONTAINERD))
    unit = machine.root / "containerd.service"
    drop_in = machine.text("etc/systemd/system/containerd.service.d/50-lab-proxy.conf")
    unit.write_text(f"[Unit]\nDescription=a\n{drop_in}ExecStart=/bin/true\n")
    words = ["systemd-analyze", "verify", "--man=no", str(unit)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert "lab-proxy" not in done.stderr
    assert "Environment" not in done.stderr
