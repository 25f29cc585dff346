"""Flask-Login: loads the user of a session, and redirects to the log-in page."""

from collections.abc import Sequence

from flask import Flask, redirect, request, session, url_for
from flask_login import current_user, login_user, logout_user
from werkzeug.wrappers import Response

from lottery_system.addresses import own_path
from lottery_system.clock import utcnow
from lottery_system.extensions import login_manager, reading, transaction
from lottery_system.models import AccountEventKind, LoginSession, User
from lottery_system.models.login_session import Viewer
from lottery_system.parts import parts
from lottery_system.web.account_events import record
from lottery_system.web.instants import forget_time_zone
from lottery_system.web.languages import forget_language
from lottery_system.web.request_ids import note_user
from lottery_system.web.resuming import typed_form

#: what the browser's cookie has while there is something to be told
NEWS = "news"


def register(app: Flask) -> None:
    """Configure Flask-Login: loading users, and the log-in page.

    Templates get the user as a proxy, which asks nothing until it is looked at: the page that says
    that the database is gone must not ask it who is there. Flask-Login's own protection of sessions
    is off: it trusts `X-Forwarded-For`, and ours live on the server.
    """
    login_manager.session_protection = None
    login_manager.user_loader(_viewer)
    login_manager.unauthorized_handler(_send_to_log_in)
    app.jinja_env.globals["current_user"] = current_user
    app.jinja_env.globals["takes_part"] = takes_part
    app.jinja_env.globals["has_news"] = has_news


def takes_part() -> bool:
    """Tell whether whoever is logged in may add ballots: organisers by a setting alone."""
    return parts().settings.organisers_play or not current_user.is_organiser


def token_held() -> str | None:
    """Return the token of the log-in that this browser has."""
    return current_user.token if current_user.is_authenticated else None


def viewer_of(user: User, token: str, *, has_second_factor: bool = False) -> Viewer:
    """Return who a user is to pages, once logged in."""
    return Viewer(
        user.id,
        user.username,
        user.is_organiser,
        user.language,
        user.seen_until,
        token,
        has_second_factor=has_second_factor,
        time_zone=user.time_zone,
    )


def log_in(viewer: Viewer, *, has_news: bool = False) -> None:
    """Let the browser hold the token of a session; nothing of the one before stays.

    Args:
        has_news: whether every page is to say that others did something to the account.
    """
    session.clear()
    session.permanent = True
    if has_news:
        session[NEWS] = True
    login_user(viewer)
    note_user(viewer.id)
    forget_language()
    forget_time_zone()


def go_on(viewer: Viewer) -> None:
    """Let the browser hold the new token of the log-in that it has; what is to be told stays so."""
    log_in(viewer, has_news=has_news())


def log_out() -> None:
    """End this session in the database and in the browser."""
    with transaction() as database:
        LoginSession.close(database, current_user.token)
        record(database, current_user.id, AccountEventKind.LOGGED_OUT)
    forget()


def has_news() -> bool:
    """Return whether this browser's user is to be told that others did something to the account."""
    return bool(session.get(NEWS) and current_user.is_authenticated)


def forget_news() -> None:
    """Say no more that there is something."""
    if NEWS in session:
        del session[NEWS]


def forget() -> None:
    """Let the browser hold nothing of a log-in that is over."""
    logout_user()
    session.clear()
    forget_language()
    forget_time_zone()


def _viewer(token: str) -> Viewer | None:
    viewer = parts().viewers.ask(token)
    if viewer is not None:
        note_user(viewer.id)
    return viewer


def viewers_of(tokens: Sequence[str]) -> dict[str, Viewer]:
    """Return who holds some tokens; those of nobody are left out."""
    now = utcnow()
    with reading() as connection:
        viewers = LoginSession.viewers(connection, tokens, now)
    parts().seen_log_ins.add(viewers.values(), now)
    return viewers


def _send_to_log_in() -> Response:
    """Send to the log-in page, and from there back to where one was going.

    A form that was posted cannot be posted again by a redirect; it is kept on the log-in page.
    """
    kept = typed_form() if request.method == "POST" else None
    if kept is not None:
        return kept
    target = request.full_path.rstrip("?") if request.method == "GET" else None
    return redirect(url_for("accounts.log_in", next=own_path(target)), code=303)
