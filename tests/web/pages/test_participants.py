"""Organisers' page about one account: blocking and rights."""

from uuid import uuid4

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lottery_system import claims
from lottery_system.ballot_box import BallotBox
from lottery_system.clock import ONE_DAY
from lottery_system.models import AccountEvent, Ballot, LoginSession, Lottery, User
from lottery_system.models.block import block
from lottery_system.models.rights import set_organiser
from tests.conftest import FIRST_DAY, FIRST_NOON, PASSWORD, Cast, Clock, Submit
from tests.stand_ins.log_keys import run_due
from tests.web.conftest import LogIn, Visitor, csrf_token, text_of

AT = "/organiser/participants"


def user_of(session: Session, user: User) -> User:
    with session.begin():
        return session.get_one(User, user.id, populate_existing=True)


def kinds(session: Session, user: User) -> list[tuple[str, str | None]]:
    with session.begin():
        rows = AccountEvent.latest_of(session.connection(), user.id, 9)
        return [(each.kind, each.actor) for each in rows]


def ban(alice: Visitor, user: User, reason: str = "Rude to others") -> tuple[int, str]:
    answer = alice.post(f"{AT}/{user.id}/block", AT, reason=reason)
    return answer.status_code, text_of(answer)


def test_whoever_is_blocked_is_out_at_once_and_told_why_who_knows_the_password(
    alice: Visitor, bob: Visitor, stranger: Visitor, session: Session, cast: Cast,
    big_chance: Lottery,
) -> None:  # fmt: skip
    assert bob.submit(big_chance.id).status_code == 303

    assert ban(alice, cast.bob)[0] == 303

    assert "Blocked. All their log-ins have ended." in text_of(alice.get(f"{AT}/{cast.bob.id}"))
    assert bob.get("/account").location == "/login?next=/account"
    answer = stranger.log_in("bob")
    assert answer.status_code == 403
    assert "Reason: “Rude to others”" in text_of(answer)
    unfit, unknown = stranger.log_in("bob", "a wrong one"), stranger.log_in("nobody", "a wrong one")
    for each in (unfit, unknown):
        assert each.status_code == 422
        assert "is incorrect. Try again." in text_of(each)
        assert "blocked" not in text_of(each)
    with session.begin():
        assert session.scalar(select(func.count()).select_from(Ballot)) == 1
        logged_in = session.scalars(select(LoginSession.user_id)).all()
    assert logged_in == [cast.alice.id]
    assert kinds(session, cast.bob)[0] == ("blocked", "alice")
    page = text_of(alice.get(AT))
    assert "bob 19 November 2026, 12:00:00 UTC 1 blocked" in page
    assert f",{FIRST_NOON.isoformat()}\r\n" in alice.get(f"{AT}.csv").text


