"""The demo's month: what visitors are promised to find, whatever the draws give."""

import shutil
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

import config
from lottery_system.clock import ONE_DAY, day_of, starts_at
from lottery_system.demo.doors import Door, find_user
from lottery_system.demo.lotteries import DAYS
from lottery_system.demo.month import Month
from lottery_system.demo.people import ORGANISERS
from lottery_system.extensions import new_session
from lottery_system.models import ClaimEvent, Draw, Submission, User
from lottery_system.models.claim import claim
from lottery_system.models.claim_event import OFFERED
from lottery_system.parts import parts_of
from lottery_system.queries.claims import prizes_to_claim, to_hand_over
from lottery_system.queries.results import results_of
from tests.conftest import running

TODAY = date(2026, 11, 26)


@pytest.fixture(
    scope="module",
    params=[timedelta(seconds=1), timedelta(hours=23.5)],
    ids=["a second after midnight", "late"],
)
def now(request: pytest.FixtureRequest) -> datetime:
    """Return when the demo is played: before anything of the day has happened, and after it."""
    since: timedelta = request.param
    return starts_at(TODAY) + since


@pytest.fixture(scope="module")
def app(
    now: datetime, sqlite_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Flask]:
    """Play a demo, and return its application."""
    folder = tmp_path_factory.mktemp("demo")
    settings = config.load(
        {"LOTTERY_ENV": "testing", "LOTTERY_DEMO": "on", "LOTTERY_STORAGE": str(folder)}
    )
    shutil.copy(sqlite_file, folder / "lottery.db")
    with running(settings) as app:
        with app.app_context():
            Month(parts_of(app), now).play()
        yield app


@pytest.fixture
def session(app: Flask) -> Iterator[Session]:
    with app.app_context(), new_session() as session:
        yield session


def test_the_month_is_drawn_and_today_is_open(session: Session) -> None:
    draws = session.execute(select(Draw.day, Draw.status, Draw.ballot_count).order_by(Draw.day))
    *past, today = draws.all()

    assert [row.day for row in past] == [TODAY - n * ONE_DAY for n in range(DAYS, 0, -1)]
    assert {row.status for row in past} == {"drawn"}
    assert sum(row.ballot_count == 0 for row in past) == 2
    assert (today.day, today.status) == (TODAY, "open")


def test_each_ballot_was_added_on_its_day_and_none_in_the_future(
    session: Session, now: datetime
) -> None:
    instants = session.execute(select(Submission.day, Submission.submitted_at)).all()

    assert all(day_of(at) == day for day, at in instants)
    assert max(at for _, at in instants) <= now
    assert len({at for _, at in instants}) > 500


def test_there_are_ballots_today_even_a_second_after_midnight(session: Session) -> None:
    count = session.scalar(select(Draw.ballot_count).where(Draw.day == TODAY))

    assert count is not None
    assert count > 2


def test_prizes_have_come_to_every_end(session: Session) -> None:
    ends = dict(
        session.execute(select(ClaimEvent.kind, func.count()).group_by(ClaimEvent.kind)).all()
    )
    places = set(session.scalars(select(ClaimEvent.place)))

    assert ends["handed_over"] > 10
    assert ends["lapsed"] >= 5
    assert places == {1, 2, 3}


def test_who_enters_as_a_winner_has_a_prize_of_yesterday_to_claim(session: Session) -> None:
    user = find_user(session, Door.WINNER, TODAY)

    assert user is not None
    mine = prizes_to_claim(session.connection(), user.id, TODAY)
    assert TODAY - ONE_DAY in [each.day for each in mine]


def test_who_enters_as_another_player_is_told_of_a_draw_without_a_win(
    session: Session, now: datetime
) -> None:
    """Of those, whoever won least: winners are drawn anew in each demo, and all may have won."""
    yesterday = TODAY - ONE_DAY
    order = []
    while (user := find_user(session, Door.PLAYER, TODAY)) is not None:
        assert not user.is_organiser
        told = results_of(session.connection(), user.id, after=yesterday - ONE_DAY, until=yesterday)
        won = session.scalars(select(ClaimEvent.day).where(
            ClaimEvent.holder_id == user.id, ClaimEvent.kind == OFFERED
        )).all()  # fmt: skip
        order.append((told is None or bool(told.places), len(won)))
        user.close(now)
        session.flush()
    session.rollback()

    assert not order[0][0]
    assert order == sorted(order)


def test_who_enters_as_an_organiser_finds_a_claim_to_hand_over(session: Session) -> None:
    user = find_user(session, Door.ORGANISER, TODAY)
    rows = to_hand_over(session.connection())

    assert user is not None
    assert user.is_organiser
    claimed = [row.day for row in rows if row.state == "claimed"]
    assert TODAY - 2 * ONE_DAY in claimed


def test_no_visitor_enters_as_another_visitor(session: Session, now: datetime) -> None:
    """Who may have played under a name of their own."""
    session.add(User.sign_up("visitor", "", now, is_organiser=True))
    session.flush()
    while (user := find_user(session, Door.ORGANISER, TODAY)) is not None:
        assert user.username in ORGANISERS
        user.close(now)
        session.flush()
    session.rollback()


def test_the_winner_is_whoever_still_has_a_prize_and_else_the_latest(
    session: Session, now: datetime
) -> None:
    """As visitors claim one prize after the other."""
    seen = []
    while (user := find_user(session, Door.WINNER, TODAY)) and (
        mine := prizes_to_claim(session.connection(), user.id, TODAY)
    ):
        seen.append(user.id)
        claim(session, mine[0].day, mine[0].place, user.id, now=now)
    after = find_user(session, Door.WINNER, TODAY)

    assert seen
    assert after is not None
    latest = select(ClaimEvent.holder_id).where(
        ClaimEvent.day == TODAY - ONE_DAY, ClaimEvent.kind == OFFERED
    )
    assert after.id == session.scalar(latest)
    session.rollback()


def test_nobody_knows_the_password_of_anybody(session: Session) -> None:
    """One hash for all is as good as many: it is of a text that was thrown away."""
    hashes = set(session.scalars(select(User.password_hash)))

    assert len(hashes) == 1
    assert hashes.pop().startswith("$argon2id$")
