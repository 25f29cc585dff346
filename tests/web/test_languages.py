"""Language of a page: which one, and no mix."""

import re
from html.parser import HTMLParser

import pytest
from babel.support import NullTranslations
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from lottery_system.clock import ONE_DAY
from lottery_system.models import Ballot, Lottery, Winner
from lottery_system.web import jinja, languages, texts
from tests.conftest import FIRST_DAY, FIRST_NOON, PASSWORD, Cast, Clock, Submit
from tests.stand_ins.log_keys import run_due
from tests.web.conftest import LogIn, Visitor, text_of

DRAWN, OPEN = FIRST_DAY, FIRST_DAY + ONE_DAY


def language_of(visitor: Visitor, accepts: str, path: str = "/how-it-works") -> str:
    page = visitor.get(path, headers={"Accept-Language": accepts})
    found = re.search(r'<html lang="(\w+)">', page.text)
    assert found, page.text
    return found[1]


@pytest.mark.parametrize(
    ("accepts", "code"),
    [
        ("de", "de"), ("de-AT,de;q=0.9,en;q=0.5", "de"), ("es-MX", "es"), ("fr-CA,en;q=0.2", "fr"),
        ("en-US", "en"), ("pt-BR,es;q=0.4", "es"),
        ("pt-BR", "en"), ("tlh", "en"), ("*", "en"), ("", "en"), ("de;q=x;;,", "en"),
        ("../../etc/passwd", "en"), ("x" * 5000, "en"),
    ],
)  # fmt: skip
def test_the_browser_chooses_and_one_that_speaks_none_of_ours_gets_english(
    clock: Clock, stranger: Visitor, accepts: str, code: str
) -> None:
    assert language_of(stranger, accepts) == code


def test_a_link_at_the_foot_of_the_page_chooses_for_this_browser(
    clock: Clock, stranger: Visitor
) -> None:
    assert 'href="?lang=fr"' in stranger.get("/how-it-works").text

    assert language_of(stranger, "de", "/how-it-works?lang=fr") == "fr"

    assert language_of(stranger, "de") == "fr"
    assert language_of(stranger, "de", "/how-it-works?lang=tlh") == "fr"


def test_the_link_keeps_what_else_the_address_says(clock: Clock, stranger: Visitor) -> None:
    page = stranger.get("/login?next=/ballots&lang=es").text

    assert 'href="?next=%2Fballots&amp;lang=de"' in page


def test_a_page_that_answers_a_form_offers_no_links_to_where_only_forms_go(
    clock: Clock, stranger: Visitor
) -> None:
    assert 'href="?lang=' not in stranger.post("/login", username="", password="").text


def test_the_account_chooses_for_every_browser(log_in: LogIn) -> None:
    here = log_in("bob")
    answer = here.post("/account/language", "/account", language="es")
    assert (answer.status_code, answer.location) == (303, "/account")

    there = log_in("bob")

    assert language_of(here, "de") == "es"
    assert language_of(there, "de") == "es"
    assert "Lotes" not in text_of(there.get("/"))
    assert 'href="?lang=' not in there.get("/").text
    assert 'href="/account#languages"' in there.get("/").text


@pytest.mark.parametrize("code", ["", "tlh", "EN", "e"])
def test_an_account_speaks_no_language_that_we_lack(bob: Visitor, code: str) -> None:
    answer = bob.post("/account/language", "/account", language=code)

    assert answer.status_code == 422
    assert "Choose one of the languages in the list." in text_of(answer)


def test_what_the_domain_refuses_is_said_in_the_language_of_the_page(
    stranger: Visitor, clock: Clock
) -> None:
    page = stranger.post("/signup?lang=de", username="dana", password="short")

    assert "Das Passwort muss 8 bis 128 Zeichen lang sein." in text_of(page)


def test_a_drawn_day_remembered_in_one_language_is_not_shown_in_another(
    session: Session, cast: Cast, big_chance: Lottery, submit: Submit, clock: Clock,
    stranger: Visitor,
) -> None:  # fmt: skip
    submit(cast.bob, big_chance)
    clock.turn(ONE_DAY)
    run_due(session, FIRST_NOON + ONE_DAY)

    spoken = [language_of(stranger, code, f"/winners/{DRAWN}") for code in ("de", "en", "fr", "de")]

    assert spoken == ["de", "en", "fr", "de"]


# --- no text outside the catalogues -----------------------------------------------------------

