"""Caches: a cached value shows nothing of the visitor for whom it was made."""

from collections.abc import Callable, Iterator
from contextvars import Context
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from lottery_system.clock import ONE_DAY
from lottery_system.models import Lottery
from lottery_system.parts import parts_of
from lottery_system.queries.live import Moment
from lottery_system.queries.site import Site
from lottery_system.web.instants import Form
from lottery_system.web.pages import winners
from lottery_system.web.pages.winners import SeenAs
from lottery_system.web.remembered import path_for
from tests.conftest import FIRST_DAY, FIRST_NOON, Cast, Clock, Submit
from tests.repository.test_caches import caches
from tests.stand_ins.log_keys import run_due
from tests.web.conftest import LogIn, Visitor

PAGE = f"/winners/{FIRST_DAY}"
BANNER = "The lottery is paused. You can’t add ballots right now"

Ask = Callable[[Flask, LogIn], TestResponse]


@pytest.fixture
def moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what is remembered for a moment be so for the whole test."""
    winners._drawn_day.cache_clear()
    monkeypatch.setattr(winners, "monotonic", lambda: 0.0)


@pytest.fixture
def drawn(
    session: Session, cast: Cast, big_chance: Lottery, submit: Submit, clock: Clock, moment: None
) -> Iterator[None]:
    """Let bob win the first day."""
    submit(cast.bob, big_chance)
    clock.turn(ONE_DAY)
    run_due(session, FIRST_NOON + ONE_DAY)
    yield
    winners._drawn_day.cache_clear()


def asked(path: str = PAGE, **options: Any) -> Ask:
    return lambda app, log_in: app.test_client().open(path, **options)


OTHERS: dict[str, Ask] = {
    "a query": asked(f"{PAGE}?utm=secret&lang=en&before=7"),
    "only the head": asked(method="HEAD"),
    "cookies": asked(headers={"Cookie": "receipt=secret; language=en; session=nothing"}),
    "headers": asked(headers={"Referer": "https://example.org/secret", "User-Agent": "secret"}),
    "another host": asked(base_url="https://other.example"),
    "below another path": asked(base_url="http://localhost/below"),
    "another language": asked(headers={"Accept-Language": "de"}),
    "somebody logged in": lambda app, log_in: log_in("bob").get(f"{PAGE}?utm=secret"),
}


@pytest.mark.usefixtures("drawn")
@pytest.mark.parametrize("other", OTHERS)
def test_a_stranger_sees_the_same_whoever_asked_before(
    app: Flask, log_in: LogIn, other: str
) -> None:
    plain = asked()(app, log_in)
    assert "You won" not in plain.text
    winners._drawn_day.cache_clear()

    OTHERS[other](app, log_in)

    assert asked()(app, log_in).data == plain.data


@pytest.mark.usefixtures("drawn")
@pytest.mark.parametrize("path", [PAGE, "/how-it-works", f"/winners/{FIRST_DAY + ONE_DAY}"])
def test_the_head_of_a_page_is_that_of_the_page(stranger: Visitor, path: str) -> None:
    page = stranger.get(path)

    head = stranger.client.head(path)

    assert head.headers["Content-Length"] == page.headers["Content-Length"]
    assert 'href="?lang=de"' in page.text


@pytest.mark.usefixtures("drawn")
def test_each_host_and_path_has_its_own_addresses(app: Flask) -> None:
    client = app.test_client()
    for root in ("http://localhost/", "https://other.example/", "http://localhost/below/"):
        page = client.get(PAGE, base_url=root).text

        assert f'rel="canonical" href="{root}winners/{FIRST_DAY}"' in page
        below = root.partition("://")[2].partition("/")[2]
        assert f'href="/{below}how-it-works"' in page


@pytest.mark.usefixtures("drawn")
def test_a_pause_is_told_at_once_and_so_is_its_end(app: Flask, stranger: Visitor) -> None:
    pause = parts_of(app).pause
    told = [BANNER in stranger.get(PAGE).text]
    pause.set("fire", "Put it out.")
    told.append(BANNER in stranger.get(PAGE).text)
    pause.clear("fire")
    told.append(BANNER in stranger.get(PAGE).text)

    assert told == [False, True, False]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_address_is_remembered_as_a_path_alone(app: Flask) -> None:
    with app.test_request_context(base_url="https://other.example/below"):
        assert path_for("winners.index", date=None) == "/below/winners"
        with pytest.raises(ValueError, match="only paths are remembered"):
            path_for("winners.index", _external=True)
    with app.test_request_context():
        assert path_for("winners.index", date="2026-11-19") == "/winners?date=2026-11-19"


# --- no cache reads more than its key ----------------------------------------------------------

#: what each is asked for; those that are not functions of a module have tests of their own
ASKED: dict[str, Callable[[Flask], tuple[object, ...]]] = {
    "fairness/records.py format_instant": lambda app: (datetime(2026, 11, 19, 12, tzinfo=UTC),),
    "models/draw.py _counting": lambda app: (),
    "models/draw.py _turn": lambda app: (),
    "models/holding.py _adding": lambda app: (_dialect(app),),
    "models/offer.py _keeping": lambda app: (_dialect(app),),
    "confusables.py _prototypes": lambda app: (),
    "passwords.py _common": lambda app: (),
    "time_zones.py time_zones": lambda app: (),
    "web/instants.py _element": lambda app: (
        datetime(2026, 11, 19, 12, tzinfo=UTC),
        Form.DUE,
        "de",
        "Europe/Berlin",
    ),
    "web/pages/cards.py _drawn": lambda app: (
        "lottery.local",
        "770",
        "won, of 834 ballots",
        "A pear tree",
        "Sunday",
    ),
    "web/pages/cards.py _font": lambda app: ("DejaVuSans", 40),
    "web/pages/draws.py _certificate": lambda app: (app, FIRST_DAY),
    "web/pages/live.py _event": lambda app: (Moment(FIRST_DAY, 1, None, None, None, 0),),
    "web/remembered.py _path": lambda app: (app, "/below", "winners.index", (("date", "x"),)),
    "web/sample_draw.py sample_draw": lambda app: (app.static_folder, "operator"),
    "web/static_files.py version_of": lambda app: (app.static_folder,),
    "web/texts.py _script_texts": lambda app: (app.static_folder,),
    "web/texts.py catalogue": lambda app: ("de",),
    "web/texts.py texts": lambda app: ("de",),
    "web/pages/verifiers.py _page": lambda app: (app.static_folder,),
    "web/pages/verifiers.py _program": lambda app: (),
    "web/pages/winners.py _code": lambda app: ("https://lottery.example/draws/2026-11-19",),
    "web/pages/winners.py _drawn_day": lambda app: (
        app,
        FIRST_DAY,
        0.0,
        SeenAs("de", "https://lottery.example/below/", False, Site("Ours")),
    ),
    "web/words.py _day_element": lambda app: (FIRST_DAY, "de"),
    "web/words.py _decimal": lambda app: (2.5, "de"),
    "web/words.py _formatted_day": lambda app: (FIRST_DAY, "d MMM", "de"),
    "web/words.py _number": lambda app: (30_000, "de"),
    "web/words.py _weekdays": lambda app: ("de",),
}
ELSEWHERE = {
    "keys.py _keys",  # tests/test_keys.py
    "mark_files.py _read",  # tests/test_mark.py
    "site_cache.py _seen",  # by the clock alone, tests/web/pages/test_site.py
    "web/cookies.py _read",  # by a key alone, tests/web/test_cookies.py
    "web/cookies.py _signer",
    "web/fragments.py _cached",  # tests/web/test_fragments.py
    "web/texts.py Texts",  # filled by catalogues alone, tests/web/test_texts.py
}


def _dialect(app: Flask) -> object:
    from lottery_system.extensions import db  # noqa: PLC0415

    with app.app_context():
        return db.engine.dialect


def test_every_cache_is_tried() -> None:
    assert set(ASKED) | ELSEWHERE == caches()


@pytest.mark.usefixtures("drawn")
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("name", ASKED)
def test_a_cache_is_filled_where_there_is_no_request_at_all(app: Flask, name: str) -> None:
    """Whatever it read of a request, a session or `g`, it would not find."""
    path, function = name.split()
    module = import_module(
        f"lottery_system.{Path(path).with_suffix('').as_posix()}".replace("/", ".")
    )
    fill = getattr(module, function).__wrapped__

    assert Context().run(fill, *ASKED[name](app)) is not None
