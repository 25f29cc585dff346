"""One-time codes: the vectors of RFC 6238, and the form in which they are typed."""

from base64 import b32encode
from datetime import UTC, datetime

import pytest

from lottery_system.one_time_codes import address_of, matching_step, new_secret

#: RFC 6238, appendix B, of SHA-1: seconds, and the last six of the eight digits
VECTORS = [
    (59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"),
    (2000000000, "279037"), (20000000000, "353130"),
]  # fmt: skip
SECRET = b32encode(b"12345678901234567890").decode()


@pytest.mark.parametrize(("seconds", "code"), VECTORS)
def test_the_codes_of_the_standard_are_right_at_their_time(seconds: int, code: str) -> None:
    now = datetime.fromtimestamp(seconds, UTC)

    assert matching_step(SECRET, code, now) == seconds // 30
    assert matching_step(SECRET, f" {code[:3]} {code[3:]} ", now) == seconds // 30


def test_two_secrets_differ_and_have_160_bits() -> None:
    assert len({new_secret() for _ in range(100)}) == 100
    assert len(new_secret()) == 160 // 5


def test_an_address_for_apps_names_site_and_account() -> None:
    address = address_of(SECRET, "bob", "Big: Chance")

    assert address.startswith("otpauth://totp/Big%20%20Chance:bob?secret=")
    assert "issuer=Big%20%20Chance" in address
