"""Prizes of the demo's month: who claims which prize when, and when it is handed over.

Whoever won yesterday has not claimed the prize yet, and the prize of the day before is claimed and
not handed over, whatever the draws give: visitors find something to claim, and to hand over.
"""

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session

from config import Settings
from lottery_system.clock import ONE_DAY, day_of
from lottery_system.demo.dice import choice, roll
from lottery_system.demo.lotteries import DAYS
from lottery_system.demo.people import CLAIMS, NOTES, ORGANISERS
from lottery_system.extensions import transaction
from lottery_system.models import ClaimEvent
from lottery_system.models.claim import claim, hand_over, lapse
from lottery_system.models.claim_event import CLAIMED, HANDED_OVER, LAPSED, OFFERED

#: day of the draw and place: never claimed, so that the next reserve gets the prize
NEVER = frozenset({(3, 1), (11, 1), (11, 2), (20, 1), (26, 1)})
#: day of the draw whose prize an organiser passes on, two days later, and why
PASSED_ON = 22
REASON = "The winner has moved away, and asked us to pass the prize on."
#: days from the offer to the claim, and from there to the hand-over
SLOWEST_CLAIM, SLOWEST_HAND_OVER = 3, 3


def events(
    session: Session,
    midnight: datetime,
    number: int,
    users: Mapping[str, int],
    settings: Settings,
) -> Iterator[tuple[datetime, partial[None]]]:
    """List what happens to prizes on a day of the month, and when.

    Args:
        midnight: begins the day.
        number: of the day.
        users: ids by name.
    """
    first = day_of(midnight) - number * ONE_DAY
    for latest in _latest_events(session):
        drawn, place = (latest.day - first).days, latest.place
        waited = (day_of(midnight) - day_of(latest.at)).days
        dice = (drawn, place)
        at = midnight + timedelta(hours=9 + 12 * roll("when", *dice, latest.kind))
        if latest.kind == OFFERED and drawn == PASSED_ON and place == 1:
            if waited == 1:
                by = users[ORGANISERS[1]]
                yield at, partial(_pass_on, latest.day, at, by, settings.claim_days)
        elif latest.kind == OFFERED and dice not in NEVER:
            if waited == _days_to_claim(drawn, place):
                yield at, partial(_claim, latest.day, place, latest.holder_id, at)
        elif latest.kind == CLAIMED and waited == 2 + int(
            roll("hand over", *dice) * (SLOWEST_HAND_OVER - 1)
        ):
            by = users[choice(ORGANISERS, "who", *dice)]
            yield at, partial(_hand_over, latest.day, place, at, by)


def _days_to_claim(drawn: int, place: int) -> int:
    if drawn == DAYS - 2:  # the day before yesterday: claimed yesterday
        return 0
    return 1 + int(roll("claim", drawn, place) * SLOWEST_CLAIM)


def _latest_events(session: Session) -> list[ClaimEvent]:
    """Return the latest event of each prize that is neither handed over nor lapsed."""
    latest: dict[tuple[date, int], ClaimEvent] = {}
    for event in session.scalars(select(ClaimEvent).order_by(ClaimEvent.at)):
        latest[event.day, event.place] = event
    return [each for each in latest.values() if each.kind not in (HANDED_OVER, LAPSED)]


def _claim(day: date, place: int, holder: int, at: datetime) -> None:
    message, contact = choice(CLAIMS, "claim", day, place)
    with transaction() as session:
        claim(session, day, place, holder, message=message, contact=contact, now=at)


def _hand_over(day: date, place: int, at: datetime, by: int) -> None:
    note = choice(NOTES, "note", day, place)
    with transaction() as session:
        hand_over(session, day, place, by, handed_on=day_of(at), note=note, now=at)


def _pass_on(day: date, at: datetime, by: int, claim_days: int | None) -> None:
    with transaction() as session:
        lapse(session, day, 1, by, reason=REASON, now=at, claim_days=claim_days)
