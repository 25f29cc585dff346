"""Account history on pages: recording what a request does to an account, and its sentences."""

from flask import Flask, request
from flask_babel import LazyString, gettext, lazy_gettext
from sqlalchemy.orm import Session

from lottery_system.browsers import ON, describe_browser
from lottery_system.clock import utcnow
from lottery_system.models import AccountEvent, AccountEventKind

Kind = AccountEventKind

#: what happened, without who did it; `detail` is added behind a colon
SENTENCES: dict[str, LazyString] = {
    Kind.SIGNED_UP: lazy_gettext("The account was created."),
    Kind.JOINED_BY_INVITATION: lazy_gettext("The account was created with an invitation."),
    Kind.LOGGED_IN: lazy_gettext("Logged in."),
    Kind.LOGGED_OUT: lazy_gettext("Logged out."),
    Kind.LOG_IN_ENDED: lazy_gettext("One other browser was logged out."),
    Kind.OTHER_LOG_INS_ENDED: lazy_gettext("All other browsers were logged out."),
    Kind.PASSWORD_CHANGED: lazy_gettext("The password was changed."),
    Kind.RESET_LINK_MADE: lazy_gettext("A link to set a new password was created."),
    Kind.RESET_LINK_USED: lazy_gettext("A new password was set with a link."),
    Kind.MAIL_ADDRESS_VERIFIED: lazy_gettext("The email address was confirmed."),
    Kind.MAIL_ADDRESS_CHANGED: lazy_gettext("The email address was changed."),
    Kind.MAIL_ADDRESS_REMOVED: lazy_gettext("The email address was removed."),
    Kind.PASSKEY_ADDED: lazy_gettext("A passkey was added."),
    Kind.PASSKEY_REMOVED: lazy_gettext("A passkey was removed."),
    Kind.PASSKEY_COPIED: lazy_gettext(
        "A passkey was refused: another device seems to have a copy of it."
    ),
    Kind.AUTHENTICATOR_ADDED: lazy_gettext("An authenticator app was set up."),
    Kind.AUTHENTICATOR_REMOVED: lazy_gettext("The authenticator app was removed."),
    Kind.RECOVERY_CODES_MADE: lazy_gettext("New recovery codes were created."),
    Kind.RECOVERY_CODE_USED: lazy_gettext("A recovery code was used to log in."),
    Kind.WRONG_CODE: lazy_gettext("Somebody entered the right password, then a wrong code."),
    Kind.SECOND_FACTORS_REMOVED: lazy_gettext(
        "Passkeys, authenticator app and recovery codes were removed."
    ),
    Kind.BLOCKED: lazy_gettext("The account was blocked."),
    Kind.UNBLOCKED: lazy_gettext("The account was unblocked."),
    Kind.PROMOTED: lazy_gettext("Became an organiser."),
    Kind.DEMOTED: lazy_gettext("Became a participant again."),
    Kind.ACCOUNT_CLOSED: lazy_gettext("The account was closed."),
}


def register(app: Flask) -> None:
    """Let templates say what happened to an account, and by which browser."""
    app.add_template_filter(what_happened)
    app.add_template_filter(browser_in_words)


def record(
    session: Session,
    user_id: int,
    kind: AccountEventKind,
    *,
    actor_id: int | None = None,
    detail: str | None = None,
) -> None:
    """Record what the current request does to an account, in its transaction.

    Args:
        actor_id: who does it, if it is not the holder; nothing is told of their browser.
    """
    AccountEvent.record(
        session,
        user_id,
        kind,
        utcnow(),
        actor_id=actor_id,
        browser=browser_of_request() if actor_id is None else None,
        detail=detail,
    )


def browser_of_request() -> str | None:
    """Return the browser of the current request in a few words; None if unknown."""
    return describe_browser(request.headers.get("User-Agent"))


def what_happened(kind: str) -> str:
    """Say in a sentence what happened; the bare kind, if only a newer version knows it."""
    return str(SENTENCES.get(kind, kind))


def browser_in_words(browser: str | None) -> str:
    """Translate what `describe_browser` returned."""
    name, on, system = (browser or "").partition(ON)
    if on:
        return str(gettext("%(browser)s on %(system)s", browser=name, system=system))
    return name or str(gettext("Unknown browser"))
