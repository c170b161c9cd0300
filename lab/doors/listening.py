"""Sockets of the host that listen for a forward."""

from __future__ import annotations

import errno
import os
import socket
from ipaddress import ip_address

from lab.doors.port_holder import PortHolder, holder_of
from lab.doors.spec import LOOPBACKS, ForwardSpec, authority
from lab.foundation.errors import LabError

ANY_PORT = 0
TRIES = 20
"""How often another free port is tried, while the one that is free at one address is taken at the other."""
_NO_SUCH_FAMILY = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


class PortTakenError(LabError):
    """Somebody listens at that port already."""

    def __init__(self, listen: str, port: int, holder: PortHolder | None) -> None:
        super().__init__(
            f"{listen} is taken",
            details=f"{holder} listens there" if holder is not None else None,
            resolution="choose another port; 0 means one that is free",
        )
        self.port = port
        self.holder = holder


def listen(spec: ForwardSpec) -> tuple[socket.socket, ...]:
    """One socket for each address, all at the same port.

    A host without IPv6 listens at the loopback of IPv4 only. Raises PortTakenError, and LabError when the
    host has no such address.
    """
    for _ in range(TRIES):
        try:
            return _listen(spec)
        except PortTakenError:
            if spec.port != ANY_PORT:
                raise
    return _listen(spec)


def _listen(spec: ForwardSpec) -> tuple[socket.socket, ...]:
    doors: list[socket.socket] = []
    port = spec.port
    try:
        for address in spec.addresses:
            try:
                doors.append(_door(address, port))
            except OSError as error:
                if error.errno in _NO_SUCH_FAMILY and spec.addresses == LOOPBACKS and doors:
                    continue
                raise _refused(address, port, error) from error
            port = doors[0].getsockname()[1]
    except BaseException:
        for door in doors:
            door.close()
        raise
    return tuple(doors)


def _door(address: str, port: int) -> socket.socket:
    family = socket.AF_INET if ip_address(address).version == 4 else socket.AF_INET6
    return socket.create_server((address, port), family=family, backlog=socket.SOMAXCONN)


def _refused(address: str, port: int, error: OSError) -> LabError:
    where = authority(address, port)
    if error.errno == errno.EADDRINUSE:
        return PortTakenError(where, port, holder_of(port))
    return LabError(
        f"cannot listen at {where}: {os.strerror(error.errno or 0)}",
        resolution="`ip address` shows the addresses of the host; without one, both loopbacks are meant",
    )
