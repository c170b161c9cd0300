"""Certificates are judged by openssl, which had no part in making them."""

from __future__ import annotations

import subprocess
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from lab.cluster.pki import (
    KeyPair,
    Subject,
    discovery_hash,
    fingerprint,
    issue,
    new_authority,
    new_signing_key,
    public_half,
)


@pytest.fixture(scope="module")
def authority() -> KeyPair:
    return new_authority("kubernetes")


def openssl(*words: str, stdin: str = "") -> str:
    done = subprocess.run(["openssl", *words], input=stdin, capture_output=True, text=True, check=True)
    return done.stdout


def verify(tmp_path: Path, authority: KeyPair, pair: KeyPair, *words: str) -> bool:
    (tmp_path / "ca").write_text(authority.certificate)
    (tmp_path / "leaf").write_text(pair.certificate)
    done = subprocess.run(
        [
            "openssl",
            "verify",
            "-x509_strict",
            *words,
            "-CAfile",
            str(tmp_path / "ca"),
            str(tmp_path / "leaf"),
        ],
        capture_output=True,
        check=False,
    )
    return done.returncode == 0


def test_purposes(tmp_path: Path, authority: KeyPair) -> None:
    client = issue(authority, Subject("admin", ("system:masters",), client=True))
    server = issue(authority, Subject("api", dns_names=("api",), server=True))
    assert verify(tmp_path, authority, client, "-purpose", "sslclient")
    assert not verify(tmp_path, authority, client, "-purpose", "sslserver")
    assert verify(tmp_path, authority, server, "-purpose", "sslserver")
    assert not verify(tmp_path, authority, server, "-purpose", "sslclient")
    assert not verify(tmp_path, new_authority("kubernetes"), client)


def test_names_and_addresses(tmp_path: Path, authority: KeyPair) -> None:
    address = IPv4Address("172.31.7.101")
    pair = issue(authority, Subject("api", dns_names=("kubernetes",), addresses=(address,), server=True))
    assert verify(tmp_path, authority, pair, "-verify_ip", str(address))
    assert verify(tmp_path, authority, pair, "-verify_hostname", "kubernetes")
    assert not verify(tmp_path, authority, pair, "-verify_ip", "172.31.7.102")


def test_user_and_groups_are_where_the_api_server_looks(authority: KeyPair) -> None:
    pair = issue(authority, Subject("system:node:k8s-node1", ("system:nodes",), client=True))
    subject = openssl("x509", "-noout", "-subject", stdin=pair.certificate)
    assert "O = system:nodes, CN = system:node:k8s-node1" in subject.replace("=", " = ").replace("  ", " ")


def test_key_belongs_to_its_certificate(authority: KeyPair) -> None:
    pair = issue(authority, Subject("x", client=True))
    of_certificate = openssl("x509", "-noout", "-pubkey", stdin=pair.certificate)
    assert of_certificate == openssl("ec", "-pubout", stdin=pair.key)
    assert pair.key.startswith("-----BEGIN EC PRIVATE KEY-----")


def test_valid_for_nodes_whose_clock_is_behind(tmp_path: Path, authority: KeyPair) -> None:
    pair = issue(authority, Subject("x", client=True))
    yesterday = subprocess.run(["date", "-d", "-23 hours", "+%s"], capture_output=True, text=True, check=True)
    assert verify(tmp_path, authority, pair, "-attime", yesterday.stdout.strip())


def test_discovery_hash_is_what_kubeadm_documents(tmp_path: Path, authority: KeyPair) -> None:
    """The pipeline of `kubeadm join`'s documentation."""
    public = openssl("x509", "-pubkey", "-noout", stdin=authority.certificate)
    (tmp_path / "public").write_text(public)
    openssl(
        "pkey", "-pubin", "-in", str(tmp_path / "public"), "-outform", "der", "-out", str(tmp_path / "der")
    )
    digest = openssl("dgst", "-sha256", "-hex", str(tmp_path / "der")).split()[-1]
    assert discovery_hash(authority.certificate) == f"sha256:{digest}"


def test_fingerprint_tells_authorities_of_one_name_apart(authority: KeyPair) -> None:
    assert fingerprint(authority.certificate) != fingerprint(new_authority("kubernetes").certificate)


def test_public_half() -> None:
    private = new_signing_key()
    assert public_half(private) == openssl("ec", "-pubout", stdin=private)
