"""CSRF protection: tokens, masked for every page (BREACH), and the origin of forms under TLS.

Pages are compressed. If a page repeats a part of its request, an attacker who makes a browser
request it and sees the sizes of the answers can guess the rest of the page character by character,
as long as the rest stays the same (BREACH). So each page has the session's secret under a mask of
its own, as in Django: random bytes, and these bytes XOR the secret.
"""

import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode

from flask import current_app, g, request, session
from flask_wtf import CSRFProtect
from flask_wtf.csrf import CSRFError
from itsdangerous import URLSafeTimedSerializer

from lottery_system.form_origin import FormOrigin, origin_of_form

#: in a session, where Flask-WTF looks for the secret too
NAME = "csrf_token"
#: Flask-WTF's own, which checks what is signed here
SALT = "wtf-csrf-token"
BYTES = 20


class MaskedTokens(CSRFProtect):  # type: ignore[misc]
    """Flask-WTF's check, of tokens that are masked.

    Under TLS it asks for a Referer, which privacy settings leave out; here any word of the browser
    that the form is this site's own is enough. Without TLS whoever is in between can do anything.
    """

    def protect(self, **options: bool) -> None:
        """Refuse a form without the token of its session, and under TLS one of another origin.

        Raises:
            CSRFError: with the reason, for the log.
        """
        super().protect(**options)
        if g.get("csrf_valid") and request.is_secure:
            origin = origin_of_form()
            if origin is not FormOrigin.OURS:
                raise CSRFError(f"origin {origin.value}")

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
    """Return the secret that a token holds; None if it is no masked token."""
    try:
        both = urlsafe_b64decode(token)
    except ValueError:
        return None
    if len(both) != 2 * BYTES:
        return None
    return _xor(both[:BYTES], both[BYTES:]).hex()


def _xor(mask: bytes, data: bytes) -> bytes:
    return bytes(one ^ other for one, other in zip(mask, data, strict=True))
