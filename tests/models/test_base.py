"""Datetimes keep their time zone in and out of the database."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import select
from sqlalchemy.exc import StatementError
from sqlalchemy.orm import Session

from lottery_system.models import User


def test_an_instant_of_another_zone_comes_back_in_utc(session: Session) -> None:
    there = datetime(2026, 11, 22, 1, tzinfo=timezone(timedelta(hours=9)))
    with session.begin():
        session.add(User.sign_up("dana", "x", there))

    (stored,) = session.scalars(select(User.created_at))

    assert stored == there
    assert stored.tzinfo is UTC


def test_an_instant_without_a_zone_is_refused(session: Session) -> None:
    naive = datetime(2026, 11, 22)  # noqa: DTZ001

    with pytest.raises(StatementError, match="has no time zone"), session.begin():
        session.add(User.sign_up("dana", "x", naive))
