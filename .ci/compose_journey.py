"""Walk through a running lottery as a browser would, with the standard library alone.

    compose_journey.py play URL STATE      sign up, submit ballots, keep the session in STATE
    compose_journey.py recall URL STATE    find the ballots again, in the session of STATE

For https, SSL_CERT_FILE names the authority to believe. Exits with a sentence where it gets lost.
"""

import json
import re
import secrets
import sys
from html.parser import HTMLParser
from http import HTTPStatus
from http.client import HTTPConnection, HTTPSConnection
from http.cookies import SimpleCookie
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

BALLOTS = 3


class Form(NamedTuple):
    """Where a form is sent, and what it brings by itself."""

    action: str
    fields: dict[str, str]


class Forms(HTMLParser):
    """The forms of a page."""

    def __init__(self, path: str, html: str) -> None:
        super().__init__()
        self.path = path
        self.found: list[Form] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a form, or an input of the latest one."""
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.found.append(Form(given.get("action", self.path), {}))
        elif tag == "input" and self.found and "name" in given:
            self.found[-1].fields[given["name"]] = given.get("value", "")


class Browser:
    """Asks one site, keeps its cookies, and says where it comes from."""

    def __init__(self, url: str, cookies: dict[str, str]) -> None:
        self.site = urlsplit(url)
        self.cookies = cookies
        self.attributes: dict[str, str] = {}
        self.page = ""

    def get(self, path: str) -> str:
        """Open a page."""
        status, _, html = self._ask("GET", path)
        if status != HTTPStatus.OK:
            sys.exit(f"GET {path} answers {status}, not 200.")
        self.page = path
        return html

    def post(self, form: Form, **typed: object) -> str:
        """Send a form, and go where its success leads."""
        body = urlencode(form.fields | typed)
        status, location, _ = self._ask("POST", form.action, body)
        if status != HTTPStatus.SEE_OTHER or location is None:
            sys.exit(f"POST {form.action} answers {status}, not 303.")
        return self.get(urlsplit(location).path)

    def _ask(self, method: str, path: str, body: str | None = None) -> tuple[int, str | None, str]:
        kind = HTTPSConnection if self.site.scheme == "https" else HTTPConnection
        connection = kind(self.site.netloc, timeout=20)
        headers = {
            "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
            "Referer": f"{self.site.scheme}://{self.site.netloc}{self.page}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        for header in answer.headers.get_all("Set-Cookie", []):
            for name, morsel in SimpleCookie(header).items():
                self.cookies[name] = morsel.value
                self.attributes[name] = header.partition(";")[2].lower()
        html = answer.read().decode()
        connection.close()
        return answer.status, answer.headers["Location"], html


def play(url: str, state: Path) -> None:
    """Sign up and submit ballots."""
    browser = Browser(url, {})
    sign_up = next(
        form for form in Forms("/signup", browser.get("/signup")).found if "password" in form.fields
    )
    username = f"visitor-{secrets.token_hex(4)}"
    front = browser.post(sign_up, username=username, password=secrets.token_hex(12))
    _check_cookie(browser)
    ballots = [form for form in Forms("/", front).found if "count" in form.fields]
    if not ballots:
        sys.exit("The front page has no lottery to submit ballots to.")
    browser.post(ballots[0], count=BALLOTS)
    _check_ballots(browser)
    state.write_text(json.dumps(browser.cookies), encoding="utf-8")


def recall(url: str, state: Path) -> None:
    """Find the ballots of an earlier play."""
    _check_ballots(Browser(url, json.loads(state.read_text(encoding="utf-8"))))


def _check_cookie(browser: Browser) -> None:
    """Over TLS the session must be bound to TLS and to this very host."""
    if browser.site.scheme != "https":
        return
    # the rest of its name is the lottery's own
    found = (text for name, text in browser.attributes.items() if name.startswith("__Host-session"))
    attributes = next(found, None)
    if attributes is None or "secure" not in attributes or "httponly" not in attributes:
        sys.exit(f"There is no secure __Host-session cookie among {sorted(browser.attributes)}.")


def _check_ballots(browser: Browser) -> None:
    if not re.search(rf">\s*{BALLOTS}\s*<", browser.get("/ballots")):
        sys.exit(f"/ballots does not list the {BALLOTS} ballots.")


if __name__ == "__main__":
    step, address, file = sys.argv[1:]
    {"play": play, "recall": recall}[step](address, Path(file))
