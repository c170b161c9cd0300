"""The cluster's certificates and keys, made on the host before any node needs them.

kubeadm takes what it finds in /etc/kubernetes/pki. Made here, no node spends time on generating RSA keys
(under emulation seconds each, and kubeadm wants more than ten), TLS everywhere uses the cheaper P-256 curve,
and both the workers and the host know the authority before the control plane runs.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lab.topology.models import IpAddress

LIFETIME = datetime.timedelta(days=3650)
"""A lab may be restored long after it was made; kubeadm's one year would end it."""

BACKDATING = datetime.timedelta(days=1)
"""Nodes whose clocks are behind the host's must find the certificates valid."""


@dataclass(frozen=True)
class KeyPair:
    """A certificate and its private key, both PEM."""

    certificate: str
    key: str


@dataclass(frozen=True)
class Subject:
    """What a certificate says of its owner: who, in which groups, under which names, used as what."""

    common_name: str
    organizations: tuple[str, ...] = ()
    dns_names: tuple[str, ...] = ()
    addresses: tuple[IpAddress, ...] = ()
    client: bool = False
    server: bool = False


def new_authority(common_name: str) -> KeyPair:
    """A self-signed certificate authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(common_name, ())
    usage = _key_usage(signs_certificates=True)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        _builder(name, name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(common_name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return KeyPair(certificate.public_bytes(Encoding.PEM).decode(), _private_pem(key))


def issue(authority: KeyPair, subject: Subject, ends: datetime.datetime | None = None) -> KeyPair:
    """A certificate for `subject`, signed by the authority, that runs out at `ends`, if not in ten years."""
    issuer = x509.load_pem_x509_certificate(authority.certificate.encode())
    issuer_key = _load_key(authority.key)
    key = ec.generate_private_key(ec.SECP256R1())
    purposes = [
        *([ExtendedKeyUsageOID.CLIENT_AUTH] if subject.client else []),
        *([ExtendedKeyUsageOID.SERVER_AUTH] if subject.server else []),
    ]
    builder = (
        _builder(_name(subject.common_name, subject.organizations), issuer.subject, key.public_key(), ends)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
        )
    )
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in subject.dns_names]
    names += [x509.IPAddress(address) for address in subject.addresses]
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    certificate = builder.sign(issuer_key, hashes.SHA256())
    return KeyPair(certificate.public_bytes(Encoding.PEM).decode(), _private_pem(key))


def new_signing_key() -> str:
    """A private key for service account tokens, PEM."""
    return _private_pem(ec.generate_private_key(ec.SECP256R1()))


def public_half(private_key: str) -> str:
    """The public key that belongs to a private key, both PEM."""
    public = _load_key(private_key).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def discovery_hash(certificate: str) -> str:
    """What `kubeadm join` pins an authority by: sha256:HEX over its SubjectPublicKeyInfo (RFC 7469)."""
    public = x509.load_pem_x509_certificate(certificate.encode()).public_key()
    encoded = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"sha256:{hashlib.sha256(encoded).hexdigest()}"


def fingerprint(certificate: str) -> str:
    """SHA-256 of the whole certificate, in hexadecimal digits."""
    return x509.load_pem_x509_certificate(certificate.encode()).fingerprint(hashes.SHA256()).hex()


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    ends: datetime.datetime | None = None,
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATING)
        .not_valid_after(ends or now + LIFETIME)
    )


def _name(common_name: str, organizations: Sequence[str]) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, name) for name in organizations]
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_encipherment=True,
        key_cert_sign=signs_certificates,
        crl_sign=False,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _private_pem(key: ec.EllipticCurvePrivateKey) -> str:
    """SEC 1 ("EC PRIVATE KEY"), the form that Kubernetes itself writes."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


def _load_key(pem: str) -> ec.EllipticCurvePrivateKey:
    key = load_pem_private_key(pem.encode(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key
