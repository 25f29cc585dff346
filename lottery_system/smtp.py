"""SMTP client: hands mails in at the operator's server, over one connection (RFC 5321, RFC 6409).

TLS is required unless the server is on this host. Every wait is bounded: each answer by
`ANSWER_SECONDS`, a connection by `CONNECTION_SECONDS`, however slowly bytes come in. What is told
of a failure has neither the password nor an address.
"""

import re
import smtplib
import ssl
from contextlib import suppress
from email.message import EmailMessage
from email.policy import SMTP
from socket import SHUT_RDWR
from threading import Timer

from config.mail_server import MailServer
from lottery_system.errors import LotteryError

ANSWER_SECONDS = 10
CONNECTION_SECONDS = 60
#: characters of what the server says that are told
TOLD = 120


class ServerTrouble(LotteryError):
    """The server takes no mails for now; whether it took the last one is not known."""


class PutOff(LotteryError):
    """The server does not take this mail for now (4yz)."""


class Refused(LotteryError):
    """The server does not take this mail at all (5yz)."""


class _Client(smtplib.SMTP):
    """A client that is made before it connects, so that its connection can be cut."""

    def __init__(self, server: MailServer) -> None:
        super().__init__(timeout=ANSWER_SECONDS, local_hostname=_own_name(server))
        self._host = server.host  # whose certificate STARTTLS asks for


class _ClientOverTLS(smtplib.SMTP_SSL):
    """The same, of a connection that begins with TLS."""

    def __init__(self, server: MailServer) -> None:
        context = ssl.create_default_context()
        super().__init__(timeout=ANSWER_SECONDS, local_hostname=_own_name(server), context=context)
        self._host = server.host


class SmtpConnection:
    """One connection, to be used in a `with`.

    Raises:
        ServerTrouble: when it is entered, and the server does not take mails.
    """

    def __init__(self, server: MailServer) -> None:
        self._server = server
        self._client = _ClientOverTLS(server) if server.is_tls else _Client(server)
        self._watch = Timer(CONNECTION_SECONDS, self._cut)
        self._watch.daemon = True
        #: whether its time is over
        self.is_over = False

    def __enter__(self) -> "SmtpConnection":
        """Connect, begin TLS, and log in."""
        self._watch.start()
        try:
            self._begin()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Say good-bye, and close."""
        if not self.is_over:
            with suppress(OSError, ValueError, smtplib.SMTPException):
                self._client.quit()
        self._close()

    def send(self, message: EmailMessage, recipient: str) -> None:
        """Hand one mail in.

        Raises:
            PutOff, Refused: the server does not take this one; it may take others.
            ServerTrouble: the connection is of no use any more.
        """
        text = message.as_bytes(policy=SMTP)
        try:
            self._client.sendmail(self._server.sender, [recipient], text)
        except smtplib.SMTPRecipientsRefused as error:
            code, answer = error.recipients[recipient]
            raise self._refusal(code, answer, recipient) from None
        except smtplib.SMTPDataError as error:
            raise self._refusal(error.smtp_code, error.smtp_error, recipient) from None
        except (OSError, ValueError) as error:  # all of smtplib's, too
            raise self._trouble(error) from None

    def _begin(self) -> None:
        server, client = self._server, self._client
        try:
            code, answer = client.connect(server.host, server.port)
            if code != 220:
                raise self._trouble(smtplib.SMTPConnectError(code, answer))
            client.ehlo_or_helo_if_needed()
            if not server.is_tls and not server.is_loopback:
                if not client.has_extn("starttls"):
                    raise ServerTrouble("The server offers no STARTTLS, which is required.")
                client.starttls(context=ssl.create_default_context())
            if server.user:
                client.login(server.user, server.password)
        except (OSError, ValueError) as error:
            raise self._trouble(error) from None

    def _refusal(self, code: int, answer: bytes | str, recipient: str) -> LotteryError:
        told = self._told(code, answer, recipient)
        if code == 421 or not 400 <= code < 600:
            return ServerTrouble(told)
        return PutOff(told) if code < 500 else Refused(told)

    def _trouble(self, error: Exception) -> ServerTrouble:
        if self.is_over:
            return ServerTrouble(f"The server took longer than {CONNECTION_SECONDS} seconds.")
        if isinstance(error, smtplib.SMTPResponseException):
            return ServerTrouble(self._told(error.smtp_code, error.smtp_error))
        reason = error.strerror if isinstance(error, OSError) else None
        return ServerTrouble(f"{self._clean(reason or str(error)) or type(error).__name__}.")

    def _told(self, code: int, answer: bytes | str, recipient: str = "") -> str:
        text = answer.decode("ascii", "replace") if isinstance(answer, bytes) else answer
        return f"The server answered {code} {self._clean(text, recipient)}".rstrip()

    def _clean(self, text: str, recipient: str = "") -> str:
        """Return the begin of a text in one line, without secrets and addresses."""
        for secret in (self._server.password, self._server.user, recipient):
            text = text.replace(secret, "...") if secret else text
        text = re.sub(r"\S+@\S+", "...", text)
        return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:TOLD]

    def _cut(self) -> None:
        self.is_over = True
        if self._client.sock is not None:
            with suppress(OSError, ValueError):
                self._client.sock.shutdown(SHUT_RDWR)

    def _close(self) -> None:
        self._watch.cancel()
        with suppress(OSError, ValueError):
            self._client.close()


def _own_name(server: MailServer) -> str:
    """Return what EHLO says; the host's own name may take long to look up."""
    return server.sender.partition("@")[2] or "localhost"
