"""What doors let in, and what stays shut: a browser, programs of the host, ssh, the host's own network.

Each test has a lab that comes from the cache; where two labs stand side by side, it says so.
Started by `scripts/real-lab-test --doors`, never by `scripts/test`.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from lab.foundation.wait import Deadline, NotYetError, wait_for
from tests.real_lab.browser import shown_by_a_browser
from tests.real_lab.host_network import HostNetwork, wait_until_settled
from tests.real_lab.lab_under_test import (
    opened_by_vagrants_key,
    published_key,
    vagrant_states,
)
from tests.real_lab.named_lab import NamedLab
from tests.real_lab.neighbours import DEVICE, LanMachine, a_lan

pytestmark = [pytest.mark.real_lab, pytest.mark.doors]

LAB, OTHER = NamedLab("doors"), NamedLab("doors-2")
TOMCAT = Path(__file__).parents[2] / "examples/underlay-cases-files/2.tomcat-app1-overlay.yaml"
NAMESPACE, APP = "myserver", "tomcat-app1-overlay"
"""Those of the coursework's manifest."""
NODE = "k8s-node1"
UNDERLAY = {"k8s-master1": "172.31.7.101", "k8s-node1": "172.31.7.102", "k8s-node2": "172.31.7.103"}
WHICH_LAB = "/etc/which-lab"
SETTINGS_OF_ALL_USERS = "/etc/ssh/ssh_config"
SHARING = "Host *\n  ControlMaster auto\n  ControlPath {folder}/%C\n  ControlPersist 60\n"


@pytest.fixture(scope="module", autouse=True)
def _gone_at_the_end() -> Iterator[None]:
    yield
    for each in (LAB, OTHER):
        each.take_down()


@pytest.fixture
def lab() -> NamedLab:
    LAB.ensure_up()
    return LAB


@pytest.fixture
def other(lab: NamedLab) -> Iterator[NamedLab]:
    """A second lab, of the same topology in the same mode."""
    OTHER.ensure_up()
    yield OTHER
    OTHER.take_down()


def test_a_browser_and_kubectl_of_the_host_come_in_and_leave_nothing(lab: NamedLab, tmp_path: Path) -> None:
    in_it = ("kubectl", "-n", NAMESPACE)
    lab("kubectl", "create", "namespace", NAMESPACE)
    lab("kubectl", "apply", "-f", str(TOMCAT))
    lab(*in_it, "rollout", "status", f"deployment/{APP}", "--timeout=600s")
    (pod,) = json.loads(lab(*in_it, "get", "pods", f"--selector=app={APP}", "--output=json"))["items"]
    page = f"tomcat on {pod['metadata']['name']}, {pod['status']['podIP']}"
    nodes = [f"node/{name}" for name in UNDERLAY]

    port = port_of(lab("forward", "--background", f"0:svc/{NAMESPACE}/{APP}"))
    assert page in shown_by_a_browser(f"http://127.0.0.1:{port}/", tmp_path)
    assert nodes_by_the_hosts_kubectl(lab) == nodes
    opened = forwards(lab)
    (api,) = {each.port for each in opened} - {port}
    assert {each.process for each in opened} == set(forwarders(lab))

    for each in opened:
        os.kill(each.process, signal.SIGKILL)
    wait_for(lambda: require_free(port, api), what="the ports to be free", deadline=Deadline(10))
    assert forwards(lab) == []
    assert forwarders(lab) == []
    assert list((lab.folder / "forwards").iterdir()) == []

    lab("forward", "--background", f"{port}:svc/{NAMESPACE}/{APP}")
    assert page in shown_by_a_browser(f"http://127.0.0.1:{port}/", tmp_path)
    assert nodes_by_the_hosts_kubectl(lab) == nodes
    assert len(forwarders(lab)) == 2
    folder = lab.folder
    lab("down")
    require_free(port, api)
    assert not folder.exists()
    assert forwarders(lab) == []


def test_the_hosts_network_is_the_same_before_with_all_doors_open_and_after(lab: NamedLab) -> None:
    with a_lan():
        wait_until_settled(DEVICE)
        before = HostNetwork.now()
        open_all_doors(lab)
        assert HostNetwork.now() == before
        lab("forward", "--stop")
        for door in ("lan", "outside"):
            lab(door, "close")
        lab("image", "through", "close")
        assert HostNetwork.now() == before
        open_all_doors(lab)
        lab("down")
        assert HostNetwork.now() == before


def test_the_key_that_vagrant_publishes_opens_no_node_through_any_door(lab: NamedLab, tmp_path: Path) -> None:
    published, own = published_key(tmp_path), lab.folder / "keys" / "id_ecdsa"
    with a_lan() as machine:
        open_all_doors(lab)
        assert opened_by_vagrants_key(lab, tmp_path) == []
        for node in vagrant_states(lab):
            port = port_of(lab("forward", "--background", f"0:{node}:22"))
            for at in (Way("127.0.0.1", port), Way(UNDERLAY[node], 22, machine)):
                for user in ("root", "vagrant"):
                    assert at.hostname(user, own) == node
                    with pytest.raises(subprocess.CalledProcessError) as refused:
                        at.hostname(user, published)
                    assert "Permission denied (publickey)" in refused.value.stderr
        lab("forward", "--stop")
        lab("lan", "close")


