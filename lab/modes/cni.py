"""CNI configurations: the plugin that wires a pod, and those chained after it."""

from __future__ import annotations

import json
from collections.abc import Mapping

Plugin = Mapping[str, object]

HOST_PORTS: Plugin = {"type": "portmap", "capabilities": {"portMappings": True}}
"""`hostPort` of pods, where their answers pass their node whoever has asked."""
HOST_PORTS_OF_NODES: Plugin = {**HOST_PORTS, "masqAll": True}
"""`hostPort` of pods that could answer past their node: who asks is, for them, the node."""


def conflist(name: str, *plugins: Plugin, version: str = "0.4.0") -> str:
    """A CNI configuration with these plugins, in this order, of that version of the specification."""
    return json.dumps({"cniVersion": version, "name": name, "plugins": plugins}, indent=2) + "\n"


def has_host_ports(configuration: str) -> bool:
    """Whether pods get their `hostPort` by this configuration."""
    return any(plugin["type"] == HOST_PORTS["type"] for plugin in json.loads(configuration)["plugins"])
