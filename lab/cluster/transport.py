"""HTTP connections of urllib3 that a lab's site opens."""

from __future__ import annotations

import socket

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from lab.host.site import Site


def pools_through(site: Site) -> dict[str, type[HTTPConnectionPool]]:
    """For PoolManager.pool_classes_by_scheme; hosts of URLs must be IP addresses."""

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return _opened(site, self)

    class Encrypted(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return _opened(site, self)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class EncryptedPool(HTTPSConnectionPool):
        ConnectionCls = Encrypted

    return {"http": PlainPool, "https": EncryptedPool}


def _opened(site: Site, connection: HTTPConnection) -> socket.socket:
    seconds = connection.timeout
    try:
        return site.connect(connection.host, connection.port, seconds)
    except TimeoutError as error:
        raise ConnectTimeoutError(connection, f"no connection to {connection.host} in {seconds} s") from error
    except OSError as error:
        raise NewConnectionError(connection, f"no connection to {connection.host}: {error}") from error
