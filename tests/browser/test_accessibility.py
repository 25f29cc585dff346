"""Every page in every state: nothing that axe finds, nothing that a small screen cuts off."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from shutil import copy
from typing import Any, NamedTuple

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, StorageState, expect
from sqlalchemy import text

from lottery_system.clock import starts_at
from tests.browser.conftest import (
    CLOSED_DAY,
    DRAWN_DAY,
    QUIET_DAY,
    TODAY,
    Seeded,
    browsing,
    database,
    log_in,
    served,
)
from tests.conftest import PASSWORD
from tests.processes import Gunicorn

SMALL = {"width": 320, "height": 640}
RULES_OF_COLOUR = ("color-contrast", "link-in-text-block")
#: as soon after midnight as a draw may still be waited for
AT = starts_at(TODAY) + timedelta(minutes=1)

#: what is hardest to fit in
LONG_NAME = "Weihnachtsüberraschungsverlosung-der-Freiwilligen-Feuerwehr-Oberammergau-Unter"
RIGHT_TO_LEFT_NAME = "הגרלה גדולה"
LONG_USERNAME = "wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww"
LONG_PRIZE = "https://example.org/" + "prize/" * 30 + "\n" + "Many words. " * 100


class State(NamedTuple):
    """A page, who looks at it, what is done there, and a sentence that then stands on it."""

    path: str
    sentence: str
    who: str = ""
    act: Callable[[Page], object] = lambda page: None
    #: before anybody has played
    is_new: bool = False


def press(name: str) -> Callable[[Page], object]:
    return lambda page: page.get_by_role("button", name=name).first.click()


def fill(button: str, **fields: str) -> Callable[[Page], object]:
    """Return what fills fields in, by their names, and presses a button."""

    def act(page: Page) -> None:
        for name, value in fields.items():
            page.locator(f"[name={name}]").first.fill(value)
        page.get_by_role("button", name=button).first.click()

    return act


def sign_up_out_of_date(page: Page) -> None:
    page.context.clear_cookies()
    page.get_by_role("button", name="Sign up").click()


def log_out_elsewhere(page: Page) -> None:
    """Lose one's session while a number is typed; the browser's other tabs are left alone."""
    page.locator("[name=count]").first.fill("77")
    page.context.clear_cookies(name="session")
    page.get_by_role("button", name="Submit them to").first.click()


def check_draw(page: Page) -> None:
    page.get_by_role("button", name="Check this draw").click()
    page.get_by_text("What is checked").click()


def play(count: str) -> Callable[[Page], object]:
    return fill("Submit them to", count=count)


STATES = {
    "sign up": State("/signup", "Been here before?"),
    "sign up, refused": State("/signup", "Enter a password.", act=press("Sign up")),
    "sign up, taken": State(
        "/signup",
        "This username is taken",
        act=fill("Sign up", username="bob", password=PASSWORD),
    ),
    "sign up, out of date": State("/signup", "This form is out of date", act=sign_up_out_of_date),
    "log in": State("/login", "New here?"),
    "log in, empty": State("/login", "Enter a username.", act=press("Log in")),
    "log in, wrong": State(
        "/login", "do not fit", act=fill("Log in", username="bob", password="not this one")
    ),
    "lotteries": State("/", "Big Chance", "bob"),
    "lotteries, of an organiser": State("/", "Organise", "alice"),
    "lotteries, none": State("/", "No lottery is open now", "bob", is_new=True),
    "lotteries, none, of an organiser": State("/", "Create one", "alice", is_new=True),
    "lotteries, a long prize": State(
        "/", "Many words.", "bob", lambda page: page.locator("summary").click()
    ),
    "lotteries, a receipt": State("/", "Your ballot is in", "bob", press("Submit 1 ballot to")),
    "lotteries, a receipt for many": State("/", "Your 1,000 ballots are in", "bob", play("1000")),
    "lotteries, refused": State("/", "1 to 1,000", "bob", play("1001")),
    "lotteries, a result": State("/", "did not win", "bob"),
    "lotteries, a win": State("/", "You won!", "charlie"),
    "lotteries, none of that name": State("/?q=nothing", "has “nothing” in its name", "bob"),
    "lotteries, beyond the last page": State("/?page=9", "no more open lotteries", "bob"),
    "lotteries, in German": State("/?lang=de", "Ziehung", "bob"),
    "lotteries, in Spanish": State("/?lang=es", "sorteo", "bob"),
    "lotteries, in French": State("/?lang=fr", "tirage", "bob"),
    "lotteries, logged out meanwhile": State(
        "/", "nothing that you typed is lost", "alice", log_out_elsewhere
    ),
    "account": State("/account", "Close the account", "bob"),
    "account, refused": State("/account", "Enter your password.", "bob", press("Change password")),
    "account, changed": State("/account?done=sessions", "All other log-ins were ended.", "bob"),
    "account, in German": State("/account?lang=de", "Passwort", "bob"),
    "account, to be closed": State("/account/close", "Close my account for good", "bob"),
    "my ballots": State("/ballots", "Won with ballot", "charlie"),
    "my ballots, none": State("/ballots", "You have no ballots yet", "alice"),
    "my ballots of a drawn day": State(f"/ballots/{DRAWN_DAY}", "did not win", "bob"),
    "my ballots of a day won": State(f"/ballots/{DRAWN_DAY}", "You won with ballot", "charlie"),
    "my ballots of a closed day": State(
        f"/ballots/{CLOSED_DAY}", "has not been made yet", "charlie"
    ),
    "my ballots of today": State(f"/ballots/{TODAY}", "has not been made yet", LONG_USERNAME),
    "my ballots of a day without": State(f"/ballots/{QUIET_DAY}", "no ballots", "bob"),
    "winners": State("/winners", "Winner of"),
    "winners, none yet": State("/winners", "Not drawn yet", is_new=True),
    "winners, drawn": State(f"/winners/{DRAWN_DAY}", "Reserves"),
    "winners, drawn, of the winner": State(f"/winners/{DRAWN_DAY}", "You won.", "charlie"),
    "winners, drawn, of another": State(f"/winners/{DRAWN_DAY}", "did not win.", "bob"),
    "winners, drawn, in German": State(f"/winners/{DRAWN_DAY}?lang=de", "Ersatz", "bob"),
    "winners, drawn, in Spanish": State(f"/winners/{DRAWN_DAY}?lang=es", "sorteo"),
    "winners, drawn, in French": State(f"/winners/{DRAWN_DAY}?lang=fr", "tirage"),
    "winners, sheet": State(f"/winners/{DRAWN_DAY}/sheet", "your own phone checks the draw"),
    "winners, sheet, nobody played": State(f"/winners/{QUIET_DAY}/sheet", "Nobody won"),
    "winners, no sheet": State(f"/winners/{CLOSED_DAY}/sheet", "There is no result of"),
    "winners, nobody played": State(f"/winners/{QUIET_DAY}", "Nobody won"),
    "winners, waiting": State(f"/winners/{CLOSED_DAY}", "about to be made"),
    "winners, open": State(f"/winners/{TODAY}", "Not drawn yet", "bob"),
    "winners, future": State("/winners/2026-12-24", "still to come"),
    "winners, before the first draw": State("/winners/2020-02-02", "no draw then"),
    "winners, not a date": State("/winners/yesterday", "is not a date"),
    "winners, not a date either": State(f"/winners?date={'long' * 50}", "is not a date"),
    "draw": State(f"/draws/{DRAWN_DAY}", "Check without us"),
    "draw, of a holder": State(f"/draws/{DRAWN_DAY}", "Was my ballot in?", "charlie"),
    "draw, checked": State(f"/draws/{DRAWN_DAY}", "This draw holds", "bob", check_draw),
    "draw, nobody played": State(f"/draws/{QUIET_DAY}", "Nobody played"),
    "draw, waiting": State(f"/draws/{CLOSED_DAY}", "about to be made"),
    "draw, open": State(f"/draws/{TODAY}", "What you can keep now", "bob"),
    "draw, future": State("/draws/2026-12-24", "still to come"),
    "draw, not a date": State("/draws/yesterday", "is not a date"),
    "draw, in German": State(f"/draws/{DRAWN_DAY}?lang=de", "Zertifikat", "charlie"),
    "draw, in French": State(f"/draws/{DRAWN_DAY}?lang=fr", "certificat", "charlie"),
    "overview": State("/organiser", "The draws are in order", "alice"),
    "overview, new": State("/organiser", "Nothing was changed yet.", "alice", is_new=True),
    "overview, in German": State("/organiser?lang=de", "Verwaltung", "alice"),
    "draws": State("/organiser/draws", "waiting for its draw", "alice"),
    "participants": State("/organiser/participants", "organiser", "alice"),
    "changes": State("/organiser/changes", "by a command", "alice"),
    "withdraw a lottery": State("/organiser/lotteries/1/withdraw", "Withdraw it", "alice"),
    "withdraw a lottery, finished": State(
        "/organiser/lotteries/2/withdraw", "has finished already", "alice"
    ),
    "organise": State("/organiser/lotteries", "finished", "alice"),
    "organise, none": State(
        "/organiser/lotteries", "There is no lottery yet", "alice", is_new=True
    ),
    "create a lottery": State("/organiser/lotteries/new", "Create a lottery", "alice"),
    "create a lottery, refused": State(
        "/organiser/lotteries/new", "Enter a name.", "alice", press("Create")
    ),
    "create a lottery, in the past": State(
        "/organiser/lotteries/new",
        "This day is over",
        "alice",
        fill("Create", name="Late", closes_on="2026-11-01"),
    ),
    "change a lottery": State("/organiser/lotteries/1", "Change a lottery", "alice"),
    "change a lottery, finished": State("/organiser/lotteries/2", "has finished", "alice"),
    "how it works": State("/how-it-works", "What this does not prove"),
    "for organisers only": State("/organiser/lotteries", "Not for you", "bob"),
    "nothing here": State("/nowhere", "There is nothing here"),
    "nothing here, of a user": State("/nowhere", "There is nothing here", "bob"),
}


@pytest.fixture(scope="package")
def played(sqlite_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gunicorn]:
    """Serve a lottery with days of every kind."""
    folder = tmp_path_factory.mktemp("played")
    url = f"sqlite:///{copy(sqlite_file, folder / 'lottery.db')}"
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
    url = f"sqlite:///{copy(sqlite_file, folder / 'lottery.db')}"
    with database(url) as session:
        Seeded(session).sign_up("alice", "bob")
    with served(url, folder, AT) as server:
        yield server


LogIns = dict[tuple[str, str], StorageState]


@pytest.fixture(scope="package")
def log_ins() -> LogIns:
    """Keep what browsers hold of log-ins, by site and user."""
    return {}


@pytest.mark.parametrize("name", STATES)
def test_a_page_has_no_barrier_and_fits_a_small_screen(
    chromium: Browser, request: pytest.FixtureRequest, log_ins: LogIns, name: str
) -> None:
    state = STATES[name]
    server: Gunicorn = request.getfixturevalue("new" if state.is_new else "played")
    options: dict[str, Any] = {}
    if state.who:
        options["storage_state"] = log_ins.get((server.url, state.who)) or log_ins.setdefault(
            (server.url, state.who), held_after_log_in(chromium, server.url, state.who)
        )

    with browsing(chromium, server.url, viewport=SMALL, **options) as page:
        page.goto(state.path)
        state.act(page)

        expect(page.locator("body")).to_contain_text(state.sentence)
        page.wait_for_load_state()  # the style may come later than the words
        assert width_of(page) == SMALL["width"]
        assert barriers(page) == []
        page.emulate_media(color_scheme="dark")
        assert barriers(page, *RULES_OF_COLOUR) == []


def held_after_log_in(browser: Browser, url: str, username: str) -> StorageState:
    with browsing(browser, url) as page:
        log_in(page, username)
        return page.context.storage_state()


def width_of(page: Page) -> int:
    """Return how wide the page is with all that sticks out of it."""
    width: int = page.evaluate("document.documentElement.scrollWidth")
    return width


def barriers(page: Page, *rules: str) -> list[str]:
    """Return what axe finds, by rule and element; by all its rules where none are named."""
    options: dict[str, Any] = {"rules": {"target-size": {"enabled": True}}}
    if rules:
        options = {"runOnly": rules}
    found = Axe().run(page, options={**options, "resultTypes": ["violations"]})
    return [
        f"{each['id']}: {node['html']} {node['failureSummary']}"
        for each in found.response["violations"]
        for node in each["nodes"]
    ]


def test_the_keyboard_alone_is_enough_for_the_whole_way(
    chromium: Browser, played: Gunicorn
) -> None:
    with browsing(chromium, played.url) as page:
        page.goto("/signup")
        tab_to(page, "Username")
        page.keyboard.type("dana")
        tab_to(page, "Password")
        page.keyboard.type(PASSWORD)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Lotteries")

        tab_to(page, "Submit 1 ballot to Big Chance")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status", name="Receipt")).to_contain_text("Your ballot is in")

        tab_to(page, "Winners", key="Shift+Tab")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_contain_text("Winner of")
        tab_to(page, "19")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_contain_text("Thursday 19 November 2026")
        tab_to(page, "Check this draw yourself")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_contain_text("The draw of")
        tab_to(page, "Check this draw")
        page.keyboard.press("Enter")
        expect(page.get_by_role("main")).to_contain_text("This draw holds")

        tab_to(page, "My ballots", key="Shift+Tab")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("My ballots")
        tab_to(page, "Log out dana")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Log in")


def test_the_first_tab_offers_to_skip_to_the_content(chromium: Browser, played: Gunicorn) -> None:
    with browsing(chromium, played.url) as page:
        page.goto("/how-it-works")
        page.keyboard.press("Tab")
        assert focused(page)[0] == "Skip to the content"
        expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()

        page.keyboard.press("Enter")
        page.keyboard.press("Tab")

        assert page.evaluate("document.activeElement.closest('main') !== null")


def test_what_was_refused_is_where_the_keyboard_is(chromium: Browser, played: Gunicorn) -> None:
    with browsing(chromium, played.url) as page:
        page.goto("/signup")
        page.get_by_role("button", name="Sign up").click()
        expect(page.get_by_role("alert")).to_be_focused()

        page.keyboard.press("Tab")
        page.keyboard.press("Enter")

        expect(page.get_by_label("Username")).to_be_focused()


def tab_to(page: Page, name: str, key: str = "Tab") -> None:
    """Press Tab until something is in focus, and see that it shows that it is."""
    for _ in range(100):
        page.keyboard.press(key)
        label, outline = focused(page)
        assert outline != "none", f"{label} does not show that it has the focus"
        if label == name:
            return
    raise AssertionError(f"Tab never comes to {name}")


def focused(page: Page) -> tuple[str, str]:
    """Return what has the focus, by its name, and the style of its outline."""
    name, outline = page.evaluate(
        """() => {
            const element = document.activeElement;
            const label = element.labels?.[0] ?? element;
            return [label.textContent.trim(), getComputedStyle(element).outlineStyle];
        }"""
    )
    return name, outline
