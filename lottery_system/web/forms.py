"""The shapes of what people type, and the sentences where they do not fit."""

import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flask import request
from flask_babel import gettext, lazy_gettext
from flask_wtf import FlaskForm
from wtforms import (
    DateField,
    Field,
    PasswordField,
    StringField,
    TextAreaField,
    ValidationError,
)
from wtforms.validators import InputRequired, Length

from lottery_system.errors import LotteryError
from lottery_system.models.lottery import NAME_LENGTH, PRIZE_LENGTH
from lottery_system.web.words import number

DIGITS = 9
#: the one way in which RFC 9562 section 4 writes a UUID
UUID_TEXT = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class Form(FlaskForm):  # type: ignore[misc]
    """A form whose fields are texts."""

    class Meta(FlaskForm.Meta):  # type: ignore[misc]
        """Where the fields come from."""

        def wrap_formdata(self, form: FlaskForm, formdata: object) -> object:
            """Take what is sent as a form, and nothing where None asks for an empty one.

            Flask-WTF would also take uploads and JSON, and hand what is no text to what reads
            texts.
            """
            is_sent = formdata is not None and form.is_submitted()
            return request.form or None if is_sent else None


class AccountForm(Form):
    """A username and a password, to sign up or to log in."""

    username = StringField(
        lazy_gettext("Username"), [InputRequired(lazy_gettext("Enter a username."))]
    )
    password = PasswordField(
        lazy_gettext("Password"), [InputRequired(lazy_gettext("Enter a password."))]
    )


class OwnPasswordForm(Form):
    """One's password, to show that it is really oneself."""

    current = PasswordField(
        lazy_gettext("Current password"), [InputRequired(lazy_gettext("Enter your password."))]
    )


class NewPasswordForm(OwnPasswordForm):
    """One's password, and the one to take its place."""

    new = PasswordField(
        lazy_gettext("New password"), [InputRequired(lazy_gettext("Enter a new password."))]
    )


def _at_most_a_prize(form: FlaskForm, field: Field) -> None:
    if len(field.data or "") > PRIZE_LENGTH:
        raise ValidationError(
            gettext("A prize has at most %(most)s characters.", most=number(PRIZE_LENGTH))
        )


class LotteryForm(Form):
    """What an organiser says of a lottery."""

    name = StringField(
        lazy_gettext("Name"),
        [
            InputRequired(lazy_gettext("Enter a name.")),
            Length(
                max=NAME_LENGTH,
                message=lazy_gettext("A name has at most %(most)s characters.", most=NAME_LENGTH),
            ),
        ],
        filters=[lambda text: " ".join(text.split()) if text else text],
    )
    prize = TextAreaField(
        lazy_gettext("Prize"),
        [_at_most_a_prize],
        filters=[lambda text: text.strip().replace("\r\n", "\n") if text else ""],
    )
    closes_on = DateField(
        lazy_gettext("Closes on"),
        [InputRequired(lazy_gettext("Enter the last day, like 2026-12-31."))],
    )

    def fields(self) -> dict[str, Any]:
        """Return what a valid form says."""
        return {
            "name": self.name.data,
            "prize": self.prize.data,
            "closes_on": self.closes_on.data,
        }

    def validate_name(self, field: Field) -> None:
        if not field.data:
            raise ValidationError(gettext("Enter a name."))
        _refuse_control_characters(field.data)

    def validate_prize(self, field: Field) -> None:
        _refuse_control_characters(field.data.replace("\n", " "))


def parse_number(text: str) -> int | None:
    """Read a whole number of up to nine digits, or return None where it is none."""
    is_number = text.isascii() and text.isdigit() and len(text) <= DIGITS
    return int(text) if is_number else None


class BadBallots(LotteryError):
    """A submission of ballots has not the shape of one."""


def parse_ballots(form: Mapping[str, str], most: int) -> tuple[UUID, int]:
    """Return the token and the number of ballots that a click sends.

    No form class: two hidden fields and a number need none, and this is the busiest address.

    Raises:
        BadBallots: with a sentence for whoever typed it.
    """
    text = form.get("count", "").strip() or "1"
    count = parse_number(text)
    if count is None:
        raise BadBallots("Enter a whole number of ballots, 1 to %(most)s.", most=most)
    if not 1 <= count <= most:
        raise BadBallots("Submit 1 to %(most)s ballots at once.", most=most)
    token = parse_token(form.get("submission", ""))
    if token is None:
        raise BadBallots("This form has lost its token. Open the page again.")
    return token, count


def parse_token(text: str) -> UUID | None:
    """Read a submission's token, or return None where it is none."""
    return UUID(text) if UUID_TEXT.fullmatch(text) else None


def _refuse_control_characters(text: str) -> None:
    if not text.isprintable():
        raise ValidationError(gettext("Remove the invisible characters; use plain text."))
