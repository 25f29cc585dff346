"""`kill -9` while mails are sent: none is lost, and only those on their way come twice."""

import os
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from signal import SIGKILL

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from lottery_system.extensions import reading
from lottery_system.models import Mail, MailAddress, MailKind, User
from lottery_system.models.mail import LEASE
from tests.conftest import FIRST_NOON
from tests.stand_ins.mail_server import MailBox, settings_to_mail
from tests.stand_ins.processes import Gunicorn, wait_for
from tests.stand_ins.strikes import STRIKES

MAILS = 40
BOB = "bob@mail.example"


@pytest.fixture
def served_settings(mail_port: int) -> dict[str, str]:
    return settings_to_mail(mail_port)


@pytest.fixture
def mails(session: Session) -> None:
    """Fill the outbox."""
    with session.begin():
        bob = User.sign_up("bob", "", FIRST_NOON)
        session.add(bob)
        session.flush()
        session.add(
            MailAddress(
                user_id=bob.id, address=BOB, address_key=BOB, verified_at=FIRST_NOON, language="en"
            )
        )
        session.flush()
        for _ in range(MAILS):
            Mail.add(session.connection(), MailKind.PASSWORD_CHANGED, bob.id, FIRST_NOON)


@pytest.fixture
def stopping(mailbox: MailBox) -> Iterator[MailBox]:
    """Return a mailbox that stops answering with every seventh mail."""

    def answer(_: str) -> str:
        if len(mailbox.taken) % 7 == 6:
            mailbox.goes_on.clear()
        return "250 ok"

    mailbox.at_data = answer
    yield mailbox
    mailbox.goes_on.set()


def names(mailbox: MailBox) -> list[str]:
    return [message["Message-ID"] for _, message in mailbox.taken]


@pytest.mark.usefixtures("mails")
def test_no_mail_is_lost_and_only_those_on_their_way_come_twice(
    stopping: MailBox, server: Gunicorn, app: Flask
) -> None:
    at = server.clock.now()
    may_repeat: Counter[str] = Counter()
    for _ in range(STRIKES + 1):
        wait_for(lambda: not stopping.goes_on.is_set(), "a mail that is on its way")
        before = server.workers()
        for worker in before:
            os.kill(worker, SIGKILL)
        wait_for(lambda: not set(before) & set(server.workers()), "the workers are gone")  # noqa: B023
        # of each worker the newest mail at most, which was not answered
        may_repeat.update(names(stopping)[-len(before) :])
        stopping.goes_on.set()
        at += LEASE + timedelta(seconds=1)
        server.clock.stand_at(at)
    stopping.at_data = lambda _: "250 ok"

    def all_sent() -> bool:
        # without the lock of SQLite, for which two workers that send mails leave little room
        with app.app_context(), reading() as connection:
            return Mail.counts(connection) == (0, 0)

    wait_for(all_sent, "all mails are sent")
    taken = Counter(names(stopping))
    assert len(taken) == MAILS
    assert any(count > 1 for count in taken.values()), "no mail was on its way: nothing was tested"
    assert taken - Counter(taken.keys()) <= may_repeat
