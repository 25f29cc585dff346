"""Passkeys on pages: which site they belong to, and what a browser is asked and answers."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from flask import Flask, current_app, request, session
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from lottery_system.access import viewer
from lottery_system.clock import utcnow
from lottery_system.csrf_tokens import NAME as CSRF
from lottery_system.csrf_tokens import csrf_token
from lottery_system.errors import LotteryError
from lottery_system.form_origin import public_url
from lottery_system.models import AccountEventKind, Passkey, UsedChallenge
from lottery_system.models.passkey import CopiedPasskey
from lottery_system.passkeys import (
    LASTS,
    BadPasskey,
    Challenges,
    Site,
    check_signed,
    credential_id_of,
    read_answer,
)
from lottery_system.web.account_events import record


class UnknownPasskey(LotteryError):
    """Nobody has this passkey here, or not any more."""

    #: for the log
    reason = "unknown"

    def __init__(self) -> None:
        super().__init__(
            "This passkey isn’t known here. It may have been removed. Log in with your password."
        )


def register(app: Flask) -> None:
    """Let templates know whether there can be passkeys at the address of the page."""
    app.jinja_env.globals["can_have_passkeys"] = lambda: site_of_request() is not None


def site_of_request() -> Site | None:
    """Return the site whose passkeys the page can ask for; None if there can be none.

    They belong to a domain: pages at an address in digits have none, nor have those at another
    name than `LOTTERY_URL`. A proxy may not tell that it speaks TLS; without TLS browsers have
    passkeys for localhost alone.
    """
    here = urlsplit(f"{request.scheme}://{request.host}")
    public = urlsplit(public_url()) if public_url() else here
    domain = (public.hostname or "").lower()
    if not domain or _is_address(domain) or (here.hostname or "").lower() != domain:
        return None
    origins = (f"{public.scheme}://{public.netloc}".lower(), f"https://{public.netloc}".lower())
    return Site(domain, origins)


def log_in_challenges() -> Challenges:
    """Return the challenges that log this browser in, as whomever."""
    csrf_token()  # makes the session's secret, if it has none
    return _challenges(f"log in {session[CSRF]}")


def second_step_challenges(user_id: int) -> Challenges:
    """Return the challenges that are a user's second step."""
    return _challenges(f"second step {user_id}")


def new_passkey_challenges() -> Challenges:
    """Return the challenges that add a passkey to the account of whoever is logged in."""
    return _challenges(f"create {viewer().id}")


def use_passkey(
    session: Session, answer: str, site: Site, challenges: Challenges, user_id: int | None = None
) -> Passkey:
    """Check the answer of a browser, and return the passkey that signed it.

    In the caller's transaction, which is to be committed if the passkey turns out to be copied,
    too: it is recorded that it is.

    Args:
        user_id: whose it must be; None for anybody's.

    Raises:
        BadPasskey: the answer is malformed, of another site, or too old, or was used before.
        UnknownPasskey: it is nobody's, or somebody else's.
    """
    read = read_answer(answer)
    challenge = challenges.demand(read, utcnow())
    passkey = Passkey.by_credential(session, credential_id_of(read))
    if passkey is None or user_id not in (None, passkey.user_id):
        raise UnknownPasskey
    sign_count = check_signed(
        read, site, challenge, bytes(passkey.public_key), bytes(passkey.user_handle)
    )
    use_challenge(session, challenge)
    was_copied = passkey.copied_at is not None
    if not passkey.use(sign_count, utcnow()) and not was_copied:
        record(session, passkey.user_id, AccountEventKind.PASSKEY_COPIED, detail=passkey.name)
    return passkey


def use_challenge(session: Session, challenge: bytes) -> None:
    """Use a challenge up that was answered rightly.

    Raises:
        BadPasskey: it was used before.
    """
    if not UsedChallenge.use(session, challenge, utcnow() + 2 * LASTS):
        raise BadPasskey("used")


def answer_with(options: str) -> Response:
    """Answer a script with the options to ask the device by, which are JSON."""
    return Response(options, mimetype="application/json")


def no_options() -> Response:
    """Answer that there is nothing to ask a device for; the script then starts again."""
    return Response("{}", 404, mimetype="application/json")


def demand_uncopied(passkey: Passkey) -> None:
    """Refuse a passkey whose counter went back, once that is stored.

    Raises:
        CopiedPasskey: it did.
    """
    if passkey.copied_at is not None:
        raise CopiedPasskey


def _challenges(purpose: str) -> Challenges:
    return Challenges(str(current_app.secret_key), purpose)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
