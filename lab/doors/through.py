"""Pull-through: nodes pull any image by its own name from a registry on the host side of their lab.

Two processes, which end with the lab. docker-registry keeps the images; it listens at a loopback address of
the lab's network, where only the host side is. The server (through_server) listens at the host side's address
on the uplink, takes what the registry lacks from the mirrors, as a program of this host, and hands requests
on.
"""

from __future__ import annotations

import os
import sys
from ipaddress import IPv4Address
from pathlib import Path

import yaml
from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from lab.doors.programs import require_installed
from lab.doors.tied_door import TiedDoor
from lab.foundation.environment import for_programs
from lab.foundation.errors import LabError
from lab.foundation.files import write_atomically
from lab.foundation.json_file import write_json
from lab.foundation.paths import LabFolder
from lab.foundation.strict import STRICT
from lab.host.process_identity import ProcessIdentity
from lab.host.site import Site
from lab.host.tied import recorded, start_recorded
from lab.supply.registry_store import PROGRAM, RegistryStore

PACKAGES = {PROGRAM: "docker-registry", "skopeo": "skopeo"}
SERVER_PROGRAM = "lab.doors.through_server"
REGISTRY, SERVER = "pull-through-registry", "pull-through"
"""Of their records and logs."""
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, config=STRICT)
class ThroughOpening:
    """Where nodes find the server."""

    address: str
    port: int
    since: str
    """UTC, ISO 8601."""
    host_side: ProcessIdentity | None

    @property
    def url(self) -> str:
        return f"http://{self.address}:{self.port}"


_OPENING = TypeAdapter(ThroughOpening)


class PullThrough(TiedDoor[ThroughOpening]):
    """The door for images of one lab, on the host side."""

    def __init__(self, site: Site, folder: LabFolder) -> None:
        super().__init__(site, folder.pull_through, _OPENING, {REGISTRY: PROGRAM, SERVER: "its server"})
        self._folder = folder

    def open(self, address: IPv4Address, store: RegistryStore, now: str) -> ThroughOpening:
        """Serve at that address of the host side; what was open before is closed first.

        Raises LabError when a program is not installed, or the lab has no such address.
        """
        require_programs()
        self.close()
        try:
            door = self._site.listen(str(address))
        except OSError as error:
            raise LabError(
                f"the lab {self._folder.name} has no address {address} yet",
                details=error.strerror,
                resolution="run `lab up` first",
            ) from error
        with door:
            opening = ThroughOpening(str(address), door.getsockname()[1], now, self._first_process())
            # Recorded before there is anything of it: whatever ends this process, it counts as broken.
            write_json(self._folder.pull_through, opening)
            try:
                self._start_server(door.fileno(), self._start_registry(store))
            except BaseException:
                self.close()
                raise
        return opening

    def _start_registry(self, store: RegistryStore) -> int:
        """Returns the port at which it listens."""
        layout = self._site.layout
        with self._site.listen(LOOPBACK) as free:
            port = int(free.getsockname()[1])
        settings = layout.tied_record(REGISTRY).with_suffix(".yml")
        write_atomically(settings, _settings(store.storage, port))
        words = [PROGRAM, "serve", str(settings)]
        self._start_serving(REGISTRY, words, LOOPBACK, port, "the registry of the lab")
        return port

    def _start_server(self, door: int, registry_port: int) -> None:
        layout = self._site.layout
        record, log = layout.tied_record(SERVER), layout.tied_log(SERVER)
        words = [sys.executable, "-m", SERVER_PROGRAM, str(self._folder.root), str(door), str(registry_port)]
        os.set_inheritable(door, True)
        start_recorded(
            self._site.tied_command(recorded(words, record)), record, log, files=(door,), env=for_programs()
        )


def require_programs() -> None:
    """Raises LabError that names the packages of what is not installed."""
    require_installed(PACKAGES, "pull-through")


def _settings(storage: Path, port: int) -> str:
    """https://distribution.github.io/distribution/about/configuration/, of its version 2.8."""
    said = {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        # Another lab may fill the same storage, so nothing is remembered of what was looked for.
        "storage": {"filesystem": {"rootdirectory": str(storage)}},
        "http": {"addr": f"{LOOPBACK}:{port}"},
    }
    return yaml.safe_dump(said, sort_keys=False)
