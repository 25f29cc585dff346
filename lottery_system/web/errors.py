"""Error pages: what failed or was refused, and what to do."""

import logging
from dataclasses import dataclass, field
from urllib.parse import quote
from uuid import UUID

from flask import Flask, g, make_response, render_template, request
from flask_babel import gettext, lazy_gettext, ngettext
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from lottery_system.certificates import Unsound, UnsoundOffers
from lottery_system.errors import (
    AccountBlocked,
    AccountClosed,
    AlreadyDownloading,
    LotteryError,
    LotteryFinished,
    NotAdmitted,
    NotAnOrganiser,
    Paused,
    TokenTaken,
    TooManyAttempts,
    TooManyBallots,
    UnfitKeys,
    UnknownLottery,
)
from lottery_system.models.address_change import AddressLinkOver, AddressTaken, UnknownAddressLink
from lottery_system.models.invitation import InvitationOver, UnknownInvitation
from lottery_system.models.login_session import LogInEnded, Viewer
from lottery_system.models.password_reset import (
    LinkOver,
    LoggedInAsAnother,
    UnknownLink,
)
from lottery_system.security_log import note
from lottery_system.web.current_site import show_last_site
from lottery_system.web.languages import use_browser_language
from lottery_system.web.refused_forms import why_refused
from lottery_system.web.resuming import form_again
from lottery_system.web.words import translated

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Retry:
    """A form for ballots that an error page offers to send again."""

    token: UUID = field(repr=False)
    lottery_id: int
    ballot_count: int


#: the statuses of what the domain refuses
STATUSES: dict[type[LotteryError], int] = {
    AccountBlocked: 403,
    LogInEnded: 403,
    NotAnOrganiser: 403,
    UnknownInvitation: 404,
    UnknownLottery: 404,
    AccountClosed: 410,
    InvitationOver: 410,
    LotteryFinished: 422,
    TokenTaken: 422,
    UnknownLink: 404,
    LoggedInAsAnother: 409,
    LinkOver: 410,
    UnknownAddressLink: 404,
    AddressLinkOver: 410,
    AddressTaken: 422,
    TooManyBallots: 429,
    AlreadyDownloading: 429,
    NotAdmitted: 503,
    Paused: 503,
    Unsound: 500,
    UnsoundOffers: 500,
}

TITLES = {
    400: lazy_gettext("This form is out of date"),
    403: lazy_gettext("You can’t view this page"),
    404: lazy_gettext("Page not found"),
    405: lazy_gettext("You can’t do that here"),
    413: lazy_gettext("That’s too large"),
    415: lazy_gettext("We can’t read that"),
    422: lazy_gettext("We couldn’t do that"),
    429: lazy_gettext("Try again later"),
    500: lazy_gettext("Sorry, something went wrong on our side"),
    503: lazy_gettext("Sorry, the lottery is unavailable right now"),
}

SENTENCES = {
    404: lazy_gettext("Check the address, or start again from the front page."),
    405: lazy_gettext("Go back and use the buttons on the page."),
    413: lazy_gettext(
        "What you sent is larger than any form here. Nothing was saved. A picture can be up to "
        "5 MB."
    ),
    415: lazy_gettext(
        "We only accept forms here. Send the fields as a browser does, as "
        "application/x-www-form-urlencoded. Nothing was saved."
    ),
    500: lazy_gettext("Nothing was left half done. We’ve recorded the problem. Please try again."),
    # an earlier attempt may be stored and its answer lost, so the outcome is unknown
    503: lazy_gettext(
        "We can’t reach our records right now. Your ballots only count if you see a receipt. It’s "
        "safe to try again. Nothing is counted twice."
    ),
}

#: refusals that the security log has, by its names
SECURITY_EVENTS = {403: "access_denied", 429: "throttled"}

#: characters of a path that the log has
MOST_OF_PATH = 200

#: seconds after which whoever was refused may try again
RETRY_AFTER = 5
#: seconds, beyond which waits are told in hours
TWO_HOURS = 2 * 60 * 60


