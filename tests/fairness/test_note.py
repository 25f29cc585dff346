"""Signed notes, keys and checkpoints, as C2SP has them."""

import json
from base64 import b64decode, b64encode
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from lottery_system.fairness.note import (
    Checkpoint,
    NoteError,
    SigningKey,
    VerifierKey,
    format_checkpoint,
    format_signing_key,
    format_vkey,
    open_checkpoint,
    open_note,
    parse_checkpoint,
    parse_signing_key,
    parse_vkey,
    sign,
    sign_checkpoint,
)

KEY = SigningKey("lottery.example", b"\x01" * 32)
WITNESS = SigningKey("witness.example", b"\x02" * 32)
TEXT = "lottery.example\n5\ndyCA4v7vla4dCRXKEg1vsgCwjmZqSJBpzEM3FLeZGKc=\n"
RECEIPT = json.loads(
    (Path(__file__).parent / "data" / "daily_draw_v1_vectors.json").read_text("utf-8")
)["receipt"]
CERTIFICATE = json.loads(
    (Path(__file__).parent / "data" / "certificates" / "operator.json").read_text("utf-8")
)


def test_the_checkpoints_of_the_vectors_open_with_their_key() -> None:
    key = parse_vkey(CERTIFICATE["log_key"])

    assert open_checkpoint(RECEIPT["checkpoint"], key).size == 6
    assert open_checkpoint(CERTIFICATE["journal"]["checkpoint"], key).origin == "lottery.example"
    assert format_vkey(key) == CERTIFICATE["log_key"]


def test_a_signed_note_is_what_the_specification_says() -> None:
    """Read here by hand, with nothing of ours."""
    note = sign(TEXT, KEY)

    text, line = note.split("\n\n")
    dash, name, blob = line.rstrip("\n").split(" ")
    public_key = KEY.verifier.public_key
    key_id = sha256(b"lottery.example\n\x01" + public_key).digest()[:4]
    assert (text + "\n", dash, name) == (TEXT, "—", "lottery.example")
    assert b64decode(blob)[:4] == key_id
    Ed25519PublicKey.from_public_bytes(public_key).verify(b64decode(blob)[4:], TEXT.encode())


def test_keys_come_back_as_they_were() -> None:
    assert parse_signing_key(format_signing_key(KEY)) == KEY
    assert parse_vkey(format_vkey(KEY.verifier)) == KEY.verifier


def test_what_somebody_else_signed_too_is_passed_over() -> None:
    """As witnesses do, whose names may be in any letters."""
    theirs = sign(TEXT, WITNESS).split("\n\n")[1].replace("witness", "tëmoin")

    assert open_note(sign(TEXT, KEY) + theirs, KEY.verifier) == TEXT


NOTE = sign(TEXT, KEY)
LINE = NOTE.split("\n\n")[1]


@pytest.mark.parametrize(
    ("note", "sentence"),
    [
        ("", "not a signed note"),
        (TEXT, "not a signed note"),
        (TEXT + "\n", "not a signed note"),
        (NOTE[:-1], "not a signed note"),
        (NOTE + "\n", "not a signed note"),
        (NOTE.replace("—", "-"), "malformed"),
        (NOTE.replace("— ", "—  "), "malformed"),
        (NOTE + "— nobody\n", "malformed"),
        (NOTE + "— nobody !!!!\n", "malformed"),
        (NOTE.replace("\n5\n", "\n6\n"), "does not hold"),
        (NOTE.replace("\n\n", "\n\n\n"), "does not hold"),
        (NOTE + LINE, "not signed by the key"),
        (TEXT + "\n" + LINE * 17, "not a signed note"),
        (sign(TEXT, WITNESS), "not signed by the key"),
        (sign(TEXT, SigningKey("lottery.example", b"\x03" * 32)), "not signed by the key"),
    ],
)
def test_a_note_that_is_not_ours_or_not_whole_is_refused(note: str, sentence: str) -> None:
    with pytest.raises(NoteError, match=sentence):
        open_note(note, KEY.verifier)


