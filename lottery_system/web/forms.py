"""The shapes of what people type, and the sentences where they do not fit."""

import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

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

COUNT_DIGITS = 9
#: the one way in which RFC 9562 section 4 writes a UUID
UUID_TEXT = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class AccountForm(FlaskForm):  # type: ignore[misc]
    """A username and a password, to sign up or to log in."""

    username = StringField("Username", [InputRequired("Enter a username.")])
    password = PasswordField("Password", [InputRequired("Enter a password.")])


class LotteryForm(FlaskForm):  # type: ignore[misc]
    """What an organiser says of a lottery."""

    name = StringField(
        "Name",
        [
            InputRequired("Enter a name."),
            Length(max=NAME_LENGTH, message=f"A name has at most {NAME_LENGTH} characters."),
        ],
        filters=[lambda text: " ".join(text.split()) if text else text],
    )
    prize = TextAreaField(
        "Prize",
        [Length(max=PRIZE_LENGTH, message=f"A prize has at most {PRIZE_LENGTH:,} characters.")],
        filters=[lambda text: text.strip().replace("\r\n", "\n") if text else ""],
    )
    closes_on = DateField("Closes on", [InputRequired("Enter the last day, like 2026-12-31.")])

    def fields(self) -> dict[str, Any]:
        """Return what a valid form says."""
        return {
            "name": self.name.data,
            "prize": self.prize.data,
            "closes_on": self.closes_on.data,
        }

    def validate_name(self, field: Field) -> None:
        if not field.data:
            raise ValidationError("Enter a name.")
        _refuse_control_characters(field.data)

    def validate_prize(self, field: Field) -> None:
        _refuse_control_characters(field.data.replace("\n", " "))


class BadBallots(LotteryError):
    """A submission of ballots has not the shape of one."""


def parse_ballots(form: Mapping[str, str], most: int) -> tuple[UUID, int]:
    """Return the token and the number of ballots that a click sends.

    No form class: two hidden fields and a number need none, and this is the busiest address.

    Raises:
        BadBallots: with a sentence for whoever typed it.
    """
    text = form.get("count", "").strip() or "1"
    if not (text.isascii() and text.isdigit() and len(text) <= COUNT_DIGITS):
        raise BadBallots(f"Enter a whole number of ballots, 1 to {most:,}.")
    if not 1 <= int(text) <= most:
        raise BadBallots(f"Submit 1 to {most:,} ballots at once.")
    token = parse_token(form.get("submission", ""))
    if token is None:
        raise BadBallots("This form has lost its token. Open the page again.")
    return token, int(text)


def parse_token(text: str) -> UUID | None:
    """Read a submission's token, or return None where it is none."""
    return UUID(text) if UUID_TEXT.fullmatch(text) else None


def _refuse_control_characters(text: str) -> None:
    if not text.isprintable():
        raise ValidationError("Remove the invisible characters; use plain text.")