def register(app: Flask) -> None:
    """Turn every error into a page and one line of the log."""
    app.after_request(_note_refusal)
    app.register_error_handler(LotteryError, _refused)
    app.register_error_handler(UnfitKeys, _unfit_keys)
    app.register_error_handler(CSRFError, _foreign_form)
    app.register_error_handler(TooManyAttempts, _throttled)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(SQLAlchemyError, no_database)
    app.register_error_handler(Exception, _fault)


def error_page(status: int, sentence: str | None = None, **context: object) -> Response:
    """Render the page of an error."""
    if status >= 500:
        use_browser_language()
        show_last_site()
    html = render_template(
        "errors/error.html",
        status=status,
        title=TITLES.get(status) or gettext("That didn’t work"),
        sentence=sentence or SENTENCES.get(status, ""),
        **context,
    )
    response = make_response(html, status)
    if status in (429, 503):
        response.headers["Retry-After"] = str(RETRY_AFTER)
    return response


def wait_for(error: TooManyAttempts) -> str:
    """Say how long to wait until something may be tried again."""
    if error.seconds > TWO_HOURS:
        hours = -(-error.seconds // 3600)
        return str(gettext("Wait %(count)s hours, then try again.", count=hours))
    minutes = -(-error.seconds // 60)
    return str(
        ngettext(
            "Wait %(count)s minute, then try again.",
            "Wait %(count)s minutes, then try again.",
            minutes,
            count=minutes,
        )
    )


def retry_after(error: TooManyAttempts) -> dict[str, str]:
    """Return the header that says the same to programs (RFC 9110 section 10.2.3)."""
    return {"Retry-After": str(error.seconds)}


def no_database(error: SQLAlchemyError, retry: Retry | None = None) -> Response:
    """Log that the database does not answer, and offer to send a submission again."""
    log.error("database: %s", str(error).splitlines()[0])
    return error_page(503, retry=retry)


def _note_refusal(response: Response) -> Response:
    """Log a refusal in one line; errors were logged where they occurred.

    The line has the method and the path alone: what was typed may hold a password. Many of one
    status are told by their number (`config/log_lines.py`).
    """
    status = response.status_code
    if status in SECURITY_EVENTS:
        note(SECURITY_EVENTS[status], _known(), with_path=True)
    elif 400 <= status < 500:
        log.info("%s %s: %d", request.method, _quoted_path(), status, extra={"kind": status})
    return response


def _known() -> Viewer | None:
    """Return the user if already loaded: a refusal must cost no query."""
    found = g.get("_login_user")
    return found if isinstance(found, Viewer) else None


def _quoted_path() -> str:
    """Return the start of the path, escaped so that it can't add a second log line."""
    quoted = quote(request.path)
    return quoted if len(quoted) <= MOST_OF_PATH else quoted[:MOST_OF_PATH] + "..."


def _refused(error: LotteryError) -> Response:
    return error_page(STATUSES.get(type(error), 422), translated(error))


def _unfit_keys(error: UnfitKeys) -> Response:
    """Log for the operator what to restore."""
    log.error("keys: %s", error)
    return error_page(
        503,
        gettext(
            "The lottery’s keys aren’t available right now. We’ve told whoever runs the server."
        ),
    )


def _foreign_form(error: CSRFError) -> Response:
    reason, sentence = why_refused(str(error.description))
    try:
        again = form_again(sentence)
    except HTTPException as refusal:  # an error within the handling of one is caught by nobody
        return _http(refusal)
    except SQLAlchemyError as gone:
        return no_database(gone)
    finally:
        note("csrf_refused", _known(), with_path=True, reason=reason)
    return again or error_page(400, sentence)


def _throttled(error: TooManyAttempts) -> Response:
    response = error_page(429, wait_for(error))
    response.headers.update(retry_after(error))
    return response


def _http(error: HTTPException) -> Response:
    if error.code is None or error.code < 400:  # a redirect
        return error.get_response()
    ours = error.description if error.description != type(error).description else None
    response = error_page(error.code, SENTENCES.get(error.code) if error.code == 413 else ours)
    for name, value in error.get_headers():
        if name == "Allow":
            response.headers[name] = value
    return response


def _fault(error: Exception) -> Response:
    log.exception("%s %s: a fault of ours", request.method, _quoted_path())
    return error_page(500)
