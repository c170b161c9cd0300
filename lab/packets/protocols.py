"""What a traced packet is sent by."""

from __future__ import annotations

from enum import StrEnum


class Protocol(StrEnum):
    ICMP = "icmp"
    UDP = "udp"
    TCP = "tcp"
