"""The process by which a device of the host is a port of a lab's network, while it lives.

It takes the frames that the device receives and the host does not want, and sends what comes from the lab: by
a packet socket (packet(7)) on the host's side and a tap device on the bridge in the lab. So the device keeps
its addresses, its routes and its driver's settings, and there is nothing of it but this process: the kernel
ends the promiscuous reception with the socket, and removes the tap with its file.

Started with the device, the lab's network namespace as a file, the bridge, and the number of a file to which
it writes a byte when frames pass.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable

TAP = "real-lan"
"""The tap device in the lab."""
HEADER_BYTES = 10
"""struct virtio_net_hdr, linux/virtio_net.h, before each frame: what offloading left to do."""
LARGEST = HEADER_BYTES + 65536 + 32
# linux/if_packet.h, linux/if_ether.h, asm-generic/socket.h, linux/if_tun.h, linux/sched.h
SOL_PACKET = 263
PACKET_ADD_MEMBERSHIP, PACKET_MR_PROMISC, PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING = 1, 1, 15, 23
ETH_P_ALL = 0x0003
SO_ATTACH_FILTER = 26
TUNSETIFF, IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x400454CA, 0x0002, 0x1000, 0x4000
CLONE_NEWNET = 0x40000000
# linux/filter.h: frames for the host itself (PACKET_HOST is 0), and those of a VLAN, whose tag the driver has
# taken off, are dropped; all others are taken as they are.
_FILTER = (
    (0x20, 0, 0, 0xFFFFF004),  # load the kind of the packet
    (0x15, 3, 0, 0),  # for this host: drop
    (0x20, 0, 0, 0xFFFFF030),  # load whether there was a VLAN tag
    (0x15, 0, 1, 0),  # there was none: take
    (0x06, 0, 0, 0x40000),
    (0x06, 0, 0, 0),
)
_GONE = (errno.ENODEV, errno.ENXIO)
_PASSING = (errno.ENETDOWN, errno.ENOBUFS, errno.EIO, errno.EINVAL, errno.EMSGSIZE, errno.EAGAIN)
"""The cable is out, a queue is full, or a frame is none: one is lost, as on any wire."""


def main() -> None:
    device, namespace, bridge, ready = sys.argv[1:]
    link = packet_socket(device)
    _enter(namespace)
    tap = make_tap(bridge)
    threads = [
        threading.Thread(target=_copy, args=(lambda: link.recv(LARGEST), lambda frame: os.write(tap, frame))),
        threading.Thread(target=_copy, args=(lambda: os.read(tap, LARGEST), link.send)),
    ]
    for thread in threads:
        thread.daemon = True
        thread.start()
    os.write(int(ready), b".")
    os.close(int(ready))
    for thread in threads:
        thread.join()


def packet_socket(device: str) -> socket.socket:
    """All frames of the device but those for the host and from it."""
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    program = b"".join(struct.pack("HBBI", *each) for each in _FILTER)
    buffer = ctypes.create_string_buffer(program)
    link.setsockopt(
        socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", len(_FILTER), ctypes.addressof(buffer))
    )
    link.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    link.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    member = struct.pack("iHH8s", socket.if_nametoindex(device), PACKET_MR_PROMISC, 0, b"")
    link.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, member)
    link.bind((device, ETH_P_ALL))
    return link


def _enter(namespace: str) -> None:
    """Move this process, which has one thread yet, into the lab's network; its sockets stay behind."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open(namespace, "rb") as file:
        if libc.setns(file.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")


def make_tap(bridge: str) -> int:
    """A tap device on the bridge, which lives as long as the file that is returned."""
    tap = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22s", TAP.encode(), IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, b""))
    subprocess.run(["ip", "link", "set", TAP, "master", bridge, "up"], check=True)
    return tap


def _copy(receive: Callable[[], bytes], send: Callable[[bytes], object]) -> None:
    """Until the device is gone; then the process ends, and with it the other direction."""
    while True:
        try:
            send(receive())
        except OSError as error:
            if error.errno in _GONE or error.errno not in _PASSING:
                with contextlib.suppress(OSError):
                    os.write(2, f"{os.strerror(error.errno or 0)}\n".encode())
                os._exit(1)


if __name__ == "__main__":
    main()