def test_a_signature_with_any_bit_changed_is_refused() -> None:
    blob = b64decode(LINE.split(" ")[2])
    for at in range(len(blob)):
        changed = blob[:at] + bytes([blob[at] ^ 1]) + blob[at + 1 :]
        note = f"{TEXT}\n— lottery.example {b64encode(changed).decode()}\n"
        with pytest.raises(NoteError):
            open_note(note, KEY.verifier)


def test_another_spelling_of_the_same_base64_is_refused() -> None:
    """The last letter before the padding has two bits that count for nothing."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    blob = LINE.split(" ")[2].rstrip("\n")
    assert blob.endswith("=")
    other = letters[letters.index(blob[-2]) ^ 1]
    assert b64decode(blob) == b64decode(blob[:-2] + other + "=")

    with pytest.raises(NoteError):
        open_note(NOTE.replace(blob, blob[:-2] + other + "="), KEY.verifier)


VKEY = format_vkey(KEY.verifier)


@pytest.mark.parametrize(
    "text",
    [
        "", "lottery.example", VKEY + "\n", " " + VKEY, VKEY.upper(), VKEY[:-1], VKEY + "=",
        VKEY.replace("+", "-"), VKEY.replace("lottery", "lotterz"),
        f"lottery.example+00000000+{VKEY.split('+', 2)[2]}",
        f"{VKEY.split('+')[0]}+{VKEY.split('+')[1]}+{b64encode(bytes(33)).decode()}",
    ],
)  # fmt: skip
def test_what_is_no_verifier_key_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        parse_vkey(text)


SECRET = format_signing_key(KEY)


@pytest.mark.parametrize(
    "text",
    [
        "", VKEY, SECRET.removeprefix("PRIVATE+KEY+"), SECRET + "\n", SECRET[:-1],
        "PRIVATE+KEY+" + VKEY,
        f"PRIVATE+KEY+lottery.example+{VKEY.split('+')[1]}+{b64encode(bytes(33)).decode()}",
        f"PRIVATE+KEY+lottery.example+{VKEY.split('+')[1]}+{b64encode(bytes([1] * 32)).decode()}",
    ],
)  # fmt: skip
def test_what_is_no_signing_key_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        parse_signing_key(text)


def test_a_signing_key_that_is_refused_is_not_repeated() -> None:
    secret = format_signing_key(KEY).replace("lottery.example", "other.example")

    with pytest.raises(NoteError) as found:
        parse_signing_key(secret)

    assert secret not in str(found.value)
    assert VKEY not in str(found.value)


@pytest.mark.parametrize(
    "text",
    [
        "", "a\n1\n", TEXT + "extension\n", TEXT[:-1], TEXT.replace("5", "05"),
        TEXT.replace("5", "-5"), TEXT.replace("5", "5 "), TEXT.replace("Kc=", "Kd="),
        TEXT.replace("dyCA", "dyC"), TEXT.replace("lottery", "lot tery"),
    ],
)  # fmt: skip
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(NoteError, match="not a checkpoint"):
        parse_checkpoint(text)


def test_a_checkpoint_comes_back_as_it_was() -> None:
    checkpoint = Checkpoint("lottery.example/2026-11-22", 0, bytes(32))

    assert parse_checkpoint(format_checkpoint(checkpoint)) == checkpoint
    assert open_checkpoint(sign_checkpoint(checkpoint, KEY), KEY.verifier) == checkpoint


def test_a_text_without_its_last_line_end_is_not_signed() -> None:
    with pytest.raises(NoteError, match="ends with a line feed"):
        sign("text", KEY)


def test_a_public_key_that_is_no_point_signs_nothing() -> None:
    key = VerifierKey("lottery.example", b"\xff" * 32)
    blob = b64encode(key.key_id + bytes(64)).decode()

    with pytest.raises(NoteError, match="does not hold"):
        open_note(f"{TEXT}\n— lottery.example {blob}\n", key)
