"""A mail server that speaks SMTP, takes mails, and fails as tests tell it to."""

import asyncio
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.stand_ins.ports import free_port
from tests.stand_ins.processes import wait_for

USER, PASSWORD = "lottery@x.example", "hunter2:/@ %"


class MailBox:
    """What a server has taken, and how it answers."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, EmailMessage]] = []
        #: answers to RCPT and to the end of DATA, in place of 250
        self.at_recipient: Callable[[str], str] = lambda _: "250 ok"
        self.at_data: Callable[[str], str] = lambda _: "250 taken"
        #: seconds before the end of DATA is answered
        self.slow = 0.0
        #: takes the mail, and closes the connection before it says so
        self.cuts = False
        #: mails of which the server has all, and has not answered
        self.held = threading.Semaphore(0)
        #: answers only once this is set
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.connections = 0
        self.names: list[tuple[str, str]] = []

    def to(self, address: str) -> list[EmailMessage]:
        """Return the mails to an address."""
        return [message for to, message in self.taken if to == address]

    def wait_to(self, address: str, count: int = 1) -> EmailMessage:
        """Wait for a mail to an address, and return the newest."""
        wait_for(lambda: len(self.to(address)) >= count, f"{count} mails to {address}")
        return self.to(address)[-1]

    # what aiosmtpd calls

    async def handle_EHLO(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, name: str, responses: list[str]
    ) -> list[str]:
        self.connections += 1
        session.host_name = name
        return responses

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = self.at_recipient(address)
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        (address,) = envelope.rcpt_tos
        answer = self.at_data(address)
        if answer.startswith("250"):
            assert isinstance(envelope.content, bytes)
            message = message_from_bytes(envelope.content, policy=default)
            assert isinstance(message, EmailMessage)
            self.taken.append((address, message))
        self.held.release()
        while not self.goes_on.is_set():
            await asyncio.sleep(0.01)
        await asyncio.sleep(self.slow)
        if self.cuts:
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        return answer

    def log_in(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        """Take the one user by the one password."""
        assert isinstance(data, LoginPassword)
        self.names.append((data.login.decode(), data.password.decode()))
        return AuthResult(success=self.names[-1] == (USER, PASSWORD), handled=False)


def settings_to_mail(port: int) -> dict[str, str]:
    """Return settings of a lottery that sends mails by a server on this host."""
    return {
        "LOTTERY_MAIL_URL": f"smtp://127.0.0.1:{port}",
        "LOTTERY_MAIL_FROM": "lottery@site.example",
        "LOTTERY_URL": "https://site.example",
    }


@contextmanager
def mail_server(
    box: MailBox, port: int | None = None, *, tls: ssl.SSLContext | None = None, **options: Any
) -> Iterator[int]:
    """Run a server on this host, and yield its port."""
    port = port or free_port()
    controller = Controller(
        box, hostname="127.0.0.1", port=port, ssl_context=tls, decode_data=False, **options
    )
    controller.start()
    try:
        yield port
    finally:
        box.goes_on.set()
        controller.stop(no_assert=True)


def certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """Make a certificate of 127.0.0.1 that is its own authority; return its file and a context."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2000))
        .not_valid_after(now + timedelta(days=2000))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "mail.pem"
    pem = serialization.Encoding.PEM
    file.write_bytes(made.public_bytes(pem))
    key_file = folder / "mail.key"
    key_file.write_bytes(
        key.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key_file)
    return file, context
