"""Form fields, their validation and messages."""

import re
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from flask import request
from flask_babel import gettext, lazy_gettext
from flask_wtf import FlaskForm
from wtforms import (
    BooleanField,
    DateField,
    Field,
    HiddenField,
    PasswordField,
    StringField,
    TextAreaField,
    ValidationError,
)
from wtforms.validators import InputRequired, Length, Optional
from wtforms.widgets import TextInput

from config.mail_server import LONGEST as LONGEST_ADDRESS
from lottery_system.errors import LotteryError
from lottery_system.mail_addresses import BadMailAddress, enforce_mail_address
from lottery_system.models.block import enforce_block_reason
from lottery_system.models.claim import (
    enforce_contact,
    enforce_message,
    enforce_note,
    enforce_reason,
)
from lottery_system.models.invitation import MOST_DAYS, MOST_USES, enforce_label
from lottery_system.models.lottery import Limits, enforce_claim, enforce_name, enforce_prize
from lottery_system.models.passkey import enforce_passkey_name
from lottery_system.pictures import enforce_alternative
from lottery_system.text_input import BadText
from lottery_system.web.picture_field import PictureField
from lottery_system.web.words import number, translated

DIGITS = 9
#: the furthest page of a list that may be asked for
LAST_PAGE = 9999
#: the one way in which RFC 9562 section 4 writes a UUID
UUID_TEXT = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class Form(FlaskForm):  # type: ignore[misc]
    """What is posted as a form, and nothing else."""

    class Meta(FlaskForm.Meta):  # type: ignore[misc]
        """How Flask-WTF and WTForms are to go about it."""

        def wrap_formdata(self, form: FlaskForm, formdata: object) -> object:
            """Read fields alone, and nothing where None asks for an empty form.

            Flask-WTF's own takes JSON and uploaded files for fields, too.
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


class SignUpForm(AccountForm):
    """A username and a password, and a box whose value names the terms that are accepted."""

    terms = StringField()
    #: the terms to be accepted, see `terms_in_force`; None for none
    terms_in_force: int | None = None

    def validate_terms(self, field: Field) -> None:
        """Demand that the terms that are in force were shown, and accepted."""
        if self.terms_in_force is None or field.data == str(self.terms_in_force):
            return
        if field.data:
            raise ValidationError(
                gettext("The terms have just changed. Read them again, then tick the box.")
            )
        raise ValidationError(gettext("To sign up, tick the box to accept the terms."))


class CountField(Field):
    """A whole number from 1 up to a limit."""

    widget = TextInput()

    def __init__(self, label: str, most: int, **options: Any) -> None:
        super().__init__(label, **options)
        self._most = most

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read what was typed.

        Raises:
            ValueError: it is not such a number; with a sentence for the person who typed it.
        """
        self.raw = "".join(valuelist).strip()
        self.data = parse_number(self.raw)
        if not self.data or self.data > self._most:
            raise ValueError(
                gettext("Enter a whole number from 1 to %(most)s.", most=number(self._most))
            )

    def _value(self) -> str:
        typed = getattr(self, "raw", None)
        return str(typed if typed is not None else self.data or "")


class InvitationForm(Form):
    """The form to make an invitation."""

    label = StringField(lazy_gettext("Name"))
    uses = CountField(lazy_gettext("How many people can sign up with it"), MOST_USES)
    days = CountField(lazy_gettext("For how many days it works"), MOST_DAYS)

    def validate_label(self, field: Field) -> None:
        enforce(enforce_label, field)


class BlockForm(Form):
    """The form to block a participant, with a reason."""

    reason = StringField(lazy_gettext("Reason"))

    def validate_reason(self, field: Field) -> None:
        enforce(enforce_block_reason, field)


class OwnPasswordForm(Form):
    """The current password, as confirmation."""

    current = PasswordField(
        lazy_gettext("Current password"), [InputRequired(lazy_gettext("Enter your password."))]
    )


class NewPasswordForm(OwnPasswordForm):
    """One's password, and the one to take its place."""

    new = PasswordField(
        lazy_gettext("New password"), [InputRequired(lazy_gettext("Enter a new password."))]
    )


class ResetPasswordForm(Form):
    """A new password, to whoever has a link for it."""

    new = PasswordField(
        lazy_gettext("New password"), [InputRequired(lazy_gettext("Enter a new password."))]
    )


class CodeForm(Form):
    """A code of an authenticator app, or a recovery code."""

    code = StringField(lazy_gettext("Code"), [InputRequired(lazy_gettext("Enter a code."))])


class PasskeyForm(Form):
    """What a browser answered that was asked for a passkey; a script fills it in."""

    credential = HiddenField()


class NewPasskeyForm(PasskeyForm):
    """A new passkey, and what its holder calls it."""

    name = StringField(lazy_gettext("Name"))

    def validate_name(self, field: Field) -> None:
        enforce(enforce_passkey_name, field)


class MailAddressForm(OwnPasswordForm):
    """A mail address for the account, and the password."""

    address = StringField(lazy_gettext("Email address"))

    def validate_address(self, field: Field) -> None:
        enforce(enforce_mail_address, field)


class MailChoicesForm(Form):
    """What to be told by mail."""

    tells_wins = BooleanField(lazy_gettext("When I win a prize"))
    tells_log_ins = BooleanField(
        lazy_gettext("When somebody logs in to my account with a new browser")
    )


