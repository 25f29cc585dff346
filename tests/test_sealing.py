"""Sealed secrets: they come back with the same key and for the same purpose alone."""

import pytest

from lottery_system.sealing import Unsealable, seal, unseal

KEY = "a key of the lottery"


def test_what_is_sealed_comes_back_and_looks_different_each_time() -> None:
    once, again = (seal(b"secret", KEY, "app 1") for _ in range(2))

    assert unseal(once, KEY, "app 1") == unseal(again, KEY, "app 1") == b"secret"
    assert once != again
    assert b"secret" not in once


@pytest.mark.parametrize(("key", "purpose"), [("another key", "app 1"), (KEY, "app 2")])
def test_it_does_not_come_back_otherwise(key: str, purpose: str) -> None:
    with pytest.raises(Unsealable):
        unseal(seal(b"secret", KEY, "app 1"), key, purpose)


def test_nor_does_it_with_any_byte_changed_or_missing() -> None:
    sealed = seal(b"secret", KEY, "app 1")

    for at in range(len(sealed)):
        for other in (sealed[:at], sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]):
            with pytest.raises(Unsealable):
                unseal(other, KEY, "app 1")
