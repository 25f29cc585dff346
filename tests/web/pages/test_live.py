"""Live updates, as a browser's EventSource reads them."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from http import HTTPStatus
from typing import NamedTuple

import pytest
from flask import Flask
from sqlalchemy import event
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from lottery_system.clock import ONE_DAY
from lottery_system.extensions import db
from lottery_system.models import Lottery
from lottery_system.parts import keep, parts_of
from lottery_system.queries.live import Moment
from lottery_system.runtime.broadcast import Broadcast
from lottery_system.web.pages import live
from tests.conftest import FIRST_DAY, FIRST_NOON, Cast, Clock, Submit
from tests.stand_ins.log_keys import run_due
from tests.stand_ins.processes import wait_for
from tests.web.conftest import Visitor


@pytest.fixture
def broadcast(app: Flask) -> Iterator[Broadcast[Moment]]:
    """Return the application's broadcast, which looks more often than usual."""
    parts = parts_of(app)
    quick = Broadcast(parts.broadcast.look, interval=0.05)
    keep(app, replace(parts, broadcast=quick))
    yield quick
    quick.end()


class Told(NamedTuple):
    """The data of an event."""

    day: date
    ballots: int
    version: str


class Page:
    """A page that is open, and what it is told."""

    def __init__(self, visitor: Visitor) -> None:
        self.answer: TestResponse = visitor.get("/live", buffered=False)
        self.chunks = self.answer.iter_encoded()
        assert next(self.chunks) == b"retry: 5000\n\n"

    def next(self) -> Told:
        """Wait for the next event; the test client streams one as a chunk, as gunicorn does."""
        chunk = next(each for each in self.chunks if each != live.NOTHING_NEW)
        name, data, *end = chunk.decode().split("\n")
        assert (name, end) == ("event: state", ["", ""])
        told = json.loads(data.removeprefix("data: "))
        return Told(date.fromisoformat(told.pop("day")), **told)

    def close(self) -> None:
        self.answer.close()


@pytest.fixture
def page(stranger: Visitor, broadcast: Broadcast[Moment]) -> Iterator[Page]:
    page = Page(stranger)
    yield page
    page.close()


@pytest.mark.usefixtures("clock")
def test_an_empty_lottery_has_no_ballots_today(page: Page) -> None:
    told = page.next()

    assert (told.day, told.ballots) == (FIRST_DAY, 0)
    assert told.version


def test_ballots_are_told_and_are_no_reason_to_ask_again(
    page: Page, cast: Cast, big_chance: Lottery, submit: Submit
) -> None:
    before = page.next()

    submit(cast.bob, big_chance, 12)

    assert page.next() == Told(FIRST_DAY, 12, before.version)


def test_midnight_close_and_draw_are_reasons_to_ask_again(
    page: Page, cast: Cast, big_chance: Lottery, submit: Submit, session: Session, clock: Clock
) -> None:
    submit(cast.bob, big_chance)
    versions = {page.next().version}

    clock.turn(ONE_DAY)
    told = page.next()
    assert (told.day, told.ballots) == (FIRST_DAY + ONE_DAY, 0)
    assert told.version not in versions
    versions.add(told.version)

    run_due(session, FIRST_NOON + ONE_DAY)
    wait_for(lambda: page.next().version not in versions, "another version")


def test_a_new_lottery_and_a_later_end_are_reasons_to_ask_again(
    page: Page, big_chance: Lottery, session: Session
) -> None:
    versions = [page.next().version]

    with session.begin():
        session.add(Lottery.create("Extra Win", "", FIRST_DAY, FIRST_NOON))
    versions.append(page.next().version)
    with session.begin():
        later = big_chance.closes_on + timedelta(days=1)
        session.merge(big_chance).change("Big Chance", "", later, FIRST_NOON)
    versions.append(page.next().version)

    assert len(set(versions)) == 3


def test_no_cache_or_proxy_keeps_it_back(page: Page) -> None:
    assert page.answer.status_code == HTTPStatus.OK
    assert page.answer.mimetype == "text/event-stream"
    assert page.answer.headers["Cache-Control"] == "no-store, no-transform"
    assert page.answer.headers["X-Accel-Buffering"] == "no"
    assert "Content-Length" not in page.answer.headers
    assert "Set-Cookie" not in page.answer.headers
    assert page.answer.headers["X-Content-Type-Options"] == "nosniff"


def test_who_asks_for_the_head_gets_no_stream(
    stranger: Visitor, broadcast: Broadcast[Moment]
) -> None:
    answer = stranger.client.head("/live")

    assert answer.mimetype == "text/event-stream"
    assert broadcast.listener_count == 0


def test_a_stream_that_goes_on_holds_no_connection(app: Flask, page: Page) -> None:
    page.next()

    with app.app_context():
        pools = [engine.pool for engine in db.engines.values()]
    wait_for(
        lambda: all(pool.checkedout() == 0 for pool in pools),  # type: ignore[attr-defined]
        "no connection is in use",
        pause=0.001,
    )


def test_the_database_is_asked_nothing_once_all_pages_are_closed(
    app: Flask, stranger: Visitor, broadcast: Broadcast[Moment]
) -> None:
    asked: list[str] = []
    with app.app_context():
        for engine in db.engines.values():
            event.listen(engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
    pages = [Page(stranger), Page(stranger)]
    for page in pages:
        page.next()
    wait_for(lambda: len(asked) > 3, "some looks")

    for page in pages:
        page.close()

    wait_for(lambda: broadcast._loop is None, "the loop ends")
    asked.clear()
    assert broadcast.listener_count == 0
    stranger.get("/healthz")
    assert not asked


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_where_there_is_no_room_the_browser_is_told_not_to_come_again(
    stranger: Visitor, broadcast: Broadcast[Moment], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "MOST_LISTENERS", 2)
    pages = [Page(stranger), Page(stranger)]
    for page in pages:
        page.next()

    assert stranger.get("/live").status_code == HTTPStatus.NO_CONTENT
    pages[0].close()
    pages[0] = Page(stranger)

    for page in pages:
        page.close()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_stream_does_not_last_for_ever(
    stranger: Visitor, broadcast: Broadcast[Moment], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "LIFETIME", -live.SPREAD - 1)

    page = Page(stranger)

    assert len(list(page.chunks)) == 1
    assert broadcast.listener_count == 0
