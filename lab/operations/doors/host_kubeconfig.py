"""A kubeconfig for programs of the host, outside of the lab's network."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from lab.doors.listening import ANY_PORT
from lab.doors.spec import LOOPBACKS, authority
from lab.foundation.files import write_atomically
from lab.operations.access import kubeconfig_text
from lab.operations.context import Lab
from lab.operations.doors.forward_targets import API
from lab.operations.doors.forwarding import forwarded

MODE = 0o600
"""It holds a key with all rights in the cluster."""


def host_kubeconfig(lab: Lab) -> Path:
    """Write it for the API server at a port of the loopback, forwarded in the background from now on.

    The port is the one of the last time if it is free, so that copies of the file stay good. Raises LabError
    when there is no cluster, or not all machines run.
    """
    text = kubeconfig_text(lab)
    forward = forwarded(lab, API, _port_of_the_last_time(lab.folder.host_kubeconfig))
    name = lab.plan.kubernetes.api.names[0]
    write_atomically(
        lab.folder.host_kubeconfig, for_the_host(text, lab.folder.name, name, forward.port), MODE
    )
    return lab.folder.host_kubeconfig


def for_the_host(text: str, lab: str, server_name: str, port: int) -> str:
    """The kubeconfig with the server at that port of the loopback, and everything named after the lab.

    The server's certificate is verified as before: it must bear `server_name`.
    """
    document = yaml.safe_load(text)
    cluster: dict[str, Any] = document["clusters"][0]["cluster"]
    user: dict[str, Any] = document["users"][0]["user"]
    server = f"https://{authority(LOOPBACKS[0], port)}"
    document.update(
        {
            "clusters": [
                {"name": lab, "cluster": {**cluster, "server": server, "tls-server-name": server_name}}
            ],
            "users": [{"name": f"{lab}-admin", "user": user}],
            "contexts": [{"name": lab, "context": {"cluster": lab, "user": f"{lab}-admin"}}],
            "current-context": lab,
        }
    )
    return yaml.safe_dump(document, sort_keys=False, width=10_000)


def _port_of_the_last_time(path: Path) -> int:
    try:
        server = yaml.safe_load(path.read_text(encoding="utf-8"))["clusters"][0]["cluster"]["server"]
        return urlsplit(server).port or ANY_PORT
    except (OSError, ValueError, LookupError, TypeError, yaml.YAMLError):
        return ANY_PORT
