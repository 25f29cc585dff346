"""The client of the mail server: TLS, passwords, and what it tells of failures."""

import logging
import ssl
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP

from config.mail_server import MailServer, read_mail_server
from lottery_system.smtp import PutOff, Refused, ServerTrouble, SmtpConnection
from tests.stand_ins.mail_server import PASSWORD, USER, MailBox, certificate, mail_server
from tests.stand_ins.ports import free_port

SENDER = "lottery@site.example"


class FarServer(MailServer):
    """A server that is on this host, and that the client must take for one elsewhere."""

    is_loopback = False


def far(port: int, *, is_tls: bool = False, password: str = PASSWORD) -> MailServer:
    return FarServer("127.0.0.1", port, is_tls, SENDER, USER, password)


@pytest.fixture
def message() -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = "Käse"
    message.set_content(".\n..a line of dots\nKäse\n")
    return message


@pytest.fixture
def box() -> MailBox:
    return MailBox()


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """Return a context of a server whose certificate is trusted."""
    file, context = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    return context


def send(server: MailServer, message: EmailMessage, to: str = "bob@mail.example") -> None:
    with SmtpConnection(server) as connection:
        connection.send(message, to)


def test_on_this_host_tls_is_not_needed(box: MailBox, message: EmailMessage) -> None:
    with mail_server(box) as port:
        send(read_mail_server(f"smtp://127.0.0.1:{port}", SENDER), message)

    [(to, taken)] = box.taken
    assert to == "bob@mail.example"
    assert taken["Subject"] == "Käse"
    assert taken.get_content().splitlines() == [".", "..a line of dots", "Käse"]


def test_elsewhere_starttls_comes_before_the_password(
    box: MailBox, message: EmailMessage, tls: ssl.SSLContext
) -> None:
    options: dict[str, Any] = {
        "tls_context": tls,
        "require_starttls": True,
        "authenticator": box.log_in,
    }
    with mail_server(box, **options, auth_required=True) as port:
        send(far(port), message)

    assert box.names == [(USER, PASSWORD)]
    assert len(box.taken) == 1


def test_a_server_elsewhere_without_starttls_gets_neither_password_nor_mail(
    box: MailBox, message: EmailMessage
) -> None:
    options: dict[str, Any] = {"authenticator": box.log_in, "auth_require_tls": False}
    with (
        mail_server(box, **options) as port,
        pytest.raises(ServerTrouble, match="offers no STARTTLS, which is required"),
    ):
        send(far(port), message)

    assert (box.names, box.taken) == ([], [])


def test_a_connection_may_begin_with_tls(
    box: MailBox, message: EmailMessage, tls: ssl.SSLContext
) -> None:
    options: dict[str, Any] = {"authenticator": box.log_in, "auth_require_tls": False}
    with mail_server(box, tls=tls, **options) as port:
        send(far(port, is_tls=True), message)

    assert box.names == [(USER, PASSWORD)]
    assert len(box.taken) == 1


@pytest.mark.parametrize("is_tls", [True, False])
def test_a_certificate_that_nobody_trusts_gets_neither_password_nor_mail(
    box: MailBox, message: EmailMessage, tmp_path: Path, is_tls: bool
) -> None:
    _, context = certificate(tmp_path)
    options: dict[str, Any] = {"tls": context} if is_tls else {"tls_context": context}
    with mail_server(box, **options, authenticator=box.log_in) as port, pytest.raises(
        ServerTrouble, match="certificate verify failed"
    ):  # fmt: skip
        send(far(port, is_tls=is_tls), message)

    assert (box.names, box.taken) == ([], [])


def test_a_certificate_of_another_name_is_not_trusted(
    box: MailBox, message: EmailMessage, tls: ssl.SSLContext
) -> None:
    with (
        mail_server(box, tls_context=tls) as port,
        pytest.raises(ServerTrouble, match="certificate is not valid for 'localhost'"),
    ):
        send(FarServer("localhost", port, False, SENDER, "", ""), message)

    assert box.taken == []


def test_a_wrong_password_is_told_without_it(
    box: MailBox, message: EmailMessage, tls: ssl.SSLContext, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    options: dict[str, Any] = {
        "tls_context": tls,
        "require_starttls": True,
        "authenticator": box.log_in,
    }
    with mail_server(box, **options) as port, pytest.raises(ServerTrouble) as error:
        send(far(port, password="swordfish"), message)

    assert str(error.value).startswith("The server answered 535")
    ours = [each.getMessage() for each in caplog.records if each.name != "mail.log"]
    assert "swordfish" not in f"{error.value!r} {ours}"


def test_a_server_that_takes_no_password_is_told(box: MailBox, message: EmailMessage) -> None:
    with (
        mail_server(box) as port,
        pytest.raises(ServerTrouble, match="AUTH extension not supported"),
    ):
        send(MailServer("127.0.0.1", port, False, SENDER, USER, PASSWORD), message)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("450 try later", PutOff),
        ("452 full", PutOff),
        ("550 no such user", Refused),
        ("554 spam", Refused),
        ("421 closing", ServerTrouble),
        ("399 odd", ServerTrouble),
    ],
)
@pytest.mark.parametrize("at", ["at_recipient", "at_data"])
def test_what_the_server_answers_decides(
    box: MailBox, message: EmailMessage, at: str, answer: str, kind: type[Exception]
) -> None:
    setattr(box, at, lambda _: answer)
    with mail_server(box) as port, pytest.raises(kind) as error:
        send(read_mail_server(f"smtp://127.0.0.1:{port}", SENDER), message)

    assert str(error.value) == f"The server answered {answer}"


def test_an_odd_answer_is_told_in_one_short_line_without_addresses(
    box: MailBox, message: EmailMessage
) -> None:
    box.at_data = lambda address: f"550-<{address}> 100%s\r\n550 \x1b[31m{'x' * 400}"
    with mail_server(box) as port, pytest.raises(Refused) as error:
        send(read_mail_server(f"smtp://127.0.0.1:{port}", SENDER), message)

    told = str(error.value)
    assert told.startswith("The server answered 550 ")
    assert "bob" not in told
    assert "100%s" in told
    assert told.isprintable()
    assert len(told) < 200


def test_a_sender_that_is_refused_is_trouble_of_the_server(
    box: MailBox, message: EmailMessage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not of one mail: no other would be taken either."""

    async def refuse(self: SMTP, arg: str) -> None:
        await self.push("553 not yours")

    monkeypatch.setattr(SMTP, "smtp_MAIL", refuse)
    with mail_server(box) as port, pytest.raises(ServerTrouble, match="answered 553 not yours"):
        send(read_mail_server(f"smtp://127.0.0.1:{port}", SENDER), message)


def test_nobody_at_the_port_is_told(message: EmailMessage) -> None:
    with pytest.raises(ServerTrouble, match=r"^Connection refused\.$"):
        send(read_mail_server(f"smtp://127.0.0.1:{free_port()}", SENDER), message)