#: what stands in these is data: names, days, numbers, code
DATA = frozenset({"bdi", "time", "code", "pre", "script", "style", "option", "textarea"})
READ = frozenset(
    {"aria-label", "title", "alt", "placeholder", "data-reveal", "data-closed", "data-own-closing"}
)
#: names of the cast and of what they play, and words that are the same in all languages
KNOWN = re.compile(
    r"(February|November|December) \d{4}|lottery\.local|localhost|Big Chance|Extra Win"
    r"|alice|bob|charlie|UTC|JSON|CSV|English|Deutsch|Español|Français|operator|beacon|Nov|Oct|Dec"
    r"|(Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day( \d+ \w+ \d+)?"
    r"|\d+ November 2026|https?:\S+|20\d\d-\d\d-\d\d"
)
VOID = frozenset({"meta", "link", "input", "br", "img"})


class Marked(NullTranslations):
    """Puts every text that is looked up between brackets."""

    def gettext(self, message: str) -> str:
        return f"⟦{message}⟧"

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return f"⟦{msgid1 if n == 1 else msgid2}⟧"

    ugettext = gettext
    ungettext = ngettext


class Unmarked(HTMLParser):
    """Collects what a person sees or hears of a page and does not stand between brackets."""

    def __init__(self) -> None:
        super().__init__()
        self.depth = 0
        self.data_depth = 0
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        for name in READ & set(attributes):
            self._look(attributes[name] or "", within=0)
        if tag == "meta" and attributes.get("name") == "description":
            self._look(attributes["content"] or "", within=0)
        is_data = tag in DATA or attributes.get("dir") == "auto"
        if tag not in VOID and (is_data or self.data_depth):
            self.data_depth += 1

    def handle_endtag(self, tag: str) -> None:
        if self.data_depth:
            self.data_depth -= 1

    def handle_data(self, data: str) -> None:
        self.depth = self._look(data, self.depth, is_data=self.data_depth > 0)

    def _look(self, text: str, within: int, *, is_data: bool = False) -> int:
        outside = ""
        for sign in text:
            within += (sign == "⟦") - (sign == "⟧")
            outside += sign if within == 0 else " "
        outside = KNOWN.sub(" ", outside)
        if not is_data:
            self.found += re.findall(r"[^\W\d_]{2,}", outside)
        return within


def unmarked(html: str) -> list[str]:
    parser = Unmarked()
    parser.feed(html)
    return parser.found


