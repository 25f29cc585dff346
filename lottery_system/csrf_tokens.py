"""CSRF tokens, masked anew for every page (BREACH).

A page is compressed on its way. Whoever can have a browser ask for a page that repeats what was
asked for, and sees how long the answers are, finds out what else stands in it, letter by letter,
as long as that is the same each time. So a page holds the secret of its session under a mask of its
own (as Django's does): random bytes, and those bytes XOR the secret.
"""

import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode

from flask import current_app, g, session
from flask_wtf import CSRFProtect
from itsdangerous import URLSafeTimedSerializer

#: in a session, where Flask-WTF looks for the secret too
NAME = "csrf_token"
#: Flask-WTF's own, which checks what is signed here
SALT = "wtf-csrf-token"
BYTES = 20


class MaskedTokens(CSRFProtect):  # type: ignore[misc]
    """Flask-WTF's check, of tokens that are masked."""

    def _get_csrf_token(self) -> str | None:
        token: str | None = super()._get_csrf_token()
        secret = _unmasked(token or "")
        if secret is None:  # such as pages of earlier versions have, signed by Flask-WTF
            return token
        signer = URLSafeTimedSerializer(current_app.secret_key or "", salt=SALT)
        return str(signer.dumps(secret))


def csrf_token() -> str:
    """Return the token of this page, the same for all of its forms."""
    secret = session.get(NAME)
    if secret is None:
        secret = session[NAME] = secrets.token_hex(BYTES)
    known, token = g.get("masked_token", (None, ""))
    if known != secret:  # a page that logs in has begun another session
        token = _masked(secret)
        g.masked_token = secret, token
    return str(token)


def _masked(secret: str) -> str:
    mask = secrets.token_bytes(BYTES)
    return urlsafe_b64encode(mask + _xor(mask, bytes.fromhex(secret))).decode()


def _unmasked(token: str) -> str | None:
    """Return the secret that a token holds; None where it is no masked token."""
    try:
        both = urlsafe_b64decode(token)
    except ValueError:
        return None
    if len(both) != 2 * BYTES:
        return None
    return _xor(both[:BYTES], both[BYTES:]).hex()


def _xor(mask: bytes, data: bytes) -> bytes:
    return bytes(one ^ other for one, other in zip(mask, data, strict=True))
