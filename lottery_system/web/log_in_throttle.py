"""How many wrong passwords there may be, without letting a stranger lock somebody out.

Guessing is bounded three ways: by address, by account and address together, and by account over
all addresses. Whoever logs in gets a cookie by which the browser is known from then on; a known
browser has a bound of its own, which nobody else's guesses use up. (OWASP, "Slow Down Online
Guessing Attacks with Device Cookies".)
"""

import secrets
from dataclasses import dataclass
from hashlib import sha256

from flask import current_app
from itsdangerous import BadSignature, URLSafeSerializer
from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from werkzeug.wrappers import Response

from lottery_system.addresses import client_network
from lottery_system.extensions import limiter
from lottery_system.usernames import RAW_LONGEST, username_key
from lottery_system.web.cookies import keep, kept

#: a club behind one address may log in all at once: tries count until they turn out right
ADDRESS = RateLimitItemPerMinute(100, 10)
ACCOUNT_AT_ADDRESS = RateLimitItemPerMinute(10, 10)
ACCOUNT = RateLimitItemPerHour(100)
KNOWN_BROWSER = RateLimitItemPerMinute(10, 10)

COOKIE = "known"
A_YEAR = 365 * 24 * 60 * 60


@dataclass(frozen=True)
class Attempt:
    """One try to log in to an account, existing or not."""

    username: str

    @property
    def account(self) -> str:
        """Return what stands for the account in keys; of one length, whatever was typed."""
        key = username_key(self.username[:RAW_LONGEST])
        return sha256(key.encode(errors="replace")).hexdigest()[:32]

    def take(self) -> bool:
        """Count this try and tell whether it may go on."""
        within = [limiter.limiter.hit(limit, *key) for limit, key in self._bounds()]
        return all(within)

    def give_back(self) -> None:
        """Uncount a try that had the right password: only wrong ones are bounded."""
        for limit, key in self._bounds():
            limiter.limiter.hit(limit, *key, cost=-1)

    def remember_browser(self, response: Response) -> None:
        """Let this browser be known as one of the account's from now on."""
        browser = self._known_browser() or secrets.token_urlsafe(12)
        keep(response, COOKIE, _serializer().dumps([self.account, browser]), A_YEAR)

    def _bounds(self) -> list[tuple[RateLimitItem, tuple[str, ...]]]:
        browser = self._known_browser()
        if browser:
            return [(KNOWN_BROWSER, ("log in", "browser", self.account, browser))]
        address = client_network()
        return [
            (ADDRESS, ("log in", "address", address)),
            (ACCOUNT_AT_ADDRESS, ("log in", "both", self.account, address)),
            (ACCOUNT, ("log in", "account", self.account)),
        ]

    def _known_browser(self) -> str | None:
        try:
            account, browser = _serializer().loads(kept(COOKIE))
        except (BadSignature, ValueError, TypeError):
            return None
        return str(browser) if account == self.account else None


def _serializer() -> URLSafeSerializer:
    return URLSafeSerializer(str(current_app.secret_key), salt="known browser")
