"""Page states: every page in every state that a user may see."""

import re
from collections.abc import Callable
from typing import NamedTuple

from playwright.sync_api import Page

from tests.browser.conftest import CLOSED_DAY, DRAWN_DAY, LONG_USERNAME, QUIET_DAY, TODAY
from tests.conftest import PASSWORD

SMALL = {"width": 320, "height": 640}
SECURITY = "/login?next=/account/security"


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


def sign_up_without_cookie(page: Page) -> None:
    page.context.clear_cookies()
    page.get_by_role("button", name="Sign up").click()


def log_out_elsewhere(page: Page) -> None:
    """Lose one's session while a number is typed; the browser's other tabs are left alone."""
    page.locator("[name=count]").first.fill("77")
    page.context.clear_cookies(name=re.compile("^session-"))
    page.get_by_role("button", name="Add ballots to").first.click()


def check_draw(page: Page) -> None:
    page.get_by_role("button", name="Check this draw").click()
    page.get_by_text("What’s checked").click()


def play(count: str) -> Callable[[Page], object]:
    return fill("Add ballots to", count=count)


def log_in_as_another(button: str = "Log in") -> Callable[[Page], object]:
    """Return what logs in anew, since whoever confirms the password gets another log-in."""
    return fill(button, username=LONG_USERNAME, password=PASSWORD)


def begin_app(page: Page) -> None:
    log_in_as_another()(page)
    page.get_by_role("button", name="Set up an app").click()


def mistype(page: Page) -> None:
    begin_app(page)
    fill("Set up", code="000000")(page)