class ForgottenPasswordForm(Form):
    """Whose password was forgotten."""

    who = StringField(
        lazy_gettext("Username or email address"),
        [
            InputRequired(lazy_gettext("Enter your username or your email address.")),
            Length(
                max=LONGEST_ADDRESS,
                message=lazy_gettext("Enter your username or your email address."),
            ),
        ],
    )


class LimitField(Field):
    """A whole number from 1 on, or nothing for any number."""

    widget = TextInput()

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read what was typed.

        Raises:
            ValueError: it is not such a number; with a sentence for the person who typed it.
        """
        self.raw = "".join(valuelist).strip()
        self.data = parse_number(self.raw)
        if self.raw and not self.data:
            raise ValueError(gettext("Enter a whole number from 1 on, or leave this empty."))

    def _value(self) -> str:
        typed = getattr(self, "raw", None)
        return str(typed if typed is not None else self.data or "")


class LotteryForm(Form):
    """The form of a lottery, new or edited."""

    name = StringField(lazy_gettext("Name"), [InputRequired(lazy_gettext("Enter a name."))])
    prize = TextAreaField(lazy_gettext("Prize"))
    claim = TextAreaField(lazy_gettext("How to claim the prize"))
    opens_on = DateField(lazy_gettext("First day (UTC)"), [Optional()])
    closes_on = DateField(
        lazy_gettext("Last day (UTC)"),
        [InputRequired(lazy_gettext("Enter the last day, like 2026-12-31."))],
    )
    most_a_day = LimitField(lazy_gettext("Ballots per person a day"))
    winnable = LimitField(lazy_gettext("How often the prize can be won"))
    picture = PictureField(lazy_gettext("Picture"))
    remove_picture = BooleanField(lazy_gettext("Remove the picture"))
    picture_alt = StringField(lazy_gettext("Description of the picture"))

    def fields(self) -> dict[str, Any]:
        """Return the values of a valid form by argument of the model, except the picture."""
        return {
            "name": self.name.data,
            "prize": self.prize.data or "",
            "claim": self.claim.data or "",
            "opens_on": self.opens_on.data,
            "closes_on": self.closes_on.data,
            "limits": Limits(self.most_a_day.data, self.winnable.data),
        }

    def validate_name(self, field: Field) -> None:
        enforce(enforce_name, field)

    def validate_prize(self, field: Field) -> None:
        enforce(enforce_prize, field)

    def validate_picture_alt(self, field: Field) -> None:
        enforce(enforce_alternative, field)

    def validate_claim(self, field: Field) -> None:
        enforce(enforce_claim, field)


class ClaimForm(Form):
    """The form to claim a prize, with an optional contact and message."""

    contact = StringField(lazy_gettext("How can the organisers reach you? (optional)"))
    message = TextAreaField(lazy_gettext("Message to the organisers (optional)"))

    def validate_contact(self, field: Field) -> None:
        enforce(enforce_contact, field)

    def validate_message(self, field: Field) -> None:
        enforce(enforce_message, field)


class HandOverForm(Form):
    """The form to mark a prize as handed over."""

    handed_on = DateField(
        lazy_gettext("Day of the hand-over (UTC)"),
        [InputRequired(lazy_gettext("Enter the day, like 2026-12-31."))],
    )
    note = TextAreaField(lazy_gettext("Note (optional)"))

    def validate_note(self, field: Field) -> None:
        enforce(enforce_note, field)


class LapseForm(Form):
    """The form to let a prize lapse, with a reason and a confirmation."""

    reason = TextAreaField(lazy_gettext("Reason"))
    is_sure = BooleanField(
        lazy_gettext("Yes, end the winner’s right to this prize. This can’t be undone."),
        [InputRequired(lazy_gettext("Tick the box to confirm that the prize is to lapse."))],
    )

    def validate_reason(self, field: Field) -> None:
        enforce(enforce_reason, field)


def enforce(rule: Callable[[str], str], field: Field) -> None:
    """Validate a field by a rule of the model and show its error beside the field."""
    try:
        rule(field.data or "")
    except (BadText, BadMailAddress) as error:
        raise ValidationError(translated(error)) from None


def parse_number(text: str) -> int | None:
    """Read a whole number of up to nine digits, or return None if it is none."""
    is_number = text.isascii() and text.isdigit() and len(text) <= DIGITS
    return int(text) if is_number else None


def parse_page(text: str) -> int:
    """Read the number of a page of a list, from 1 on; the first where it is none."""
    return min(parse_number(text) or 1, LAST_PAGE)


class BadBallots(LotteryError):
    """A submission of ballots has not the shape of one."""


def parse_ballots(form: Mapping[str, str], most: int) -> tuple[UUID, int]:
    """Return the token and the number of ballots that a click sends.

    No form class: two hidden fields and a number need none, and this is the busiest address.

    Raises:
        BadBallots: with a sentence for the person who typed it.
    """
    count = parse_number(form.get("count", "1").strip())
    if count is None:
        raise BadBallots("Enter a whole number of ballots, from 1 to %(most)s.", most=most)
    if not 1 <= count <= most:
        raise BadBallots("You can add 1 to %(most)s ballots at once.", most=most)
    token = parse_token(form.get("submission", ""))
    if token is None:
        raise BadBallots("Part of this form is missing. Open the page again.")
    return token, count


def parse_token(text: str) -> UUID | None:
    """Read a submission's token, or return None if it is none."""
    return UUID(text) if UUID_TEXT.fullmatch(text) else None
