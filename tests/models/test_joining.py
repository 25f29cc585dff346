"""Invitations, blocks and rights of organisers, on both databases, also all at once."""

from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DatabaseError, IntegrityError
from sqlalchemy.orm import Session

from lottery_system import claims
from lottery_system.admission import admit
from lottery_system.clock import ONE_DAY
from lottery_system.errors import AccountBlocked, AccountClosed, LotteryError, NotAnOrganiser
from lottery_system.models import (
    AccountEvent,
    AskedBallots,
    Ballot,
    GrantedBallots,
    Invitation,
    InvitationUse,
    LoginSession,
    Lottery,
    User,
)
from lottery_system.models.block import CannotBlock, block, unblock
from lottery_system.models.claim import claim
from lottery_system.models.invitation import InvitationOver, UnknownInvitation
from lottery_system.models.rights import CannotPromote, LastOrganiser, set_organiser
from lottery_system.text_input import BadText
from tests.conftest import FIRST_DAY, FIRST_NOON, Cast, Clock, Submit
from tests.stand_ins.log_keys import run_due
from tests.test_claim_races import Worker, at_once, workers
from tests.test_claims import events

assert workers  # a fixture

LATER = FIRST_NOON + timedelta(hours=1)


def invite(session: Session, cast: Cast, uses: int = 3, days: int = 7) -> str:
    with session.begin():
        return Invitation.make(
            session, "Club night", FIRST_NOON, uses=uses, days=days, by=cast.alice.id
        )[1]


def join(session: Session, token: str, name: str, after: timedelta = timedelta()) -> None:
    user = User.sign_up(name, "", FIRST_NOON)
    session.add(user)
    session.flush()
    Invitation.use(session, token, user.id, FIRST_NOON + after)


def count(session: Session, of: type[User | InvitationUse | Ballot | LoginSession]) -> int:
    with session.begin():
        return session.scalar(select(func.count()).select_from(of)) or 0


def test_as_many_come_by_an_invitation_as_it_allows_and_it_is_known_who(
    session: Session, cast: Cast
) -> None:
    token = invite(session, cast, uses=2)
    for name in ("dana", "emil"):
        with session.begin():
            join(session, token, name)

    with pytest.raises(InvitationOver, match="used up"), session.begin():
        join(session, token, "fay")

    assert count(session, User) == 5
    with session.begin():
        connection = session.connection()
        (row,) = Invitation.latest(connection, 5)
        assert (row.label, row.uses, row.used, row.made_by) == ("Club night", 2, 2, "alice")
        guests = Invitation.guests(connection, row.id, 5)
        assert [(each.number, each.username) for each in guests] == [(2, "emil"), (1, "dana")]
        assert Invitation.guests(connection, row.id, 5, before=2) == guests[1:]
        assert Invitation.of_guest(connection, guests[0].user_id) == row
        assert Invitation.of_guest(connection, cast.bob.id) is None


def test_of_many_who_come_at_once_exactly_as_many_are_let_in(
    session: Session, cast: Cast, workers: list[Worker]
) -> None:
    for repetition in range(4):
        token = invite(session, cast)

        def come(mine: Session, name: str, token: str = token) -> None:
            join(mine, token, name)

        acts: list[Callable[[Session], None]] = [
            lambda mine, name=f"guest{repetition}{number}": come(mine, name)  # type: ignore[misc]
            for number in range(6)
        ]

        assert sum(at_once(workers, *acts)) == 3

    assert count(session, User) == 3 + 4 * 3
    assert count(session, InvitationUse) == 4 * 3


def test_an_invitation_lets_in_until_its_time_is_over_or_it_is_ended(
    session: Session, cast: Cast
) -> None:
    expired, ended = invite(session, cast, days=1), invite(session, cast)
    with session.begin():
        assert Invitation.end(session, 2, FIRST_NOON, cast.alice.id)
        assert not Invitation.end(session, 2, LATER, cast.alice.id)

    with pytest.raises(InvitationOver, match="too old"), session.begin():
        join(session, expired, "dana", ONE_DAY)
    with pytest.raises(InvitationOver, match="has ended this"), session.begin():
        join(session, ended, "dana")
    with pytest.raises(UnknownInvitation), session.begin():
        join(session, expired + "x", "dana")
    with session.begin():
        join(session, expired, "dana", ONE_DAY - timedelta(seconds=1))

    assert count(session, User) == 4


