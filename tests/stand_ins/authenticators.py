"""Authenticators: devices that make passkeys and sign with them (Web Authentication Level 3)."""

import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

PRESENT, VERIFIED, HAS_KEY = 0x01, 0x04, 0x40


@dataclass
class Authenticator:
    """A device with one passkey, in a browser at a page of an origin."""

    domain: str = "localhost"
    origin: str = "http://localhost"
    #: whether it counts what it signs, as hardware keys do
    counts: bool = True
    #: whether it checks who is there
    verifies: bool = True
    sign_count: int = 0
    user_handle: str | None = None
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def create(self, options: dict[str, Any]) -> str:
        """Make the passkey that a site asks for, and return what the browser's form sends."""
        self.user_handle = options["user"]["id"]
        length = len(self.credential_id).to_bytes(2)
        credential = bytes(16) + length + self.credential_id + self._public_key()
        data = self._data(HAS_KEY) + credential
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        return self._answer(
            clientDataJSON=self._client_data("webauthn.create", options),
            attestationObject=attestation,
        )

    def sign(self, options: dict[str, Any], **changed: Any) -> str:
        """Sign a challenge, and return what the browser's form sends.

        Args:
            changed: parts of the answer that are put in place of the right ones.
        """
        self.sign_count += self.counts
        client_data = self._client_data("webauthn.get", options)
        data = self._data()
        signature = self.key.sign(data + sha256(client_data).digest(), ec.ECDSA(SHA256()))
        handle = base64_of_text(self.user_handle)
        parts = {
            "clientDataJSON": client_data, "authenticatorData": data, "signature": signature,
            "userHandle": handle,
        }  # fmt: skip
        return self._answer(**parts | changed)

    def copy(self) -> "Authenticator":
        """Return another device with the same key."""
        return Authenticator(**vars(self))

    def _data(self, flags: int = 0) -> bytes:
        flags |= PRESENT | (VERIFIED if self.verifies else 0)
        return sha256(self.domain.encode()).digest() + bytes([flags]) + self.sign_count.to_bytes(4)

    def _public_key(self) -> bytes:
        """Return the key in COSE's form (RFC 9053, 7.1.1): ES256 on P-256."""
        numbers = self.key.public_key().public_numbers()
        coordinates = {-2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)}
        return cbor2.dumps({1: 2, 3: -7, -1: 1, **coordinates})

    def _client_data(self, kind: str, options: dict[str, Any]) -> bytes:
        data = {"type": kind, "challenge": options["challenge"], "origin": self.origin}
        return json.dumps(data | {"crossOrigin": False}).encode()

    def _answer(self, **parts: bytes | None) -> str:
        name = base64url(self.credential_id)
        response = {key: base64url(part) for key, part in parts.items() if part is not None}
        return json.dumps({"id": name, "rawId": name, "type": "public-key", "response": response})


def base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def base64_of_text(text: str | None) -> bytes | None:
    return None if text is None else urlsafe_b64decode(text + "=" * (-len(text) % 4))
