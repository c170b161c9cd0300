"""A program that asks by ARP who has an address, once for each line on its standard input.

Started as `arp_asker.py DEVICE ADDRESS` in the network where the device is. It answers a line of MAC
addresses for each: those that answered within the time. It imports nothing of the package, so it starts in no
time. RFC 826.

It asks as RFC 5227 probes, with no address of its own, and with a MAC address that nobody has. So nobody
learns anything from it, and the kernel here, which is not meant, goes on with the neighbour that it knows:
where two have the address, it would follow whoever answered last, in the middle of other connections.
"""

from __future__ import annotations

import select
import socket
import struct
import sys
import time

ARP = 0x0806
LIMIT = 0.8
"""Seconds in which somebody who has the address answers, also an emulated machine that is busy."""
_HEADER = struct.Struct("!6s6sHHHBBH6s4s6s4s")
_ETHERNET, _IPV4 = 1, 0x0800
_ASKS, _ANSWERS = 1, 2
_SOL_PACKET, _PACKET_ADD_MEMBERSHIP, _PACKET_MR_PROMISC = 263, 1, 1
"""linux/socket.h, linux/if_packet.h."""
_EVERYBODY = b"\xff" * 6
_OURS = bytes.fromhex("02c1ab000001")
"""Administered locally (IEEE 802)."""
_NO_ADDRESS = bytes(4)
_TO_OTHERS_TOO = struct.Struct("iHH8s")
"""struct packet_mreq, packet(7): device, type, length of the address, address."""


def question(wanted: bytes) -> bytes:
    """The frame that asks everybody who has the wanted address."""
    ethernet = (_EVERYBODY, _OURS, ARP)
    return _HEADER.pack(*ethernet, _ETHERNET, _IPV4, 6, 4, _ASKS, _OURS, _NO_ADDRESS, bytes(6), wanted)


def answerer(frame: bytes, wanted: bytes) -> str | None:
    """The MAC address that the frame says has the wanted address; None where it says something else."""
    if len(frame) < _HEADER.size:
        return None
    *_, kind, sender_mac, sender, _, _ = _HEADER.unpack_from(frame)
    return ":".join(f"{byte:02x}" for byte in sender_mac) if (kind, sender) == (_ANSWERS, wanted) else None


def main() -> None:
    device, wanted = sys.argv[1], socket.inet_aton(sys.argv[2])
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ARP)) as door:
        door.bind((device, ARP))
        _hear_what_is_for_others(door, device)
        frame = question(wanted)
        for _ in sys.stdin:
            _forget(door)
            door.send(frame)
            sys.stdout.write(" ".join(sorted(_answers(door, wanted))) + "\n")
            sys.stdout.flush()


def _hear_what_is_for_others(door: socket.socket, device: str) -> None:
    """As answers are."""
    wish = _TO_OTHERS_TOO.pack(socket.if_nametoindex(device), _PACKET_MR_PROMISC, 0, bytes(8))
    door.setsockopt(_SOL_PACKET, _PACKET_ADD_MEMBERSHIP, wish)


def _forget(door: socket.socket) -> None:
    """What came before the question is no answer to it."""
    while select.select([door], [], [], 0)[0]:
        door.recv(65535)


def _answers(door: socket.socket, wanted: bytes) -> set[str]:
    end, found = time.monotonic() + LIMIT, set()
    while (left := end - time.monotonic()) > 0:
        if select.select([door], [], [], left)[0]:
            found.add(answerer(door.recv(65535), wanted))
    return {mac for mac in found if mac is not None}


if __name__ == "__main__":
    main()
