"""Witness keys that cosign, since nothing of the lottery does (C2SP tlog-cosignature)."""

from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from lottery_system.fairness.cosignature import ED25519, WitnessKey, format_witness_key
from lottery_system.fairness.cosignature import signed_message as message_of
from lottery_system.fairness.note import Signature, format_signature, note_text
from lottery_system.models.cosignature import Cosigned


class CosigningKey(NamedTuple):
    """What a witness signs with: its name, the kind of its key, and a seed of 32 bytes."""

    name: str
    seed: bytes
    algorithm: bytes = ED25519

    @property
    def witness(self) -> WitnessKey:
        """Return the key that checks what this one signs."""
        return WitnessKey(self.name, self.algorithm, self._private.public_key().public_bytes_raw())

    @property
    def vkey(self) -> str:
        """Return that key as it is written."""
        return format_witness_key(self.witness)

    @property
    def _private(self) -> Ed25519PrivateKey | MLDSA44PrivateKey:
        if self.algorithm == ED25519:
            return Ed25519PrivateKey.from_private_bytes(self.seed)
        return MLDSA44PrivateKey.from_seed_bytes(self.seed)

    def cosign(self, text: str, time: int) -> Signature:
        """Cosign the text of a checkpoint, which ends with a line feed, at a second since 1970."""
        signature = self._private.sign(message_of(self.witness, time, text))
        stamped = time.to_bytes(8, "big") + signature
        return Signature(self.name, self.witness.key_id, stamped)

    def answer(self, note: str, time: int) -> Cosigned:
        """Return what the server keeps of this key's cosignature of a note."""
        return Cosigned(self.witness, time, format_signature(self.cosign(note_text(note), time)))

    def add_to(self, note: str, time: int) -> str:
        """Return a note with this key's line below it."""
        return note + format_signature(self.cosign(note_text(note), time))
