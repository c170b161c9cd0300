"""What commands share that take the name of something in a lab."""

from __future__ import annotations

from lab.cluster.api import ApiError, ClusterApi, Manifest

SERVICE = "svc/"


def split_port(text: str) -> tuple[str, int]:
    """The name and the port after its last colon; 0 when there is none."""
    name, colon, port = text.rpartition(":")
    return (name, int(port)) if colon and port.isdecimal() and 0 < int(port) < 2**16 else (text, 0)


def read_if_there(api: ClusterApi, path: str, **query: str) -> Manifest | None:
    """The object or list; None when there is none. Raises ApiError when it cannot be known."""
    try:
        return api.read(path, query=list(query.items()))
    except ApiError as error:
        if error.status == 404:
            return None
        raise
