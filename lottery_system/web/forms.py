"""The shapes of what people type, and the sentences where they do not fit."""

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

from lottery_system.access import settings
from lottery_system.models.lottery import NAME_LENGTH, PRIZE_LENGTH

COUNT_DIGITS = 9


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


class BallotForm(FlaskForm):  # type: ignore[misc]
    """How many ballots, and the token that makes them count once."""

    count = StringField("Ballots")
    submission = StringField("Submission", [InputRequired("This form has lost its token.")])

    def validate_count(self, field: Field) -> None:
        most = settings().max_count
        text = (field.data or "").strip() or "1"
        if not (text.isascii() and text.isdigit() and len(text) <= COUNT_DIGITS):
            raise ValidationError(f"Enter a whole number of ballots, 1 to {most:,}.")
        if not 1 <= int(text) <= most:
            raise ValidationError(f"Submit 1 to {most:,} ballots at once.")
        field.data = int(text)

    def validate_submission(self, field: Field) -> None:
        try:
            token = UUID(field.data)
        except ValueError:
            token = None
        if token is None or str(token) != field.data.lower():
            raise ValidationError("This form has lost its token. Open the page again.")
        field.data = token


def _refuse_control_characters(text: str) -> None:
    if not text.isprintable():
        raise ValidationError("Remove the invisible characters; use plain text.")
