"""Mails are sent once each, whatever the server does; against a server that speaks SMTP."""

import logging
import socket
import threading
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from lottery_system import postman, scheduler, smtp
from lottery_system.clock import utcnow
from lottery_system.models import AccountLink, LinkPurpose, Mail, MailAddress, MailKind, User
from lottery_system.models.mail import LEASE, TRIED
from lottery_system.parts import parts_of
from lottery_system.web import mails
from tests.conftest import FIRST_NOON, Cast, Clock
from tests.stand_ins.mail_server import MailBox, mail_server, settings_to_mail
from tests.stand_ins.processes import PATIENCE

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
BOB = "bob@mail.example"


@pytest.fixture
def given_settings(mail_port: int) -> dict[str, str]:
    return settings_to_mail(mail_port)


def give_address(session: Session, user: User, address: str = BOB, **values: object) -> None:
    with session.begin():
        session.add(
            MailAddress(
                user_id=user.id, address=address, address_key=address, verified_at=FIRST_NOON,
                language="en", **values,
            )
        )  # fmt: skip


def add(session: Session, user: User, event: str = "password/1") -> None:
    """Add a mail that needs nothing but an address."""
    with session.begin():
        Mail.add(session.connection(), MailKind.PASSWORD_CHANGED, user.id, utcnow(), event=event)


def send(app: Flask) -> None:
    scheduler.send_mails(app)


def row(session: Session) -> Mail:
    with session.begin():
        return session.scalars(select(Mail).execution_options(populate_existing=True)).one()


def test_a_mail_is_sent_once(app: Flask, session: Session, cast: Cast, mailbox: MailBox) -> None:
    give_address(session, cast.bob)
    add(session, cast.bob)

    for _ in range(3):
        send(app)

    [(to, message)] = mailbox.taken
    assert to == BOB
    assert message["Subject"] == "Your password was changed"
    sent = row(session)
    assert sent.sent_at == FIRST_NOON
    assert (sent.address, sent.lease) == (None, None)


def test_an_event_adds_one_mail_however_often_it_is_told(
    app: Flask, session: Session, cast: Cast, mailbox: MailBox
) -> None:
    give_address(session, cast.bob)
    add(session, cast.bob)
    add(session, cast.bob)
    send(app)
    add(session, cast.bob)
    send(app)

    assert len(mailbox.taken) == 1


def test_a_mail_is_added_with_its_cause_or_not_at_all(
    app: Flask, session: Session, cast: Cast
) -> None:
    give_address(session, cast.bob)
    transaction = session.begin()
    Mail.add_password_changed(session, cast.bob.id, FIRST_NOON)
    assert session.scalar(select(func.count(Mail.id))) == 1

    transaction.rollback()

    with session.begin():
        assert session.scalar(select(func.count(Mail.id))) == 0


def test_without_an_address_nothing_is_added(session: Session, cast: Cast) -> None:
    add(session, cast.bob)

    with session.begin():
        assert session.scalar(select(func.count(Mail.id))) == 0


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE mails SET sent_at = NULL",
        "UPDATE mails SET lease = 'x', leased_until = made_at",
        "UPDATE mails SET event = 'x'",
    ],
)
def test_the_database_refuses_to_send_a_mail_again(
    app: Flask, session: Session, cast: Cast, mailbox: MailBox, statement: str
) -> None:
    give_address(session, cast.bob)
    add(session, cast.bob)
    send(app)

    with pytest.raises(DatabaseError, match="a mail is sent once"), session.begin():
        session.execute(text(statement))


