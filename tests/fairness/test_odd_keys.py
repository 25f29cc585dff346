"""One rule for Ed25519: odd keys are refused when they are read, odd signatures do not hold."""

from base64 import b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from lottery_system.fairness.edwards25519 import decode, is_public_key
from lottery_system.fairness.note import (
    NoteError,
    SigningKey,
    VerifierKey,
    format_vkey,
    open_note,
    parse_vkey,
    sign,
)
from tests.stand_ins.odd_keys import MESSAGE, OddKey, OddSignature, public_keys, signed

KEY = SigningKey("lottery.example", b"\x01" * 32)
NOTE = sign(MESSAGE.decode(), KEY)


@pytest.mark.parametrize("odd", public_keys(), ids=lambda odd: odd.name)
def test_only_keys_of_prime_order_are_taken(odd: OddKey) -> None:
    text = format_vkey(VerifierKey("lottery.example", odd.encoded))

    if odd.is_taken:
        assert parse_vkey(text).public_key == odd.encoded
    else:
        with pytest.raises(NoteError, match="weak"):
            parse_vkey(text)


@pytest.mark.parametrize("odd", signed(), ids=lambda odd: odd.name)
def test_r_is_compared_byte_by_byte_and_s_is_below_l(odd: OddSignature) -> None:
    key = VerifierKey("lottery.example", odd.public_key)
    blob = b64encode(key.key_id + odd.signature).decode()
    note = f"{MESSAGE.decode()}\n— lottery.example {blob}\n"

    if odd.holds:
        assert open_note(note, key) == MESSAGE.decode()
    else:
        with pytest.raises(NoteError, match="does not hold"):
            open_note(note, key)


@given(st.binary(min_size=32, max_size=32))
def test_every_key_that_is_made_is_taken_and_encodes_to_itself(seed: bytes) -> None:
    public_key = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()

    point = decode(public_key)
    assert point is not None
    assert point.encode() == public_key
    assert is_public_key(public_key)


@pytest.mark.parametrize(
    "line",
    [
        "— nobody \n",
        "— nobody " + b64encode(bytes(4)).decode() + "\n",  # a key id, and no signature
        "— nobody AAAAAAB=\n",  # not the one spelling of its base64
        "— no\x07body " + b64encode(bytes(68)).decode() + "\n",
        "— no\tbody " + b64encode(bytes(68)).decode() + "\n",
    ],
)
def test_the_lines_of_others_are_read_as_strictly(line: str) -> None:
    with pytest.raises(NoteError):
        open_note(NOTE + line, KEY.verifier)


def test_a_note_has_no_control_characters() -> None:
    with pytest.raises(NoteError, match="control"):
        open_note(sign("lottery\x00.example\n", KEY), KEY.verifier)
