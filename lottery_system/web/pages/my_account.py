"""Account page: password, log-ins, language, one's data, closing the account."""

import json
from collections.abc import Iterator

from flask import (
    Blueprint,
    abort,
    g,
    redirect,
    render_template,
    request,
    url_for,
)
from flask_babel import gettext
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as Answer

from lottery_system.access import users, viewer
from lottery_system.clock import utcnow
from lottery_system.extensions import db, reading, transaction
from lottery_system.models import (
    AccountEvent,
    AccountEventKind,
    AccountLink,
    AuthenticatorApp,
    Invitation,
    LoginSession,
    Mail,
    MailAddress,
    Passkey,
    User,
)
from lottery_system.models.address_change import forget_address
from lottery_system.models.claim import forget_contacts_of
from lottery_system.models.login_session import LogIn
from lottery_system.models.rights import demand_another, lock_organisers
from lottery_system.models.second_factor import factors_of, forget_factors
from lottery_system.parts import parts
from lottery_system.passwords import (
    BadPassword,
    enforce_password,
    hash_password,
)
from lottery_system.queries.claims import my_open_prizes
from lottery_system.security_log import note
from lottery_system.time_zones import time_zones
from lottery_system.web import login
from lottery_system.web.account_events import browser_of_request, record
from lottery_system.web.confirmations import Done, confirm
from lottery_system.web.current_site import site
from lottery_system.web.downloads import download
from lottery_system.web.exported_rows import my_claims, my_events, my_submissions
from lottery_system.web.forms import NewPasswordForm, OwnPasswordForm, parse_number
from lottery_system.web.languages import LANGUAGES
from lottery_system.web.own_password import checked_password, not_yours
from lottery_system.web.resuming import resumes_at
from lottery_system.web.words import translated

blueprint = Blueprint("my_account", __name__, url_prefix="/account")

#: events of the account page, and of a page of its history
LATEST = 5
PAGE = 50


@blueprint.get("")
@users
def show() -> str:
    """Show what there is to do about one's account."""
    return _page(NewPasswordForm(formdata=None))


@blueprint.post("/password")
@users
@resumes_at(show)
def change_password() -> Answer | tuple[str, int]:
    """Change the password and end all log-ins.

    This browser gets a new one at once, and a new CSRF token with it.
    """
    form = NewPasswordForm()
    if not form.validate():
        return _page(form), 422
    checked = checked_password(form.current)
    if checked is None:
        return _page(form), 422
    try:
        password = enforce_password(
            form.new.data or "", viewer().username, parts().settings.name, site().title
        )
    except BadPassword as error:
        form.new.errors = [translated(error)]
        return _page(form), 422
    password_hash = hash_password(password)
    with transaction() as session:
        user = User.still_with(session, viewer().id, checked)
        if user is None:  # changed elsewhere, this very moment
            form.current.errors = [not_yours()]
            return _page(form), 422
        user.password_hash = password_hash
        LoginSession.close_all(session, user.id)
        AccountLink.end_all(session, user.id, utcnow())
        has_second_factor = viewer().has_second_factor
        token = LoginSession.open(
            session,
            user,
            utcnow(),
            browser=browser_of_request(),
            has_second_factor=has_second_factor,
        )
        record(session, user.id, AccountEventKind.PASSWORD_CHANGED)
        Mail.add_password_changed(session, user.id, utcnow())
    somebody = login.viewer_of(user, token, has_second_factor=has_second_factor)
    login.go_on(somebody)
    note("password_changed", user)
    return redirect(url_for("my_account.show", done="password"), code=303)


@blueprint.post("/sessions")
@users
@resumes_at(show)
def end_other_sessions() -> Answer:
    """End all log-ins but this one."""
    with transaction() as session:
        LoginSession.close_others(session, viewer().id, viewer().token)
        record(session, viewer().id, AccountEventKind.OTHER_LOG_INS_ENDED)
    note("other_log_ins_ended", viewer())
    return redirect(url_for("my_account.show", done="sessions"), code=303)


