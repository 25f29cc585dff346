"""Lotteries with limits, their edits, and days that end with claims."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from lottery_system import claims, draws
from lottery_system.clock import ONE_DAY
from lottery_system.models import ClaimEvent, Limits, Lottery
from lottery_system.models.lottery_edit import edit_lottery
from tests.conftest import FIRST_DAY, FIRST_NOON
from tests.stand_ins.log_keys import LOG_KEYS, begin

CLAIM_DAYS = 14


def open_lottery(
    session: Session, name: str, prize: str = "", opens_on: date = FIRST_DAY, **limits: int
) -> Lottery:
    """Create a lottery for a month, by default without limits."""
    lottery = Lottery.create(
        name, prize, FIRST_DAY + 30 * ONE_DAY, FIRST_NOON, opens_on=opens_on,
        limits=Limits(**limits),
    )  # fmt: skip
    with session.begin():
        session.add(lottery)
    return lottery


def edit(session: Session, lottery: Lottery, now: datetime = FIRST_NOON, **changes: Any) -> None:
    """Change some fields of a lottery, as an organiser's form does, which sends all of them."""
    with Session(session.get_bind()) as another, another.begin():
        stored = another.get_one(Lottery, lottery.id)
        names = ("name", "prize", "claim", "opens_on", "closes_on", "limits")
        fields: dict[str, Any] = {name: getattr(stored, name) for name in names}
        edit_lottery(another, lottery.id, now, **(fields | changes))


def rename(
    session: Session, lottery: Lottery, name: str, prize: str, now: datetime = FIRST_NOON
) -> None:
    """Change a lottery's name and prize in the model alone, without the checks of an edit."""
    with session.begin():
        stored = session.get_one(Lottery, lottery.id)
        stored.change(name, prize, stored.closes_on, now)


def in_transaction(
    engine: Engine, action: Callable[..., object], *args: object, **options: object
) -> None:
    """Call a function of the models in a transaction of its own."""
    with Session(engine) as session, session.begin():
        action(session, *args, **options)


def end_days(session: Session, now: datetime, places: int = 1) -> None:
    """Run all due draws and claims, as a tick does, with a deadline for claims."""
    begin(session, now)
    draws.run_due(session, now, places, LOG_KEYS, claim_days=CLAIM_DAYS)
    claims.run_due(session, now, CLAIM_DAYS)


def kinds(session: Session, place: int = 1, day: date = FIRST_DAY) -> set[str]:
    """Return the kinds of a prize's events."""
    with session.begin():
        return set(
            session.scalars(
                select(ClaimEvent.kind).where(ClaimEvent.day == day, ClaimEvent.place == place)
            )
        )