def test_two_labs_of_one_topology_share_no_connection(lab: NamedLab, other: NamedLab) -> None:
    """They stand side by side, and their nodes have the same names and addresses."""
    for each in (lab, other):
        each("exec", NODE, "--", "sh", "-c", f"echo {each.name} > {WHICH_LAB}")
    # The path of a socket must be short.
    with tempfile.TemporaryDirectory(prefix="cm-") as folder:
        user = SharingUser(Path(folder))
        assert f"controlpath {folder}/" in user.run("ssh", "-G", "elsewhere")
        try:
            for way in (user.by_lab, user.by_vagrant, user.by_the_labs_settings, user.as_ansible_does):
                for each in (lab, other, lab):
                    assert way(each).strip() == each.name, way.__name__
        finally:
            user.end()


class SharingUser:
    """One whose settings of ssh let connections be shared, and go on for a minute."""

    def __init__(self, folder: Path) -> None:
        self._sockets = [folder]
        self._settings = folder / "settings"
        self._settings.write_text(SHARING.format(folder=folder))

    def by_lab(self, lab: NamedLab) -> str:
        return self.run("lab", "ssh", "--name", lab.name, NODE, f"cat {WHICH_LAB}")

    def by_vagrant(self, lab: NamedLab) -> str:
        vagrant = f'cd "$0" && exec vagrant ssh {NODE} -- cat {WHICH_LAB}'
        return self.run("sh", "-ec", vagrant, str(lab.folder))

    def by_the_labs_settings(self, lab: NamedLab) -> str:
        """Included in the user's own."""
        own = self._settings.with_name(f"settings-{lab.name}")
        own.write_text(f"Include {lab.folder}/ssh_config\n{self._settings.read_text()}")
        return self.run("ssh", "-F", str(own), NODE, "cat", WHICH_LAB)

    def as_ansible_does(self, lab: NamedLab) -> str:
        """It names a shared connection by host, port and user, in the folder that it is told."""
        groups = yaml.safe_load(lab("inventory", "--ansible"))["all"]["children"]
        told = next(group["hosts"][NODE] for group in groups.values() if NODE in group["hosts"])
        folder = Path(told["ansible_control_path_dir"])
        folder.mkdir(exist_ok=True)
        self._sockets.append(folder)
        shared = (
            "-o",
            "ControlMaster=auto",
            "-o",
            "ControlPersist=60",
            "-o",
            f"ControlPath={folder}/0123456789",
        )
        return self.run("ssh", *shared, *shlex.split(told["ansible_ssh_common_args"]), NODE, "cat", WHICH_LAB)

    def run(self, *words: str) -> str:
        """With these settings in the place of those that the host has for all users."""
        instead = 'mount --bind "$0" "$1"; shift; exec "$@"'
        private = ("unshare", "--mount", "sh", "-ec", instead, str(self._settings), SETTINGS_OF_ALL_USERS)
        return subprocess.run([*private, *words], stdout=subprocess.PIPE, text=True, check=True).stdout

    def end(self) -> None:
        """Close the shared connections."""
        for path in (path for folder in self._sockets for path in folder.iterdir() if path.is_socket()):
            words = ["ssh", "-o", f"ControlPath={path}", "-O", "exit", "anybody"]
            subprocess.run(words, check=False, capture_output=True)


class Way:
    """An address at which a node's sshd is reached, from the host or from a machine of the LAN."""

    def __init__(self, address: str, port: int, machine: LanMachine | None = None) -> None:
        self._from = machine.enter if machine else []
        self._to = ("-p", str(port), address)

    def hostname(self, user: str, key: Path) -> str:
        """What the node calls itself. Raises CalledProcessError when the key opens nothing there."""
        nobody_known = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "ControlPath=none")
        options = ("BatchMode=yes", "IdentitiesOnly=yes", *nobody_known)
        words = [*self._from, "ssh", "-F", "none", "-i", str(key), "-l", user]
        words += [word for option in options for word in ("-o", option)]
        done = subprocess.run([*words, *self._to, "hostname"], capture_output=True, text=True, check=True)
        return done.stdout.strip()


def open_all_doors(lab: NamedLab) -> None:
    """DEVICE leads to a LAN."""
    lab("outside", "open", "--network", "uplink", "--network", "underlay", "--allow-host", "--allow-lan")
    lab("image", "through", "open")
    lab("lan", "open", DEVICE)
    lab("forward", "--background", "0:api")
    status = json.loads(lab("status", "--json"))
    assert [status[door]["state"] for door in ("outside", "pull_through", "lan")] == ["open"] * 3


def nodes_by_the_hosts_kubectl(lab: NamedLab) -> list[str]:
    kubectl = [str(lab.folder / "bin" / "kubectl"), "--kubeconfig", lab("kubeconfig", "--host").strip()]
    words = [*kubectl, "get", "nodes", "-o", "name"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()


def port_of(said: str) -> int:
    """Of ADDRESS:PORT, which is also how the first line begins that `lab forward` prints."""
    return int(said.partition(" ")[0].rpartition(":")[2])


@dataclass(frozen=True)
class Forward:
    """A port of the host, and the process that serves it."""

    port: int
    process: int


def forwards(lab: NamedLab) -> list[Forward]:
    """As `lab status` lists them."""
    rows = json.loads(lab("status", "--json"))["forwards"]
    return [Forward(port_of(row["listens"][0]), row["pid"]) for row in rows]


def forwarders(lab: NamedLab) -> list[int]:
    """The processes that serve forwards of that lab."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if {"lab.operations.doors.forwarder", str(lab.folder)} <= set(words):
            found.append(int(entry.parent.name))
    return found


def require_free(*ports: int) -> None:
    """Raises NotYetError while somebody listens at one of these ports of the loopback."""
    for port in ports:
        for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            try:
                socket.create_server((address, port), family=family).close()
            except OSError as error:
                raise NotYetError(f"{address} port {port}: {error}") from error
