"""Who is on a LAN already: asked by ARP and DHCP on one device, before a lab's network is joined to it.

A program of its own, as it runs where the device is: it prints what it saw as JSON.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from ipaddress import IPv4Address, IPv4Interface

from lab.foundation.process import run

ROUNDS = 3
ROUND_SECONDS = 0.7
"""RFC 5227, 2.1.1, wants three probes, one to two seconds apart; a LAN answers in milliseconds."""
BURST = 64
BURST_SECONDS = 0.01
BROADCAST = b"\xff" * 6
ARP, IPV4 = 0x0806, 0x0800
ALL_PROTOCOLS = 0x0003
"""ETH_P_ALL, linux/if_ether.h."""
_ARP = struct.Struct("!HHBBH6s4s6s4s")
"""RFC 826, of Ethernet and IPv4."""
_DHCP_COOKIE = b"\x63\x82\x53\x63"
_DHCP_OFFER, _MASK, _TYPE, _SERVER = 2, 1, 53, 54


@dataclass(frozen=True)
class Offer:
    """What a DHCP server offered (RFC 2131)."""

    server: str
    address: str
    network: str
    """In which it is, with its length; "" when the server did not say."""


@dataclass(frozen=True)
class Seen:
    """What answered: the MAC address by IPv4 address, and the offers of DHCP servers."""

    taken: Mapping[str, str]
    offers: tuple[Offer, ...]


def survey(device: str, addresses: Sequence[IPv4Address], host: Sequence[str] = ()) -> Seen:
    """Who has one of these addresses on the LAN of the device, which is up.

    `host` are words before a command that runs where the device is. Raises LabError.
    """
    words = [*host, sys.executable, "-m", __name__, device]
    said = json.loads(run(words, stdin="\n".join(map(str, addresses))).stdout)
    return Seen(said["taken"], tuple(Offer(**each) for each in said["offers"]))


def main() -> None:
    (device,) = sys.argv[1:]
    wanted = frozenset(IPv4Address(line) for line in sys.stdin.read().split())
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL_PROTOCOLS)) as link:
        link.bind((device, ALL_PROTOCOLS))
        own = link.getsockname()[4]
        asking = _Asking(link, own, wanted)
        for _ in range(ROUNDS):
            asking.ask()
            asking.listen(time.monotonic() + ROUND_SECONDS)
    print(json.dumps(asdict(Seen(asking.taken, tuple(asking.offers)))))  # noqa: T201


class _Asking:
    """One survey: what was asked, and what came."""

    def __init__(self, link: socket.socket, own: bytes, wanted: frozenset[IPv4Address]) -> None:
        self._link = link
        self._own = own
        self._wanted = wanted
        # Locally administered, so that no server takes it for the host that it knows.
        self._client = b"\x52\x54\x02" + os.urandom(3)
        self._number = os.urandom(4)
        self.taken: dict[str, str] = {}
        self.offers: list[Offer] = []

    def ask(self) -> None:
        self._link.send(_dhcp_discover(self._client, self._number))
        left = [each for each in sorted(self._wanted) if str(each) not in self.taken]
        for number, address in enumerate(left):
            self._link.send(arp_probe(self._own, address))
            if number % BURST == BURST - 1:
                self.listen(time.monotonic() + BURST_SECONDS)

    def listen(self, until: float) -> None:
        while (left := until - time.monotonic()) > 0:
            self._link.settimeout(left)
            try:
                frame, (_, _, kind, *_) = self._link.recvfrom(2048)
            except TimeoutError:
                return
            if kind != socket.PACKET_OUTGOING:
                self._take(frame)

    def _take(self, frame: bytes) -> None:
        kind = int.from_bytes(frame[12:14], "big")
        if kind == ARP and len(frame) >= 14 + _ARP.size:
            mac, address = _ARP.unpack_from(frame, 14)[5:7]
            if IPv4Address(address) in self._wanted:
                self.taken[str(IPv4Address(address))] = mac.hex(":")
        elif kind == IPV4:
            offer = _offer(frame[14:], self._number)
            if offer is not None and offer not in self.offers:
                self.offers.append(offer)


def arp_probe(own: bytes, address: IPv4Address) -> bytes:
    """Who has the address? Asked by nobody, so that no table of neighbours is changed: RFC 5227, 1.1."""
    arp = _ARP.pack(1, IPV4, 6, 4, 1, own, bytes(4), bytes(6), address.packed)
    return BROADCAST + own + struct.pack("!H", ARP) + arp


def _dhcp_discover(client: bytes, number: bytes) -> bytes:
    """RFC 2131, 2 and 4.4.1; the answer is to come by broadcast."""
    bootp = struct.pack("!BBBB4sHH", 1, 1, 6, 0, number, 0, 0x8000) + bytes(16) + client.ljust(16, b"\0")
    message = bootp + bytes(192) + _DHCP_COOKIE + bytes((_TYPE, 1, 1, 55, 2, _MASK, 3, 255))
    udp = struct.pack("!HHHH", 68, 67, 8 + len(message), 0) + message
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, bytes(4), b"\xff" * 4)
    header = header[:10] + struct.pack("!H", _checksum(header)) + header[12:]
    return BROADCAST + client + struct.pack("!H", IPV4) + header + udp


def _checksum(header: bytes) -> int:
    """RFC 1071."""
    total: int = sum(struct.unpack(f"!{len(header) // 2}H", header))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def _offer(packet: bytes, number: bytes) -> Offer | None:
    """The offer in that IPv4 packet, if it answers the discovery of that number."""
    begin = (packet[0] & 15) * 4 if packet else 0
    if packet[9:10] != b"\x11" or packet[begin : begin + 4] != struct.pack("!HH", 67, 68):
        return None
    message = packet[begin + 8 :]
    if message[4:8] != number or message[236:240] != _DHCP_COOKIE:
        return None
    options = dict(_options(message[240:]))
    if options.get(_TYPE) != bytes((_DHCP_OFFER,)):
        return None
    address = IPv4Address(message[16:20])
    mask = options.get(_MASK, b"")
    network = str(IPv4Interface(f"{address}/{IPv4Address(mask)}").network) if len(mask) == 4 else ""
    server = options.get(_SERVER, packet[12:16])
    return Offer(str(IPv4Address(server[:4])), str(address), network)


def _options(content: bytes) -> Iterable[tuple[int, bytes]]:
    """RFC 2132, 2."""

    def each() -> Iterator[tuple[int, bytes]]:
        at = 0
        while at + 1 < len(content) and content[at] != 255:
            if content[at] == 0:
                at += 1
                continue
            length = content[at + 1]
            yield content[at], content[at + 2 : at + 2 + length]
            at += 2 + length

    return each()


if __name__ == "__main__":
    main()