def test_only_organisers_invite(session: Session, cast: Cast) -> None:
    with pytest.raises(NotAnOrganiser), session.begin():
        Invitation.make(session, "Mine", FIRST_NOON, uses=1, days=1, by=cast.bob.id)
    with pytest.raises(BadText), session.begin():
        Invitation.make(session, " ", FIRST_NOON, uses=1, days=1, by=cast.alice.id)


def test_a_token_is_stored_as_its_hash_alone(session: Session, cast: Cast) -> None:
    token = invite(session, cast)

    with session.begin():
        row = session.execute(text("SELECT * FROM invitations")).one()
    assert token not in str(tuple(row))
    with pytest.raises(UnknownInvitation), session.begin():
        join(session, "\ud800", "dana")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE invitations SET uses = 100",
        "UPDATE invitations SET expires_at = '2099-01-01 00:00:00.000000'",
        "DELETE FROM invitations",
        "UPDATE invitation_uses SET user_id = 1",
        "DELETE FROM invitation_uses",
        "INSERT INTO invitation_uses VALUES (1, 3, 3, '2026-11-19 12:00:00.000000')",
        "INSERT INTO invitation_uses VALUES (1, 2, 3, '2026-11-20 12:00:00.000000')",
        "INSERT INTO invitation_uses VALUES (1, 1, 3, '2026-11-19 12:00:00.000000')",
    ],
)
def test_the_database_keeps_what_an_invitation_allows(
    session: Session, cast: Cast, statement: str
) -> None:
    token = invite(session, cast, uses=3, days=1)
    with session.begin():
        Invitation.use(session, token, cast.bob.id, FIRST_NOON)

    with pytest.raises(DatabaseError, match=r"can only be ended|kept for ever|as many as it says"):  # noqa: SIM117
        with session.begin():
            session.execute(text(statement))


def test_an_ended_invitation_is_not_opened_again(session: Session, cast: Cast) -> None:
    invite(session, cast)
    with session.begin():
        Invitation.end(session, 1, FIRST_NOON, cast.alice.id)

    with pytest.raises(DatabaseError, match="can only be ended"), session.begin():
        session.execute(text("UPDATE invitations SET ended_at = NULL, ended_by = NULL"))


def ban(session: Session, cast: Cast, user: User | None = None) -> None:
    with session.begin():
        block(session, (user or cast.bob).id, "Rude to others", LATER, cast.alice.id)


def test_whoever_is_blocked_is_logged_out_and_adds_no_ballots_and_keeps_what_is_in(
    session: Session, cast: Cast, big_chance: Lottery, submit: Submit
) -> None:
    earlier = submit(cast.bob, big_chance, 2)
    with session.begin():
        LoginSession.open(session, cast.bob, FIRST_NOON)
        LoginSession.open(session, cast.charlie, FIRST_NOON)

    ban(session, cast)

    assert count(session, LoginSession) == 1
    with pytest.raises(AccountBlocked):
        submit(cast.bob, big_chance)
    assert submit(cast.bob, big_chance, 2, token=earlier.token) == earlier  # a repetition
    assert submit(cast.charlie, big_chance).ballot_count == 1
    assert count(session, Ballot) == 3
    with session.begin():
        (event,) = AccountEvent.latest_of(session.connection(), cast.bob.id, 5)
    assert (event.kind, event.actor, event.detail) == ("blocked", "alice", "Rude to others")


def test_the_database_lets_nobody_log_in_who_is_blocked(session: Session, cast: Cast) -> None:
    """Whoever forgot to ask: `bob` was loaded before."""
    ban(session, cast)
    bob = User(id=cast.bob.id, blocked_at=None)

    with pytest.raises(IntegrityError, match="has no log-ins"), session.begin():
        LoginSession.open(session, bob, LATER)


def test_a_log_in_and_a_block_at_once_leave_no_log_in(
    session: Session, cast: Cast, workers: list[Worker]
) -> None:
    def log_in(mine: Session) -> None:
        user = User.still_with(mine, cast.bob.id, cast.bob.password_hash)
        assert user is not None
        LoginSession.open(mine, user, LATER)

    def keep_out(mine: Session) -> None:
        block(mine, cast.bob.id, "Rude", LATER, cast.alice.id)

    for _ in range(6):
        at_once(workers, log_in, keep_out, log_in)

        assert count(session, LoginSession) == 0
        with session.begin():
            unblock(session, cast.bob.id, LATER, cast.alice.id)


