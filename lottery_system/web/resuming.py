"""Resuming a form whose session has ended: its fields are kept through the log-in.

A user who logged out in another tab, or was away for a month, may still send a form. Nothing is
stored then, but the form comes back filled in, at once or after the log-in.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from flask import Flask, current_app, g, make_response, render_template, request
from flask_babel import gettext
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from lottery_system.access import check
from lottery_system.addresses import own_path
from lottery_system.form_origin import FormOrigin, origin_of_form
from lottery_system.web.forms import AccountForm
from lottery_system.web.welcome import Welcome

View = TypeVar("View", bound=Callable[..., Any])

#: the field by which the log-in page remembers which form it came from
RESUME = "resume"
#: the pages of the log-in
LOG_IN = frozenset(
    {"accounts.log_in", "accounts.create_session"}
    | {f"second_steps.{name}" for name in ("show", "to_show", "check_code", "check_passkey")}
    | {f"passkey_log_ins.{name}" for name in ("to_log_in", "create")}
)


def resumes_at(form_page: Callable[..., Any], *fields: str) -> Callable[[View], View]:
    """Declare which page shows the form that a view takes.

    Args:
        form_page: called with the view's own arguments; it reads `request.form`, as a form that
            was refused does.
        fields: of the form, those that are kept behind the log-in; never a secret, nor what a form
            has for one use.
    """

    def declare(view: View) -> View:
        view.form_page = form_page  # type: ignore[attr-defined]
        view.kept_fields = fields  # type: ignore[attr-defined]
        return view

    return declare


def form_again(notice: str) -> Response | None:
    """Answer a form that was refused for its session, where it came from this site.

    With the form itself, or, if nobody is logged in who must be, with the log-in page. Whoever
    may not see the form gets what they would get at its page.

    Args:
        notice: why, and what to do.

    Raises:
        HTTPException: somebody may not see the form, or there is no such thing any more.
    """
    page = _form_page(request.endpoint)
    if page is None or request.endpoint is None or _is_foreign():
        return None
    refused = check(request.endpoint)
    if refused is not None:
        return refused
    g.notice = notice
    answer = make_response(page(**(request.view_args or {})))
    if answer.status_code == 200:  # else it leads elsewhere, or says itself what is wrong
        answer.status_code = 400
    return answer


def typed_form() -> Response | None:
    """Answer a form of somebody who is not logged in with a log-in page that keeps what was typed.

    None if nothing was typed, or the form came from elsewhere.
    """
    if _is_foreign() or not _typed(request.endpoint):
        return None
    g.notice = gettext(
        "You’re no longer logged in. Nothing was saved yet, but what you typed is still here. Log "
        "in to continue."
    )
    return make_response(log_in_page(AccountForm(formdata=None)), 422)


def resumed() -> Response | None:
    """Show the form that somebody was filling in, once they have logged in again."""
    endpoint, arguments = _left_off()
    page = _form_page(endpoint)
    if page is None or endpoint is None:
        return None
    elsewhere = check(endpoint)
    if elsewhere is not None:
        return elsewhere
    g.notice = gettext("You’re logged in again. Check the form, then send it.")
    return make_response(page(**arguments))


def log_in_page(
    form: AccountForm, refusal: str | None = None, welcome: Welcome | None = None
) -> str:
    """Render the log-in page; it carries what was typed elsewhere.

    Args:
        welcome: content of the welcome page, of which a part is shown.
    """
    return render_template(
        "accounts/log_in.html",
        form=form,
        refusal=refusal,
        kept=carried_fields(),
        welcome=welcome,
        next=next_page(),
    )


def carried_fields() -> list[tuple[str, str]]:
    """Return what a page of the log-in carries of a form that was typed elsewhere."""
    is_log_in = request.endpoint in LOG_IN
    endpoint = _left_off()[0] if is_log_in else request.endpoint
    path = request.form.get(RESUME, "") if is_log_in else request.path
    typed = _typed(endpoint)
    return [(RESUME, path), *typed] if typed else []


def next_page() -> str | None:
    """Return where one was going before the log-in; None for nowhere."""
    return own_path(request.args.get("next")) if request.endpoint in LOG_IN else None


def register(app: Flask) -> None:
    """Let every page show what has just happened to a form."""
    app.jinja_env.globals["notice"] = lambda: g.get("notice")


def _form_page(endpoint: str | None) -> Callable[..., Any] | None:
    view = current_app.view_functions.get(endpoint or "")
    page: Callable[..., Any] | None = getattr(view, "form_page", None)
    return page


def _left_off() -> tuple[str | None, Mapping[str, Any]]:
    """Return the endpoint, and its arguments, of the form that the log-in page carries."""
    path = request.form.get(RESUME, "")
    adapter = current_app.create_url_adapter(request)
    if adapter is None:
        return None, {}
    try:
        return adapter.match(path, "POST")
    except HTTPException:
        return None, {}


def _typed(endpoint: str | None) -> list[tuple[str, str]]:
    """Return what was typed into the fields of an endpoint's form that are kept."""
    view = current_app.view_functions.get(endpoint or "")
    return [
        (name, request.form[name])
        for name in getattr(view, "kept_fields", ())
        if name in request.form
    ]


def _is_foreign() -> bool:
    """Return whether a form may come from another site, whose content must not be shown.

    An origin that is `null` may be any site's (a frame in a sandbox), where nothing else is told.
    """
    origin = origin_of_form()
    is_hidden = origin is FormOrigin.UNKNOWN and "Origin" in request.headers
    return origin is FormOrigin.FOREIGN or is_hidden