@blueprint.post("/sessions/end")
@users
@resumes_at(show)
def end_session() -> Answer:
    """End one log-in in another browser; nothing happens if it has ended already."""
    with transaction() as session:
        ended = LoginSession.close_named(session, viewer().id, request.form.get("log_in", ""))
        if ended is not None:
            detail = ended.browser
            record(session, viewer().id, AccountEventKind.LOG_IN_ENDED, detail=detail)
    if ended is not None:
        note("log_in_ended", viewer())
    return redirect(url_for("my_account.show", done="session"), code=303)


@blueprint.get("/history")
@users
def history() -> str:
    """List what happened to the account in 90 days, the newest first."""
    before = parse_number(request.args.get("before", ""))
    with reading() as connection:
        rows = AccountEvent.latest_of(connection, viewer().id, PAGE + 1, before)
    older = rows[PAGE - 1].id if len(rows) > PAGE else None
    return render_template("accounts/history.html", events=rows[:PAGE], older=older)


@blueprint.post("/news")
@users
@resumes_at(show)
def mark_news_seen() -> Answer:
    """Record that the holder has seen what others did, up to the event shown last."""
    shown = parse_number(request.form.get("until", ""))
    with transaction() as session:
        event = session.get(AccountEvent, shown or 0)
        user = session.get_one(User, viewer().id)
        if event is not None and event.user_id == user.id:
            user.told_event = max(event.id, user.told_event or 0)
    login.forget_news()
    return redirect(url_for("my_account.show"), code=303)


@blueprint.post("/language")
@users
@resumes_at(show)
def choose_language() -> Answer:
    """Keep a language in the account, for whatever browser its holder logs in by."""
    chosen = request.form.get("language", "")
    if chosen not in LANGUAGES:
        abort(422, gettext("Choose one of the languages in the list."))
    with transaction() as session:
        session.get_one(User, viewer().id).language = chosen
    return redirect(url_for("my_account.show"), code=303)


@blueprint.post("/time-zone")
@users
@resumes_at(show)
def choose_time_zone() -> Answer:
    """Keep a time zone in the account, in which all its pages and mails write times."""
    chosen = request.form.get("time_zone", "")
    if chosen and chosen not in time_zones():
        abort(422, gettext("Choose one of the time zones in the list."))
    with transaction() as session:
        session.get_one(User, viewer().id).time_zone = chosen or None
    return confirm(redirect(url_for("my_account.show"), code=303), Done.TIME_ZONE_CHOSEN)


@blueprint.get("/data.json")
@users
def data() -> Answer:
    """Stream all data about the account as one JSON document, in pieces."""
    user = _user(db.session())
    facts = {
        "username": user.username,
        "signed_up_at": user.created_at.isoformat(),
        "is_organiser": user.is_organiser,
        "language": user.language,
        "time_zone": user.time_zone,
        "joined_by_invitation_at": _invited_at(user.id),
        "accepted_terms": user.accepted_terms,
        "results_seen_until": user.seen_until.isoformat() if user.seen_until else None,
        "log_ins": [
            {
                "browser": each.browser,
                "begun_at": each.begun_at.isoformat(),
                "seen_at": each.seen_at.isoformat() if each.seen_at else None,
            }
            for each in _log_ins(db.session())
        ],
        "mail": _mail_facts(db.session()),
        "log_in_security": _security_facts(db.session()),
    }
    db.session.close()  # a slow reader must hold no connection
    return download("lottery-data.json", "application/json", _document(facts, viewer().id))


@blueprint.get("/close")
@users
def confirm_closing() -> str:
    """Say what closing the account means, and ask for the password."""
    return _closing_page(OwnPasswordForm(formdata=None))


