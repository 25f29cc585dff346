"""Postman: sends what is due in the outbox, in batches of one connection each.

No transaction is open while it talks to the server. Each mail is stored as sent as soon as the
server has taken it, so a worker that is killed repeats the one that was on its way at most. If the
server fails, nothing is sent for a while, longer each time.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage

from sqlalchemy.orm import Session

from config.mail_server import MailServer
from lottery_system.extensions import reading
from lottery_system.letters import Letter, letter_of
from lottery_system.models import Mail, ResetRequest
from lottery_system.rollback import Rollback, check_session
from lottery_system.smtp import PutOff, Refused, ServerTrouble, SmtpConnection

log = logging.getLogger(__name__)

BATCH = 25
#: the wait after the server failed once; it doubles each time, up to the longest
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=5), timedelta(minutes=5)

#: turns a letter into a message
Write = Callable[[Letter, datetime], EmailMessage]


def of(server: MailServer | None) -> "Postman | None":
    """Return a postman; None where there is no server."""
    return Postman(server) if server else None


class Postman:
    """Sends the mails of one process."""

    def __init__(self, server: MailServer) -> None:
        self._server = server
        self._failures = 0
        self._waits_from: datetime | None = None
        self._wait = timedelta(0)

    def run_due(
        self, session: Session, now: datetime, write: Write, *, rollback: Rollback | None = None
    ) -> int:
        """Look up requests for reset links, then send one batch of mails.

        Any number of processes may call this at any time.

        Args:
            session: without a transaction begun.
            write: called outside of any transaction.
            rollback: checks that the database has not been rolled back: mails that were sent
                would be sent again.

        Returns:
            How many mails the server took.

        Raises:
            Paused: the database has forgotten what was published.
        """
        with reading() as connection:
            is_asked = ResetRequest.waits(connection)
            is_due = is_asked or Mail.is_due(connection, now)
        if is_asked:
            with session.begin():
                check_session(session, rollback)
                ResetRequest.look_up(session, now)
        if not is_due or self._is_waiting(now):
            return 0
        with session.begin():
            check_session(session, rollback)
            given_up = Mail.give_up(session, now)
            lease, ids = Mail.take(session, now, BATCH)
        if given_up:
            log.error("mail: %d given up, not sent in time; see `flask mail list`", given_up)
        if not ids:
            return 0
        try:
            return self._send(_Batch(session, now, lease, write), ids)
        finally:
            with session.begin():
                Mail.release(session, lease)

    def _send(self, batch: "_Batch", ids: Sequence[int]) -> int:
        sent = 0
        try:
            with SmtpConnection(self._server) as connection:
                for mail_id in ids:
                    if connection.is_over:
                        break
                    sent += batch.send(mail_id, connection)
        except ServerTrouble as error:
            self._note_failure(batch.now, str(error))
        else:
            self._note_success()
        if sent:
            log.info("mail: %d sent", sent)
        return sent

    def _is_waiting(self, now: datetime) -> bool:
        if self._waits_from is None:
            return False
        # a clock that was set back ends the wait
        return timedelta(0) <= now - self._waits_from < self._wait

    def _note_failure(self, now: datetime, reason: str) -> None:
        self._wait = min(FIRST_WAIT * 2 ** min(self._failures, 10), LONGEST_WAIT)
        self._failures += 1
        self._waits_from = now
        log.warning("mail: %s Trying again in %d s", reason, self._wait.total_seconds())

    def _note_success(self) -> None:
        if self._failures:
            log.info("mail: the server takes mails again")
        self._failures, self._waits_from = 0, None


@dataclass(frozen=True)
class _Batch:
    """What is the same for all mails of a connection."""

    session: Session
    now: datetime
    lease: str
    write: Write

    def send(self, mail_id: int, connection: SmtpConnection) -> bool:
        """Send a leased mail; return whether the server took it.

        Raises:
            ServerTrouble: it takes none; this one is put off, since it may be the cause.
        """
        letter = self._letter(mail_id)
        if letter is None:
            return False
        try:
            message = self.write(letter, self.now)
        except Exception:  # one mail must not keep all others back
            log.exception("mail %d: a fault of ours; see `flask mail list`", mail_id)
            self._store(Mail.set_aside, mail_id, "It could not be written.")
            return False
        try:
            connection.send(message, letter.address)
        except Refused as error:
            self._store(Mail.set_aside, mail_id, str(error))
            log.error(
                "mail %d (%s) to user id=%d set aside: %s; see `flask mail list`",
                mail_id, letter.kind.value, letter.user_id, error,
            )  # fmt: skip
            return False
        except PutOff as error:
            self._store(Mail.put_off, mail_id, str(error))
            return False
        except ServerTrouble as error:
            self._store(Mail.put_off, mail_id, str(error))
            raise
        with self.session.begin():
            Mail.finish(self.session, mail_id, self.lease, self.now)
        return True

    def _letter(self, mail_id: int) -> Letter | None:
        with self.session.begin():
            mail = Mail.open(self.session, mail_id, self.lease)
            letter = letter_of(self.session, mail, self.now) if mail else None
            if mail is not None and letter is None:  # nothing to tell any more
                self.session.delete(mail)
        return letter

    def _store(
        self, how: Callable[[Session, int, str, datetime, str], None], mail_id: int, reason: str
    ) -> None:
        with self.session.begin():
            how(self.session, mail_id, self.lease, self.now, reason)
