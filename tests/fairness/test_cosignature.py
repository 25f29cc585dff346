"""Cosignatures of witnesses, as C2SP tlog-cosignature has them."""

import struct
import sys
from base64 import b64decode, b64encode
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

from lottery_system.fairness.cosignature import (
    ED25519,
    ML_DSA_44,
    WitnessKey,
    check_cosignature,
    format_witness_key,
    is_by,
    parse_witness_key,
    time_of,
)
from lottery_system.fairness.note import (
    CryptographyMissing,
    NoteError,
    Signature,
    SigningKey,
    format_signature,
    format_vkey,
    parse_signatures,
    sign,
    split_note,
)
from tests.stand_ins.cosigning import CosigningKey
from tests.stand_ins.odd_keys import OddKey, public_keys

ROOT = bytes(range(32))
TEXT = f"lottery.example\n5\n{b64encode(ROOT).decode()}\n"
NOTE = sign(TEXT, SigningKey("lottery.example", b"\x01" * 32))
TIME = 1_679_315_147
ONE = CosigningKey("witness.example/w1", b"\x02" * 32)
OTHER = CosigningKey("tëmoin.example", b"\x03" * 32, ML_DSA_44)
BOTH = pytest.mark.parametrize("key", [ONE, OTHER], ids=["Ed25519", "ML-DSA-44"])


@BOTH
def test_a_cosignature_says_when_it_was_made(key: CosigningKey) -> None:
    text, lines = split_note(key.add_to(NOTE, TIME))

    assert [is_by(line, key.witness) for line in lines] == [False, True]
    assert check_cosignature(lines[1], key.witness, text) == TIME


def test_an_ed25519_cosignature_is_what_the_specification_says() -> None:
    """Read here by hand, with nothing of ours."""
    private = Ed25519PrivateKey.from_private_bytes(ONE.seed).public_key()
    line = ONE.add_to(NOTE, TIME).removeprefix(NOTE)
    dash, name, blob = line.rstrip("\n").split(" ")
    data = b64decode(blob)

    assert (dash, name) == ("—", "witness.example/w1")
    assert data[:4] == sha256(b"witness.example/w1\n\x04" + private.public_bytes_raw()).digest()[:4]
    assert struct.unpack(">Q", data[4:12]) == (TIME,)
    private.verify(data[12:], f"cosignature/v1\ntime {TIME}\n{TEXT}".encode())


def test_an_ml_dsa_cosignature_is_what_the_specification_says() -> None:
    name = "tëmoin.example".encode()
    line = OTHER.add_to(NOTE, TIME).removeprefix(NOTE)
    data = b64decode(line.rstrip("\n").split(" ")[2])
    public = OTHER.witness.public_key

    assert data[:4] == sha256(name + b"\n\x06" + public).digest()[:4]
    message = struct.pack(
        f">12sB{len(name)}sQB15sQQ32s",
        b"subtree/v1\n\0", len(name), name, TIME, 15, b"lottery.example", 0, 5, ROOT,
    )  # fmt: skip
    MLDSA44PublicKey.from_public_bytes(public).verify(data[12:], message)


def test_the_line_of_a_foreign_witness_is_taken() -> None:
    """Of the example of C2SP tlog-cosignature only its form; of PyPI's aics-witness, see below."""
    line = (
        "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZC"
        "B9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
    )
    [signature] = parse_signatures(line)

    assert signature.key_id.hex() == "8d66cf3f"
    assert time_of(signature, ONE.witness) == TIME
    assert format_signature(signature) == line


@BOTH
def test_a_cosignature_of_anything_else_does_not_hold(key: CosigningKey) -> None:
    made = key.cosign(TEXT, TIME)
    others = [
        made._replace(signature=(TIME + 1).to_bytes(8, "big") + made.signature[8:]),
        made._replace(signature=made.signature[:-1] + bytes([made.signature[-1] ^ 1])),
        key._replace(seed=b"\x09" * 32).cosign(TEXT, TIME),
    ]
    for other in others:
        with pytest.raises(NoteError, match="does not hold"):
            check_cosignature(other, key.witness, TEXT)
    with pytest.raises(NoteError, match="does not hold"):
        check_cosignature(made, key.witness, TEXT.replace("\n5\n", "\n6\n"))


@BOTH
@pytest.mark.parametrize("time", [0, 2**63, 2**64 - 1])
def test_a_time_that_cannot_be_is_malformed(key: CosigningKey, time: int) -> None:
    with pytest.raises(NoteError, match="malformed"):
        check_cosignature(key.cosign(TEXT, time), key.witness, TEXT)


@BOTH
def test_a_line_of_another_length_is_malformed(key: CosigningKey) -> None:
    made = key.cosign(TEXT, TIME)
    for signature in (made.signature[:-1], made.signature + b"\0", made.signature[:8], b"\0"):
        with pytest.raises(NoteError, match="malformed"):
            check_cosignature(made._replace(signature=signature), key.witness, TEXT)


def test_where_the_library_lacks_ml_dsa_nothing_is_said_of_its_lines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric.mldsa", None)
    with pytest.raises(CryptographyMissing, match="ML-DSA-44"):
        check_cosignature(OTHER.cosign(TEXT, TIME), OTHER.witness, TEXT)


@BOTH
def test_keys_of_witnesses_come_back_as_they_were(key: CosigningKey) -> None:
    assert parse_witness_key(format_witness_key(key.witness)) == key.witness


VKEY = ONE.vkey
NAME, ID, KEY = VKEY.split("+", 2)


@pytest.mark.parametrize(
    "text",
    [
        "", NAME, VKEY + "\n", " " + VKEY, VKEY[:-1], VKEY + "=", VKEY.replace("w1", "w2"),
        f"{NAME}+00000000+{KEY}", f"{NAME}+{ID.upper()}+{KEY}", f"+{ID}+{KEY}",
        f"wit ness+{ID}+{KEY}", f"wit\x07ness+{ID}+{KEY}",
        format_vkey(SigningKey("witness.example", b"\x02" * 32).verifier),
        format_witness_key(WitnessKey("witness.example", b"\x05", ONE.witness.public_key)),
        format_witness_key(WitnessKey("witness.example", ML_DSA_44, ONE.witness.public_key)),
        format_witness_key(OTHER.witness._replace(algorithm=ED25519)),
        format_witness_key(ONE.witness._replace(name="ë" * 128)),
    ],
)  # fmt: skip
def test_what_is_no_key_of_a_witness_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        parse_witness_key(text)


@pytest.mark.parametrize("odd", public_keys(), ids=lambda odd: odd.name)
def test_keys_of_witnesses_are_read_as_strictly_as_the_lotterys(odd: OddKey) -> None:
    text = format_witness_key(WitnessKey("witness.example", ED25519, odd.encoded))

    if odd.is_taken:
        assert parse_witness_key(text).public_key == odd.encoded
    else:
        with pytest.raises(NoteError, match="weak"):
            parse_witness_key(text)


def test_what_is_no_checkpoint_is_not_cosigned() -> None:
    with pytest.raises(NoteError, match="not a checkpoint"):
        check_cosignature(Signature(NAME, bytes.fromhex(ID), bytes(7) + b"\1" + bytes(64)),
                          ONE.witness, "lottery.example\n")  # fmt: skip