STATES = {
    "sign up": State("/signup", "Already have an account?"),
    "sign up, refused": State("/signup", "Enter a password.", act=press("Sign up")),
    "sign up, taken": State(
        "/signup",
        "This username is taken",
        act=fill("Sign up", username="bob", password=PASSWORD),
    ),
    "sign up, without a cookie": State("/signup", "sent no cookie", act=sign_up_without_cookie),
    "log in": State("/login", "New here?"),
    "log in, empty": State("/login", "Enter a username.", act=press("Log in")),
    "log in, wrong": State(
        "/login", "is incorrect", act=fill("Log in", username="bob", password="not this one")
    ),
    "lotteries": State("/", "Big Chance", "bob"),
    "lotteries, of an organiser": State("/", "Organise", "alice"),
    "lotteries, none": State("/", "No lotteries are open right now", "bob", is_new=True),
    "lotteries, none, of an organiser": State("/", "Create one", "alice", is_new=True),
    "lotteries, a long prize": State(
        "/", "Many words.", "bob", lambda page: page.locator("summary").click()
    ),
    "lotteries, a receipt": State("/", "Your ballot is in", "bob", press("Add 1 ballot to")),
    "lotteries, a receipt for many": State("/", "Your 1,000 ballots are in", "bob", play("1000")),
    "lotteries, refused": State("/", "1 to 1,000", "bob", play("1001")),
    "lotteries, a result": State("/", "No win on", "bob"),
    "lotteries, a win": State("/", "You won:", "charlie"),
    "a page while a prize waits": State("/how-it-works", "Claim your prize", "charlie"),
    "prize": State(f"/prizes/{DRAWN_DAY}/1", "Only the organisers can see", "charlie"),
    "prize, refused": State(
        f"/prizes/{DRAWN_DAY}/1",
        "at most 200 characters",
        "charlie",
        fill("Claim your prize", contact="long" * 51),
    ),
    "prize, in German": State(f"/prizes/{DRAWN_DAY}/1?lang=de", "Gewinn anfordern", "charlie"),
    "prize, of another": State(f"/prizes/{DRAWN_DAY}/1", "You have no prize to claim here", "bob"),
    "my prizes": State("/prizes", "not claimed yet", "charlie"),
    "my prizes, none": State("/prizes", "You haven’t won a prize yet", "bob"),
    "lotteries, none of that name": State("/?q=nothing", "has “nothing” in its name", "bob"),
    "lotteries, beyond the last page": State("/?page=9", "no more open lotteries", "bob"),
    "lotteries, in German": State("/?lang=de", "Ziehung", "bob"),
    "lotteries, in Spanish": State("/?lang=es", "sorteo", "bob"),
    "lotteries, in French": State("/?lang=fr", "tirage", "bob"),
    "lotteries, logged out meanwhile": State(
        "/", "what you typed is still here", "bob", log_out_elsewhere
    ),
    "account": State("/account", "Close my account", "bob"),
    "account, refused": State("/account", "Enter your password.", "bob", press("Change password")),
    "account, changed": State(
        "/account?done=sessions", "You’ve been logged out everywhere else.", "bob"
    ),
    "account, in German": State("/account?lang=de", "Passwort", "bob"),
    "account, to be closed": State("/account/close", "Close my account permanently", "bob"),
    "account, history": State("/account/history", "Logged in.", "bob"),
    "confirm": State("/account/confirm", "Enter your password to see", "bob"),
    "confirm, refused": State(
        "/account/confirm", "isn’t your password", "bob", fill("Continue", current="not this one")
    ),
    "log-in security": State(
        SECURITY, "You can’t use passkeys at this address", act=log_in_as_another()
    ),
    "log-in security, in German": State(
        f"{SECURITY}&lang=de", "Authenticator-App", act=log_in_as_another("Anmelden")
    ),
    "authenticator app": State(SECURITY, "Scan this code", act=begin_app),
    "authenticator app, refused": State(SECURITY, "This code is wrong", act=mistype),
    "forgotten password": State("/forgotten-password", "Ask an organiser"),
    "new password, no link": State("/new-password", "This link doesn’t work"),
    "my ballots": State("/ballots", "Won with ballot", "charlie"),
    "my ballots, none": State("/ballots", "You have no ballots yet", "alice"),
    "my ballots of a drawn day": State(f"/ballots/{DRAWN_DAY}", "didn’t win", "bob"),
    "my ballots of a day won": State(f"/ballots/{DRAWN_DAY}", "You won with ballot", "charlie"),
    "my ballots of a closed day": State(
        f"/ballots/{CLOSED_DAY}", "hasn’t taken place yet", "charlie"
    ),
    "my ballots of today": State(f"/ballots/{TODAY}", "hasn’t taken place yet", LONG_USERNAME),
    "my ballots of a day without": State(f"/ballots/{QUIET_DAY}", "no ballots", "bob"),
    "welcome": State("/welcome", "Prizes to be won now"),
    "welcome, nothing yet": State("/welcome", "No lotteries are open", is_new=True),
    "welcome, in German": State("/welcome?lang=de", "Nächste Ziehung"),
    "a lottery, of a stranger": State("/lotteries/1", "Sign up to play"),
    "a lottery, of a participant": State("/lotteries/1", "Add 1 ballot", "bob"),
    "a lottery, finished": State("/lotteries/2", "This lottery has finished"),
    "a lottery, in French": State("/lotteries/1?lang=fr", "Chaque jour"),
    "no such lottery": State("/lotteries/99", "This lottery doesn’t exist"),
    "winners": State("/winners", "not claimed yet"),
    "winners, none yet": State("/winners", "Nobody has won yet", is_new=True),
    "winners, no older ones": State("/winners?before=2020-01-01", "no older winners"),
    "winners, drawn": State(f"/winners/{DRAWN_DAY}", "Reserves"),
    "winners, drawn, of the winner": State(f"/winners/{DRAWN_DAY}", "You won.", "charlie"),
    "winners, drawn, of another": State(f"/winners/{DRAWN_DAY}", "didn’t win.", "bob"),
    "winners, drawn, in German": State(f"/winners/{DRAWN_DAY}?lang=de", "Ersatz", "bob"),
    "winners, drawn, in Spanish": State(f"/winners/{DRAWN_DAY}?lang=es", "sorteo"),
    "winners, drawn, in French": State(f"/winners/{DRAWN_DAY}?lang=fr", "tirage"),
    "winners, sheet": State(f"/winners/{DRAWN_DAY}/sheet", "your phone can check the draw"),
    "winners, sheet, nobody played": State(f"/winners/{QUIET_DAY}/sheet", "No winner"),
    "winners, no sheet": State(f"/winners/{CLOSED_DAY}/sheet", "There’s no result for"),
    "winners, nobody played": State(f"/winners/{QUIET_DAY}", "No winner"),
    "winners, waiting": State(f"/winners/{CLOSED_DAY}", "will appear here"),
    "winners, open": State(f"/winners/{TODAY}", "not drawn yet", "bob"),
    "winners, future": State("/winners/2026-12-24", "happened yet"),
    "winners, before the first draw": State("/winners/2020-02-02", "no draw that day"),
    "winners, not a date": State("/winners/yesterday", "isn’t a date"),
    "winners, not a date either": State(f"/winners?date={'long' * 50}", "isn’t a date"),
    "draw": State(f"/draws/{DRAWN_DAY}", "Check it without this website"),
    "draw, of a holder": State(f"/draws/{DRAWN_DAY}", "Was my ballot in the draw?", "charlie"),
    "draw, checked": State(f"/draws/{DRAWN_DAY}", "This draw is correct", "bob", check_draw),
    "draw, nobody played": State(f"/draws/{QUIET_DAY}", "No winner"),
    "draw, waiting": State(f"/draws/{CLOSED_DAY}", "will appear here"),
    "draw, open": State(f"/draws/{TODAY}", "What you can save now", "bob"),
    "draw, future": State("/draws/2026-12-24", "happened yet"),
    "draw, not a date": State("/draws/yesterday", "isn’t a date"),
    "draw, in German": State(f"/draws/{DRAWN_DAY}?lang=de", "Zertifikat", "charlie"),
    "draw, in French": State(f"/draws/{DRAWN_DAY}?lang=fr", "certificat", "charlie"),
    "overview": State("/organiser", "All draws are up to date", "alice"),
    "overview, new": State("/organiser", "No changes yet.", "alice", is_new=True),
    "overview, in German": State("/organiser?lang=de", "Verwaltung", "alice"),
    "to hand over": State("/organiser/prizes", "Not claimed yet", "alice"),
    "to hand over, nothing": State(
        "/organiser/prizes", "No prizes to hand over", "alice", is_new=True
    ),
    "hand a prize over": State(f"/organiser/prizes/{DRAWN_DAY}/1", "Let it lapse", "alice"),
    "hand a prize over, refused": State(
        f"/organiser/prizes/{DRAWN_DAY}/1", "Enter a reason.", "alice", press("Let the prize lapse")
    ),
    "copy a lottery": State("/organiser/lotteries/new?copy=1", "Create lottery", "alice"),
    "draws": State("/organiser/draws", "not drawn yet", "alice"),
    "participants": State("/organiser/participants", "organiser", "alice"),
    "link for a participant": State("/organiser/participants/2/reset-link", "Create link", "alice"),
    "link for a participant, created": State(
        "/organiser/participants/4/reset-link", "shown only once", "alice", press("Create link")
    ),
    "a participant": State("/organiser/participants/2", "Make bob an organiser", "alice"),
    "a participant, block refused": State(
        "/organiser/participants/2", "Enter a reason.", "alice", press("Block")
    ),
    "a participant, in German": State("/organiser/participants/2?lang=de", "sperren", "alice"),
    "an organiser": State("/organiser/participants/1", "Make alice a participant", "alice"),
    "invitations": State("/organiser/invitations", "New invitation", "alice"),
    "invitations, refused": State(
        "/organiser/invitations", "Enter a name, so that", "alice", press("Create invitation")
    ),
    "invitation, just made": State(
        "/organiser/invitations",
        "shown only once",
        "alice",
        fill("Create invitation", label="Poster in the hall"),
    ),
    "invitation, not valid": State("/join", "This invitation isn’t valid."),
    "changes": State("/organiser/changes", "from the command line", "alice"),
    "site": State("/organiser/site", "Technical name", "alice"),
    "site, refused": State(
        "/organiser/site", "at most 80 characters", "alice", fill("Save", title="x" * 81)
    ),
    "withdraw a lottery": State("/organiser/lotteries/1/withdraw", "Withdraw lottery", "alice"),
    "withdraw a lottery, finished": State(
        "/organiser/lotteries/2/withdraw", "has already finished", "alice"
    ),
    "organise": State("/organiser/lotteries", "finished", "alice"),
    "organise, none": State("/organiser/lotteries", "No lotteries yet", "alice", is_new=True),
    "create a lottery": State("/organiser/lotteries/new", "Create lottery", "alice"),
    "create a lottery, refused": State(
        "/organiser/lotteries/new", "Enter a name.", "alice", press("Create")
    ),
    "create a lottery, in the past": State(
        "/organiser/lotteries/new",
        "This day is over",
        "alice",
        fill("Create", name="Late", closes_on="2026-11-01"),
    ),
    "change a lottery": State("/organiser/lotteries/1", "Edit lottery", "alice"),
    "change a lottery, finished": State("/organiser/lotteries/2", "has finished", "alice"),
    "screen, waiting": State("/screen", "It’s being made now."),
    "screen, new": State("/screen", "The first draw hasn’t taken place yet.", is_new=True),
    "screen, in German": State("/screen?lang=de", "Nächste Ziehung in"),
    "how it works": State("/how-it-works", "What we can’t prove"),
    "for organisers only": State("/organiser/lotteries", "You can’t view this page", "bob"),
    "nothing here": State("/nowhere", "Page not found"),
    "nothing here, of a user": State("/nowhere", "Page not found", "bob"),
}

#: those that are had by looking alone
AT_ONCE = [name for name, state in STATES.items() if state.act is State._field_defaults["act"]]


def width_of(page: Page) -> int:
    """Return how wide the page is with all that sticks out of it, once it is there."""
    page.wait_for_load_state()
    width: int = page.evaluate("document.documentElement.scrollWidth")
    return width