def test_mails_wait_while_the_server_is_down_and_then_go_once(
    app: Flask, session: Session, cast: Cast, mail_port: int, clock: Clock,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    give_address(session, cast.bob)
    add(session, cast.bob)
    for _ in range(20):
        send(app)
        clock.turn(timedelta(seconds=5))
    failures = caplog.text.count("Connection refused. Trying again")

    assert 3 <= failures <= 6, "the waits get longer"
    assert row(session).refused_count == 0, "the mail is not to blame"
    box = MailBox()
    with mail_server(box, mail_port):
        clock.turn(5 * MINUTE)
        send(app)
        send(app)
    assert len(box.taken) == 1


def test_a_mail_that_is_refused_for_now_is_tried_for_a_week_and_goes_once(
    app: Flask, session: Session, cast: Cast, mailbox: MailBox, clock: Clock
) -> None:
    tries = []
    give_address(session, cast.bob)
    add(session, cast.bob)
    mailbox.at_recipient = lambda address: tries.append(address) or "451 greylisted"  # type: ignore[func-returns-value]
    for _ in range(7 * 24):
        send(app)
        clock.turn(HOUR)

    assert 30 <= len(tries) <= 40, "a few times at first, then every six hours"
    assert row(session).reason == "The server answered 451 greylisted"
    mailbox.at_recipient = lambda _: "250 ok"
    clock.turn(6 * HOUR)
    send(app)
    send(app)
    assert len(mailbox.taken) == 1


def test_a_mail_that_is_refused_for_too_long_is_set_aside_and_told(
    app: Flask, session: Session, cast: Cast, mailbox: MailBox, clock: Clock,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    give_address(session, cast.bob)
    add(session, cast.bob)
    mailbox.at_data = lambda _: "452 no room"
    send(app)
    clock.turn(TRIED)

    send(app)

    assert row(session).set_aside_at is not None
    assert "1 given up, not sent in time; see `flask mail list`" in caplog.text


def test_a_poison_mail_is_set_aside_and_told_and_others_go(
    app: Flask, session: Session, cast: Cast, mailbox: MailBox, clock: Clock,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    give_address(session, cast.bob)
    give_address(session, cast.charlie, "charlie@mail.example")
    add(session, cast.bob)
    add(session, cast.charlie)
    tries: list[str] = []

    def refuse(address: str) -> str:
        tries.append(address)
        return f"550 no such user {address}" if address == BOB else "250 ok"

    mailbox.at_recipient = refuse
    for _ in range(3):
        send(app)
        clock.turn(DAY)

    assert tries.count(BOB) == 1
    assert [to for to, _ in mailbox.taken] == ["charlie@mail.example"]
    told = f"to user id={cast.bob.id} set aside: The server answered 550 no such user ...; see"
    assert told in caplog.text
    assert BOB not in caplog.text


def test_mails_that_were_set_aside_are_listed_and_tried_again_by_commands(
    app: Flask, session: Session, cast: Cast, mailbox: MailBox
) -> None:
    give_address(session, cast.bob)
    add(session, cast.bob)
    mailbox.at_data = lambda _: "554 spam"
    send(app)
    run = app.test_cli_runner().invoke

    listed = run(args=["mail", "list"]).output

    assert "bob" in listed
    assert "The server answered 554 spam" in listed
    assert BOB not in listed
    mailbox.at_data = lambda _: "250 ok"
    assert run(args=["mail", "retry", "999"]).output == "No mails to try again.\n"
    assert run(args=["mail", "retry", str(row(session).id)]).output == "1 mail is tried again.\n"
    send(app)
    assert len(mailbox.taken) == 1
    assert run(args=["mail", "list"]).output == "0 mails wait. None was set aside.\n"


def test_a_connection_that_is_cut_before_the_answer_repeats_the_one_on_its_way_alone(
    app: Flask, session: Session, cast: Cast, mailbox: MailBox, clock: Clock
) -> None:
    give_address(session, cast.bob)
    for number in range(5):
        add(session, cast.bob, f"password/{number}")
    taken = iter([False, False, True])

    def answer(address: str) -> str:
        mailbox.cuts = next(taken, False)
        return "250 ok"

    mailbox.at_data = answer
    for _ in range(10):
        send(app)
        clock.turn(MINUTE)

    names = [message["Message-ID"] for _, message in mailbox.taken]
    assert len(set(names)) == 5
    assert len(names) == 6
    assert names.count(names[2]) == 2, "known as the same by its Message-ID"


def test_a_slow_server_holds_a_batch_up_for_a_bounded_time(
    app: Flask, session: Session, cast: Cast, mailbox: MailBox, clock: Clock,
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    monkeypatch.setattr(smtp, "ANSWER_SECONDS", 0.2)
    give_address(session, cast.bob)
    add(session, cast.bob)
    mailbox.goes_on.clear()

    send(app)

    assert "timed out" in caplog.text
    mailbox.goes_on.set()
    clock.turn(5 * MINUTE)
    send(app)
    assert len({message["Message-ID"] for _, message in mailbox.taken}) == 1
    assert row(session).sent_at is not None


def test_a_server_that_drips_its_answer_is_cut_off(
    app: Flask, session: Session, cast: Cast, mail_port: int, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """Each byte comes in time; the whole never does."""
    monkeypatch.setattr(smtp, "CONNECTION_SECONDS", 0.5)
    give_address(session, cast.bob)
    add(session, cast.bob)
    ends = threading.Event()

    def drip(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection:
            while not ends.wait(0.02):
                try:
                    connection.sendall(b"2")
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", mail_port)) as listening:
        thread = threading.Thread(target=drip, args=[listening])
        thread.start()
        send(app)
        ends.set()
        thread.join()

    assert "The server took longer than 0.5 seconds. Trying again" in caplog.text


def test_a_batch_is_bounded_and_takes_one_connection(
    app: Flask, session: Session, cast: Cast, mailbox: MailBox
) -> None:
    give_address(session, cast.bob)
    for number in range(postman.BATCH + 5):
        add(session, cast.bob, f"password/{number}")

    send(app)
    assert (len(mailbox.taken), mailbox.connections) == (postman.BATCH, 1)

    send(app)
    send(app)
    assert (len(mailbox.taken), mailbox.connections) == (postman.BATCH + 5, 2)


def test_two_workers_send_different_mails_and_hold_nothing_meanwhile(
    app: Flask, session: Session, cast: Cast, mailbox: MailBox, clock: Clock
) -> None:
    """The server has not answered the first worker: others send, and the database is free."""
    give_address(session, cast.bob)
    add(session, cast.bob, "password/1")
    mailbox.goes_on.clear()
    first = threading.Thread(target=send, args=[app])
    first.start()
    assert mailbox.held.acquire(timeout=PATIENCE)

    add(session, cast.bob, "password/2")
    second = threading.Thread(target=send, args=[app])
    second.start()
    assert mailbox.held.acquire(timeout=PATIENCE)
    with session.begin():  # not locked: neither the outbox nor whoever is written to
        session.execute(select(User).where(User.id == cast.bob.id).with_for_update(nowait=True))
        session.execute(select(Mail).with_for_update(nowait=True))
    mailbox.goes_on.set()
    first.join()
    second.join()

    assert len({message["Message-ID"] for _, message in mailbox.taken}) == len(mailbox.taken) == 2


def test_a_lease_that_ran_out_is_taken_over_and_the_slow_worker_sends_no_more(
    app: Flask, session: Session, cast: Cast, mailbox: MailBox, clock: Clock
) -> None:
    """A worker that was asleep for longer than its lease finds that its mails are another's."""
    give_address(session, cast.bob)
    add(session, cast.bob, "password/1")
    add(session, cast.bob, "password/2")
    mailbox.goes_on.clear()
    asleep = threading.Thread(target=send, args=[app])
    asleep.start()
    assert mailbox.held.acquire(timeout=PATIENCE)
    clock.turn(LEASE)
    other = threading.Thread(target=send, args=[app])
    other.start()
    assert mailbox.held.acquire(timeout=PATIENCE)
    mailbox.goes_on.set()
    asleep.join()
    other.join()
    send(app)

    names = [message["Message-ID"] for _, message in mailbox.taken]
    assert len(set(names)) == 2
    assert len(names) == 3, "only the one that was on its way came twice"


def test_nothing_is_sent_while_draws_are_paused(
    app: Flask, session: Session, cast: Cast, mailbox: MailBox
) -> None:
    give_address(session, cast.bob)
    add(session, cast.bob)
    parts_of(app).pause.set("rollback", "The database has forgotten a draw.")

    send(app)
    assert mailbox.taken == []

    parts_of(app).pause.clear("rollback")
    send(app)
    assert len(mailbox.taken) == 1


def test_a_mail_that_cannot_be_written_does_not_keep_others_back(
    app: Flask, session: Session, cast: Cast, mailbox: MailBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_address(session, cast.bob)
    add(session, cast.bob, "password/1")
    add(session, cast.bob, "password/2")
    write, first = mails.write_mail, iter([True])

    def fail_once(*arguments: object) -> object:
        if next(first, False):
            raise ZeroDivisionError
        return write(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(scheduler, "write_mail", fail_once)
    send(app)

    assert len(mailbox.taken) == 1
    with session.begin():
        reasons = session.scalars(select(Mail.reason).where(Mail.set_aside_at.is_not(None))).all()
    assert reasons == ["It could not be written."]


def test_each_try_makes_a_new_link_and_ends_none_that_an_organiser_made_since(
    app: Flask, session: Session, cast: Cast, mailbox: MailBox, clock: Clock
) -> None:
    give_address(session, cast.bob)
    with session.begin():
        Mail.add(session.connection(), MailKind.RESET, cast.bob.id, FIRST_NOON)
    mailbox.at_data = lambda _: "451 later"
    send(app)
    clock.turn(MINUTE)
    with session.begin():
        made = AccountLink.make(
            session, LinkPurpose.PASSWORD, cast.bob.id, utcnow(), DAY, made_by=cast.alice.id
        )
    mailbox.at_data = lambda _: "250 ok"

    send(app)

    assert mailbox.taken == []
    with session.begin():
        assert session.scalar(select(func.count(Mail.id))) == 0
        assert AccountLink.use(session, LinkPurpose.PASSWORD, made, utcnow()) is not None


def test_a_link_that_cannot_be_sent_within_a_day_is_given_up(
    app: Flask, session: Session, cast: Cast, mailbox: MailBox, clock: Clock
) -> None:
    give_address(session, cast.bob)
    with session.begin():
        Mail.add(session.connection(), MailKind.RESET, cast.bob.id, FIRST_NOON)
    clock.turn(DAY)

    send(app)

    assert mailbox.taken == []
    assert row(session).reason == "It could not be sent in time."


def test_mails_with_links_go_first(
    app: Flask, session: Session, cast: Cast, mailbox: MailBox, clock: Clock
) -> None:
    give_address(session, cast.bob)
    for number in range(postman.BATCH):
        add(session, cast.bob, f"password/{number}")
    clock.turn(MINUTE)
    with session.begin():
        Mail.add(session.connection(), MailKind.RESET, cast.bob.id, utcnow())

    send(app)

    assert mailbox.taken[0][1]["Subject"] == "Choose a new password"


def test_old_mails_are_deleted_and_waiting_ones_are_not(
    app: Flask, session: Session, cast: Cast, mailbox: MailBox, clock: Clock
) -> None:
    give_address(session, cast.bob)
    add(session, cast.bob, "password/1")
    send(app)
    add(session, cast.bob, "password/2")
    for days, left in ((29, 2), (31, 1)):
        with session.begin():
            Mail.sweep(session, FIRST_NOON + days * DAY)
            assert session.scalar(select(func.count(Mail.id))) == left


def test_neither_logs_nor_the_database_have_tokens_and_addresses_that_were_sent_to(
    app: Flask, session: Session, cast: Cast, mailbox: MailBox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    give_address(session, cast.bob)
    with session.begin():
        Mail.add(session.connection(), MailKind.RESET, cast.bob.id, FIRST_NOON)
    send(app)
    [(_, message)] = mailbox.taken
    body = message.get_body(("plain",))
    assert body is not None
    token = body.get_content().partition("link=")[2].split()[0]

    assert len(token) > 40
    ours = [each.getMessage() for each in caplog.records if each.name != "mail.log"]
    assert "mail: 1 sent" in ours
    assert not [line for line in ours if token in line or BOB in line]
    with session.begin():
        stored = [*session.execute(text("SELECT * FROM mails")).one()]
        links = [*session.execute(text("SELECT * FROM account_links")).one()]
    assert token not in str(stored + links)
    assert BOB not in str(stored)
