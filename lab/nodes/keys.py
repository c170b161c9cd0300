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
from lab.nodes.files import NodeFile, write_files
from lab.topology.plan import Plan

SECRET_MODE = 0o600
HOST_KEY = "/etc/ssh/ssh_host_ecdsa_key"
HOMES = {"root": "/root", "vagrant": "/home/vagrant"}
SSHD_PID = "/run/sshd.pid"
RESTART_SECONDS = 60


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

        Where they are in use already, nothing is done. sshd reads host keys when it starts, so it starts
        again, without an end to connections; the script returns when it listens.
        """
        private = self.host_keys[node]
        public = _public_line(private)
        opens = f"{self.public} lab\n"
        homes = tuple(HOMES.values())
        files = (
            NodeFile(HOST_KEY, private, SECRET_MODE),
            NodeFile(f"{HOST_KEY}.pub", f"{public}\n"),
            *(NodeFile(f"{home}/.ssh/authorized_keys", opens, SECRET_MODE) for home in homes),
        )
        same = " && ".join(
            f'[ "$(<{path})" = {shlex.quote(text.rstrip())} ]'
            for path, text in ((file.path, file.content) for file in files)
        )
        owners = "".join(f"chown -R {user}: {home}/.ssh\n" for user, home in HOMES.items() if user != "root")
        return f"""\
set -euo pipefail
if {{ {same}; }} 2>/dev/null; then exit 0; fi
{write_files(files)}{owners}\
rm -f /etc/ssh/ssh_host_rsa_key /etc/ssh/ssh_host_rsa_key.pub
sed -i '/^HostKey .*rsa/d' /etc/ssh/sshd_config
(sync -f {HOST_KEY} </dev/null >/dev/null 2>&1 &)
[ -s {SSHD_PID} ] || exit 0
daemon=$(<{SSHD_PID})
# sshd writes the file anew when it listens again.
rm -f {SSHD_PID}
kill -HUP "$daemon" 2>/dev/null || exit 0
for _ in $(seq {RESTART_SECONDS * 20}); do [ -s {SSHD_PID} ] && exit 0; sleep 0.05; done
echo "sshd did not start again" >&2
exit 1
"""

    def write_known_hosts(self, plan: Plan) -> None:
        """Let connections be made to nodes that have these keys, and only to them."""
        lines = (
            f"{node.nic_on(plan.uplink.name).primary.ip} {_public_line(self.host_keys[node.name])}\n"
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
