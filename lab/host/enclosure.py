"""The enclosure of a lab: network, mount and PID namespaces of its own, with a libvirtd of its own in them.

The host's networks, its libvirt and other labs are out of sight; equal names and addresses do not meet. All
of it hangs on one process: when that dies, by `stop` or by accident, the kernel removes the rest.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence

from lab.foundation.errors import LabError
from lab.foundation.paths import LabFolder
from lab.foundation.wait import Deadline, NotYetError, wait_for
from lab.host.daemon import last_words, start_daemon
from lab.host.layout import EnclosureLayout
from lab.host.process_identity import ProcessIdentity, processes_in, shell_line
from lab.host.sockets import Sockets

START_LIMIT = 60.0
STOP_LIMIT = 30.0


class Enclosure:
    """The namespaces of one lab on this host: the first kind of `Site`.

    What it says about them is read from the host each time.
    """

    def __init__(self, folder: LabFolder) -> None:
        """Raises LabError when the folder's path is too long for a socket in it."""
        self._folder = folder
        self._layout = EnclosureLayout.of(folder)
        self._sockets = Sockets()

    @property
    def running(self) -> bool:
        return self._identity() is not None

    @property
    def serving(self) -> bool:
        """Whether its libvirtd takes connections; an enclosure that is starting runs before it serves."""
        return self.running and self._refusal() is None

    @property
    def init_pid(self) -> int | None:
        """The host's pid of the enclosure's first process; None when it does not run."""
        identity = self._identity()
        return identity.pid if identity is not None else None

    @property
    def libvirt_uri(self) -> str:
        """Reaches the lab's libvirtd from the host's namespaces as well as from inside."""
        return f"qemu+unix:///system?socket={self._layout.libvirt_socket}"

    @property
    def layout(self) -> EnclosureLayout:
        return self._layout

    def start(self) -> None:
        """Start the enclosure and wait until its libvirtd serves; nothing to do when it does already.

        Raises LabError with the end of its log when it cannot be started.
        """
        child = None
        if not self.running:
            self._require_root()
            self._clear_runtime()
            child = start_daemon(
                [
                    *("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--"),
                    *(sys.executable, "-m", "lab.host.init", self._folder.root),
                ],
                self._layout.init_log,
            )
        wait_for(
            lambda: self._check_serving(child),
            what=f"start of the enclosure of {self._folder.name}",
            deadline=Deadline(START_LIMIT),
            interval=0.1,
            resolution=f"read {self._layout.init_log}",
        )

    def stop(self) -> None:
        """End every process of the enclosure and wait until all are gone; harmless when it does not run."""
        identity = self._identity()
        if identity is not None:
            with identity.holding_namespace("pid") as namespace:
                os.kill(identity.pid, signal.SIGKILL)
                wait_for(
                    lambda: self._check_gone(identity, namespace),
                    what=f"end of the enclosure of {self._folder.name}",
                    deadline=Deadline(STOP_LIMIT),
                    interval=0.05,
                )
        self._clear_runtime()

    def command(self, words: Sequence[str]) -> list[str]:
        """`words`, to be run in the enclosure's network, mount and PID namespaces."""
        return ["nsenter", "--target", str(self._require().pid), "--net", "--mount", "--pid", "--", *words]

    def network_command(self, words: Sequence[str]) -> list[str]:
        """`words`, to be run in the enclosure's network but with the host's files and processes."""
        return ["nsenter", "--target", str(self._require().pid), "--net", "--", *words]

    def hosted_command(self, words: Sequence[str]) -> list[str]:
        """`words`, to be run in the enclosure's network, with the host's files; ends with the enclosure."""
        return ["nsenter", "--target", str(self._require().pid), "--net", "--pid", "--", *words]

    def tied_command(self, words: Sequence[str]) -> list[str]:
        """`words`, to be run in the host's network and with its files; ends with the enclosure."""
        return ["nsenter", "--target", str(self._require().pid), "--pid", "--", *words]

    def shell_line(self, line: str) -> str:
        """A line for a shell that runs `line` in the lab's network, also after the lab was started anew.

        It fails while the lab does not run, though its process number may be another process's by now: `line`
        would run in the network of the host.
        """
        return shell_line(self._layout.init_record, f"the lab {self._folder.name} is not running", line)

    def connect(self, address: str, port: int, seconds: float | None) -> socket.socket:
        """A connection to an address in the lab's network. Raises OSError when there is none in `seconds`."""
        return self._sockets.connect(self.network_command(()), address, port, seconds)

    def listen(self, address: str) -> socket.socket:
        """Listens at an address that the host side has in the lab's network, at a port that is free.

        Raises OSError when it has no such address.
        """
        return self._sockets.listen(self.network_command(()), address)

    def _identity(self) -> ProcessIdentity | None:
        identity = ProcessIdentity.read(self._layout.init_record)
        return identity if identity is not None and identity.alive else None

    def _require(self) -> ProcessIdentity:
        identity = self._identity()
        if identity is None:
            raise LabError(f"the lab {self._folder.name} is not running", resolution="run `lab up`")
        return identity

    def _require_root(self) -> None:
        if os.geteuid() != 0:
            raise LabError(
                "only root may make the namespaces of a lab", resolution="run the same command with sudo"
            )

    def _clear_runtime(self) -> None:
        for folder in self._layout.runtime_folders:
            shutil.rmtree(folder, ignore_errors=True)
        self._layout.init_record.unlink(missing_ok=True)

    def _check_serving(self, child: subprocess.Popen[bytes] | None) -> None:
        # A child that lost the race for the lock ends too, while the winner starts.
        if not self.running and (child is None or child.poll() is not None):
            raise LabError(
                f"the enclosure of {self._folder.name} ended while it started",
                details=last_words(self._layout.init_log),
                resolution="run `lab doctor`",
            )
        refusal = self._refusal()
        if refusal is not None:
            raise NotYetError(f"libvirtd does not answer: {refusal}")

    def _refusal(self) -> str | None:
        with socket.socket(socket.AF_UNIX) as connection:
            try:
                connection.connect(str(self._layout.libvirt_socket))
            except OSError as error:
                return error.strerror or str(error)
        return None

    def _check_gone(self, identity: ProcessIdentity, namespace: str | None) -> None:
        if identity.alive:
            raise NotYetError(f"process {identity.pid} is still there")
        left = processes_in(namespace, "pid") if namespace is not None else ()
        if left:
            raise NotYetError(f"processes {', '.join(map(str, left))} are still there")
