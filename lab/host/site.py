"""What a command may do where a lab's network is, however one gets there."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Protocol

from lab.host.layout import EnclosureLayout


class Site(Protocol):
    """Where a lab lives: its network, and the processes of the host side in it.

    Nobody else knows how one gets there, and this process never goes: it asks for words that run a program
    there, or for sockets. Addresses are IP addresses as text. All but `running`, `serving`, `start` and
    `shell_line` raise LabError while the lab does not run.
    """

    @property
    def running(self) -> bool: ...

    @property
    def serving(self) -> bool:
        """Whether its libvirtd takes connections; a site that is starting runs before it serves."""
        ...

    def start(self) -> None:
        """Start it and wait until it serves; nothing to do when it does already. Raises LabError."""
        ...

    @property
    def layout(self) -> EnclosureLayout:
        """Where it keeps its files."""
        ...

    @property
    def init_pid(self) -> int | None:
        """A process in the lab's network by this host's number; None when there is none."""
        ...

    @property
    def libvirt_uri(self) -> str:
        """Reaches the lab's libvirtd from here."""
        ...

    def network_command(self, words: Sequence[str]) -> list[str]:
        """`words`, to be run in the lab's network but with the host's files and processes."""
        ...

    def hosted_command(self, words: Sequence[str]) -> list[str]:
        """`words`, to be run in the lab's network, with the host's files; ends with the lab."""
        ...

    def tied_command(self, words: Sequence[str]) -> list[str]:
        """`words`, to be run in this host's network and with its files; ends with the lab."""
        ...

    def shell_line(self, line: str) -> str:
        """A line for a shell that runs `line` in the lab's network, also after the lab was started anew."""
        ...

    def connect(self, address: str, port: int, seconds: float | None) -> socket.socket:
        """A connection to an address in the lab's network. Raises OSError when there is none in `seconds`."""
        ...

    def listen(self, address: str) -> socket.socket:
        """Listens at an address that the host side has in the lab's network, at a port that is free.

        Raises OSError when it has no such address.
        """
        ...
