"""Messages for the holder of a private key alone, which nobody else can read or change in part.

X25519 (RFC 7748) with a key pair of the message's own, HKDF-SHA256 (RFC 5869), ChaCha20-Poly1305 (RFC 8439).
Who wrote a message is not known: everybody who has the public key can write one.
"""

from __future__ import annotations

import hashlib

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32
"""Of a key, private or public."""
_PURPOSE = b"lab sealed box 1"
_NONCE = bytes(12)
"""Each key encrypts one message."""


def new_private_key() -> bytes:
    return X25519PrivateKey.generate().private_bytes_raw()


def public_key_of(private: bytes) -> bytes:
    """Raises ValueError for what is no key."""
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def key_id(public: bytes) -> str:
    """Tells keys apart: 16 hexadecimal digits."""
    return hashlib.sha256(public).hexdigest()[:16]


def close_box(content: bytes, public: bytes, about: bytes) -> bytes:
    """Encrypt for the holder of the private key; `about` stays readable and cannot be changed either.

    Raises ValueError for what is no key.
    """
    own = X25519PrivateKey.generate()
    sender = own.public_key().public_bytes_raw()
    secret = own.exchange(X25519PublicKey.from_public_bytes(public))
    return sender + ChaCha20Poly1305(_key(secret, sender, public)).encrypt(_NONCE, content, about)


def open_box(box: bytes, private: bytes, about: bytes) -> bytes:
    """What was encrypted. Raises ValueError when the box or `about` was changed, or is for another key."""
    key = X25519PrivateKey.from_private_bytes(private)
    sender, encrypted = box[:KEY_BYTES], box[KEY_BYTES:]
    secret = key.exchange(X25519PublicKey.from_public_bytes(sender))
    derived = _key(secret, sender, key.public_key().public_bytes_raw())
    try:
        return ChaCha20Poly1305(derived).decrypt(_NONCE, encrypted, about)
    except InvalidTag as error:
        raise ValueError("it was changed, or is for another key") from error


def _key(secret: bytes, sender: bytes, receiver: bytes) -> bytes:
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=_PURPOSE + sender + receiver).derive(secret)
