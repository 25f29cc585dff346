"""Sealing: secrets that must be read again, encrypted in the database; pure.

With a key made of the lottery's secret key, so that a copy of the database alone shows none.
"""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

NONCE_BYTES = 12


class Unsealable(Exception):
    """The data was changed, sealed for another purpose, or with another key."""


def seal(data: bytes, secret_key: str, purpose: str) -> bytes:
    """Encrypt with AES-256-GCM (NIST SP 800-38D): a random nonce, then the data and its tag.

    Args:
        data: what is secret.
        secret_key: the lottery's; what was sealed cannot be read with another.
        purpose: what it is and whose, so that it cannot stand in for something else.
    """
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(_key(secret_key)).encrypt(nonce, data, purpose.encode())


def unseal(sealed: bytes, secret_key: str, purpose: str) -> bytes:
    """Return what was sealed.

    Raises:
        Unsealable: it was not, with this key and for this purpose.
    """
    nonce, data = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
    try:
        return AESGCM(_key(secret_key)).decrypt(nonce, data, purpose.encode())
    except (InvalidTag, ValueError):
        raise Unsealable from None


def _key(secret_key: str) -> bytes:
    """Derive the key (HKDF, RFC 5869), so that it is no other use's of the same secret."""
    return HKDF(SHA256(), 32, salt=None, info=b"sealed secrets").derive(secret_key.encode())
