"""One-time codes of authenticator apps (TOTP, RFC 6238); pure."""

from datetime import datetime

import pyotp
from pyotp.exceptions import OTPVerificationError

#: steps of 30 seconds before and after this one whose codes are right: clocks differ, and people
#: take their time (RFC 6238 section 5.2)
WINDOW = 1
DIGITS = 6
#: characters that are looked at: people type spaces
LONGEST = 20


def new_secret() -> str:
    """Return a secret of 160 random bits, as RFC 4226 section 4 recommends, in base32."""
    return pyotp.random_base32()


def is_code(text: str) -> bool:
    """Return whether a text has the form of a code, spaces aside."""
    digits = "".join(text[:LONGEST].split())
    return len(text) <= LONGEST and len(digits) == DIGITS and digits.isascii() and digits.isdigit()


def matching_step(secret: str, text: str, now: datetime) -> int | None:
    """Return the step whose code a text is, to be compared with the one used last; None for none.

    Args:
        secret: in base32.
        text: what was typed.
        now: the instant for which the code must be right.
    """
    if not is_code(text):
        return None
    try:
        return pyotp.TOTP(secret).verify_and_get_timecode(
            "".join(text.split()), for_time=now, valid_window=WINDOW
        )
    except OTPVerificationError:
        return None


def address_of(secret: str, username: str, issuer: str) -> str:
    """Return the `otpauth:` address that an app reads from a QR code (Google's key URI format).

    Args:
        secret: in base32.
        username: of the account.
        issuer: the site's title; a colon would end it.
    """
    return pyotp.TOTP(secret).provisioning_uri(name=username, issuer_name=issuer.replace(":", " "))
