"""A host with its LAN and an internet behind a router, and a node, in namespaces of this machine.

The host is 203.0.113.2 on the link to the router, and 192.168.7.2 on its LAN, where 192.168.7.9 is somebody
else's. The internet is 198.51.100.7, which serves a page and knows names; 10.77.0.7 is in a private network
behind the router. The host asks the internet for names, and has a
resolver of its own too, which it does not ask.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.foundation.process import run
from lab.foundation.wait import Deadline, NotYetError, wait_for
from lab.host.enclosure import Enclosure
from lab.topology.plan import Plan

INTERNET, HOST, HOST_ON_LAN, NEIGHBOUR, OFFICE = (
    *("198.51.100.7", "203.0.113.2", "192.168.7.2", "192.168.7.9", "10.77.0.7"),
)
HOSTS_OWN_RESOLVER = "127.0.0.53"
NAME = "page.example.org"
PORT = 80
SETUP_LIMIT = 30.0
PAGE = """\
import http.server, sys
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(sys.argv[2].encode())
http.server.HTTPServer((sys.argv[1], 80), Page).serve_forever()
"""
FETCH = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=10).read().decode())"
RESOLVE = """\
import ipaddress, socket, struct, sys
# A query for the IPv4 address of a name: RFC 1035, 4.
labels = b"".join(bytes([len(each)]) + each.encode() for each in sys.argv[2].split("."))
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
    asking.settimeout(10)
    asking.bind(("", int(sys.argv[3])))
    asking.connect((sys.argv[1], 53))
    asking.send(struct.pack("!6H", 7, 0x100, 1, 0, 0, 0) + labels + b"\\0" + struct.pack("!2H", 1, 1))
    answer = asking.recv(512)
print(ipaddress.IPv4Address(answer[-4:]) if answer[7] else f"status {answer[3] & 15}")
"""


@dataclass(frozen=True)
class Place:
    """A process that holds a network and a mount namespace."""

    process: subprocess.Popen[bytes]

    @property
    def enter(self) -> list[str]:
        return ["nsenter", "--target", str(self.process.pid), "--net", "--mount", "--"]

    def run(self, script: str) -> str:
        return run([*self.enter, "bash", "-c", f"set -e\n{script}"]).stdout

    def fetch(self, address: str) -> str:
        """The page from there, or the last line of why not."""
        done = run([*self.enter, "python3", "-c", FETCH, f"http://{address}/"], check=False)
        return (done.stdout or done.stderr).strip().splitlines()[-1]

    def resolve(self, server: str, name: str, port: int = 0) -> str:
        """The address of that name, or with which status (RFC 1035, 4.1.1) there is none.

        It is asked from that port.
        """
        return run([*self.enter, "python3", "-c", RESOLVE, server, name, str(port)]).stdout.strip()


@dataclass(frozen=True)
class SmallWorld:
    host: Place
    internet: Place
    node: Place
    pod_on_underlay: Place


@contextmanager
def small_world(enclosure: Enclosure, plan: Plan, folder: Path) -> Iterator[SmallWorld]:
    """The running enclosure gets the bridges of uplink and underlay; all the rest ends with the block."""
    started: list[subprocess.Popen[bytes]] = []
    try:
        host, internet, node, pod = (_place(started) for _ in range(4))
        _make_outside(host, internet, folder)
        _make_inside(enclosure, plan, node, pod)
        servers = [(internet, INTERNET, "the internet"), (internet, NEIGHBOUR, "the neighbour")]
        servers += [(internet, OFFICE, "the office"), (host, "0.0.0.0", "the host")]
        for place, address, text in servers:
            started.append(subprocess.Popen([*place.enter, "python3", "-c", PAGE, address, text]))
        names = ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file", "--no-resolv"]
        names += ["--no-hosts", "--bind-interfaces"]
        known = [*names, f"--address=/{NAME}/{INTERNET}"]
        for place, address in ((internet, INTERNET), (host, HOSTS_OWN_RESOLVER)):
            started.append(subprocess.Popen([*place.enter, *known, f"--listen-address={address}"]))
        of_lab = ["--local=/#/", "--host-record=k8s-node1,192.168.31.102"]
        of_lab += [f"--listen-address={plan.uplink.host_address.ip}"]
        started.append(subprocess.Popen(enclosure.network_command([*names, *of_lab])))
        _await(host, [INTERNET, NEIGHBOUR, OFFICE, HOST], [(INTERNET, 53), (HOSTS_OWN_RESOLVER, 53)])
        _await(node, [], [(str(plan.uplink.host_address.ip), 53)])
        yield SmallWorld(host, internet, node, pod)
    finally:
        for process in reversed(started):
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


def _place(started: list[subprocess.Popen[bytes]]) -> Place:
    words = ["unshare", "--net", "--mount", "sh", "-c", "ip link set lo up; echo; exec sleep infinity"]
    holder = subprocess.Popen(words, stdout=subprocess.PIPE)
    started.append(holder)
    assert holder.stdout is not None
    holder.stdout.readline()
    return Place(holder)


def _make_outside(host: Place, internet: Place, folder: Path) -> None:
    resolver = folder / "resolv.conf"
    resolver.write_text(f"nameserver {INTERNET}\n")
    host.run(f"""
ip link add wan type veth peer name wan netns {internet.process.pid}
ip link add lan type veth peer name lan netns {internet.process.pid}
ip address add {HOST}/24 dev wan
ip address add {HOST_ON_LAN}/24 dev lan
ip link set wan up
ip link set lan up
ip route add default via 203.0.113.1
mount --bind {resolver} /etc/resolv.conf
""")
    internet.run(f"""
ip address add 203.0.113.1/24 dev wan
ip address add {NEIGHBOUR}/24 dev lan
ip address add {INTERNET}/32 dev lo
ip address add {OFFICE}/32 dev lo
ip link set wan up
ip link set lan up
""")


def _make_inside(enclosure: Enclosure, plan: Plan, node: Place, pod: Place) -> None:
    underlay = plan.underlay
    assert underlay is not None
    for network, place in ((plan.uplink, node), (underlay, pod)):
        for words in (
            ["ip", "link", "add", network.bridge, "type", "bridge"],
            ["ip", "address", "add", str(network.host_address), "dev", network.bridge],
            ["ip", "link", "set", network.bridge, "up"],
            [
                *("ip", "link", "add", f"to-{network.name}", "type", "veth", "peer", "name", "eth0"),
                *("netns", str(place.process.pid)),
            ],
            ["ip", "link", "set", f"to-{network.name}", "master", network.bridge, "up"],
        ):
            run(enclosure.network_command(words))
        place.run(f"""
ip address add {network.cidr[200]}/{network.cidr.prefixlen} dev eth0
ip link set eth0 up
ip route add default via {network.host_address.ip}
""")


def _await(place: Place, pages: Sequence[str], ports: Sequence[tuple[str, int]]) -> None:
    probe = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)"

    def check() -> None:
        for address, port in [*((page, PORT) for page in pages), *ports]:
            done = run([*place.enter, "python3", "-c", probe, address, str(port)], check=False)
            if done.returncode != 0:
                raise NotYetError(f"{address}:{port}: {done.stderr.splitlines()[-1]}")

    wait_for(check, what="servers", deadline=Deadline(SETUP_LIMIT), interval=0.1)
