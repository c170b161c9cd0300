"""Taking a lab down: nothing of it stays."""

from __future__ import annotations

from lab.doors.record import end_forwards, running_forwards
from lab.foundation.paths import LabFolder
from lab.foundation.progress import Progress
from lab.host.enclosure import Enclosure
from lab.state.records import locked, remove_folder


def take_down(folder: LabFolder, progress: Progress) -> None:
    """Remove everything the lab owns.

    But for what forwards ports of the host to it, all its processes, networks and mounts live in namespaces
    that end with their first process, and all its files in one folder; so this needs neither the topology
    nor a record that can be read.
    """
    with locked(folder):
        if forwards := running_forwards(folder):
            with progress.step("end what forwards ports into it"):
                end_forwards(folder, forwards)
        with progress.step(f"stop everything of {folder.name}"):
            Enclosure(folder).stop()
        with progress.step("remove its files"):
            remove_folder(folder)
    progress.note(f"nothing of {folder.name} is left")
