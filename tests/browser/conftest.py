"""Browser fixtures: Chromium, users, and lotteries after some days."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Playwright,
    StorageState,
    WebError,
    expect,
    sync_playwright,
)
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from lottery_system.ballot_box import BallotBox
from lottery_system.clock import starts_at
from lottery_system.extensions import db
from lottery_system.models import AskedBallots, ClaimEvent, Draw, Limits, Lottery, User
from lottery_system.models.claim import claim, hand_over, lapse
from lottery_system.models.lottery import NO_LIMITS
from tests.conftest import PASSWORD, hash_of_password, running, settings_for
from tests.stand_ins.log_keys import LOG_KEYS, begin, keep_keys
from tests.stand_ins.processes import PATIENCE, Gunicorn

#: where tests/setup.sh finds a browser too
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
#: the same engine without the rest of a browser: a page in a new profile costs half
SHELL = "chromium-headless-shell"
ARGUMENTS = [
    "--no-sandbox",  # root has none
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

expect.set_options(timeout=PATIENCE * 1000)

#: the day on which the seeded lotteries are looked at, and those before it
TODAY = date(2026, 11, 22)
CLOSED_DAY, QUIET_DAY, DRAWN_DAY = (TODAY - timedelta(days=days) for days in (1, 2, 3))
#: as soon after midnight as a draw may still be waited for
AT = starts_at(TODAY) + timedelta(minutes=1)

#: what is hardest to fit in
LONG_NAME = "Weihnachtsüberraschungsverlosung-der-Freiwilligen-Feuerwehr-Oberammergau-Unter"
RIGHT_TO_LEFT_NAME = "הגרלה גדולה"
LONG_USERNAME = "wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww"
LONG_PRIZE = "https://example.org/" + "prize/" * 30 + "\n" + "Many words. " * 100


def launch(playwright: Playwright) -> Browser:
    """Start a browser.

    Raises:
        FileNotFoundError: there is none.
    """
    names = (os.environ.get("CHROMIUM", ""), SHELL, *BROWSERS)
    found = next((path for name in names if name and (path := shutil.which(name))), None)
    if found is None and not Path(playwright.chromium.executable_path).exists():
        raise FileNotFoundError("no Chromium here; install the package chromium")
    return playwright.chromium.launch(executable_path=found, args=ARGUMENTS)


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """Run a browser for these tests."""
    with sync_playwright() as playwright:
        try:
            browser = launch(playwright)
        except FileNotFoundError as error:
            pytest.skip(str(error))
        yield browser
        browser.close()


#: a test, as a person may, has a field before the page gives it one; Chromium and Firefox say so
IS_FASTER = "Autofocus processing was blocked because a document already has a focused element"


class Complaints(list[str]):
    """What a browser finds wrong with pages: messages, errors, breaches of their policy."""

    def __init__(self, context: BrowserContext, broken: str | None = None) -> None:
        super().__init__()
        self._broken = broken
        context.on("console", self._add_message)
        context.on("weberror", self._add_error)

    def _add_message(self, message: ConsoleMessage) -> None:
        # that a page was answered with 404 is for its test to judge
        is_status = message.text.startswith("Failed to load resource: the server responded")
        if message.text.startswith(IS_FASTER):
            return
        if self._broken and "net::" in message.text and self._broken in message.location["url"]:
            return
        if not is_status or "/static/" in message.location["url"]:
            self.append(f"{message.type}: {message.text} ({message.location['url']})")

    def _add_error(self, error: WebError) -> None:
        self.append(f"error: {error.error}")


@contextmanager
def browsing(
    browser: Browser, url: str, *, broken: str | None = None, **options: Any
) -> Iterator[Page]:
    """Open a page in a profile of its own, far from UTC, of which nothing may be found wrong.

    Args:
        broken: a part of the addresses whose connections the test breaks.
        options: of the profile.
    """
    context = browser.new_context(
        **{"base_url": url, "locale": "en-GB", "timezone_id": "Europe/Helsinki", **options}
    )
    context.set_default_timeout(PATIENCE * 1000)
    complaints = Complaints(context, broken)
    try:
        yield context.new_page()
    finally:
        context.close()
    assert not complaints, "\n".join(complaints)


def leave(*pages: Page) -> None:
    """Leave the site before its server is stopped.

    A page that stands open asks a server that is down for news again and again, and browsers write
    each refused connection to the console.
    """
    for page in pages:
        page.goto("about:blank")


def log_in(page: Page, username: str) -> None:
    """Log in, by the page."""
    page.goto("/login")
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in", exact=True).click()
    page.get_by_role("button", name=f"Log out ({username})").wait_for()


@contextmanager
def database(url: str) -> Iterator[Session]:
    """Open the database of a lottery for reading and writing."""
    with (
        running(settings_for(url)) as app,
        app.app_context(),
        Session(db.engine, expire_on_commit=False) as session,
    ):
        yield session


class Seeded:
    """A lottery that some people have played for some days.

    What happens, happens at a given instant and by given dice, so that it is the same each time.
    """

    def __init__(self, session: Session, begins: date = DRAWN_DAY) -> None:
        self._session = session
        self._begins = begins

    def sign_up(self, *usernames: str) -> Self:
        """Sign people up; alice organises."""
        password_hash = hash_of_password()
        with self._session.begin():
            self._session.add_all(
                User.sign_up(name, password_hash, noon(self._begins), is_organiser=name == "alice")
                for name in usernames
            )
        return self

    def open(
        self,
        name: str,
        prize: str,
        closes_on: date,
        claim: str = "",
        limits: Limits = NO_LIMITS,
    ) -> Self:
        """Open a lottery."""
        begins = noon(self._begins)
        with self._session.begin():
            self._session.add(
                Lottery.create(name, prize, closes_on, begins, claim=claim, limits=limits)
            )
        return self

    def promise(self, name: str, prize: str, at: datetime) -> Self:
        """Change the prize of a lottery."""
        with self._session.begin():
            found = self._session.query(Lottery).filter_by(name=name).one()
            found.change(name, prize, found.closes_on, at)
        return self

    def lapse(self, day: date, place: int, reason: str) -> Self:
        """Let the right to a day's prize end, the day after the draw."""
        with self._session.begin():
            lapse(self._session, day, place, reason=reason, now=noon(day) + timedelta(days=1))
        return self

    def play(self, day: date, username: str, lottery: str, *counts: int) -> Self:
        """Submit ballots, each count a submission."""
        with self._session.begin():
            user = User.by_username(self._session, username)
            found = self._session.query(Lottery).filter_by(name=lottery).one()
        assert user is not None
        box = BallotBox(db.engine, utcnow=lambda: noon(day))
        for count in counts:
            box.submit(
                AskedBallots.of(
                    token=uuid4(),
                    user_id=user.id,
                    username=username,
                    lottery_id=found.id,
                    ballot_count=count,
                    entropy=lambda size: (dice(day) * size)[:size],
                )
            )
        box.drain()
        return self

    def seen(self, username: str, until: date) -> Self:
        """Let somebody have seen the results up to a day."""
        with self._session.begin():
            user = User.by_username(self._session, username)
            assert user is not None
            user.seen_until = until
        return self

    def close(self, day: date, places: int = 1) -> Self:
        """Let a day end."""
        midnight = noon(day) + timedelta(hours=12)
        begin(self._session, noon(self._begins))
        with self._session.begin():
            Draw.open_until(self._session.connection(), day)
            assert Draw.close(self._session, day, midnight, places, LOG_KEYS)
        return self

    def draw(self, day: date, places: int = 1, claim_days: int | None = None) -> Self:
        """Let a day end and be drawn."""
        self.close(day, places)
        at = noon(day) + timedelta(hours=12)
        with self._session.begin():
            assert Draw.draw(self._session, day, at, LOG_KEYS, claim_days=claim_days)
        return self

    def claim(self, day: date, message: str = "", contact: str = "") -> Self:
        """Let a day's winner claim the prize, ten hours after the draw."""
        with self._session.begin():
            winner = self._session.scalars(
                select(ClaimEvent.holder_id).where(ClaimEvent.day == day)
            ).one()
            claim(
                self._session, day, 1, winner,
                message=message, contact=contact, now=noon(day) + timedelta(hours=22),
            )  # fmt: skip
        return self

    def hand_over(self, day: date) -> Self:
        """Let a day's winner claim the prize and get it, the day after the draw."""
        self.claim(day)
        at = noon(day) + timedelta(days=1)
        with self._session.begin():
            hand_over(self._session, day, 1, handed_on=at.date(), note="At the desk.", now=at)
        return self