def test_no_ballot_comes_in_once_a_block_was_answered(
    session: Session, cast: Cast, big_chance: Lottery, workers: list[Worker]
) -> None:
    """A submission that waits in another worker meanwhile is admitted before, or not at all."""
    asked = [
        AskedBallots.of(
            token=uuid4(),
            user_id=cast.bob.id,
            username="bob",
            lottery_id=big_chance.id,
            ballot_count=1,
        )
        for _ in range(5)
    ]
    counted = []

    def add(mine: Session, submission: AskedBallots) -> bool:
        admitted = admit(mine.connection(), [submission], lambda: LATER)
        return isinstance(admitted.answers[0], GrantedBallots)

    def keep_out(mine: Session) -> None:
        block(mine, cast.bob.id, "Rude", LATER, cast.alice.id)
        mine.commit()
        counted.append(mine.scalar(select(func.count()).select_from(Ballot)))

    acts = [lambda mine, each=each: add(mine, each) for each in asked]
    at_once(workers, *acts, keep_out)

    assert count(session, Ballot) == counted[0]


def test_whoever_is_unblocked_plays_again(
    session: Session, cast: Cast, big_chance: Lottery, submit: Submit
) -> None:
    ban(session, cast)

    with session.begin():
        unblock(session, cast.bob.id, LATER, cast.alice.id)

    assert submit(cast.bob, big_chance).ballot_count == 1
    with session.begin():
        user = session.get_one(User, cast.bob.id, populate_existing=True)
        LoginSession.open(session, user, LATER)
        assert (user.blocked_at, user.block_reason) == (None, None)
        events = AccountEvent.latest_of(session.connection(), cast.bob.id, 5)
    assert [each.kind for each in events] == ["unblocked", "blocked"]


def test_who_cannot_be_blocked_and_when(session: Session, cast: Cast) -> None:
    with session.begin():
        set_organiser(session, cast.charlie.id, True, FIRST_NOON, cast.alice.id)
    for user, says in ((cast.alice, "can’t block yourself"), (cast.charlie, "is an organiser")):
        with pytest.raises(CannotBlock, match=says):
            ban(session, cast, user)
    with pytest.raises(BadText, match="Enter a reason"), session.begin():
        block(session, cast.bob.id, " \n", LATER, cast.alice.id)
    with pytest.raises(NotAnOrganiser), session.begin():
        block(session, cast.charlie.id, "Mine", LATER, cast.bob.id)
    with pytest.raises(CannotBlock, match="bob is not blocked"), session.begin():
        unblock(session, cast.bob.id, LATER, cast.alice.id)
    ban(session, cast)
    with pytest.raises(CannotBlock, match="blocked already"):
        ban(session, cast)
    with pytest.raises(CannotPromote), session.begin():
        set_organiser(session, cast.bob.id, True, LATER, cast.alice.id)
    with pytest.raises(DatabaseError, match="cannot be blocked"), session.begin():
        session.execute(text("UPDATE users SET is_organiser = true WHERE username = 'bob'"))
    with session.begin():
        session.get_one(User, cast.bob.id).close(LATER)
    with pytest.raises(AccountClosed):
        ban(session, cast)


def test_what_a_blocked_winner_has_won_goes_to_the_reserve_before_and_after_the_block(
    session: Session, cast: Cast, big_chance: Lottery, submit: Submit, clock: Clock
) -> None:
    """Claimed or not; what charlie has won, and what was handed over, stays."""
    submit(cast.bob, big_chance, 2)
    clock.turn(ONE_DAY)
    submit(cast.bob, big_chance, 2)
    now = FIRST_NOON + ONE_DAY
    run_due(session, now, places=2)
    with session.begin():
        claim(session, FIRST_DAY, 1, cast.bob.id, message="Hello", now=now)
    assert claims.run_due(session, now) == 0
    ban(session, cast)

    assert claims.run_due(session, now) == 1
    assert events(session, FIRST_DAY) == [
        (1, "offered"), (1, "claimed"), (1, "lapsed"), (2, "offered"),
    ]  # fmt: skip
    clock.turn(ONE_DAY)
    run_due(session, now + ONE_DAY, places=1)
    assert events(session, FIRST_DAY + ONE_DAY) == [(1, "offered")]
    assert claims.run_due(session, now + ONE_DAY) == 2  # the reserve is bob, too

    assert claims.run_due(session, now + ONE_DAY) == 0
    assert events(session, FIRST_DAY)[-1] == (2, "lapsed")
    assert events(session, FIRST_DAY + ONE_DAY) == [(1, "offered"), (1, "lapsed")]
    with session.begin():
        reasons = session.scalars(text("SELECT DISTINCT reason FROM claim_events")).all()
    assert set(reasons) == {None, "The winner’s account is blocked."}


