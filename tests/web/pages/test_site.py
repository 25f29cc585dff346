"""The site's title, texts and logo: organisers set them, and every page shows them."""

from collections.abc import Iterator
from time import monotonic

import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from lottery_system import site_cache
from lottery_system.clock import ONE_DAY
from lottery_system.extensions import db
from lottery_system.models import Lottery, SiteChange
from lottery_system.models.site_change import TEXTS
from lottery_system.queries.site import Site
from lottery_system.web.pages import cards, winners
from lottery_system.web.pages.winners import SeenAs
from lottery_system.web.words import paragraphs_of
from tests.conftest import FIRST_DAY, FIRST_NOON, PASSWORD, Cast, Clock, Submit
from tests.stand_ins.log_keys import run_due
from tests.web.conftest import LogIn, Visitor, csrf_token, text_of

FORM = "/organiser/site"
TITLE = "Spring Fair of St. Anne’s"
#: what logs, keys and proofs are called
TECHNICAL = "lottery.local"
#: the longest text, in letters of three bytes, which a browser sends as they are
LONG = "字" * 20_000


@pytest.fixture
def moments(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Let the monotonic clock stand at what the list has, by which pages remember."""
    at = [monotonic() + 100]  # whatever was read before is forgotten
    monkeypatch.setattr(site_cache, "monotonic", lambda: at[0])
    monkeypatch.setattr(winners, "monotonic", lambda: at[0])
    winners._drawn_day.cache_clear()
    yield at
    winners._drawn_day.cache_clear()


@pytest.fixture(autouse=True)
def _at_once(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each page read what the site is called, where a test has no moments."""
    if "moments" not in request.fixturenames:
        monkeypatch.setattr(site_cache, "MOMENT", 0)


def changes(session: Session) -> list[SiteChange]:
    with session.begin():
        return list(session.scalars(select(SiteChange).order_by(SiteChange.id)))


def head_of(page: str) -> str:
    return page.partition("<title>")[2].partition("</title>")[0]


def test_the_technical_name_is_shown_until_there_is_a_title(
    alice: Visitor, stranger: Visitor, session: Session
) -> None:
    before = stranger.get("/login").text
    assert head_of(before) == f"Log in – {TECHNICAL}"

    answer = alice.post(FORM, title=f"  {TITLE} ")

    assert (answer.status_code, answer.location) == (303, FORM)
    for visitor, path in ((stranger, "/login"), (alice, "/"), (alice, "/how-it-works")):
        page = visitor.get(path)
        assert head_of(page.text).endswith(f" – {TITLE}")
        assert f"{TITLE} " in text_of(page)
        assert TECHNICAL not in page.text
    assert [each.title for each in changes(session)] == [TITLE]
    alice.post(FORM, title="")
    assert head_of(stranger.get("/login").text) == f"Log in – {TECHNICAL}"


def test_a_title_names_no_log_and_no_key(
    alice: Visitor, bob: Visitor, big_chance: Lottery, clock: Clock, session: Session
) -> None:
    alice.post(FORM, title=TITLE)
    bob.submit(big_chance.id)
    clock.turn(ONE_DAY)
    run_due(session, FIRST_NOON + ONE_DAY)

    page = bob.get(f"/draws/{FIRST_DAY}")

    assert f"{TECHNICAL}+" in text_of(page)
    assert f"is called by its technical name, {TECHNICAL} ." in text_of(page)
    assert bob.get("/log/checkpoint").text.startswith(f"{TECHNICAL}\n")
    assert f"are called {TECHNICAL} ." in text_of(alice.get(FORM))
    sheet = text_of(bob.get(f"/winners/{FIRST_DAY}/sheet"))
    assert TITLE in sheet
    assert f"{TECHNICAL} ·" not in sheet


def test_every_worker_shows_a_new_title_within_two_seconds(
    alice: Visitor, stranger: Visitor, app: Flask, session: Session, moments: list[float]
) -> None:
    """Another worker is another application; here the change is made behind this one's back."""
    assert head_of(stranger.get("/login").text).endswith(TECHNICAL)
    with session.begin():
        SiteChange.add(session, {"title": TITLE, **dict.fromkeys(TEXTS, "")}, None, FIRST_NOON, 1)

    moments[0] += 1.9
    assert head_of(stranger.get("/login").text).endswith(TECHNICAL)
    moments[0] += 0.1
    assert head_of(stranger.get("/login").text).endswith(TITLE)


def test_whoever_changes_the_site_sees_it_at_once(alice: Visitor, moments: list[float]) -> None:
    alice.get("/")

    alice.post(FORM, title=TITLE)

    assert head_of(alice.get(FORM).text).endswith(TITLE)
    assert head_of(alice.get("/").text).endswith(TECHNICAL)  # for two seconds


def test_the_page_of_a_drawn_day_is_remembered_under_the_title_that_it_shows(
    app: Flask, alice: Visitor, stranger: Visitor, cast: Cast, big_chance: Lottery,
    submit: Submit, clock: Clock, session: Session, moments: list[float],
) -> None:  # fmt: skip
    submit(cast.bob, big_chance)
    clock.turn(ONE_DAY)
    run_due(session, FIRST_NOON + ONE_DAY)
    path = f"/winners/{FIRST_DAY}"
    assert head_of(stranger.get(path).text).endswith(TECHNICAL)

    alice.post(FORM, title=TITLE, contact="Ask alice.")
    moments[0] += 2

    page = stranger.get(path).text
    assert head_of(page).endswith(TITLE)
    assert 'href="/contact"' in page
    assert f'property="og:site_name" content="{TITLE}"' in page
    seen_as = SeenAs("en", "http://localhost/", False, Site("Whatever goes by this key"))
    remembered = winners._drawn_day(app, FIRST_DAY, 0.0, seen_as)
    assert remembered
    assert head_of(remembered[0]).endswith("Whatever goes by this key")


def test_a_card_has_the_title_or_where_its_letters_are_not_drawn_the_technical_name(
    app: Flask, alice: Visitor, stranger: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []
    monkeypatch.setattr(cards, "_drawn", lambda name, *_: drawn.append(name) or b"png")  # type: ignore[func-returns-value]

    for title in (TITLE, "抽奖", ""):
        alice.post(FORM, title=title)
        stranger.get("/card.png")

    assert drawn == [TITLE, TECHNICAL, TECHNICAL]


def test_texts_have_addresses_and_the_foot_of_every_page_leads_to_them(
    alice: Visitor, stranger: Visitor
) -> None:
    for name in TEXTS:
        assert stranger.get(f"/{name}").status_code == 404
        assert f'href="/{name}"' not in stranger.get("/login").text

    alice.post(FORM, contact="Ask alice.\r\nShe knows.\r\n \r\nOr bob: <b>bob@example.org</b>")

    page = stranger.get("/contact")
    assert page.status_code == 200
    assert page.text.count('<p class="own"') == 2
    assert "&lt;b&gt;bob@example.org&lt;/b&gt;" in page.text
    assert 'href="/contact"' in stranger.get("/login").text
    assert 'href="/contact"' in alice.get("/").text
    assert 'href="/terms"' not in stranger.get("/login").text
    assert stranger.get("/terms").status_code == 404
    alice.post(FORM, contact=" ", imprint="St. Anne’s, 1 Church Road")
    assert stranger.get("/contact").status_code == 404
    assert "1 Church Road" in text_of(stranger.get("/imprint"))


def test_whoever_saves_the_site_is_told_so_once(alice: Visitor) -> None:
    saved = "Your changes have been saved."
    alice.post(FORM, title="Spring Fair")

    assert saved in text_of(alice.get(FORM))
    assert saved not in text_of(alice.get(FORM))


def test_the_foot_names_the_texts_in_the_language_of_the_page(
    alice: Visitor, stranger: Visitor
) -> None:
    alice.post(FORM, imprint="St. Anne’s, 1 Church Road", privacy="We keep nothing.")

    for code, names in (
        ("en", "Privacy Imprint"), ("de", "Datenschutz Impressum"),
        ("fr", "Confidentialité Mentions légales"), ("es", "Privacidad Aviso legal"),
    ):  # fmt: skip
        assert names in text_of(stranger.get(f"/winners?lang={code}"))


def test_paragraphs_are_parted_by_blank_lines() -> None:
    assert paragraphs_of("one\ntwo\n\nthree\n \t\n\n  four") == ["one\ntwo", "three", "  four"]
    assert paragraphs_of("one") == ["one"]


def test_all_texts_may_be_as_long_as_they_may_be_at_once(
    alice: Visitor, stranger: Visitor, session: Session
) -> None:
    form = {"csrf_token": csrf_token(alice.get(FORM)), **dict.fromkeys(TEXTS, LONG)}

    answer = alice.client.post(FORM, data=form, content_type="multipart/form-data")

    assert answer.status_code == 303
    assert [getattr(changes(session)[0], name) for name in TEXTS] == [LONG] * 4
    assert stranger.get("/terms").text.count("字") == 20_000


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("title", "x" * 81, "The title can be at most 80 characters long."),
        ("title", "x" * 2000, "The title can be at most 80 characters long."),
        ("title", "Fair\u202e", "invisible characters"),
        ("title", "\u3164\u2800", "invisible characters"),
        ("title", "Z" + "\u0301\u0327\u0323\u0308\u0330", "at most 4 accents"),
        ("terms", "x" * 20_001, "The text can be at most 20,000 characters long."),
        ("imprint", "a\x00b", "invisible characters"),
        ("imprint", "\u3164", "invisible characters"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_typed_is_lost(
    alice: Visitor, session: Session, field: str, value: str, says: str
) -> None:
    good = {"title": TITLE, "contact": "Ask alice.", "privacy": "We keep little."}

    answer = alice.post(FORM, **{**good, field: value})

    assert answer.status_code == 422
    assert says in text_of(answer)
    assert changes(session) == []
    for name in good.keys() - {field}:
        assert good[name] in answer.text


def test_a_title_is_stored_in_one_form(alice: Visitor, session: Session) -> None:
    alice.post(FORM, title=" Glu\u0308ck \u2003 heute ")

    assert [each.title for each in changes(session)] == ["Glück heute"]


def test_every_change_is_kept_with_who_made_it_and_when_and_none_where_nothing_was_changed(
    alice: Visitor, cast: Cast, clock: Clock, session: Session
) -> None:
    alice.post(FORM, title="", terms="")
    assert changes(session) == []
    alice.post(FORM, title=TITLE)
    clock.turn(ONE_DAY)
    for _ in range(2):
        alice.post(FORM, title=TITLE, terms="Play fair.")

    kept = changes(session)
    assert [(each.title, each.terms, each.changed_by) for each in kept] == [
        (TITLE, "", cast.alice.id), (TITLE, "Play fair.", cast.alice.id),
    ]  # fmt: skip
    assert [each.changed_at for each in kept] == [FIRST_NOON, FIRST_NOON + ONE_DAY]
    words = text_of(alice.get(FORM))
    assert "alice text changed: Terms" in words
    assert f"alice title changed to “{TITLE}”" in words


@pytest.mark.parametrize(
    "statement", ["UPDATE site_changes SET title = 'Mine'", "DELETE FROM site_changes"]
)
def test_a_change_that_was_made_cannot_be_taken_back(
    alice: Visitor, session: Session, statement: str
) -> None:
    alice.post(FORM, title=TITLE)

    with pytest.raises(DatabaseError, match="kept for ever"), session.begin():
        session.execute(text(statement))


def test_a_participant_has_no_business_here(bob: Visitor, session: Session) -> None:
    assert bob.get(FORM).status_code == 403
    answer = bob.post(FORM, page="/", title=TITLE)

    assert answer.status_code == 403
    assert changes(session) == []


def test_a_password_must_not_be_made_of_the_title(alice: Visitor, stranger: Visitor) -> None:
    alice.post(FORM, title="Honeybee Foundation")
    form = {"username": "dana", "password": "honeybeefoundation1"}

    refused = stranger.post("/signup", **form)

    assert refused.status_code == 422
    assert "too similar to your username or the lottery’s name" in text_of(refused)
    changed = alice.post("/account/password", "/account", current=PASSWORD, new=form["password"])
    assert changed.status_code == 422
    alice.post(FORM, title="")
    assert stranger.post("/signup", **form).status_code == 303


def test_pages_say_what_the_site_was_called_while_the_database_is_gone(
    app: Flask, alice: Visitor, stranger: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice.post(FORM, title=TITLE)
    stranger.get("/login")
    with app.app_context():
        for engine in db.engines.values():
            engine.dispose()
            monkeypatch.setattr(engine, "connect", _gone)

    page = stranger.get("/winners")

    assert page.status_code == 503
    assert head_of(page.text).endswith(TITLE)
    page = stranger.get("/how-it-works")
    assert page.status_code == 200
    assert head_of(page.text).endswith(TITLE)


def _gone() -> None:
    from sqlalchemy.exc import OperationalError  # noqa: PLC0415

    raise OperationalError("SELECT", {}, Exception("gone"))


def test_a_form_of_a_session_that_has_ended_wipes_no_text(
    alice: Visitor, log_in: LogIn, session: Session
) -> None:
    alice.post(FORM, title=TITLE, terms="Play fair.")
    page = alice.get(FORM)
    form = {"csrf_token": csrf_token(page), "title": "Another", "terms": "Play."}
    alice.post("/logout", "/account")

    answer = alice.client.post(FORM, data=form)

    assert answer.status_code in (303, 400)
    assert [each.title for each in changes(session)] == [TITLE]
    assert 'name="resume"' not in answer.text
