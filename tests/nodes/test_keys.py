"""The keys of a lab, and how a node gets them: in a folder that stands for its root."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import paramiko
import pytest

from lab.foundation.errors import LabError
from lab.nodes.keys import KeyFiles, LabKeys, load_or_make_keys
from lab.topology.plan import Plan

NODES = ("k8s-master1", "k8s-node1", "k8s-node2")
PUBLISHED = "ssh-rsa AAAAB3NzaC1yc2EAAAABIwAAAQEA6NF8 vagrant insecure public key\n"
SSHD = """
trap 'rm -f {pid}; cat {root}/etc/ssh/ssh_host_ecdsa_key.pub > {root}/told; echo $$ > {pid}' HUP
echo $$ > {pid}
while :; do sleep 0.02; done
"""


def keys_in(folder: Path) -> LabKeys:
    return load_or_make_keys(KeyFiles(folder / "id_ecdsa", folder / "known_hosts"), NODES)


@pytest.fixture
def keys(tmp_path: Path) -> LabKeys:
    return keys_in(tmp_path / "keys")


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """What a machine of the box has."""
    root = tmp_path / "node"
    for home in ("root", "home/vagrant"):
        (root / home / ".ssh").mkdir(parents=True)
        (root / home / ".ssh/authorized_keys").write_text(PUBLISHED)
    for folder in ("etc/ssh", "run"):
        (root / folder).mkdir(parents=True)
    for kind in ("ecdsa", "rsa"):
        (root / f"etc/ssh/ssh_host_{kind}_key").write_text("of the box\n")
    lines = [f"HostKey {root}/etc/ssh/ssh_host_{kind}_key\n" for kind in ("ecdsa", "rsa")]
    (root / "etc/ssh/sshd_config").write_text("".join(lines) + "UsePAM no\n")
    return root


@pytest.fixture
def sshd(node: Path) -> Iterator[subprocess.Popen[bytes]]:
    pid = node / "run/sshd.pid"
    with subprocess.Popen(["bash", "-c", SSHD.format(root=node, pid=pid)]) as daemon:
        while not pid.exists():
            assert daemon.poll() is None
        yield daemon
        daemon.kill()


def give(keys: LabKeys, node: Path, name: str = "k8s-node1") -> None:
    script = keys.script(name)
    for path in ("/etc/ssh", "/root/.ssh", "/home/vagrant/.ssh", "/run/sshd.pid"):
        script = script.replace(path, f"{node}{path}")
    subprocess.run(
        ["bash", "-s"], input=script.replace("chown -R vagrant:", "chown -R root:"), text=True, check=True
    )


def test_the_published_key_opens_nothing_any_more(keys: LabKeys, node: Path) -> None:
    give(keys, node)
    for home in ("root", "home/vagrant"):
        file = node / home / ".ssh/authorized_keys"
        assert file.read_text() == f"{keys.public} lab\n"
        assert file.stat().st_mode & 0o777 == 0o600


def test_the_node_has_a_host_key_of_its_own_and_no_other(keys: LabKeys, node: Path) -> None:
    give(keys, node)
    assert {path.name for path in (node / "etc/ssh").iterdir()} == {
        "sshd_config",
        "ssh_host_ecdsa_key",
        "ssh_host_ecdsa_key.pub",
    }
    assert (node / "etc/ssh/ssh_host_ecdsa_key").stat().st_mode & 0o777 == 0o600
    config = (node / "etc/ssh/sshd_config").read_text()
    assert config == f"HostKey {node}/etc/ssh/ssh_host_ecdsa_key\nUsePAM no\n"


@pytest.mark.usefixtures("sshd")
def test_sshd_has_read_the_new_host_key_when_the_script_returns(keys: LabKeys, node: Path) -> None:
    give(keys, node)
    assert (node / "told").read_text() == (node / "etc/ssh/ssh_host_ecdsa_key.pub").read_text()


@pytest.mark.usefixtures("sshd")
def test_given_again_nothing_is_done(keys: LabKeys, node: Path) -> None:
    give(keys, node)
    (node / "told").unlink()
    written = (node / "etc/ssh/ssh_host_ecdsa_key").stat()
    give(keys, node)
    assert (node / "etc/ssh/ssh_host_ecdsa_key").stat() == written
    assert not (node / "told").exists()


def test_a_node_of_another_lab_changes_hands(keys: LabKeys, node: Path, tmp_path: Path) -> None:
    other = keys_in(tmp_path / "other")
    give(other, node)
    give(keys, node)
    assert other.public not in (node / "root/.ssh/authorized_keys").read_text()
    assert (node / "etc/ssh/ssh_host_ecdsa_key").read_text() == keys.host_keys["k8s-node1"]


def test_a_node_without_sshd_gets_the_keys_too(keys: LabKeys, node: Path) -> None:
    (node / "run/sshd.pid").write_text("")
    give(keys, node)
    assert keys.public in (node / "root/.ssh/authorized_keys").read_text()


def test_keys_are_made_once_and_differ_from_lab_to_lab(keys: LabKeys, tmp_path: Path) -> None:
    assert keys_in(tmp_path / "keys") == keys
    other = keys_in(tmp_path / "other")
    assert len({keys.public, other.public}) == 2
    assert len({*keys.host_keys.values(), *other.host_keys.values()}) == 2 * len(NODES)
    for path in (tmp_path / "keys").iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700


def test_a_key_that_cannot_be_read_is_told(keys: LabKeys, tmp_path: Path) -> None:
    keys.files.private.write_text("none\n")
    with pytest.raises(LabError, match="the SSH key cannot be read"):
        keys_in(tmp_path / "keys")


def test_known_hosts_have_every_node(keys: LabKeys, plan: Plan) -> None:
    keys.write_known_hosts(plan)
    known = paramiko.HostKeys(str(keys.files.known_hosts))
    for node in plan.nodes:
        address = str(node.nic_on(plan.uplink.name).primary.ip)
        private = paramiko.ECDSAKey.from_private_key_file(
            str(keys.files.private.parent / f"host-{node.name}")
        )
        assert known.check(address, private)
