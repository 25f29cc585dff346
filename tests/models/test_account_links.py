"""Links of one use, and the history of an account, on both databases."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine, func, select, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from lottery_system.models import (
    AccountEvent,
    AccountEventKind,
    AccountLink,
    LinkPurpose,
    LinkState,
)
from lottery_system.models.account_event import KEPT
from lottery_system.models.password_reset import make_reset_link
from tests.conftest import FIRST_NOON, Cast

PASSWORD, A_DAY = LinkPurpose.PASSWORD, timedelta(days=1)


def make(session: Session, cast: Cast) -> str:
    with session.begin():
        return AccountLink.make(
            session, PASSWORD, cast.bob.id, FIRST_NOON, A_DAY, made_by=cast.alice.id
        )


def use(session: Session, token: str, after: timedelta = timedelta()) -> int | None:
    with session.begin():
        link = AccountLink.use(session, PASSWORD, token, FIRST_NOON + after)
        return link.user_id if link else None


def state(session: Session, token: str, after: timedelta = timedelta()) -> LinkState | None:
    with session.begin():
        link = AccountLink.look(session, PASSWORD, token)
        return link.state(FIRST_NOON + after) if link else None


def test_a_link_works_once(session: Session, cast: Cast) -> None:
    token = make(session, cast)
    assert state(session, token) is LinkState.WORKS

    assert use(session, token) == cast.bob.id

    assert use(session, token) is None
    assert state(session, token) is LinkState.USED


def test_a_link_works_until_its_time_is_over(session: Session, cast: Cast) -> None:
    token = make(session, cast)

    assert use(session, token, A_DAY) is None
    assert state(session, token, A_DAY) is LinkState.EXPIRED
    assert use(session, token, A_DAY - timedelta(seconds=1)) == cast.bob.id


def test_a_newer_link_ends_the_older_one(session: Session, cast: Cast) -> None:
    older, newer = make(session, cast), make(session, cast)

    assert use(session, older) is None
    assert state(session, older) is LinkState.ENDED
    assert use(session, newer) == cast.bob.id


def test_a_token_is_stored_as_its_hash_alone(session: Session, cast: Cast) -> None:
    token = make(session, cast)

    with session.begin():
        row = session.execute(text("SELECT * FROM account_links")).one()

    assert token not in str(tuple(row))
    assert state(session, token.swapcase()) is None
    assert state(session, "\ud800") is None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE account_links SET used_at = NULL",
        "UPDATE account_links SET expires_at = '2099-01-01 00:00:00.000000'",
    ],
)
def test_a_link_that_was_used_stays_so(session: Session, cast: Cast, statement: str) -> None:
    use(session, make(session, cast))

    with pytest.raises(DatabaseError, match="a link works once"), session.begin():
        session.execute(text(statement))


def test_the_time_of_a_link_cannot_be_made_longer(session: Session, cast: Cast) -> None:
    make(session, cast)

    with pytest.raises(DatabaseError, match="stays what it is"), session.begin():
        session.execute(text("UPDATE account_links SET expires_at = '2099-01-01 00:00:00.000000'"))


def test_links_are_forgotten_a_month_after_their_time(session: Session, cast: Cast) -> None:
    token = make(session, cast)
    for after, is_known in ((timedelta(days=30), True), (timedelta(days=31), False)):
        with session.begin():
            AccountLink.sweep(session, FIRST_NOON + after)

        assert (state(session, token) is not None) is is_known


def record(session: Session, cast: Cast, after: timedelta = timedelta()) -> None:
    with session.begin():
        AccountEvent.record(
            session,
            cast.bob.id,
            AccountEventKind.RESET_LINK_MADE,
            FIRST_NOON + after,
            actor_id=cast.alice.id,
            browser="Firefox on Linux" * 9,
            detail="x" * 300,
        )


def test_what_happened_is_listed_with_who_did_it(
    session: Session, engine: Engine, cast: Cast
) -> None:
    record(session, cast)
    record(session, cast, A_DAY)

    with engine.connect() as connection:
        events = AccountEvent.latest_of(connection, cast.bob.id, 10)
        older = AccountEvent.latest_of(connection, cast.bob.id, 10, before=events[0].id)
        by_others = AccountEvent.latest_by_others(connection, 1, [AccountEventKind.RESET_LINK_MADE])
        of_kind = AccountEvent.latest_by_others(connection, 1, [AccountEventKind.BLOCKED])
        assert AccountEvent.latest_of(connection, cast.alice.id, 10) == []

    assert [each.happened_at for each in events] == [FIRST_NOON + A_DAY, FIRST_NOON]
    assert older == events[1:]
    assert (by_others, of_kind) == (events[:1], [])
    newest = events[0]
    assert (newest.username, newest.kind, newest.actor) == ("bob", "reset_link_made", "alice")
    assert len(newest.browser or "") == 60
    assert len(newest.detail or "") == 200


@pytest.mark.parametrize(
    "statement", ["UPDATE account_events SET kind = 'blocked'", "DELETE FROM account_events"]
)
def test_what_happened_is_neither_changed_nor_taken_away(
    session: Session, cast: Cast, statement: str
) -> None:
    record(session, cast, A_DAY * 4000)  # not old by any clock

    with pytest.raises(DatabaseError, match="kept"), session.begin():
        session.execute(text(statement))


def test_what_happened_is_kept_for_90_days(session: Session, cast: Cast) -> None:
    record(session, cast)
    record(session, cast, timedelta(hours=1))
    record(session, cast, KEPT)

    with session.begin():
        assert AccountEvent.sweep(session, FIRST_NOON + KEPT - timedelta(seconds=1)) == 0
        assert AccountEvent.sweep(session, FIRST_NOON + KEPT) == 1

    assert session.scalar(select(func.count()).select_from(AccountEvent)) == 2


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_two_who_do_something_to_each_others_accounts_do_not_wait_for_each_other(
    engine: Engine, cast: Cast
) -> None:
    one, other = Session(engine), Session(engine)
    with one, other, one.begin(), other.begin():
        for session in (one, other):
            session.execute(text("SET LOCAL lock_timeout = '5s'"))
        make_reset_link(one, cast.bob.id, FIRST_NOON, made_by=cast.alice.id)

        record_by(other, cast.alice.id, cast.charlie.id)
        record_by(other, cast.alice.id, cast.bob.id)


def record_by(session: Session, user_id: int, actor_id: int) -> None:
    AccountEvent.record(session, user_id, AccountEventKind.BLOCKED, FIRST_NOON, actor_id=actor_id)
