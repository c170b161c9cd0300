"""Takes connections at ports of the host, and joins each with one that was made for it in the lab."""

from __future__ import annotations

import selectors
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping

from lab.doors.spec import authority
from lab.doors.streams import SocketStream, Stream, join
from lab.foundation.errors import LabError
from lab.foundation.journal import JOURNAL

LOOK_SECONDS = 1.0
"""How often it is asked whether to go on."""
RETRY_SECONDS = 0.2
"""How long nothing is taken after the system refused to: of open files there is a limit."""
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of socket(7): on, for 0 seconds; then closing resets the connection, as a refusal would."""

Reach = Callable[[], Stream]
"""Makes a connection in the lab. Raises OSError, or LabError, when there is none."""


def relay(
    doors: Mapping[socket.socket, Reach], go_on: Callable[[], bool], tell: Callable[[str], None]
) -> None:
    """Serve the listening sockets for as long as `go_on` says; what is connected then ends with the process.

    `tell` gets a line for each connection that could not be made; it is called from other threads.
    """
    with selectors.DefaultSelector() as selector:
        for door, reach in doors.items():
            door.setblocking(False)
            selector.register(door, selectors.EVENT_READ, reach)
        while go_on():
            for key, _ in selector.select(LOOK_SECONDS):
                assert isinstance(key.fileobj, socket.socket)
                _take(key.fileobj, key.data, tell)


def _take(door: socket.socket, reach: Reach, tell: Callable[[str], None]) -> None:
    try:
        client, peer = door.accept()
    except BlockingIOError:  # it has gone again
        return
    except OSError as error:
        tell(f"cannot take a connection: {error.strerror}")
        time.sleep(RETRY_SECONDS)
        return
    client.setblocking(True)
    who = f"from {authority(*peer[:2])}"
    threading.Thread(target=_serve, args=(client, who, reach, tell), daemon=True).start()


def _serve(client: socket.socket, who: str, reach: Reach, tell: Callable[[str], None]) -> None:
    try:
        far = reach()
    except (OSError, LabError) as error:
        why = error.brief if isinstance(error, LabError) else str(error) or type(error).__name__
        JOURNAL.info("forward %s: no connection: %s", who, why)
        tell(f"{who}: no connection: {why}")
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        client.close()
        return
    join(SocketStream(client), far)