@pytest.fixture
def _marked(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all pages speak the language of brackets."""
    # templates are compiled with their texts
    monkeypatch.setattr(app.jinja_env, "bytecode_cache", None)
    monkeypatch.setattr(jinja, "texts", texts.Texts)
    monkeypatch.setattr(texts, "catalogue", lambda code: Marked())
    monkeypatch.setattr(languages, "catalogue", lambda code: Marked())
    monkeypatch.setattr(languages, "texts", texts.Texts)
    monkeypatch.setattr(texts, "texts", texts.Texts)


@pytest.fixture
def given_settings() -> dict[str, str]:
    """Let alice, who organises, play as well: her pages show all that there is."""
    return {"LOTTERY_ORGANISERS_PLAY": "on"}


@pytest.fixture
def _played(
    session: Session, cast: Cast, big_chance: Lottery, extra_win: Lottery, submit: Submit,
    clock: Clock,
) -> None:  # fmt: skip
    """Leave a drawn day with reserves and a day that is open."""
    submit(cast.alice, big_chance, 3)
    submit(cast.bob, extra_win, 4)
    clock.turn(ONE_DAY)
    submit(cast.alice, big_chance, 2)
    run_due(session, FIRST_NOON + ONE_DAY, places=7)


OF_ALICE = [
    "/", "/?page=9", "/?q=none", "/ballots", f"/ballots/{DRAWN}", f"/ballots/{OPEN}",
    "/ballots/2020-01-01", "/ballots?before=2020-01-01",
    "/welcome", "/lotteries/1", "/lotteries/2", "/lotteries/99", "/winners?before=2020-01-01",
    "/winners", f"/winners/{DRAWN}", f"/winners/{OPEN}", "/winners/2026-12-24",
    "/winners/2020-02-02", "/winners/soon", f"/winners/{DRAWN}/sheet", "/winners/2026-12-24/sheet",
    f"/draws/{DRAWN}", f"/draws/{OPEN}", "/draws/2026-12-24", "/draws/2020-02-02", "/draws/soon",
    f"/draws/{DRAWN}/ballots/99/receipt.json", f"/draws/{DRAWN}/receipt?number=x",
    "/account", "/account?done=password", "/account?done=sessions", "/account?done=session",
    "/account/close", "/account/history", "/forgotten-password", "/new-password",
    "/organiser/participants/2/reset-link", "/organiser/participants/1/reset-link",
    "/organiser/participants/99/reset-link",
    "/organiser", "/organiser/draws", "/organiser/participants", "/organiser/changes",
    "/organiser/lotteries", "/organiser/lotteries/new", "/organiser/lotteries/1",
    "/organiser/lotteries/1/withdraw", "/organiser/lotteries/2/withdraw",
    "/organiser/lotteries/99", "/how-it-works", "/nowhere", "/log/soon/checkpoint",
    "/log/tile/none",
]  # fmt: skip


@pytest.mark.usefixtures("_played", "_marked")
@pytest.mark.parametrize("path", OF_ALICE)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_no_visible_text_is_left_outside_the_catalogues(alice: Visitor, path: str) -> None:
    alice.submit(1, count="2")  # the front page then shows a receipt

    assert unmarked(alice.get(path).text) == []


@pytest.mark.usefixtures("_played", "_marked")
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_no_refusal_is_left_outside_the_catalogues(
    alice: Visitor, log_in: LogIn, stranger: Visitor, app: Flask, session: Session
) -> None:
    bob = log_in("bob")
    for lottery_id in (1, 2):
        bob.submit(lottery_id, count="2")
    with session.begin():
        number = session.scalars(select(Winner.number).filter_by(day=DRAWN, place=1)).one()
        won = session.get_one(Ballot, (DRAWN, number)).lottery_id
    refused = [
        stranger.get("/login"),
        stranger.get("/signup"),
        stranger.post("/signup", username="", password=""),
        stranger.post("/signup", username="al", password=PASSWORD),
        stranger.post("/signup", username="bob", password=PASSWORD),
        stranger.post("/signup", username="dana", password="dana"),
        stranger.post("/login", username="bob", password="not this one"),
        alice.submit(1, count="0"),
        alice.submit(1, count="many"),
        alice.submit(2),
        alice.submit(99),
        alice.post("/organiser/lotteries/new", name="", prize="x" * 5001, closes_on=""),
        alice.post("/organiser/lotteries/new", name="x" * 81, prize="\0", closes_on="2020-01-01"),
        alice.post("/organiser/lotteries/new", name="Big Chance", prize="", closes_on="2027-01-01"),
        alice.post(
            "/organiser/lotteries/new",
            name="Rare",
            prize="",
            claim="\0",
            closes_on="2027-01-01",
            opens_on="2027-01-02",
            most_a_day="none",
            winnable="0",
        ),
        alice.post(
            "/organiser/lotteries/new",
            name="Rare",
            prize="",
            closes_on="2027-01-01",
            opens_on="2027-01-02",
        ),
        alice.post(
            "/organiser/lotteries/1",
            name="Big Chance",
            prize="",
            closes_on="2027-01-01",
            opens_on="2026-12-24",
        ),
        alice.post(
            "/organiser/lotteries/1",
            name="Big Chance",
            prize="",
            closes_on="2027-01-01",
            most_a_day="1",
        ),
        alice.post(
            f"/organiser/lotteries/{won}",
            name="Big Chance" if won == 1 else "Extra Win",
            prize="",
            closes_on="2027-01-01",
            winnable="1",
        ),
        alice.post("/account/password", "/account", current="", new=""),
        alice.post("/account/password", "/account", current="wrong one", new=PASSWORD),
        alice.post("/account/language", "/account", language="tlh"),
        alice.client.post("/account/language", data={}),
        alice.post("/account/time-zone", "/account", time_zone="nowhere"),
        alice.client.get("/lotteries/1/ballots"),
        bob.get("/organiser"),
        bob.get("/organiser/lotteries/1"),
    ]

    for answer in refused:
        assert unmarked(answer.text) == [], answer.request.path


def test_a_text_outside_the_catalogues_would_be_found() -> None:
    assert unmarked("<p>⟦Hello⟧ <bdi>bob</bdi>, welcome <b>⟦here, <i>at</i> last⟧</b></p>") == [
        "welcome"
    ]
    assert unmarked('<a aria-label="Close">⟦x⟧</a>') == ["Close"]
