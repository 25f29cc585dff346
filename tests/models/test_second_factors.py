"""Codes, challenges and passkeys of several who come at once."""

from collections.abc import Callable

import pyotp
import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lottery_system.errors import LotteryError
from lottery_system.models import (
    AuthenticatorApp,
    LoginSession,
    Passkey,
    RecoveryCode,
    UsedChallenge,
    User,
)
from lottery_system.models.login_session import LogInEnded
from lottery_system.models.passkey import MOST, TooManyPasskeys
from lottery_system.models.second_factor import forget_factors
from lottery_system.passkeys import CreatedPasskey
from tests.conftest import FIRST_NOON, Cast
from tests.test_claim_races import Worker, at_once, workers

assert workers  # a fixture

KEY = "a key of the lottery"


class Refused(LotteryError):
    """The one who was not first."""


def demand(is_right: bool) -> None:
    if not is_right:
        raise Refused


def app_of(session: Session, user: User) -> pyotp.TOTP:
    """Let a user have an app that is set up."""
    with session.begin():
        AuthenticatorApp.begin(session, user.id, KEY, FIRST_NOON)
        app = session.get_one(AuthenticatorApp, user.id)
        app.confirmed_at = FIRST_NOON
        secret = app.secret(KEY)
    assert secret is not None
    return pyotp.TOTP(secret)


def test_of_several_with_the_same_code_one_is_right(
    session: Session, cast: Cast, workers: list[Worker]
) -> None:
    code = app_of(session, cast.bob).at(FIRST_NOON)

    def use(mine: Session) -> None:
        demand(AuthenticatorApp.use_code(mine, cast.bob.id, code, KEY, FIRST_NOON))

    assert sum(at_once(workers, *[use] * 4)) == 1


def test_of_several_with_the_same_recovery_code_one_is_right(
    session: Session, cast: Cast, workers: list[Worker]
) -> None:
    with session.begin():
        codes = RecoveryCode.make(session, cast.bob.id)

    for code in codes[:3]:

        def use(mine: Session, code: str = code) -> None:
            demand(RecoveryCode.use(mine, cast.bob.id, code))

        assert sum(at_once(workers, *[use] * 4)) == 1
    with session.begin():
        assert RecoveryCode.count(session, cast.bob.id) == 7


def test_of_several_answers_to_a_challenge_one_counts(
    session: Session, workers: list[Worker]
) -> None:
    def use(mine: Session) -> None:
        demand(UsedChallenge.use(mine, b"challenge", FIRST_NOON))

    assert sum(at_once(workers, *[use] * 4)) == 1


def test_of_several_passkeys_added_at_once_no_more_than_ten_are_kept(
    session: Session, cast: Cast, workers: list[Worker]
) -> None:
    def add(mine: Session, number: int) -> None:
        made = CreatedPasskey(b"id %d" % number, b"key", b"handle", 0)
        Passkey.add(mine, cast.bob.id, "Key", made, FIRST_NOON)

    with session.begin():
        for number in range(MOST - 1):
            add(session, number)
    acts: list[Callable[[Session], None]] = [
        lambda mine, number=number: add(mine, number)  # type: ignore[misc]
        for number in range(100, 104)
    ]

    assert sum(at_once(workers, *acts)) == 1
    with session.begin():
        assert session.scalar(select(func.count()).select_from(Passkey)) == MOST
    with pytest.raises(TooManyPasskeys), session.begin():
        add(session, 200)


def test_a_passkey_that_is_removed_while_it_is_used_leaves_nobody_waiting(
    session: Session, cast: Cast, workers: list[Worker]
) -> None:
    def use(mine: Session) -> None:
        passkey = Passkey.by_credential(mine, b"id")
        demand(passkey is not None and passkey.use(1, FIRST_NOON))

    for _ in range(4):
        with session.begin():
            made = CreatedPasskey(b"id", b"key", b"handle", 0)
            Passkey.add(session, cast.bob.id, "Key", made, FIRST_NOON)

        def remove(mine: Session) -> None:
            mine.get_one(User, cast.bob.id, with_for_update=True)
            forget_factors(mine, cast.bob.id)

        assert at_once(workers, use, remove)[1]


def test_a_log_in_that_has_ended_does_not_go_on(session: Session, cast: Cast) -> None:
    with session.begin():
        bob = session.get_one(User, cast.bob.id)
        token = LoginSession.open(session, bob, FIRST_NOON)
        others = LoginSession.open(session, session.get_one(User, cast.alice.id), FIRST_NOON)
        new = LoginSession.renew(session, bob, token, FIRST_NOON, has_second_factor=False)

    for over in (token, others):
        with pytest.raises(LogInEnded), session.begin():
            LoginSession.renew(
                session,
                session.get_one(User, cast.bob.id),
                over,
                FIRST_NOON,
                has_second_factor=False,
            )
    with session.begin():
        LoginSession.renew(
            session, session.get_one(User, cast.bob.id), new, FIRST_NOON, has_second_factor=False
        )