def test_a_click_that_is_under_way_while_one_is_blocked_adds_nothing(
    bob: Visitor, session: Session, cast: Cast, big_chance: Lottery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log-in was looked at before the block, the ballot box after it."""
    page = bob.get("/")
    submit = BallotBox.submit

    def block_first(box: BallotBox, submission: object) -> object:
        with session.begin():
            block(session, cast.bob.id, "Rude", FIRST_NOON, cast.alice.id)
        return submit(box, submission)  # type: ignore[arg-type]

    monkeypatch.setattr(BallotBox, "submit", block_first)
    form = {"csrf_token": csrf_token(page), "submission": str(uuid4())}
    answer = bob.client.post(f"/lotteries/{big_chance.id}/ballots", data=form)

    assert answer.status_code == 403
    assert "An organiser has blocked this account. No ballot was added." in text_of(answer)
    with session.begin():
        assert session.scalar(select(func.count()).select_from(Ballot)) == 0


def test_whoever_is_unblocked_logs_in_again(
    alice: Visitor, stranger: Visitor, session: Session, cast: Cast
) -> None:
    ban(alice, cast.bob)

    answer = alice.post(f"{AT}/{cast.bob.id}/unblock", f"{AT}/{cast.bob.id}")

    assert answer.status_code == 303
    assert "Unblocked." in text_of(alice.get(f"{AT}/{cast.bob.id}"))
    assert stranger.log_in("bob").status_code == 303
    assert ("unblocked", "alice") in kinds(session, cast.bob)


def test_what_a_blocked_winner_won_passes_on_with_a_reason_that_everybody_reads(
    alice: Visitor, stranger: Visitor, session: Session, cast: Cast, big_chance: Lottery,
    submit: Submit, clock: Clock,
) -> None:  # fmt: skip
    submit(cast.bob, big_chance, 2)
    clock.turn(ONE_DAY)
    now = FIRST_NOON + ONE_DAY
    run_due(session, now, places=1)
    ban(alice, cast.bob, "Something private")
    claims.run_due(session, now)

    page = text_of(stranger.get(f"/winners/{FIRST_DAY}"))
    assert "The winner’s account is blocked." in page
    assert "Something private" not in page
    german = stranger.get(f"/winners/{FIRST_DAY}", headers={"Accept-Language": "de"})
    assert "The winner’s account is blocked." not in text_of(german)


def test_what_cannot_be_blocked_is_refused_with_a_sentence(
    alice: Visitor, session: Session, cast: Cast
) -> None:
    with session.begin():
        set_organiser(session, cast.charlie.id, True, FIRST_NOON)
    refused = {
        cast.alice.id: "You can’t block yourself.",
        cast.charlie.id: "charlie is an organiser. Make them a participant first",
    }
    for user_id, says in refused.items():
        answer = alice.post(f"{AT}/{user_id}/block", AT, reason="Rude")
        assert (answer.status_code, says in text_of(answer)) == (422, True)
    for reason, says in (("", "Enter a reason."), ("x" * 201, "at most 200 characters")):
        assert ban(alice, cast.bob, reason)[0] == 422
        assert says in ban(alice, cast.bob, reason)[1]
    ban(alice, cast.bob)
    status, text = ban(alice, cast.bob)
    assert (status, "bob is blocked already. Nothing was changed." in text) == (422, True)
    twice = [alice.post(f"{AT}/{cast.bob.id}/unblock", AT) for _ in range(2)]
    assert [each.status_code for each in twice] == [303, 422]
    assert "bob is not blocked. Nothing was changed." in text_of(twice[1])
    with session.begin():
        session.get_one(User, cast.bob.id).close(FIRST_NOON)
    status, text = ban(alice, cast.bob)
    assert status == 422
    assert "This account is closed. Nobody can log in to it any more." in text
    assert ban(alice, User(id=99))[0] == 404
    assert "closed this account" in text_of(alice.get(f"{AT}/{cast.bob.id}"))


def change(visitor: Visitor, what: str, user: User, password: str = PASSWORD) -> tuple[int, str]:
    answer = visitor.post(f"{AT}/{user.id}/{what}", AT, current=password)
    return answer.status_code, text_of(answer)


def test_a_participant_becomes_an_organiser_and_one_again_and_logs_in_anew(
    alice: Visitor, bob: Visitor, log_in: LogIn, session: Session, cast: Cast
) -> None:
    assert change(alice, "promote", cast.bob)[0] == 303

    assert bob.get("/organiser").location == "/login?next=/organiser"
    bob = log_in("bob")
    assert bob.get("/organiser").status_code == 200
    assert alice.get("/organiser").status_code == 200
    assert change(bob, "demote", cast.alice)[0] == 303
    assert alice.get("/organiser").location == "/login?next=/organiser"
    assert kinds(session, cast.alice)[0] == ("demoted", "bob")
    assert kinds(session, cast.bob)[:2] == [("logged_in", None), ("promoted", "alice")]


def test_an_organiser_steps_down_and_is_logged_out(
    alice: Visitor, session: Session, cast: Cast
) -> None:
    with session.begin():
        set_organiser(session, cast.charlie.id, True, FIRST_NOON)

    answer = alice.post(f"{AT}/{cast.alice.id}/demote", AT, current=PASSWORD)

    assert (answer.status_code, answer.location) == (303, "/login")
    assert "You’re a participant now." in text_of(alice.get("/login"))
    assert not user_of(session, cast.alice).is_organiser


@pytest.mark.parametrize(
    ("what", "name", "password", "says"),
    [
        ("demote", "alice", PASSWORD, "There must always be an organiser"),
        ("demote", "bob", PASSWORD, "bob is not an organiser. Nothing was changed."),
        ("promote", "alice", PASSWORD, "alice is an organiser already. Nothing was changed."),
        ("promote", "bob", "a wrong one", "This isn’t your password."),
        ("promote", "bob", "", "Enter your password."),
    ],
)
def test_rights_that_cannot_change_are_refused_with_a_sentence(
    alice: Visitor, session: Session, cast: Cast, what: str, name: str, password: str, says: str
) -> None:
    status, text = change(alice, what, getattr(cast, name), password)

    assert (status, says in text) == (422, True)
    assert user_of(session, cast.alice).is_organiser
    assert not user_of(session, cast.bob).is_organiser
    assert alice.get("/organiser").status_code == 200


def test_a_blocked_participant_and_a_closed_account_are_not_promoted(
    alice: Visitor, session: Session, cast: Cast
) -> None:
    ban(alice, cast.bob)
    with session.begin():
        session.get_one(User, cast.charlie.id).close(FIRST_NOON)

    assert "bob is blocked. Unblock them first" in change(alice, "promote", cast.bob)[1]
    assert "This account is closed." in change(alice, "promote", cast.charlie)[1]


def test_an_organiser_who_was_demoted_meanwhile_changes_nothing(
    alice: Visitor, log_in: LogIn, session: Session, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at the log-in and the change: charlie demotes alice, who demotes charlie."""
    with session.begin():
        set_organiser(session, cast.charlie.id, True, FIRST_NOON)

    def check(password_hash: str, text: str) -> bool:
        with session.begin():
            set_organiser(session, cast.alice.id, False, FIRST_NOON, cast.charlie.id)
        return True

    monkeypatch.setattr("lottery_system.web.own_password.check_password", check)

    status, text = change(alice, "demote", cast.charlie)

    assert (status, "Only organisers can do this." in text) == (403, True)
    assert user_of(session, cast.charlie).is_organiser


def test_a_password_that_is_changed_meanwhile_changes_no_rights(
    alice: Visitor, session: Session, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(password_hash: str, text: str) -> bool:
        with session.begin():
            session.get_one(User, cast.alice.id).password_hash = "another one"
        return True

    monkeypatch.setattr("lottery_system.web.own_password.check_password", check)

    status, text = change(alice, "promote", cast.bob)

    assert (status, "This isn’t your password." in text) == (422, True)
    assert not user_of(session, cast.bob).is_organiser
    assert kinds(session, cast.bob) == []


def test_only_organisers_see_and_change_accounts(
    bob: Visitor, session: Session, cast: Cast
) -> None:
    assert bob.get(f"{AT}/{cast.charlie.id}").status_code == 403
    for what in ("block", "unblock", "promote", "demote"):
        answer = bob.post(
            f"{AT}/{cast.charlie.id}/{what}", "/account", reason="Mine", current=PASSWORD
        )
        assert answer.status_code == 403
    assert user_of(session, cast.charlie).blocked_at is None


def test_a_form_without_a_session_comes_back_and_changes_nothing(
    alice: Visitor, session: Session, cast: Cast
) -> None:
    answer = alice.client.post(f"{AT}/{cast.bob.id}/block", data={"reason": "Rude"})

    assert (answer.status_code, 'value="Rude"' in answer.text) == (400, True)
    assert user_of(session, cast.bob).blocked_at is None
