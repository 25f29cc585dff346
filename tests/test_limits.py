"""Limits of a lottery: its first day, ballots per person a day, and how often its prize is won."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from lottery_system.admission import admit
from lottery_system.clock import ONE_DAY, closes_at
from lottery_system.errors import (
    AllPrizesWon,
    LastPrizeUndecided,
    LotteryError,
    LotteryFinished,
    LotteryNotOpen,
    NotAnOrganiser,
    TooManyADay,
)
from lottery_system.models import (
    AskedBallots,
    Draw,
    GrantedBallots,
    Holding,
    Limits,
    Lottery,
    LotteryChange,
    User,
)
from lottery_system.models.lottery import BadOpening
from lottery_system.models.lottery_edit import (
    NoPrizeLeft,
    TooFewADay,
    TooFewPrizes,
    edit_lottery,
)
from tests.conftest import FIRST_DAY, FIRST_NOON, Cast, Clock, Submit
from tests.stand_ins.log_keys import LOG_KEYS, run_due
from tests.stand_ins.prizes import edit, open_lottery
from tests.stand_ins.processes import wait_for

GAP = timedelta(minutes=10)
Open = Callable[..., Lottery]


@pytest.fixture
def open_rare(session: Session, clock: Clock) -> Open:
    """Return a function that creates a lottery."""

    def open_rare(name: str = "Rare", **terms: Any) -> Lottery:
        return open_lottery(session, name, **terms)

    return open_rare


def standing(session: Session, lottery: Lottery) -> tuple[date, int | None]:
    with session.begin():
        session.expire_all()
        stored = session.get_one(Lottery, lottery.id)
        return stored.closes_on, stored.winnable


# The first day


def test_a_lottery_takes_ballots_from_its_first_day_on(
    cast: Cast, open_rare: Open, submit: Submit, clock: Clock
) -> None:
    later = open_rare(opens_on=FIRST_DAY + ONE_DAY)

    with pytest.raises(LotteryNotOpen, match="“Rare” opens on 2026-11-20"):
        submit(cast.bob, later)
    clock.turn(ONE_DAY)

    assert submit(cast.bob, later).day == FIRST_DAY + ONE_DAY


def test_a_first_day_moves_until_it_has_come_and_never_into_the_past(
    session: Session, open_rare: Open
) -> None:
    later = open_rare(opens_on=FIRST_DAY + 2 * ONE_DAY)

    with pytest.raises(BadOpening, match="This day is over"):
        edit(session, later, opens_on=FIRST_DAY - ONE_DAY)
    with pytest.raises(BadOpening, match="after the last day"):
        edit(session, later, opens_on=FIRST_DAY + 31 * ONE_DAY)
    edit(session, later, opens_on=FIRST_DAY + ONE_DAY)
    edit(session, later, FIRST_NOON + ONE_DAY, name="Rarer")  # as it is, on the day itself
    with pytest.raises(BadOpening, match="opened already"):
        edit(session, later, FIRST_NOON + ONE_DAY, opens_on=FIRST_DAY + 2 * ONE_DAY)


def test_a_lottery_cannot_be_created_to_open_in_the_past_or_after_its_end() -> None:
    for opens_on in (FIRST_DAY - ONE_DAY, FIRST_DAY + 2 * ONE_DAY):
        with pytest.raises(BadOpening):
            Lottery.create("Rare", "", FIRST_DAY + ONE_DAY, FIRST_NOON, opens_on=opens_on)


def test_one_that_was_withdrawn_before_it_opened_can_be_saved_as_it_is(
    session: Session, open_rare: Open
) -> None:
    later = open_rare(opens_on=FIRST_DAY + 2 * ONE_DAY)
    with session.begin():
        session.get_one(Lottery, later.id).withdraw(FIRST_NOON)

    edit(session, later, name="Rarer")

    assert standing(session, later)[0] == FIRST_DAY - ONE_DAY


# Ballots per person a day


def test_a_submission_beyond_what_a_day_allows_is_refused_whole_and_told_what_is_left(
    session: Session, cast: Cast, open_rare: Open, big_chance: Lottery, submit: Submit,
    clock: Clock,
) -> None:  # fmt: skip
    few = open_rare("Few", most_a_day=3)
    submit(cast.bob, few, 2)
    submit(cast.bob, big_chance, 9)

    with pytest.raises(TooManyADay) as refused:
        submit(cast.bob, few, 2)
    assert str(refused.value) == (
        "“Few” takes at most 3 a day from each person, and you have 2 in today. None of these "
        "ballots was added. Add 1 or fewer."
    )
    submit(cast.charlie, few, 3)
    submit(cast.bob, few, 1)
    with pytest.raises(TooManyADay, match="You can add more tomorrow"):
        submit(cast.bob, few, 1)

    clock.turn(ONE_DAY)
    submit(cast.bob, few, 3)
    with session.begin():
        held = session.scalars(select(Holding.ballot_count).where(Holding.lottery_id == few.id))
        assert sorted(held) == [3, 3, 3]


def test_a_limit_a_day_holds_within_a_batch_too(
    session: Session, cast: Cast, open_rare: Open
) -> None:
    few = open_rare("Few", most_a_day=3)
    several = [
        AskedBallots.of(
            token=uuid4(), user_id=cast.bob.id, username="bob", lottery_id=few.id, ballot_count=2
        )
        for _ in range(3)
    ]

    with session.begin():
        answers = admit(session.connection(), several, lambda: FIRST_NOON).answers

    assert [type(each) for each in answers] == [GrantedBallots, TooManyADay, TooManyADay]


def test_a_submission_sent_again_gets_its_first_answer_though_the_limit_is_reached(
    cast: Cast, open_rare: Open, submit: Submit
) -> None:
    few, token = open_rare("Few", most_a_day=3), uuid4()
    first = submit(cast.bob, few, 3, token)

    assert submit(cast.bob, few, 3, token).first_number == first.first_number


def test_a_limit_a_day_is_not_set_below_what_somebody_has_today(
    session: Session, cast: Cast, big_chance: Lottery, submit: Submit
) -> None:
    submit(cast.bob, big_chance, 5)

    with pytest.raises(TooFewADay, match=r"Somebody has 5 ballots in it today\. Choose 5 or more"):
        edit(session, big_chance, limits=Limits(most_a_day=4))
    edit(session, big_chance, limits=Limits(most_a_day=5))


# How often the prize is won


def test_no_ballot_plays_for_a_prize_that_the_draw_of_yesterday_may_win(
    session: Session, cast: Cast, open_rare: Open, big_chance: Lottery, submit: Submit,
    clock: Clock,
) -> None:  # fmt: skip
    """As in the minutes after midnight in which the beacon is waited for."""
    rare = open_rare(winnable=1)
    submit(cast.bob, rare)
    clock.set(closes_at(FIRST_DAY) + timedelta(minutes=5))
    submit(cast.charlie, big_chance)
    late = AskedBallots.of(
        token=uuid4(), user_id=cast.bob.id, username="bob", lottery_id=rare.id, ballot_count=1
    )
    with session.begin():
        now = closes_at(FIRST_DAY) + timedelta(minutes=5)
        (refused,) = admit(session.connection(), [late], lambda: now, gap=GAP).answers
    assert isinstance(refused, LastPrizeUndecided)
    assert str(refused) == (
        "The draw of 2026-11-19 may win the last prize of “Rare”. No ballot was added. You can add "
        "ballots again after it, at about 00:11 UTC, if a prize is left."
    )

    run_due(session, closes_at(FIRST_DAY) + GAP)

    with pytest.raises(LotteryFinished):
        submit(cast.bob, rare)
    assert standing(session, rare) == (FIRST_DAY, 1)


def test_where_yesterday_has_no_ballot_in_it_a_lottery_takes_ballots_at_once(
    session: Session, cast: Cast, open_rare: Open, big_chance: Lottery, submit: Submit,
    clock: Clock,
) -> None:  # fmt: skip
    rare = open_rare(winnable=1)
    submit(cast.bob, big_chance)
    clock.set(closes_at(FIRST_DAY) + timedelta(seconds=1))
    with pytest.raises(LastPrizeUndecided):  # not closed yet: some host may add one
        submit(cast.bob, rare)
    run_due(session, FIRST_NOON)
    with session.begin():
        Draw.close(session, FIRST_DAY, closes_at(FIRST_DAY), 1, LOG_KEYS)

    assert submit(cast.bob, rare).day == FIRST_DAY + ONE_DAY


def test_a_lottery_finishes_with_its_last_prize_once_and_nobody_is_said_to_have_done_it(
    session: Session, cast: Cast, open_rare: Open, submit: Submit, clock: Clock
) -> None:
    rare = open_rare(winnable=2)
    for _ in range(2):
        submit(cast.bob, rare)
        clock.turn(ONE_DAY)
        run_due(session, FIRST_NOON + 5 * ONE_DAY)
        clock.set(FIRST_NOON + 5 * ONE_DAY)

    run_due(session, FIRST_NOON + 6 * ONE_DAY)
    with session.begin():
        changes = session.scalars(
            select(LotteryChange).where(LotteryChange.lottery_id == rare.id)
        ).all()
        assert [(each.closes_on, each.changed_by) for each in changes] == [
            (FIRST_DAY + 30 * ONE_DAY, None), (FIRST_DAY + 5 * ONE_DAY, None),
        ]  # fmt: skip


def test_a_lottery_whose_prizes_are_won_opens_again_only_with_more_of_them(
    session: Session, cast: Cast, open_rare: Open, submit: Submit, clock: Clock
) -> None:
    rare = open_rare(winnable=1)
    submit(cast.bob, rare)
    clock.turn(ONE_DAY)
    tomorrow = FIRST_NOON + ONE_DAY
    run_due(session, tomorrow)

    with pytest.raises(NoPrizeLeft):
        edit(session, rare, tomorrow, closes_on=FIRST_DAY + 9 * ONE_DAY)
    with session.begin():  # whoever reopens it otherwise opens nothing
        session.execute(text("UPDATE lotteries SET closes_on = '2026-12-24'"))
    with pytest.raises(AllPrizesWon):
        submit(cast.bob, rare)

    edit(session, rare, tomorrow, closes_on=FIRST_DAY + 9 * ONE_DAY, limits=Limits(winnable=2))
    assert submit(cast.bob, rare).day == FIRST_DAY + ONE_DAY


def test_the_number_of_prizes_is_not_set_below_those_won_and_those_that_may_be(
    session: Session, cast: Cast, big_chance: Lottery, submit: Submit, clock: Clock
) -> None:
    submit(cast.bob, big_chance)
    clock.turn(ONE_DAY)
    run_due(session, FIRST_NOON + ONE_DAY)  # won once
    submit(cast.bob, big_chance)
    clock.turn(ONE_DAY)
    submit(cast.bob, big_chance)  # the day before is over, and not drawn
    now = FIRST_NOON + 2 * ONE_DAY

    with pytest.raises(TooFewPrizes, match="Choose 3 or more: so many prizes are won"):
        edit(session, big_chance, now, limits=Limits(winnable=2))
    edit(session, big_chance, now, limits=Limits(winnable=3))
    submit(cast.charlie, big_chance)
    clock.turn(ONE_DAY)
    with pytest.raises(LastPrizeUndecided):
        submit(cast.charlie, big_chance)


def test_a_lottery_whose_number_of_prizes_is_brought_down_to_those_won_finishes(
    session: Session, cast: Cast, big_chance: Lottery, submit: Submit, clock: Clock
) -> None:
    submit(cast.bob, big_chance)
    clock.turn(ONE_DAY)
    run_due(session, FIRST_NOON + ONE_DAY)

    edit(session, big_chance, FIRST_NOON + ONE_DAY, limits=Limits(winnable=1))

    assert standing(session, big_chance) == (FIRST_DAY, 1)


# Who may, and what the database keeps


def test_only_organisers_and_the_operator_edit_lotteries(
    session: Session, cast: Cast, big_chance: Lottery
) -> None:
    terms = {"name": "Big", "prize": "", "closes_on": FIRST_DAY}
    for user in (cast.bob, User(id=99)):
        with Session(session.get_bind()) as another, another.begin(), pytest.raises(NotAnOrganiser):
            edit_lottery(another, big_chance.id, FIRST_NOON, user.id, **terms)  # type: ignore[arg-type]
    with session.begin():
        edit_lottery(session, big_chance.id, FIRST_NOON, cast.alice.id, **terms)  # type: ignore[arg-type]


@pytest.mark.parametrize("limit", [0, -1, 10**9])
def test_a_limit_is_a_whole_number_from_one_on(limit: int) -> None:
    for limits in (Limits(most_a_day=limit), Limits(winnable=limit)):
        with pytest.raises(LotteryError, match="whole number"):
            Lottery.create("Rare", "", FIRST_DAY, FIRST_NOON, limits=limits)


@pytest.mark.parametrize("column", ["most_a_day", "winnable"])
def test_the_database_refuses_a_limit_of_nothing(
    session: Session, big_chance: Lottery, column: str
) -> None:
    with pytest.raises(DatabaseError), session.begin():
        session.execute(text(f"UPDATE lotteries SET {column} = 0"))


@pytest.mark.usefixtures("big_chance")
@pytest.mark.parametrize(
    "change",
    ["opens_on = '2026-11-18'", "claim = 'At the desk'", "most_a_day = 3", "winnable = 7"],
)
def test_every_change_is_written_down_and_no_other(session: Session, change: str) -> None:
    def changes() -> int:
        with session.begin():
            return len(session.scalars(select(LotteryChange.id)).all())

    with session.begin():
        session.execute(text(f"UPDATE lotteries SET {change}"))
    assert changes() == 2
    with session.begin():
        session.execute(text(f"UPDATE lotteries SET {change}"))
    assert changes() == 2


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_limit_that_is_being_set_holds_for_the_day_that_a_host_ahead_is_about_to_open(
    session: Session, engine: Engine, cast: Cast, big_chance: Lottery, submit: Submit
) -> None:
    """No row of that day is there to be locked."""
    submit(cast.bob, big_chance)
    late = AskedBallots.of(
        token=uuid4(), user_id=cast.bob.id, username="bob", lottery_id=big_chance.id,
        ballot_count=1,
    )  # fmt: skip

    def admit_ahead() -> object:
        with engine.begin() as connection:
            return admit(connection, [late], lambda: FIRST_NOON + ONE_DAY).answers[0]

    def has_come() -> bool:
        with engine.connect() as connection:
            waits = connection.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted"))
        return bool(waits) or answer.done()

    with ThreadPoolExecutor(1) as pool:
        with Session(engine) as another, another.begin():
            edit_lottery(
                another, big_chance.id, FIRST_NOON, name="Big", prize="",
                closes_on=big_chance.closes_on, limits=Limits(winnable=1),
            )  # fmt: skip
            answer = pool.submit(admit_ahead)
            wait_for(has_come, "the other host waits, or did not have to")
        assert isinstance(answer.result(), LastPrizeUndecided)
