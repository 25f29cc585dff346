"""`flask prize ...`: which prizes are to be handed over, and what becomes of them."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from lottery_system.models import ClaimEvent, Lottery
from lottery_system.models.claim import claim
from lottery_system.parts import parts_of
from tests.cli.conftest import Type
from tests.conftest import FIRST_DAY, FIRST_NOON, Cast, Clock, Submit
from tests.stand_ins.log_keys import run_due

SECOND_NOON = FIRST_NOON + timedelta(days=1)


@pytest.fixture(autouse=True)
def _won(session: Session, cast: Cast, big_chance: Lottery, submit: Submit, clock: Clock) -> None:
    """Let bob win the first day, and have two reserves."""
    submit(cast.bob, big_chance, 3)
    clock.set(SECOND_NOON)
    run_due(session, SECOND_NOON, places=3)


def test_an_operator_sees_what_is_claimed_and_writes_down_that_it_was_handed_over(
    session: Session, cast: Cast, type_: Type
) -> None:
    assert f"{FIRST_DAY}, place 1: bob, ballot " in type_("prize list").output
    assert "hasn’t been claimed yet" in type_(f"prize hand-over {FIRST_DAY}").output
    with session.begin():
        claim(session, FIRST_DAY, 1, cast.bob.id, contact="bob@example", now=SECOND_NOON)
    listed = type_("prize list").output
    assert "Big Chance, claimed 2026-11-20 12:00 UTC\n  bob@example\n" in listed

    done = type_(f"prize hand-over {FIRST_DAY}")

    assert (done.exit_code, done.output) == (
        0, "The prize of 2026-11-19, place 1, was handed over.\n",
    )  # fmt: skip
    assert type_("prize list").output == "No prize is to be handed over.\n"
    assert "handed over already" in type_(f"prize lapse {FIRST_DAY} --reason Late").output


def test_an_operator_lets_a_prize_lapse_and_the_reserve_is_next(
    session: Session, type_: Type
) -> None:
    assert type_(f"prize lapse {FIRST_DAY}").exit_code != 0  # without a reason
    assert "no prize of that day" in type_("prize lapse 2026-11-01 --reason Late").output

    done = type_(f"prize lapse {FIRST_DAY} --reason Late")

    assert (done.exit_code, done.output) == (0, "The prize of 2026-11-19, place 1, lapsed.\n")
    assert f"{FIRST_DAY}, place 2: bob" in type_("prize list").output
    with session.begin():
        assert session.scalars(
            select(ClaimEvent.reason).where(ClaimEvent.kind == "lapsed")
        ).all() == ["Late"]


def test_an_operator_creates_a_lottery_with_all_that_can_be_said_of_it(
    session: Session, type_: Type
) -> None:
    done = type_(
        "lottery create Rare --opens-on 2026-12-01 --closes-on 2026-12-24 --claim Desk"
        " --most-a-day 3 --winnable 2"
    )

    assert done.output == (
        "Created lottery 'Rare', open from 2026-12-01 to the end of 2026-12-24 UTC.\n"
    )
    with session.begin():
        rare = session.scalars(select(Lottery).where(Lottery.name == "Rare")).one()
        assert (rare.claim, tuple(rare.limits)) == ("Desk", (3, 2))


def test_commands_about_prizes_are_refused_when_draws_are(
    app: Flask, session: Session, cast: Cast, type_: Type
) -> None:
    """As on pages: what follows from a draw is not decided in a database that may be wrong."""
    with session.begin():
        claim(session, FIRST_DAY, 1, cast.bob.id, now=SECOND_NOON)
    parts_of(app).pause.set("clock", "The clocks disagree.")

    for command in (f"prize hand-over {FIRST_DAY}", f"prize lapse {FIRST_DAY} --reason Late"):
        refused = type_(command)
        assert refused.exit_code == 1, command
        assert "The clocks disagree." in refused.output

    with session.begin():
        kinds = session.scalars(select(ClaimEvent.kind).where(ClaimEvent.place == 1)).all()
    assert set(kinds) == {"offered", "claimed"}
