r"""Transparency log proofs (C2SP tlog-proof, version 1): that a record is in a log, as one text.

    c2sp.org/tlog-proof@v1
    extra <base64 of the record>
    index <its leaf>
    <base64 of a hash>              any number, the leaf's sibling first (RFC 9162, 2.1.3)

    <a checkpoint of the log, a signed note>

Readers of other logs take it as it is: they need the record, which `extra` has verbatim here, and
the log's key.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from lottery_system.fairness.merkle import HASH_BYTES
from lottery_system.fairness.note import decode_base64, encode_base64

HEADER = "c2sp.org/tlog-proof@v1"
#: RFC 9162 knows no log of 2^64 leaves
MAX_HASHES = 64

_PROOF = re.compile(
    rf"{re.escape(HEADER)}\n"
    r"(?:extra (?P<extra>[A-Za-z0-9+/]*={0,2})\n)?"
    r"index (?P<index>0|[1-9][0-9]{0,17})\n"
    rf"(?P<hashes>(?:[A-Za-z0-9+/]{{43}}=\n){{0,{MAX_HASHES}}})\n"
    r"(?P<checkpoint>.+\n)",
    re.ASCII | re.DOTALL,
)


class ProofError(ValueError):
    """A text is no tlog-proof."""


class TlogProof(NamedTuple):
    """Where a record is in a log, with the checkpoint that signs it; nothing of it is believed."""

    leaf: int
    hashes: Sequence[bytes]
    #: a signed note, verbatim
    checkpoint: str
    #: not signed by itself; in ours the record, None if left out
    extra: bytes | None = None


def format_proof(proof: TlogProof) -> str:
    """Write a proof."""
    extra = [] if proof.extra is None else [f"extra {encode_base64(proof.extra)}"]
    hashes = [encode_base64(each) for each in proof.hashes]
    lines = [HEADER, *extra, f"index {proof.leaf}", *hashes, "", proof.checkpoint]
    return "\n".join(lines)


def parse_proof(text: str) -> TlogProof:
    """Read a proof; whether it holds is for `note.open_checkpoint` and `merkle.check_inclusion`.

    Raises:
        ProofError: it is none.
    """
    match = _PROOF.fullmatch(text)
    if match is None:
        raise ProofError(f"this is not a tlog-proof: {HEADER}, index, hashes and a checkpoint")
    hashes = [decode_base64(line) for line in match["hashes"].splitlines()]
    written = match["extra"]
    extra = None if written is None else decode_base64(written)
    # what is not written in the one right way decodes to nothing
    if any(len(each) != HASH_BYTES for each in hashes) or (written and not extra):
        raise ProofError("this is not a tlog-proof: its base64 is not canonical")
    return TlogProof(int(match["index"]), hashes, match["checkpoint"], extra)
