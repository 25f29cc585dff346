"""Rate limits of wrong passwords, without letting strangers lock somebody out.

Wrong passwords are limited by account and address together, and by address. Wrong passwords for an
account over all addresses never lead to a refusal, since strangers could then lock its holder out.
Instead, the more there were, the longer each attempt is delayed. A log-in sets a cookie by which
the browser is known from then on. A known browser has its own limit, which other people's guesses
do not use up, and strangers' guesses do not delay it. Guesses from the account's other known
browsers do, since whoever once knew the password may have many of them. (OWASP, "Slow Down Online
Guessing Attacks with Device Cookies".)
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from time import sleep

from flask import current_app
from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from lottery_system.addresses import client_network
from lottery_system.clock import utcnow
from lottery_system.errors import TooManyAttempts
from lottery_system.parts import parts
from lottery_system.throttles import Limit, count, give_back, look
from lottery_system.usernames import (
    RAW_LONGEST,
    BadUsername,
    normalise_username,
    username_key,
)
from lottery_system.web.cookies import keep, kept

TEN_MINUTES = timedelta(minutes=10)
AN_HOUR = timedelta(hours=1)

OF_ACCOUNT_AT_ADDRESS = 10
#: a club behind one address may log in all at once: tries count until they turn out right
OF_ADDRESS = 100
OF_KNOWN_BROWSER = 10

#: wrong passwords of an account in an hour, over all addresses or of all browsers that are known,
#: after which further tries wait
UNHINDERED = 100
#: further ones, each of which makes the wait a second longer, up to the longest
A_SECOND_EACH = 20
LONGEST_WAIT = 10
#: tries that wait in a process at once: each keeps a connection, of which a worker has 4,000
PLACES_TO_WAIT = 200

COOKIE = "known"
A_YEAR = 365 * 24 * 60 * 60


@dataclass(frozen=True)
class Attempt:
    """One try to log in to an account, existing or not."""

    username: str

    @property
    def account(self) -> str:
        """Return what stands for the account in keys; of one length, however its name is typed."""
        try:
            name = normalise_username(self.username)  # as whoever is looked for has it
        except BadUsername:
            name = self.username[:RAW_LONGEST]
        key = username_key(name)
        return sha256(key.encode(errors="replace")).hexdigest()[:32]

    def take(self) -> None:
        """Count this try, and wait where its account is being guessed at.

        Nothing may be held meanwhile that others need.

        Raises:
            TooManyAttempts: it is refused, and neither counted nor to be checked.
        """
        limits = self._limits()
        counted = look(limits, utcnow())
        seconds = wait_of(counted[-1])
        with _place_to_wait() if seconds else nullcontext():
            count(limits, utcnow())
            if seconds:
                sleep(seconds)

    def give_back(self, session: Session) -> None:
        """Uncount a try that had the right password: only wrong ones are limited."""
        give_back(session, self._limits(), utcnow())

    @property
    def is_of_known_browser(self) -> bool:
        """Return whether this browser has logged in to the account before."""
        return self.known_browser is not None

    def remember_browser(self, response: Response) -> None:
        """Let this browser be known as one of the account's from now on."""
        browser = self.known_browser or secrets.token_urlsafe(12)
        keep(response, COOKIE, _serializer().dumps([self.account, browser]), A_YEAR)

    def _limits(self) -> list[Limit]:
        """Return what bounds this try, the narrowest first; last what only makes it wait."""
        browser = self.known_browser
        if browser:
            key = f"log in/browser/{self.account}/{browser}"
            return [
                Limit(key, OF_KNOWN_BROWSER, TEN_MINUTES),
                Limit(f"log in/known/{self.account}", None, AN_HOUR),
            ]
        address = client_network()
        return [
            Limit(f"log in/both/{self.account}/{address}", OF_ACCOUNT_AT_ADDRESS, TEN_MINUTES),
            Limit(f"log in/address/{address}", OF_ADDRESS, TEN_MINUTES),
            Limit(f"log in/account/{self.account}", None, AN_HOUR),
        ]

    @property
    def known_browser(self) -> str | None:
        """Return what stands for this browser, if it has logged in to the account before."""
        try:
            account, browser = _serializer().loads(kept(COOKIE))
        except (BadSignature, ValueError, TypeError):
            return None
        return str(browser) if account == self.account else None


def wait_of(wrong_count: int) -> int:
    """Return the seconds that a try waits after so many wrong passwords of its account."""
    if wrong_count < UNHINDERED:
        return 0
    return min(1 + (wrong_count - UNHINDERED) // A_SECOND_EACH, LONGEST_WAIT)


@contextmanager
def _place_to_wait() -> Iterator[None]:
    places = parts().log_in_waits
    if not places.acquire(blocking=False):
        raise TooManyAttempts(timedelta(seconds=LONGEST_WAIT))
    try:
        yield
    finally:
        places.release()


def _serializer() -> URLSafeSerializer:
    return URLSafeSerializer(str(current_app.secret_key), salt="known browser")
