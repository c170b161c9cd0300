"""A small SSH server on loopback: runs commands with this machine's shell, connects where it is asked to."""

from __future__ import annotations

import socket
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

import paramiko

from lab.doors.streams import ChannelStream, SocketStream, join
from lab.nodes.keys import KeyFiles


class _Session(paramiko.ServerInterface):  # type: ignore[misc]  # paramiko has no types
    def __init__(self, transport: paramiko.Transport) -> None:
        self._transport = transport

    def check_channel_direct_tcpip_request(
        self, chanid: int, origin: tuple[str, int], destination: tuple[str, int]
    ) -> int:
        try:
            connected = socket.create_connection(destination, timeout=5)
        except OSError:
            return int(paramiko.common.OPEN_FAILED_CONNECT_FAILED)
        threading.Thread(target=_pass_on, args=(self._transport, connected), daemon=True).start()
        return int(paramiko.common.OPEN_SUCCEEDED)

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        return int(paramiko.common.AUTH_SUCCESSFUL)

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return int(paramiko.common.OPEN_SUCCEEDED)

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        threading.Thread(target=_run, args=(channel, command.decode()), daemon=True).start()
        return True


def _run(channel: paramiko.Channel, command: str) -> None:
    with subprocess.Popen(
        ["bash", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        for line in child.stdout:
            channel.sendall(line.encode())
        channel.sendall_stderr(child.stderr.read().encode())
    channel.send_exit_status(child.returncode)
    # The client closes: closed from here, its channel may be gone before the request is granted.
    channel.shutdown_write()


def _pass_on(transport: paramiko.Transport, connected: socket.socket) -> None:
    join(ChannelStream(transport.accept()), SocketStream(connected))


class SshServer:
    """Serves until `close`; `connections` counts how often somebody logged in."""

    def __init__(self) -> None:
        self._key = paramiko.ECDSAKey.generate()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._transports: list[paramiko.Transport] = []
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def known_host(self) -> str:
        """Its line in a file of known hosts, sshd(8)."""
        return f"[127.0.0.1]:{self.port} {self._key.get_name()} {self._key.get_base64()}\n"

    def known_to(self, private: Path) -> KeyFiles:
        """That key, beside a file of known hosts that has this server alone."""
        keys = KeyFiles(private, private.parent / f"known_hosts-{self.port}")
        keys.known_hosts.write_text(self.known_host)
        return keys

    @property
    def connections(self) -> int:
        return len(self._transports)

    def break_connections(self) -> None:
        for transport in self._transports:
            transport.close()

    def close(self) -> None:
        self._listener.close()
        self.break_connections()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            transport = paramiko.Transport(client)
            transport.add_server_key(self._key)
            self._transports.append(transport)
            with suppress(paramiko.SSHException):
                transport.start_server(server=_Session(transport))
