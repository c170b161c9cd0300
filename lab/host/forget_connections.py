"""A program that makes the kernel forget all connections that it tracks in the network namespace it runs in.

What goes on is tracked anew, by the rules of now: a rule that translates addresses is asked only about the
first packet of a connection (iptables(8), nat). It imports nothing of the package, so it starts in no time.
"""

from __future__ import annotations

import os
import socket
import struct
import sys

NETLINK_NETFILTER = 12
DELETE_TRACKED = 1 << 8 | 2
"""NFNL_SUBSYS_CTNETLINK and IPCTNL_MSG_CT_DELETE of nfnetlink_conntrack.h; without attributes, of all."""
REQUEST, ACKNOWLEDGE = 1, 4
HEADER = struct.Struct("=IHHII")
"""nlmsghdr of netlink(7): length, type, flags, sequence number, port."""
FAMILY = struct.pack("!BBH", socket.AF_UNSPEC, 0, 0)
"""nfgenmsg: address family, version, resource."""


def main() -> int:
    length = HEADER.size + len(FAMILY)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as kernel:
        kernel.send(HEADER.pack(length, DELETE_TRACKED, REQUEST | ACKNOWLEDGE, 1, 0) + FAMILY)
        (error,) = struct.unpack_from("=i", kernel.recv(4096), HEADER.size)
    if error:
        sys.stderr.write(f"{os.strerror(-error)}\n")
    return 1 if error else 0


if __name__ == "__main__":
    sys.exit(main())
