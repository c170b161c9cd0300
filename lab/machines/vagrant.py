"""The one place that speaks to Vagrant."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import vagrant

from lab.foundation.environment import search_path
from lab.foundation.errors import LabError
from lab.foundation.paths import LabFolder
from lab.foundation.process import Completed, StoppedError, run
from lab.host.site import Site

UP_LIMIT = 1800.0
SHORT_LIMIT = 300.0
RETURN_LIMIT = 180.0
"""Seconds that Vagrant may take to return after the last machine is ready."""
READY = re.compile(r"==> (?P<node>[^:]+): Machine booted and ready!")
PROVIDER = "libvirt"


def vagrant_home(folder: LabFolder) -> Path:
    """The lab's own VAGRANT_HOME: boxes, machine index and locks apart from the user's and other labs'."""
    return folder.root / "vagrant"


class Vagrant:
    """Vagrant in a lab's folder and network."""

    def __init__(self, folder: LabFolder, site: Site, on_line: Callable[[str], None] | None = None) -> None:
        """`on_line` gets each line that Vagrant prints while it works."""
        self._wrapped: Any = _LoggedVagrant(folder, site, on_line)

    def up(self, nodes: Sequence[str]) -> None:
        """Create and start the machines side by side and wait until ssh answers on each."""
        self._wrapped.up_all(nodes)

    def status(self) -> Mapping[str, str]:
        """Vagrant's own word for the state of each machine, as running, poweroff, saved, not_created."""
        return {status.name: status.state for status in self._wrapped.status() if status.name}

    def halt(self, node: str | None = None) -> None:
        """Shut machines down in good order."""
        self._wrapped.halt(node)

    def destroy(self, node: str | None = None) -> None:
        """Remove machines and their disks."""
        self._wrapped.destroy(node)


class _LoggedVagrant(vagrant.Vagrant):
    """python-vagrant, with its commands run by this program's own process module."""

    def __init__(self, folder: LabFolder, site: Site, on_line: Callable[[str], None] | None) -> None:
        if not folder.vagrantfile.exists():
            raise LabError(f"there is no Vagrantfile in {folder.root}", resolution="run `lab up`")
        super().__init__(root=str(folder.root))  # type: ignore[no-untyped-call]
        self._folder = folder
        self._site = site
        self._on_line = on_line

    def up_all(self, nodes: Sequence[str]) -> None:
        ended = _EndAfterReady(nodes, self._on_line)
        words = ("up", *nodes, "--parallel", "--no-provision", "--provider", PROVIDER)
        try:
            self._run(words, UP_LIMIT, ended.on_line, ended.stop)
        except StoppedError:
            if not ended.all_ready:
                raise
        finally:
            ended.timer.cancel()

    def _call_vagrant_command(self, args: Sequence[str | None]) -> None:
        self._run(args, SHORT_LIMIT)

    def _run_vagrant_command(self, args: Sequence[str | None]) -> str:
        return self._run(args, SHORT_LIMIT).stdout

    def _run(
        self,
        args: Sequence[str | None],
        limit: float,
        on_line: Callable[[str], None] | None = None,
        stop: threading.Event | None = None,
    ) -> Completed:
        self._folder.logs.mkdir(parents=True, exist_ok=True)
        words = self._make_vagrant_command(args)  # type: ignore[no-untyped-call]
        return run(
            # Vagrant must not outlive this program: it would hold its locks and go on by itself.
            self._site.network_command(["setpriv", "--pdeathsig", "KILL", "--", *words]),
            cwd=self._folder.root,
            env=_environment(self._folder),
            timeout=limit,
            on_line=on_line or self._on_line,
            stop=stop,
            log=self._folder.logs / "vagrant.log",
        )


class _EndAfterReady:
    """Ends a `vagrant up` that does not return although every machine has been reported ready.

    All that Vagrant still does then is to look for entries of its own in each machine's /etc/fstab, over ssh.
    """

    def __init__(self, nodes: Sequence[str], on_line: Callable[[str], None] | None) -> None:
        self.stop = threading.Event()
        self.timer = threading.Timer(RETURN_LIMIT, self.stop.set)
        self.timer.daemon = True
        self._waited_for = set(nodes)
        self._on_line = on_line

    @property
    def all_ready(self) -> bool:
        return not self._waited_for

    def on_line(self, line: str) -> None:
        node = ready_machine(line)
        if node in self._waited_for:
            self._waited_for.remove(node)
            if self.all_ready:
                self.timer.start()
        if self._on_line is not None:
            self._on_line(line)


def ready_machine(line: str) -> str | None:
    """The machine that this line of `vagrant up` reports as ready, if it is such a line."""
    found = READY.match(line)
    return found["node"] if found else None


def _environment(folder: LabFolder) -> Mapping[str, str]:
    # https://developer.hashicorp.com/vagrant/docs/other/environmental-variables
    return {
        "VAGRANT_HOME": str(vagrant_home(folder)),
        "VAGRANT_CWD": str(folder.root),
        "VAGRANT_DEFAULT_PROVIDER": PROVIDER,
        "VAGRANT_CHECKPOINT_DISABLE": "1",
        "VAGRANT_NO_COLOR": "1",
        "PATH": search_path(),
    }
