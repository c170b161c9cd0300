"""A program that makes the sockets it is asked for, in the network namespace that it was started in.

Its standard input is a Unix socket: a byte is the address family wanted, the answer has the TCP socket with
it. It ends when the other end is closed. It imports nothing of the package, so it starts in no time.
"""

from __future__ import annotations

import socket


def main() -> None:
    with socket.socket(fileno=0) as door:
        while asked := door.recv(1):
            with socket.socket(asked[0], socket.SOCK_STREAM) as made:
                socket.send_fds(door, [asked], [made.fileno()])


if __name__ == "__main__":
    main()