def noon(day: date) -> datetime:
    return datetime.combine(day, time(12), UTC)


def dice(day: date) -> bytes:
    return sha256(day.isoformat().encode()).digest()


@contextmanager
def served(url: str, folder: Path, at: datetime) -> Iterator[Gunicorn]:
    """Serve a seeded lottery, at an instant that lasts."""
    folder.mkdir(exist_ok=True)
    keep_keys(folder)
    with database(url) as session:
        begin(session, at)
    with Gunicorn(url, folder, at=at) as server:
        server.clock.stand_at(at)
        yield server


class Visitors:
    """Somebody or nobody before a browser; whoever must log in does so once a site."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._log_ins: dict[tuple[str, str], StorageState] = {}

    def options(self, server: Gunicorn, who: str) -> dict[str, Any]:
        """Return what makes a browser's profile somebody's; nobody's where `who` is empty."""
        if not who:
            return {}
        key = (server.url, who)
        if key not in self._log_ins:
            with browsing(self._browser, server.url) as page:
                log_in(page, who)
                self._log_ins[key] = page.context.storage_state()
        return {"storage_state": self._log_ins[key]}

    def cookies(self, server: Gunicorn, who: str) -> str:
        """Return somebody's cookies as a browser sends them."""
        state = self.options(server, who)
        held = state["storage_state"]["cookies"] if state else []
        return "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in held)


