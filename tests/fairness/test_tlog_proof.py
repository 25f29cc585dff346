"""tlog-proofs of freezes and receipts: their form, and another implementation that checks them."""

import json
import subprocess

import pytest

from lottery_system.fairness import merkle, note
from lottery_system.fairness.certificate import parse_certificate, parse_receipt
from lottery_system.fairness.note import format_vkey, open_checkpoint
from lottery_system.fairness.tlog_proof import ProofError, TlogProof, format_proof, parse_proof
from tests.fairness.forge import KEY, Day
from tests.stand_ins.foreign import foreign

DAY = Day()


def of_freeze() -> tuple[str, bytes]:
    certificate = parse_certificate(DAY.certificate())
    record = certificate.freeze.encode()
    journal = certificate.journal
    return format_proof(TlogProof(journal.index, journal.proof, journal.checkpoint, record)), record


def of_receipt() -> tuple[str, bytes]:
    receipt = parse_receipt(DAY.receipt(4, 6))
    record = receipt.ballot.encode()
    return format_proof(TlogProof(receipt.index, receipt.proof, receipt.checkpoint, record)), record


PROOFS = pytest.mark.parametrize(
    ("text", "record"), [of_freeze(), of_receipt()], ids=["freeze", "receipt"]
)


@PROOFS
def test_a_proof_has_all_that_shows_that_its_record_is_in_the_log(text: str, record: bytes) -> None:
    proof = parse_proof(text)

    assert text.startswith("c2sp.org/tlog-proof@v1\nextra ZGFpbHktZHJhdy92MSB")
    assert format_proof(proof) == text
    assert proof.extra == record
    signed = open_checkpoint(proof.checkpoint, KEY.verifier)
    leaf = merkle.leaf_hash(record)
    assert merkle.check_inclusion(proof.leaf, signed.size, leaf, proof.hashes, signed.root)


def test_a_proof_without_hashes_or_extra_is_one_too() -> None:
    text = "c2sp.org/tlog-proof@v1\nindex 0\n\nexample.com/log\n1\nAAAA\n\n— example.com/log AAAA\n"

    proof = parse_proof(text)

    assert (proof.leaf, proof.hashes, proof.extra) == (0, [], None)
    assert proof.checkpoint.startswith("example.com/log\n1\n")
    assert format_proof(proof) == text


HASH = note.encode_base64(bytes(32))


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("@v1", "@v2"),
        ("c2sp", "\nc2sp"),
        ("index 3", "index 03"),
        ("index 3", "index -3"),
        ("index 3", "Index 3"),
        ("index 3\n", ""),
        ("extra ", "extra  "),
        ("extra ", "Extra "),
        ("index 3\n", f"index 3\n{HASH[:-2]}B=\n"),  # bits that are not zero
        ("index 3\n", f"index 3\n{HASH[:-4]}\n"),
        ("index 3\n", "index 3\n\n"),
        ("index 3\n", "index 3\r\n"),
        ("index 3\n", "index 3\n" + f"{HASH}\n" * 65),
        ("extra ZGFp", "extra ZGF="),
    ],
)
def test_what_is_written_in_another_way_is_no_proof(good: str, bad: str) -> None:
    text, _ = of_receipt()
    assert good in text
    changed = text.replace(good, bad, 1)

    try:
        proof = parse_proof(changed)
    except ProofError:
        return
    # an empty line ends the hashes: what follows is no checkpoint then
    with pytest.raises(note.NoteError):
        open_checkpoint(proof.checkpoint, KEY.verifier)


#: reads a tlog-proof by its specification alone, and checks all of it with the foreign code
FOREIGN = """
import base64, json, sys
from aics_tlog import parse_note, parse_vkey, verify_checkpoint, verify_leaf_inclusion
text, vkey = json.load(sys.stdin)
head, _, checkpoint = text.partition("\\n\\n")
lines = head.split("\\n")
assert lines.pop(0) == "c2sp.org/tlog-proof@v1"
extra = base64.b64decode(lines.pop(0).removeprefix("extra "))
index = int(lines.pop(0).removeprefix("index "))
found = verify_checkpoint(parse_note(checkpoint), parse_vkey(vkey))
hashes = [base64.b64decode(line) for line in lines]
print(found.ok and verify_leaf_inclusion(extra, index, found.size, hashes, found.root))
"""


@PROOFS
def test_a_foreign_implementation_checks_it(text: str, record: bytes) -> None:
    python, *_ = foreign("aics_tlog")

    def says(proof: str) -> str:
        done = subprocess.run(
            [python, "-c", FOREIGN],
            input=json.dumps([proof, format_vkey(KEY.verifier)]),
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        return done.stdout.strip()

    assert says(text) == "True"
    other = record.replace(b"lottery", b"lotterz").replace(b"places", b"placez")
    assert other != record
    changed = text.replace(note.encode_base64(record), note.encode_base64(other))
    assert says(changed) != "True"
