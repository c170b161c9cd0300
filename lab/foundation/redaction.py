"""Secrets taken out of text that is kept or sent: those that are known, and what looks like one."""

from __future__ import annotations

import re
from collections.abc import Iterable

REDACTED = "[left out]"
SHORTEST_KNOWN = 8
"""Characters; a shorter value, such as a password `admin`, would be found in the middle of plain words."""

_LOGIN = re.compile(r"(?<![^\s,|])([A-Za-z][A-Za-z0-9+.-]*://)?[^\s,|]+@")
"""User and password before a host (RFC 3986, 3.2.1), also where no scheme is written before them."""

_PATTERNS = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        # RFC 7468, also with its line ends escaped as in JSON; then one whose end was cut off.
        (r"(?s)-----BEGIN ([A-Z0-9 ]+)-----.{0,16000}?-----END \1-----", REDACTED),
        (r"-----BEGIN [A-Z0-9 ]+-----[A-Za-z0-9+/=\s\\]*", REDACTED),
        # The same in base64, as kubeconfig files have it.
        (r"LS0tLS1CRUdJTi[A-Za-z0-9+/=]*(?:\s+[A-Za-z0-9+/]{20,}={0,2})*", REDACTED),
        # RFC 7519, as tokens of service accounts.
        (r"eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}", REDACTED),
        # https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/: token ID, token secret.
        (r"(?<![a-z0-9])[a-z0-9]{6}\.[a-z0-9]{16}(?![a-z0-9])", REDACTED),
        (r"(?i)(--?(?:token|password|passwd|secret|certificate-key)[ =])[^\s\"']+", rf"\1{REDACTED}"),
        (r"(?i)(authorization: *(?:bearer|basic) +)[^\s\"']+", rf"\1{REDACTED}"),
        # RFC 3986, section 3.2.1: user and password in front of a host.
        (r"(://)[^\s/@\"']+@", rf"\1{REDACTED}@"),
    )
)


def without_logins(text: str, shown: str = "") -> str:
    """The text with `shown` in the place of user, password and @ of each URL, and of each host alone."""
    return _LOGIN.sub(rf"\1{shown}", text)


class Redactor:
    """Takes the given secrets out of text, and everything that has the form of one."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        # The longest first: a secret may be part of another.
        self._known = sorted({each for each in known if len(each) >= SHORTEST_KNOWN}, key=len, reverse=True)

    def redact(self, text: str) -> tuple[str, int]:
        """The text without them, and how many places were replaced by `REDACTED`."""
        count = 0
        for secret in self._known:
            if secret in text:
                count += text.count(secret)
                text = text.replace(secret, REDACTED)
        for pattern, replacement in _PATTERNS:
            text, found = pattern.subn(replacement, text)
            count += found
        return text, count

    def has_secret(self, data: bytes) -> bool:
        """Whether bytes that are no text hold one of the given secrets, or a private key."""
        # Latin-1 gives every byte a character, so nothing is lost on the way.
        text = data.decode("latin-1")
        return "PRIVATE KEY-----" in text or any(secret in text for secret in self._known)
