from __future__ import annotations

import base64
import json

import pytest

from lab.cluster.pki import new_authority
from lab.foundation.redaction import REDACTED, Redactor

AUTHORITY = new_authority("kubernetes")
BOOTSTRAP = "abcdef.0123456789abcdef"


@pytest.mark.parametrize(
    ("secret", "text"),
    [
        (BOOTSTRAP, f"kubeadm join 10.0.0.1:6443 --token {BOOTSTRAP} --discovery"),
        (AUTHORITY.key.splitlines()[1], f"before\n{AUTHORITY.key}after"),
        (AUTHORITY.key.splitlines()[1], json.dumps({"key": AUTHORITY.key})),
        (AUTHORITY.key.splitlines()[1], AUTHORITY.key.splitlines(keepends=True)[0] + AUTHORITY.key[31:120]),
        (
            "LS0tLS1CRUdJTi",
            f"client-key-data: {base64.b64encode(AUTHORITY.key.encode()).decode()}\nusers: []",
        ),
        (
            base64.b64encode(AUTHORITY.key.encode()).decode()[-60:-40],
            base64.encodebytes(AUTHORITY.key.encode()).decode(),
        ),
        ("hunter2pass", "fetch https://me:hunter2pass@mirror.example/go"),
        ("hunter2pass", "Authorization: Bearer hunter2pass"),
        ("hunter2pass", "tool --password=hunter2pass -x"),
        ("c2lnbmF0dXJl", "token eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrdWJlIn0.c2lnbmF0dXJl end"),
    ],
    ids=[
        *("token", "key", "key in JSON", "half a key", "key in a kubeconfig", "wrapped key"),
        *("password in an address", "bearer", "password as a word", "JWT"),
    ],
)
def test_what_has_the_form_of_a_secret_is_left_out(secret: str, text: str) -> None:
    assert secret in text
    left, count = Redactor().redact(text)
    assert secret not in left
    assert REDACTED in left
    assert count >= 1


@pytest.mark.parametrize(
    "text",
    [
        "10.96.0.1:443 dev eth1.100 fe80::5054:ff:fe00:1/64",
        "systemctl restart containerd.service",
        "pod kube-system/coredns-6d4b75cb6d-7x2mk is not ready",
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "--tls-private-key-file=/etc/kubernetes/pki/apiserver.key",
        "curl -fsS http://172.31.7.101:8080/ user@host",
    ],
)
def test_what_is_none_stays(text: str) -> None:
    assert Redactor(["known-secret"]).redact(text) == (text, 0)


def test_known_secrets_are_left_out_the_longest_first() -> None:
    redactor = Redactor(["hunter22", "hunter22-and-more", "short"])
    assert redactor.redact("a hunter22-and-more b hunter22 c short") == (
        f"a {REDACTED} b {REDACTED} c short",
        2,
    )


def test_bytes_that_hold_a_secret_are_seen() -> None:
    redactor = Redactor(["hunter22"])
    assert redactor.has_secret(b"\xff\x00hunter22\xfe")
    assert not redactor.has_secret(b"\xff\x00hunter21\xfe")
