"""Confirmations (flash messages): one sentence at the top of the page after an action.

A cookie of its own names one of the sentences below. It is not in the URL, which can be sent to
others, nor in the session, which would have to be signed again. A forged cookie shows a sentence
only to its forger.
"""

from enum import StrEnum

from flask import Flask, g
from flask_babel import LazyString, lazy_gettext
from werkzeug.wrappers import Response

from lottery_system.web.cookies import keep, kept

NAME = "done"
#: seconds until the cookie expires
LASTS = 60


class Done(StrEnum):
    """Actions that are confirmed."""

    CREATED = "created"
    SAVED = "saved"
    WITHDRAWN = "withdrawn"
    CLAIMED = "claimed"
    HANDED_OVER = "handed-over"
    LAPSED = "lapsed"
    NEW_PASSWORD = "new-password"  # noqa: S105
    INVITATION_ENDED = "invitation-ended"
    BLOCKED = "blocked"
    UNBLOCKED = "unblocked"
    PROMOTED = "promoted"
    DEMOTED = "demoted"
    DEMOTED_ONESELF = "demoted-oneself"
    RESET_ASKED = "reset-asked"
    ADDRESS_ASKED = "address-asked"
    ADDRESS_CONFIRMED = "address-confirmed"
    ADDRESS_REMOVED = "address-removed"
    MAIL_CHOSEN = "mail-chosen"
    TIME_ZONE_CHOSEN = "time-zone-chosen"
    PASSKEY_ADDED = "passkey-added"
    PASSKEY_REMOVED = "passkey-removed"
    APP_ADDED = "app-added"
    APP_REMOVED = "app-removed"
    SECOND_FACTORS_REMOVED = "second_factors_removed"


SENTENCES: dict[str, LazyString] = {
    Done.CREATED: lazy_gettext("The lottery has been created."),
    Done.SAVED: lazy_gettext("Your changes have been saved."),
    Done.WITHDRAWN: lazy_gettext("The lottery has been withdrawn. Nobody can add ballots to it."),
    Done.CLAIMED: lazy_gettext("Your claim has reached the organisers. The prize is yours."),
    Done.HANDED_OVER: lazy_gettext("The prize is marked as handed over. Everyone can see it."),
    Done.NEW_PASSWORD: lazy_gettext(
        "Your new password is set, and you’ve been logged out everywhere. Log in with it now."
    ),
    Done.INVITATION_ENDED: lazy_gettext("The invitation has ended. Nobody can sign up with it."),
    Done.BLOCKED: lazy_gettext("Blocked. All their log-ins have ended."),
    Done.UNBLOCKED: lazy_gettext("Unblocked. They can log in and play again."),
    Done.PROMOTED: lazy_gettext("They’re an organiser now, and have to log in again."),
    Done.DEMOTED: lazy_gettext("They’re a participant now, and have to log in again."),
    Done.DEMOTED_ONESELF: lazy_gettext("You’re a participant now. Log in again to play."),
    Done.RESET_ASKED: lazy_gettext(
        "If there’s an account with a confirmed email address, we’ve sent a link to it. It can "
        "take a few minutes. Look in your spam folder, too."
    ),
    Done.ADDRESS_ASKED: lazy_gettext(
        "We’ve sent you an email. Open the link in it to confirm your address."
    ),
    Done.ADDRESS_CONFIRMED: lazy_gettext("Your email address is confirmed."),
    Done.ADDRESS_REMOVED: lazy_gettext("Your email address has been removed."),
    Done.MAIL_CHOSEN: lazy_gettext("Your changes have been saved."),
    Done.TIME_ZONE_CHOSEN: lazy_gettext("Your time zone has been saved."),
    Done.PASSKEY_ADDED: lazy_gettext("The passkey has been added."),
    Done.PASSKEY_REMOVED: lazy_gettext(
        "The passkey has been removed. You’ve been logged out everywhere else."
    ),
    Done.APP_ADDED: lazy_gettext("Your authenticator app is set up."),
    Done.APP_REMOVED: lazy_gettext(
        "The authenticator app has been removed. You’ve been logged out everywhere else."
    ),
    Done.SECOND_FACTORS_REMOVED: lazy_gettext("Removed. They can log in with the password alone."),
    Done.LAPSED: lazy_gettext("The prize has lapsed. Everyone can read the reason."),
}


def confirm(response: Response, done: Done) -> Response:
    """Let the next page of this browser show a confirmation."""
    keep(response, NAME, done, LASTS)
    return response


def register(app: Flask) -> None:
    """Let every page show the confirmation, then delete the cookie."""
    app.jinja_env.globals["confirmation"] = _confirmation
    app.after_request(_forget)


def _confirmation() -> str | None:
    """Return the sentence for the current page, if there is one."""
    sentence = SENTENCES.get(kept(NAME))
    if sentence is None:
        return None
    g.is_confirmed = True
    return str(sentence)


def _forget(response: Response) -> Response:
    if g.get("is_confirmed") and response.status_code < 500:
        keep(response, NAME, "", 0)
    return response
