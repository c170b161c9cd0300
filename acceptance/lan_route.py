"""Routes on the LAN host to the nodes' blocks of pods, for as long as they are needed."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv4Network

from acceptance.inventory import LanHost
from acceptance.shell import Shell


@contextmanager
def lan_routes(lan_host: LanHost, shell: Shell, ways: Mapping[IPv4Network, IPv4Address]) -> Iterator[None]:
    """Each block by way of its node's address; removed again at the end. Raises SuiteError."""
    enter = shlex.join(lan_host.enter)
    shell.bash("set -e\n" + "\n".join(f"{enter} ip route replace {to} via {by}" for to, by in ways.items()))
    try:
        yield
    finally:
        shell.bash("\n".join(f"{enter} ip route delete {to} via {by}" for to, by in ways.items()))
