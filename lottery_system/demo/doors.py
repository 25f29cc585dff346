"""Doors of the demo: whom visitors enter as, who are made-up people and never other visitors."""

from datetime import date
from enum import StrEnum

from sqlalchemy import Select, bindparam, case, distinct, func, select
from sqlalchemy.orm import Session, aliased

from lottery_system.clock import ONE_DAY
from lottery_system.demo.people import NAMES, ORGANISERS
from lottery_system.models import Ballot, ClaimEvent, Holding, User, Winner
from lottery_system.models.claim_event import OFFERED


class Door(StrEnum):
    """Whom a visitor may enter as."""

    #: has just won, and a prize to claim if anybody has one
    WINNER = "winner"
    #: played yesterday without a place in its draw, and has won least of those
    PLAYER = "player"
    ORGANISER = "organiser"


def find_user(session: Session, door: Door, today: date) -> User | None:
    """Lock and return whom a visitor enters as; None if there is nobody like that yet."""
    query = _QUERIES[door].with_for_update(of=User).limit(1)
    return session.scalars(query, {"lately": today - ONE_DAY}).first()


_after, _offer = aliased(ClaimEvent), aliased(ClaimEvent)
_is_over = (
    select(_after.day)
    .where(_after.day == ClaimEvent.day, _after.place == ClaimEvent.place, _after.kind != OFFERED)
    .exists()
)
_played_yesterday = (
    select(Holding.day)
    .where(Holding.user_id == User.id, Holding.day == bindparam("lately"))
    .exists()
)
_place_of_yesterday = (
    select(Winner.place)
    .join(Ballot, (Ballot.day == Winner.day) & (Ballot.number == Winner.number))
    .where(Ballot.user_id == User.id, Winner.day == bindparam("lately"))
    .exists()
)
_PEOPLE = select(User).where(
    User.username.in_((*NAMES, *ORGANISERS)), User.closed_at.is_(None), User.blocked_at.is_(None)
)
_PARTICIPANTS = _PEOPLE.where(~User.is_organiser)

_QUERIES: dict[Door, Select[User]] = {
    Door.WINNER: _PARTICIPANTS.join(ClaimEvent, ClaimEvent.holder_id == User.id)
    .where(ClaimEvent.kind == OFFERED)
    .order_by(case((_is_over, 1), else_=0), ClaimEvent.day.desc(), ClaimEvent.place),
    Door.PLAYER: _PARTICIPANTS.order_by(
        # which their page says: reserves and who plays today alone are told something else
        case((_played_yesterday & ~_place_of_yesterday, 0), else_=1),
        select(func.count())
        .where(_offer.holder_id == User.id, _offer.kind == OFFERED)
        .scalar_subquery(),
        select(func.count(distinct(Holding.day)))
        .where(Holding.user_id == User.id, Holding.day >= bindparam("lately"))
        .scalar_subquery()
        .desc(),
        User.id,
    ),
    Door.ORGANISER: _PEOPLE.where(User.is_organiser).order_by(User.id),
}