def test_the_last_organiser_is_not_demoted(session: Session, cast: Cast) -> None:
    with pytest.raises(LastOrganiser), session.begin():
        set_organiser(session, cast.alice.id, False, LATER, cast.alice.id)
    with pytest.raises(DatabaseError, match="there must be an organiser"), session.begin():
        session.execute(text("UPDATE users SET is_organiser = false"))


def demoting(cast: Cast, whom: User, by: User | None) -> Callable[[Session], object]:
    return lambda mine: set_organiser(mine, whom.id, False, LATER, by.id if by else None)


def test_of_two_who_demote_each_other_at_once_one_stays(
    session: Session, cast: Cast, workers: list[Worker]
) -> None:
    for _ in range(6):
        with session.begin():
            organisers = session.scalars(select(User.id).where(User.is_organiser)).all()
            for user in (cast.alice, cast.charlie):
                if user.id not in organisers:
                    set_organiser(session, user.id, True, FIRST_NOON)

        done = at_once(
            workers,
            demoting(cast, cast.alice, cast.charlie),
            demoting(cast, cast.charlie, cast.alice),
        )

        assert sorted(done) == [False, True]
        with session.begin():
            assert session.scalar(select(func.count()).where(User.is_organiser)) == 1


def test_the_database_keeps_an_organiser_whatever_else_is_done_at_once(
    session: Session, cast: Cast, workers: list[Worker]
) -> None:
    """Also by code that forgot to lock the organisers."""
    for _ in range(6):
        with session.begin():
            session.execute(text("UPDATE users SET is_organiser = username <> 'bob'"))

        def take(mine: Session, name: str) -> None:
            try:
                mine.execute(
                    text("UPDATE users SET is_organiser = false WHERE username = :name"),
                    {"name": name},
                )
            except IntegrityError as error:
                raise LotteryError(str(error)) from None

        done = at_once(
            workers, lambda mine: take(mine, "alice"), lambda mine: take(mine, "charlie")
        )

        assert sorted(done) == [False, True]


def test_whose_rights_change_is_logged_out_and_others_stay(session: Session, cast: Cast) -> None:
    with session.begin():
        for user in (cast.alice, cast.bob):
            LoginSession.open(session, user, FIRST_NOON)

    with session.begin():
        set_organiser(session, cast.bob.id, True, LATER, cast.alice.id)

    with session.begin():
        assert session.scalars(select(LoginSession.user_id)).all() == [cast.alice.id]
        (event,) = AccountEvent.latest_of(session.connection(), cast.bob.id, 5)
    assert (event.kind, event.actor, event.by_command) == ("promoted", "alice", False)


def test_a_block_and_a_promotion_of_one_at_once_do_not_wait_for_each_other_for_ever(
    session: Session, cast: Cast, workers: list[Worker]
) -> None:
    """Both name alice, who does it, in the history of bob's account."""
    for _ in range(8):

        def keep_out(mine: Session) -> None:
            block(mine, cast.bob.id, "Rude", LATER, cast.alice.id)

        def promote(mine: Session) -> None:
            set_organiser(mine, cast.bob.id, True, LATER, cast.alice.id)

        assert sorted(at_once(workers, keep_out, promote)) == [False, True]

        with session.begin():
            user = session.get_one(User, cast.bob.id, populate_existing=True)
            if user.blocked_at is not None:
                unblock(session, user.id, LATER, cast.alice.id)
            else:
                set_organiser(session, user.id, False, LATER, cast.alice.id)
