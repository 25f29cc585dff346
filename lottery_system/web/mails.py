"""Mails as messages: letters written out as text and HTML, in the language of their reader.

Plain pages without pictures, scripts or anything else to load, so that nobody is told who reads
them. All are from a program (RFC 3834), and those that no account depends on can be turned off by
one click (RFC 8058).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from hashlib import sha256

from flask import Flask, render_template
from flask_babel import gettext
from werkzeug.test import EnvironBuilder

from lottery_system.letters import CAN_BE_STOPPED, Letter, stopping_token
from lottery_system.models import MailKind
from lottery_system.parts import parts
from lottery_system.time_zones import zone_of
from lottery_system.web.account_events import browser_in_words
from lottery_system.web.current_site import site
from lottery_system.web.instants import Form, closing_in_words, in_words
from lottery_system.web.languages import DEFAULT, LANGUAGES
from lottery_system.web.remembered import apart, path_for
from lottery_system.web.words import long_day, number, short


@dataclass(frozen=True)
class Content:
    """What a mail says: paragraphs, a link, and what is below it."""

    subject: str
    paragraphs: list[str]
    action: str
    #: may hold a token
    address: str = field(repr=False)
    below: list[str] = field(default_factory=list)


def write_mail(app: Flask, letter: Letter, now: datetime) -> EmailMessage:
    """Write a letter as a message, out of reach of any request and transaction."""
    settings = parts().settings
    environ = EnvironBuilder(base_url=settings.url).get_environ()
    code = letter.language if letter.language in LANGUAGES else DEFAULT
    zone = letter.time_zone if zone_of(letter.time_zone) else None
    return apart(app, lambda: _message(letter, code, now), code, environ, zone=zone)


def _message(letter: Letter, code: str, now: datetime) -> EmailMessage:
    settings, content = parts().settings, _CONTENTS[letter.kind](letter)
    _, _, domain = settings.mail_from.rpartition("@")
    message = EmailMessage()
    message["Subject"] = content.subject
    message["From"] = Address(site().title, addr_spec=settings.mail_from)
    message["To"] = Address(addr_spec=letter.address)
    message["Date"] = format_datetime(now.astimezone(UTC))
    message["Message-ID"] = f"<{_name(letter, settings.name)}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    stop = ""
    if letter.kind in CAN_BE_STOPPED:
        token = stopping_token(settings.secret_key, letter.user_id, letter.address)
        stop = f"{_url('mail_links.confirm_stopping')}?stop={token}"
        message["List-Unsubscribe"] = f"<{stop}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(_text(content, stop), cte="quoted-printable")
    html = render_template("mails/mail.html", content=content, stop=stop, root=settings.url)
    message.add_alternative(html, subtype="html", cte="quoted-printable")
    message["Content-Language"] = code  # last, since a new content takes such headers away
    return message


def _name(letter: Letter, lottery: str) -> str:
    """Return what tells a mail apart, the same at each try, so that a second copy can be told."""
    text = f"{lottery}\n{letter.mail_id}\n{letter.made_at.isoformat()}\n{letter.kind}"
    return sha256(text.encode()).hexdigest()[:32]


def _text(content: Content, stop: str) -> str:
    pieces = [*content.paragraphs, f"{content.action}:\n{content.address}", *content.below]
    if stop:
        pieces.append(f"{gettext('Turn off emails about prizes')}:\n{stop}")
    return "\n\n".join([*pieces, f"-- \n{site().title}\n{parts().settings.url}"]) + "\n"


def _url(endpoint: str, **values: str | int) -> str:
    return parts().settings.url.rstrip("/") + path_for(endpoint, **values)


def _with_token(endpoint: str, letter: Letter) -> str:
    """Return a link; its token is put behind the path, which is cached."""
    return f"{_url(endpoint)}?link={letter.token}"


def _verify(letter: Letter) -> Content:
    return Content(
        gettext("Confirm your email address"),
        [
            gettext(
                "Somebody entered this email address for the account %(name)s at %(site)s. If it "
                "was you, confirm it:",
                name=letter.username,
                site=site().title,
            )
        ],
        gettext("Confirm email address"),
        _with_token("mail_links.show", letter),
        [
            gettext("The link works once, for one day."),
            gettext("If it wasn’t you, ignore this email. We won’t write to you again."),
        ],
    )


def _reset(letter: Letter) -> Content:
    return Content(
        gettext("Choose a new password"),
        [
            gettext(
                "Somebody asked for a new password for your account %(name)s at %(site)s. If it "
                "was you, choose one:",
                name=letter.username,
                site=site().title,
            )
        ],
        gettext("Choose a new password"),
        _with_token("new_passwords.show", letter),
        [
            gettext("The link works once, for one day."),
            gettext("If it wasn’t you, ignore this email. Your password stays as it is."),
        ],
    )


def _won(letter: Letter) -> Content:
    prize = letter.prize
    assert prize is not None
    what = {"number": number(prize.number), "day": long_day(prize.day), "name": prize.lottery_name}
    first = (
        gettext("Congratulations! Your ballot %(number)s won on %(day)s in %(name)s.", **what)
        if prize.place == 1
        else gettext(
            "Congratulations! The prize of %(day)s was passed on to your ballot %(number)s in "
            "%(name)s.",
            **what,
        )
    )
    paragraphs = [first]
    if prize.prize:
        paragraphs.append(gettext("The prize: %(prize)s", prize=prize.prize))
    if prize.claim_until:
        closing = closing_in_words(prize.claim_until)
        paragraphs.append(gettext("Claim it until %(closing)s.", closing=closing))
    below = [f"{gettext('How you get it')}:\n{prize.claim}"] if prize.claim else []
    return Content(
        gettext("You won: %(prize)s", prize=short(prize.prize or prize.lottery_name)),
        paragraphs,
        gettext("Claim your prize"),
        _url("prizes.show", day=prize.day.isoformat(), place=prize.place),
        below,
    )


def _password_changed(letter: Letter) -> Content:
    return Content(
        gettext("Your password was changed"),
        [
            gettext(
                "The password of your account %(name)s at %(site)s was changed: %(instant)s.",
                name=letter.username,
                site=site().title,
                instant=in_words(letter.made_at, Form.DUE),
            ),
            gettext("If it was you, there’s nothing to do. If not, choose a new one right away:"),
        ],
        gettext("Choose a new password"),
        _url("new_passwords.forgotten"),
    )


def _address_changed(letter: Letter) -> Content:
    return Content(
        gettext("Your email address was changed"),
        [
            gettext(
                "This email address no longer belongs to your account %(name)s at %(site)s. It was "
                "replaced or removed: %(instant)s.",
                name=letter.username,
                site=site().title,
                instant=in_words(letter.made_at, Form.DUE),
            ),
            gettext("If it was you, there’s nothing to do. If not, here’s how to get help:"),
        ],
        gettext("Get help"),
        _url("new_passwords.forgotten"),
    )


def _new_browser(letter: Letter) -> Content:
    return Content(
        gettext("New log-in to your account"),
        [
            gettext(
                "Somebody logged in to your account %(name)s at %(site)s with a new browser: "
                "%(browser)s, %(instant)s.",
                name=letter.username,
                site=site().title,
                browser=browser_in_words(letter.detail),
                instant=in_words(letter.made_at, Form.DUE),
            ),
            gettext("If it was you, there’s nothing to do. If not, change your password:"),
        ],
        gettext("Account"),
        _url("my_account.show"),
        [gettext("You can turn these emails off on the page of your account.")],
    )


_CONTENTS: dict[MailKind, Callable[[Letter], Content]] = {
    MailKind.VERIFY: _verify,
    MailKind.RESET: _reset,
    MailKind.WON: _won,
    MailKind.PASSWORD_CHANGED: _password_changed,
    MailKind.ADDRESS_CHANGED: _address_changed,
    MailKind.NEW_BROWSER: _new_browser,
}