@pytest.fixture(scope="package")
def visitors(chromium: Browser) -> Visitors:
    """Return people who log in once a site."""
    return Visitors(chromium)


@pytest.fixture(scope="package")
def played(sqlite_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gunicorn]:
    """Serve a lottery with days of every kind."""
    folder = tmp_path_factory.mktemp("played")
    url = f"sqlite:///{shutil.copy(sqlite_file, folder / 'lottery.db')}"
    with database(url) as session:
        (
            Seeded(session)
            .sign_up("alice", "bob", "charlie", LONG_USERNAME)
            .open("Big Chance", "A weekend for two by the sea.", TODAY + timedelta(days=27))
            .open("Extra Win", "", QUIET_DAY)
            .open(LONG_NAME, LONG_PRIZE, TODAY)
            .open(RIGHT_TO_LEFT_NAME, "סוף שבוע זוגי", TODAY + timedelta(days=3))
            .play(DRAWN_DAY, "charlie", LONG_NAME, 900, 99)
            .play(DRAWN_DAY, "bob", RIGHT_TO_LEFT_NAME, 1)
            .draw(DRAWN_DAY, places=4)
            .draw(QUIET_DAY)
            .play(CLOSED_DAY, "charlie", "Big Chance", 3)
            .close(CLOSED_DAY)
            .play(TODAY, LONG_USERNAME, LONG_NAME, 7, 1000)
        )
        # the server would draw it at once
        session.execute(
            text(
                "CREATE TRIGGER not_yet BEFORE UPDATE ON draws "
                f"WHEN NEW.day = '{CLOSED_DAY}' AND NEW.status = 'drawn' "
                "BEGIN SELECT RAISE(ABORT, 'not yet'); END"
            )
        )
        session.commit()
    with served(url, folder, AT) as server:
        yield server


@pytest.fixture(scope="package")
def new(sqlite_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gunicorn]:
    """Serve a lottery that nobody has played."""
    folder = tmp_path_factory.mktemp("new")
    url = f"sqlite:///{shutil.copy(sqlite_file, folder / 'lottery.db')}"
    with database(url) as session:
        Seeded(session).sign_up("alice", "bob")
    with served(url, folder, AT) as server:
        yield server
