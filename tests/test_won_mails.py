"""Winners are told by mail once, whatever happens between the draw and the mail."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import Engine, func, select, update
from sqlalchemy.orm import Session

from lottery_system import claims, scheduler
from lottery_system.clock import ONE_DAY, utcnow
from lottery_system.models import ClaimEvent, Draw, Lottery, Mail, MailAddress, User
from lottery_system.models.claim import claim, lapse
from tests.conftest import FIRST_DAY, FIRST_NOON, Cast, Clock, Submit
from tests.stand_ins.log_keys import begin
from tests.stand_ins.mail_server import MailBox, settings_to_mail
from tests.stand_ins.prizes import end_days, in_transaction


@pytest.fixture
def given_settings(mail_port: int) -> dict[str, str]:
    return {**settings_to_mail(mail_port), "LOTTERY_PLACES": "3", "LOTTERY_CLAIM_DAYS": "14"}


def address_of(user: User) -> str:
    return f"{user.username}@mail.example"


@pytest.fixture
def _played(
    session: Session, cast: Cast, big_chance: Lottery, submit: Submit, clock: Clock
) -> None:
    """Let all take part in a day whose three places are all of different people's."""
    begin(session, FIRST_NOON)
    with session.begin():
        for user in (cast.alice, cast.bob, cast.charlie):
            session.add(
                MailAddress(
                    user_id=user.id, address=address_of(user), address_key=address_of(user),
                    verified_at=FIRST_NOON, language="en",
                )
            )  # fmt: skip
    submit(cast.alice, big_chance)
    submit(cast.bob, big_chance)
    submit(cast.charlie, big_chance)
    clock.turn(ONE_DAY)


def draw(session: Session) -> None:
    end_days(session, utcnow(), places=3)


def holder(session: Session, place: int) -> User:
    with session.begin():
        return session.scalars(
            select(User)
            .join(ClaimEvent, ClaimEvent.holder_id == User.id)
            .where(ClaimEvent.place == place, ClaimEvent.kind == "offered")
        ).one()


@pytest.mark.usefixtures("_played")
def test_the_winner_is_told_once_and_reserves_are_not(
    app: Flask, session: Session, mailbox: MailBox, big_chance: Lottery
) -> None:
    for _ in range(3):
        draw(session)
        scheduler.send_mails(app)

    [(to, message)] = mailbox.taken
    assert to == address_of(holder(session, 1))
    assert message["Subject"] == "You won: Big Chance"
    body = message.get_body(("plain",))
    assert body is not None
    text = body.get_content()
    assert "Claim it until 23:59:59 UTC on Friday 4 December 2026." in text
    assert f"https://site.example/prizes/{FIRST_DAY}/1\r\n" in text


@pytest.mark.usefixtures("_played")
def test_the_winner_is_told_the_deadline_in_the_time_zone_of_the_account(
    app: Flask, session: Session, mailbox: MailBox
) -> None:
    with session.begin():
        session.execute(update(User).values(time_zone="Asia/Kathmandu"))
    draw(session)
    scheduler.send_mails(app)

    body = mailbox.taken[0][1].get_body(("plain",))
    assert body is not None
    assert "Claim it until 05:45 your time on Saturday 5 December 2026 (23:59:59 UTC on " in (
        " ".join(body.get_content().split())
    )


@pytest.mark.usefixtures("_played")
def test_a_draw_that_is_rolled_back_leaves_no_mail(
    app: Flask, session: Session, mailbox: MailBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It dies between the offer and the commit; the next one makes the draw and the mail."""

    def die(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr("lottery_system.models.draw.finish_won", die)
        with pytest.raises(ZeroDivisionError):
            draw(session)
    with session.begin():
        assert session.scalar(select(func.count(Mail.id))) == 0

    draw(session)
    scheduler.send_mails(app)
    assert len(mailbox.taken) == 1


@pytest.mark.usefixtures("_played")
def test_a_reserve_is_told_when_the_prize_is_passed_on(
    app: Flask, session: Session, mailbox: MailBox, engine: Engine
) -> None:
    draw(session)
    scheduler.send_mails(app)
    in_transaction(engine, lapse, FIRST_DAY, 1, reason="Has moved.", now=utcnow(), claim_days=14)
    for _ in range(2):
        claims.run_due(session, utcnow(), 14)
        scheduler.send_mails(app)

    assert [to for to, _ in mailbox.taken] == [
        address_of(holder(session, place)) for place in (1, 2)
    ]
    body = mailbox.taken[1][1].get_body(("plain",))
    assert body is not None
    assert "was passed on to your ballot" in body.get_content()


@pytest.mark.usefixtures("_played")
def test_a_prize_that_lapsed_or_was_claimed_meanwhile_is_not_told(
    app: Flask, session: Session, mailbox: MailBox, engine: Engine
) -> None:
    draw(session)
    in_transaction(engine, lapse, FIRST_DAY, 1, reason="Has moved.", now=utcnow())
    in_transaction(engine, claim, FIRST_DAY, 2, holder(session, 2).id, now=utcnow())

    scheduler.send_mails(app)

    assert mailbox.taken == []
    with session.begin():
        assert session.scalar(select(func.count(Mail.id))) == 0


@pytest.mark.usefixtures("_played")
def test_a_mail_that_waited_goes_to_the_address_that_its_winner_has_by_then(
    app: Flask, session: Session, mailbox: MailBox
) -> None:
    draw(session)
    winner = holder(session, 1)
    with session.begin():
        its = session.get_one(MailAddress, winner.id, populate_existing=True)
        its.address = its.address_key = "new@mail.example"

    scheduler.send_mails(app)

    assert [to for to, _ in mailbox.taken] == ["new@mail.example"]


@pytest.mark.usefixtures("_played")
def test_whoever_does_not_want_such_mails_gets_none(
    app: Flask, session: Session, mailbox: MailBox
) -> None:
    with session.begin():
        for its in session.scalars(select(MailAddress).execution_options(populate_existing=True)):
            its.tells_wins = False

    draw(session)
    scheduler.send_mails(app)

    assert mailbox.taken == []


@pytest.mark.usefixtures("_played")
def test_the_server_may_be_down_for_a_week_after_the_draw(
    app: Flask, session: Session, mailbox: MailBox, clock: Clock
) -> None:
    draw(session)
    mailbox.at_recipient = lambda _: "450 later"
    for _ in range(7 * 4):
        scheduler.send_mails(app)
        clock.turn(timedelta(hours=6))
    mailbox.at_recipient = lambda _: "250 ok"
    scheduler.send_mails(app)
    scheduler.send_mails(app)

    assert [to for to, _ in mailbox.taken] == [address_of(holder(session, 1))]
    with session.begin():
        assert session.get_one(Draw, FIRST_DAY).status == "drawn"