@blueprint.post("/close")
@users
@resumes_at(confirm_closing)
def close() -> Answer | tuple[str, int]:
    """Close the account; its ballots stay."""
    form = OwnPasswordForm()
    if not form.validate():
        return _closing_page(form), 422
    checked = checked_password(form.current)
    if checked is None:
        return _closing_page(form), 422
    with transaction() as session:
        organisers = lock_organisers(session) if viewer().is_organiser else []
        user = User.still_with(session, viewer().id, checked)
        if user is None:
            form.current.errors = [not_yours()]
            return _closing_page(form), 422
        demand_another(organisers, user.id)
        user.close(utcnow())
        forget_contacts_of(session, user.id)
        forget_address(session, user.id, utcnow())
        forget_factors(session, user.id)
        LoginSession.close_all(session, viewer().id)
        AccountLink.end_all(session, viewer().id, utcnow())
        record(session, viewer().id, AccountEventKind.ACCOUNT_CLOSED)
    login.forget()
    note("account_closed", user)
    g.notice = gettext("Your account is closed. Your ballots stay in their draws.")
    return render_template("accounts/closed.html"), 200


def _page(form: NewPasswordForm) -> str:
    user = _user(db.session())
    with reading() as connection:
        events = AccountEvent.latest_of(connection, viewer().id, LATEST + 1)
        news = AccountEvent.untold(connection, user)
    if not news:  # seen in another browser
        login.forget_news()
    return render_template(
        "accounts/show.html",
        form=form,
        events=events[:LATEST],
        has_more_events=len(events) > LATEST,
        user=user,
        time_zones=time_zones(),
        news=news,
        factors=factors_of(db.session(), viewer().id),
        has_mail=bool(parts().settings.mail_url) or _mail_facts(db.session()) is not None,
        log_ins=_log_ins(db.session()),
        done=request.args.get("done"),
    )


def _closing_page(form: OwnPasswordForm) -> str:
    with reading() as connection:
        prizes = my_open_prizes(connection, viewer().id)
    return render_template("accounts/close.html", form=form, prizes=prizes)


def _user(session: Session) -> User:
    return session.get_one(User, viewer().id)


def _invited_at(user_id: int) -> str | None:
    with reading() as connection:
        at = Invitation.joined_at(connection, user_id)
    return at.isoformat() if at else None


def _log_ins(session: Session) -> list[LogIn]:
    return LoginSession.of_user(session, viewer().id, viewer().token, utcnow())


def _mail_facts(session: Session) -> dict[str, object] | None:
    its = MailAddress.of(session, viewer().id)
    if its is None:
        return None
    return {
        "address": its.address,
        "verified_at": its.verified_at.isoformat() if its.verified_at else None,
        "address_to_confirm": its.asked,
        "asked_at": its.asked_at.isoformat() if its.asked_at else None,
        "language": its.language,
        "tells_wins": its.tells_wins,
        "tells_log_ins": its.tells_log_ins,
    }


def _security_facts(session: Session) -> dict[str, object]:
    app = session.get(AuthenticatorApp, viewer().id)
    confirmed_at = app.confirmed_at if app else None
    return {
        "passkeys": [
            {
                "name": each.name,
                "created_at": each.created_at.isoformat(),
                "used_at": each.used_at.isoformat() if each.used_at else None,
                "copied_at": each.copied_at.isoformat() if each.copied_at else None,
            }
            for each in Passkey.of_user(session, viewer().id)
        ],
        "authenticator_app_since": confirmed_at.isoformat() if confirmed_at else None,
        "recovery_codes_left": factors_of(session, viewer().id).recovery_codes,
    }


def _document(facts: dict[str, object], user_id: int) -> Iterator[str]:
    head = json.dumps(facts, ensure_ascii=False, indent=1)
    yield head.removesuffix("\n}")
    for name, pieces in (
        ("submissions", my_submissions(user_id)),
        ("claims", my_claims(user_id)),
        ("account_events", my_events(user_id)),
    ):
        yield f',\n "{name}": ['
        separator = "\n  "
        for piece in pieces:
            yield separator + ",\n  ".join(json.dumps(row, ensure_ascii=False) for row in piece)
            separator = ",\n  "
        yield "\n ]"
    yield "\n}\n"
