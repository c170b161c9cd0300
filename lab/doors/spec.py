"""What a user asks to be forwarded: `[ADDRESS:]PORT:TARGET`."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address

from lab.foundation.errors import WrongUseError

LOOPBACKS = ("127.0.0.1", "::1")
LOCALHOST = "localhost"
HIGHEST_PORT = 65535
RESOLUTION = "write [ADDRESS:]PORT:TARGET, such as 8080:svc/default/web:80; PORT 0 means one that is free"


@dataclass(frozen=True)
class ForwardSpec:
    """Where to listen on the host, and for whom."""

    addresses: tuple[str, ...]
    """IP addresses of the host."""
    port: int
    """0 for one that is free."""
    target: str

    @classmethod
    def parse(cls, text: str) -> ForwardSpec:
        """Raises WrongUseError. An IPv6 address is in brackets; without any, both loopbacks are meant."""
        address, rest = _split_address(text)
        port, _, target = rest.partition(":")
        if not port.isdecimal() or int(port) > HIGHEST_PORT or not target:
            raise WrongUseError(f"{text!r} is nothing that can be forwarded", resolution=RESOLUTION)
        if address in ("", LOCALHOST):
            return cls(LOOPBACKS, int(port), target)
        try:
            return cls((str(ip_address(address)),), int(port), target)
        except ValueError:
            raise WrongUseError(
                f"{text!r}: {address} is no address to listen at",
                details="the host listens at IP addresses of its own; an IPv6 address is in brackets",
                resolution=RESOLUTION,
            ) from None


def authority(address: str, port: int) -> str:
    """`ADDRESS:PORT`, as in a URL: an IPv6 address in brackets (RFC 3986, 3.2.2)."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _split_address(text: str) -> tuple[str, str]:
    """The address, "" when there is none, and what follows it."""
    if text.startswith("["):
        address, _, rest = text[1:].partition("]:")
        return address, rest
    first, _, rest = text.partition(":")
    return ("", text) if first.isdecimal() else (first, rest)
