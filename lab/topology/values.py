"""Single values of a topology file: from text to typed values.

Every function raises ValueError whose text says what was expected, to be read after "expected".
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network

from lab.foundation.image_names import ImageName

LABEL_LENGTH = 63
"""Longest host name and longest DNS label (RFC 1123), and longest Kubernetes label value."""

DOMAIN_LENGTH = 253
"""Longest DNS name written with dots (RFC 1123)."""

MEMORY_MINIMUM_MIB = 512

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_VERSION = re.compile(r"v\d+\.\d+(\.\d+)?")
_MEMORY = re.compile(r"(\d+)(MiB|GiB)")
_QUALIFIED = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")


def dns_label(text: str) -> str:
    """A name that can be a host name."""
    if len(text) > LABEL_LENGTH:
        raise ValueError(f"at most {LABEL_LENGTH} characters, this has {len(text)}")
    if not _LABEL.fullmatch(text):
        raise ValueError("small letters, digits and '-', with a letter or digit at both ends")
    return text


def device(text: str) -> str:
    """The name of a network device: dev_valid_name of Linux, net/core/dev.c."""
    if not re.fullmatch(r"[^\s/:]{1,15}", text) or text in (".", ".."):
        raise ValueError("the name of a network device of this host, as `ip link` prints it")
    return text


def dns_domain(text: str) -> str:
    """Labels joined by dots."""
    if len(text) > DOMAIN_LENGTH:
        raise ValueError(f"at most {DOMAIN_LENGTH} characters, this has {len(text)}")
    for label in text.split("."):
        try:
            dns_label(label)
        except ValueError:
            raise ValueError("a DNS domain in small letters such as cluster.local") from None
    return text


def kubernetes_version(value: object) -> str:
    """In full, or without the patch release, for the newest that there is."""
    if not isinstance(value, str) or not _VERSION.fullmatch(value):
        raise ValueError("a Kubernetes version such as v1.24.10, or v1.37 for its newest patch release")
    return value


def address(value: object) -> IPv4Address:
    if isinstance(value, IPv4Address):
        return value
    try:
        return IPv4Address(_text(value))
    except ValueError:
        raise ValueError("an IPv4 address such as 172.31.0.2") from None


def cidr(value: object) -> IPv4Network:
    """A network with its prefix length; bits of the host part must be 0."""
    if isinstance(value, IPv4Network):
        return value
    expected = "an IPv4 network with its prefix length such as 172.31.0.0/21"
    try:
        text = _text(value)
        loose = IPv4Network(text, strict=False)
    except ValueError:
        raise ValueError(expected) from None
    if not re.fullmatch(r"[0-9.]+/\d+", text):
        raise ValueError(expected)
    if str(loose.network_address) != text.split("/")[0]:
        raise ValueError(f"the network's own address; did you mean '{loose}'?")
    return loose


def address_range(text: str) -> tuple[IPv4Address, IPv4Address]:
    """An inclusive range written `first-last`."""
    first, dash, last = text.partition("-")
    try:
        if dash:
            return IPv4Address(first.strip()), IPv4Address(last.strip())
    except ValueError:
        pass
    raise ValueError("a range of IPv4 addresses such as 172.31.6.1-172.31.6.254")


def memory_mib(text: str) -> int:
    """MiB of a text such as 2GiB or 1536MiB."""
    expected = "memory with its unit, MiB or GiB, such as 2GiB or 1536MiB"
    match = _MEMORY.fullmatch(text)
    if match is None:
        number = re.match(r"\d+", text)
        unit = "GiB" if re.fullmatch(r"\d+\s*g.*", text, re.IGNORECASE) else "MiB"
        raise ValueError(expected + (f"; did you mean '{number.group()}{unit}'?" if number else ""))
    mib = int(match[1]) * (1024 if match[2] == "GiB" else 1)
    if mib < MEMORY_MINIMUM_MIB:
        raise ValueError(f"at least {MEMORY_MINIMUM_MIB}MiB")
    return mib


def memory(value: object) -> str:
    """The text itself, if `memory_mib` understands it."""
    text = str(value)
    memory_mib(text)
    return text


def label_key(text: str) -> str:
    """A Kubernetes label or taint key: a name of at most 63 characters, after `prefix/` or alone."""
    prefix, slash, name = text.rpartition("/")
    expected = "a Kubernetes label key such as network or example.org/rack"
    if not _QUALIFIED.fullmatch(name) or len(name) > LABEL_LENGTH:
        raise ValueError(expected)
    if slash:
        try:
            dns_domain(prefix)
        except ValueError:
            raise ValueError(expected) from None
    return text


def label_value(text: str) -> str:
    """A Kubernetes label or taint value; may be empty."""
    if text and (not _QUALIFIED.fullmatch(text) or len(text) > LABEL_LENGTH):
        raise ValueError(
            f"at most {LABEL_LENGTH} letters, digits, '-', '_' and '.', with a letter or digit at both ends"
        )
    return text


def image(text: str) -> str:
    """The name of a container image, as in a manifest."""
    ImageName.parse(text)
    return text


def option(value: object) -> object:
    """An option of a mode: one plain value."""
    if not isinstance(value, (bool, int, str)):
        raise ValueError("true, false, a whole number or text")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError
    return value
