"""Routes on the LAN host come and go."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network

import pytest

from acceptance.inventory import LanHost
from acceptance.lan_route import lan_routes
from acceptance.problems import SuiteError

WAYS = {
    IPv4Network("10.200.1.0/24"): IPv4Address("172.31.7.102"),
    IPv4Network("10.200.2.0/24"): IPv4Address("172.31.7.103"),
}
LAN_HOST = LanHost(
    pid=7, enter=("nsenter", "-t", "7", "-n"), address=IPv4Address("172.31.0.100"), http_port=1, udp_port=2
)


@dataclass
class Kept:
    """A shell that keeps what it was told."""

    scripts: list[str] = field(default_factory=list)
    name: str = "kept"

    def bash(self, script: str, timeout: float = 0.0) -> str:
        self.scripts.append(script)
        return ""


def _fail_on_the_way(shell: Kept) -> None:
    with lan_routes(LAN_HOST, shell, WAYS):
        assert shell.scripts == [
            "set -e\n"
            "nsenter -t 7 -n ip route replace 10.200.1.0/24 via 172.31.7.102\n"
            "nsenter -t 7 -n ip route replace 10.200.2.0/24 via 172.31.7.103"
        ]
        raise SuiteError("nobody answers")


def test_every_route_is_removed_again_even_when_asking_fails() -> None:
    shell = Kept()
    with pytest.raises(SuiteError, match="nobody answers"):
        _fail_on_the_way(shell)
    assert shell.scripts[1:] == [
        "nsenter -t 7 -n ip route delete 10.200.1.0/24 via 172.31.7.102\n"
        "nsenter -t 7 -n ip route delete 10.200.2.0/24 via 172.31.7.103"
    ]
