"""The keys of a lab, and how a node gets them: in a folder that stands for its root."""

from __future__ import annotations

import subprocess
from pathlib import Path

import paramiko
import pytest

from lab.foundation.errors import LabError
from lab.nodes.keys import KeyFiles, LabKeys, load_or_make_keys
from lab.topology.plan import Plan

NODES = ("k8s-master1", "k8s-node1", "k8s-node2")
PUBLISHED = "ssh-rsa AAAAB3NzaC1yc2EAAAABIwAAAQEA6NF8 vagrant insecure public key\n"


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
        (root / home / ".ssh/authorized_keys").chmod(0o600)
    for folder in ("etc/ssh", "run"):
        (root / folder).mkdir(parents=True)
    for kind in ("ecdsa", "rsa"):
        (root / f"etc/ssh/ssh_host_{kind}_key").write_text("of the box\n")
    lines = [f"HostKey {root}/etc/ssh/ssh_host_{kind}_key\n" for kind in ("ecdsa", "rsa")]
    (root / "etc/ssh/sshd_config").write_text("".join(lines) + "UsePAM no\n")
    return root


def give(keys: LabKeys, node: Path, name: str = "k8s-node1") -> None:
    script = keys.script(name)
    for path in ("/etc/ssh", "/root/.ssh", "/home/vagrant/.ssh"):
        script = script.replace(path, f"{node}{path}")
    # Without a PATH, what is no builtin is not found.
    subprocess.run(["/bin/bash", "-s"], input=script, text=True, check=True, env={"PATH": ""})


def test_the_published_key_opens_nothing_any_more(keys: LabKeys, node: Path) -> None:
    give(keys, node)
    for home in ("root", "home/vagrant"):
        file = node / home / ".ssh/authorized_keys"
        assert file.read_text() == f"{keys.public} lab\n"
        assert file.stat().st_mode & 0o777 == 0o600


def test_the_node_has_a_host_key_of_its_own_and_no_other(keys: LabKeys, node: Path) -> None:
    give(keys, node)
    for name, text in (("", keys.host_keys["k8s-node1"]), (".pub", keys.public_host_key("k8s-node1") + "\n")):
        assert (node / f"etc/ssh/ssh_host_ecdsa_key{name}").read_text() == text
    assert (node / "etc/ssh/ssh_host_rsa_key").read_text() == ""
    config = (node / "etc/ssh/sshd_config").read_text()
    assert config == f"HostKey {node}/etc/ssh/ssh_host_ecdsa_key\nUsePAM no\n"


def test_given_again_nothing_is_done(keys: LabKeys, node: Path) -> None:
    give(keys, node)
    written = (node / "etc/ssh/ssh_host_ecdsa_key").stat()
    give(keys, node)
    assert (node / "etc/ssh/ssh_host_ecdsa_key").stat() == written


def test_a_node_of_another_lab_changes_hands(keys: LabKeys, node: Path, tmp_path: Path) -> None:
    other = keys_in(tmp_path / "other")
    give(other, node)
    give(keys, node)
    assert other.public not in (node / "root/.ssh/authorized_keys").read_text()
    assert (node / "etc/ssh/ssh_host_ecdsa_key").read_text() == keys.host_keys["k8s-node1"]


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
