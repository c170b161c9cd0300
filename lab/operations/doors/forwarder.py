"""The process of a forward in the background.

Started with the folder of its lab, its target, and the numbers of the listening sockets that it was given.
"""

from __future__ import annotations

import logging
import signal
import socket
import sys
from pathlib import Path

from lab.foundation import journal
from lab.foundation.errors import LabError
from lab.foundation.journal import JOURNAL
from lab.foundation.paths import LabFolder
from lab.foundation.progress import SilentProgress
from lab.operations.context import Lab
from lab.operations.doors.forward_targets import target_named
from lab.operations.doors.forwarding import OpenPort, serve


def main() -> None:
    folder, name, *files = sys.argv[1:]
    lab_folder = LabFolder(Path(folder))
    journal.start()
    journal.keep_in(lab_folder.log)
    # It lives for days: what it asks the API server would fill the log.
    JOURNAL.setLevel(logging.INFO)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    port = OpenPort(tuple(socket.socket(fileno=int(file)) for file in files), name)
    try:
        lab = Lab.open(lab_folder, SilentProgress())
        serve(lab, (port,), (target_named(lab, name),), background=True, tell=lambda _: None)
    except LabError as error:
        JOURNAL.error("forward to %s: %s", name, error)
        sys.exit(str(error))


if __name__ == "__main__":
    main()
