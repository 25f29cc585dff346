"""Mails as messages: headers, text and HTML in four languages, and nothing that is loaded."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import parsedate_to_datetime
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask

from lottery_system.letters import Letter
from lottery_system.models import MailKind
from lottery_system.web.mails import write_mail
from tests.conftest import FIRST_NOON
from tests.stand_ins.mail_server import settings_to_mail

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

TOKEN = "a-token"


@pytest.fixture
def given_settings(mail_port: int) -> dict[str, str]:
    return settings_to_mail(mail_port)


def prize(**values: object) -> Any:
    known: dict[str, object] = {
        "day": date(2026, 11, 19), "place": 1, "number": 1234, "lottery_name": "Tom & Jerry <b>",
        "prize": "A basket of cheese & bread.\nAnd a knife.", "claim": "Come by.",
        "claim_until": date(2026, 12, 3),
    }  # fmt: skip
    return SimpleNamespace(**known | values)


def letter(kind: MailKind, language: str = "en", **values: Any) -> Letter:
    return replace(
        Letter(
            kind, 7, FIRST_NOON, "bob@mail.example", "bob", 2, language, "Firefox on Android",
            TOKEN if kind in {MailKind.VERIFY, MailKind.RESET} else None,
            prize() if kind is MailKind.WON else None,
        ),
        **values,
    )  # fmt: skip


def write(app: Flask, letter: Letter, now: datetime = FIRST_NOON) -> EmailMessage:
    with app.app_context():
        return write_mail(app, letter, now)


def parts(message: EmailMessage) -> tuple[str, str]:
    """Return the text and the HTML of a message."""
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None
    assert html is not None
    return text.get_content(), html.get_content()


@pytest.mark.parametrize("language", ["en", "de", "es", "fr"])
@pytest.mark.parametrize("kind", list(MailKind))
def test_each_mail_can_be_read_in_each_language(app: Flask, kind: MailKind, language: str) -> None:
    message = write(app, letter(kind, language))
    text, html = parts(message)

    assert message["Content-Language"] == language
    assert f'<html lang="{language}">' in html
    english = write(app, letter(kind))
    assert (message["Subject"] == english["Subject"]) == (language == "en")
    for link in re.findall(r"https?://\S+", text):
        assert link.startswith("https://site.example/")
        assert link.replace("&", "&amp;") in html
    assert not re.search(r"src=|url\(|<link|<script|@import", html)
    raw = message.as_bytes(policy=SMTP)
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 998


def test_a_mail_has_the_times_of_its_reader(app: Flask) -> None:
    def text(kind: MailKind, zone: str | None) -> str:
        return " ".join(parts(write(app, letter(kind, time_zone=zone)))[0].split())

    assert "was changed: 19 November 2026, 12:00:00 UTC." in text(MailKind.PASSWORD_CHANGED, None)
    assert (
        "was changed: 19 November 2026, 17:45 your time (19 November 2026, 12:00:00 UTC)."
        in text(MailKind.PASSWORD_CHANGED, "Asia/Kathmandu")
    )
    assert "Claim it until 23:59:59 UTC on Thursday 3 December 2026." in text(MailKind.WON, None)
    assert (
        "Claim it until 14:00 your time on Friday 4 December 2026 (23:59:59 UTC on Thursday 3 "
        "December 2026)." in text(MailKind.WON, "Pacific/Kiritimati")
    )
    assert "12:00:00 UTC." in text(MailKind.PASSWORD_CHANGED, "Europe/Atlantis")  # is no more


@pytest.mark.parametrize("kind", list(MailKind))
def test_headers_say_that_a_program_wrote_it_and_when(app: Flask, kind: MailKind) -> None:
    now = datetime(2026, 11, 20, 1, 2, 3, tzinfo=UTC)
    message = write(app, letter(kind), now)

    assert message["Auto-Submitted"] == "auto-generated"
    assert message["To"] == "bob@mail.example"
    assert message["From"].addresses[0].addr_spec == "lottery@site.example"
    assert parsedate_to_datetime(message["Date"]) == now
    assert re.fullmatch(r"<[0-9a-f]{32}@site\.example>", message["Message-ID"])
    again = write(app, letter(kind, token="another"), now)
    other = write(app, letter(kind, mail_id=8), now)
    assert message["Message-ID"] == again["Message-ID"] != other["Message-ID"]


def test_only_mails_that_no_account_depends_on_can_be_turned_off(app: Flask) -> None:
    for kind in MailKind:
        message = write(app, letter(kind))
        text, html = parts(message)
        if kind is MailKind.WON:
            (link,) = re.findall(r"^<(https://site\.example/stop-emails\?stop=2-[0-9a-f]{64})>$",
                                 message["List-Unsubscribe"])  # fmt: skip
            assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
            assert link in text
            assert link in html
        else:
            assert message["List-Unsubscribe"] is None
            assert message["List-Unsubscribe-Post"] is None
            assert "stop-emails" not in text + html


def test_what_people_wrote_is_escaped_in_html_and_plain_in_text(app: Flask) -> None:
    message = write(app, letter(MailKind.WON))
    text, html = parts(message)

    assert "Tom & Jerry <b>" in text
    assert "Tom &amp; Jerry &lt;b&gt;" in html
    assert "<b>" not in html.replace("<b>Claim your prize</b>", "")
    assert message["Subject"] == "You won: A basket of cheese & bread. And a knife."


@pytest.mark.parametrize("evil", ["x\r\nBcc: eve@mail.example", "x\nBcc: eve@mail.example"])
def test_no_prize_can_add_a_header(app: Flask, evil: str) -> None:
    message = write(app, letter(MailKind.WON, prize=prize(prize=evil, lottery_name=evil)))

    assert message["Bcc"] is None
    head = message.as_bytes(policy=SMTP).partition(b"\r\n\r\n")[0]
    assert b"\r\nBcc" not in head


def test_a_language_that_is_none_is_english(app: Flask) -> None:
    assert write(app, letter(MailKind.WON, language="xx"))["Content-Language"] == "en"


def test_a_letter_does_not_show_its_token(app: Flask) -> None:
    assert TOKEN not in repr(letter(MailKind.RESET))
