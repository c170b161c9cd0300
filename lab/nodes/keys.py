"""The SSH keys of one lab: the one that opens its nodes, and one by which each node is known.

They are made on the host, where that takes milliseconds, and handed to the nodes by their guest agents, for
which no key is needed.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from lab.foundation.errors import LabError
from lab.foundation.files import write_atomically
from lab.topology.plan import Plan

SECRET_MODE = 0o600
HOST_KEY = "/etc/ssh/ssh_host_ecdsa_key"
RSA_KEY = "/etc/ssh/ssh_host_rsa_key"
SSHD_CONFIG = "/etc/ssh/sshd_config"
HOMES = ("/root", "/home/vagrant")


@dataclass(frozen=True)
class KeyFiles:
    """What a connection to a lab's nodes is made with."""

    private: Path
    """Opens root and vagrant."""
    known_hosts: Path
    """The nodes' host keys, as sshd(8) says; it is there once the nodes have the keys."""


@dataclass(frozen=True)
class LabKeys:
    """All keys of a lab, ECDSA on P-256: quick under emulation, and known to Vagrant's own ssh."""

    files: KeyFiles
    public: str
    """Of the one that opens the nodes, as in authorized_keys."""
    host_keys: Mapping[str, str]
    """Private host keys in PEM, by node name."""

    def script(self, node: str) -> str:
        """Bash text that lets these keys, and no others, open the node and tell who it is.

        It starts no process, each of which takes a node that has just been restored, under emulation, up to a
        second. Nor does sshd: that of the box, OpenSSH 9.2, reads host keys anew for each connection (sshd.c,
        main, in the process that it starts for it). Its list of host keys it keeps until it is started again,
        so the key of RSA, which a node has no more, is made empty.
        """
        private = self.host_keys[node]
        opens = f"{self.public} lab"
        files = {
            HOST_KEY: private.rstrip(),
            f"{HOST_KEY}.pub": self.public_host_key(node),
            **{f"{home}/.ssh/authorized_keys": opens for home in HOMES},
        }
        same = " && ".join(f'[ "$(<{path})" = {shlex.quote(text)} ]' for path, text in files.items())
        # In place: the files have the right owners and modes in the box.
        writes = "".join(f"printf '%s\\n' {shlex.quote(text)} > {path}\n" for path, text in files.items())
        return f"""\
set -eu
if {{ {same}; }} 2>/dev/null; then exit 0; fi
umask 077
{writes}\
if [ -s {RSA_KEY} ]; then : > {RSA_KEY}; fi
config=$(<{SSHD_CONFIG})
printf '%s\\n' "${{config/HostKey $'{RSA_KEY}\\n'}}" > {SSHD_CONFIG}
"""

    def public_host_key(self, node: str) -> str:
        """Its kind and the key in base64."""
        return _public_line(self.host_keys[node])

    def write_known_hosts(self, plan: Plan) -> None:
        """Let connections be made to nodes that have these keys, and only to them."""
        lines = (
            f"{node.nic_on(plan.uplink.name).primary.ip} {self.public_host_key(node.name)}\n"
            for node in plan.nodes
        )
        write_atomically(self.files.known_hosts, "".join(lines))


def load_or_make_keys(files: KeyFiles, nodes: Iterable[str]) -> LabKeys:
    """The keys in the folder of these files; those that are not there yet are made, with mode 0600.

    Raises LabError when one cannot be read.
    """
    folder = files.private.parent
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    opens = _load_or_make(files.private)
    return LabKeys(
        files, _public_line(opens), {node: _load_or_make(folder / f"host-{node}") for node in nodes}
    )


def _load_or_make(path: Path) -> str:
    try:
        pem = path.read_text(encoding="ascii")
    except FileNotFoundError:
        pem = _new_key()
        write_atomically(path, pem, SECRET_MODE)
    try:
        _public_line(pem)
    except ValueError as error:
        raise LabError(
            f"the SSH key cannot be read: {path}", details=str(error), resolution="lab down, then lab up"
        ) from error
    return pem


def _new_key() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    # The only format that OpenSSH, paramiko and the net-ssh of Vagrant all read.
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


def _public_line(pem: str) -> str:
    key = load_pem_private_key(pem.encode(), password=None)
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
