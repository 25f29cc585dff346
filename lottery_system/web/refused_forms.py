"""Refused forms: why the CSRF protection refused one, and what its sender can do about it."""

from flask import current_app, request
from flask_babel import gettext

from lottery_system.form_origin import FormOrigin, origin_of_form
from lottery_system.web.public_address import is_known_here_only


def why_refused(reason: str) -> tuple[str, str]:
    """Return the reason, for the log, and a sentence for whoever sent the form.

    Args:
        reason: what the protection found.
    """
    origin = origin_of_form()
    if origin is FormOrigin.FOREIGN:
        return "foreign_origin", gettext(
            "The form was not sent from this site. Nothing was stored. Open the page here and send "
            "it once more."
        )
    if reason == f"origin {FormOrigin.OTHER_PORT.value}":
        return "other_port", gettext(
            "Nothing was stored. This form came from %(origin)s, but the site takes itself for "
            "%(site)s. Tell its operator: the proxy has to pass on the host and port that were "
            "asked for, or LOTTERY_URL has to be set.",
            origin=request.headers.get("Origin", ""),
            site=request.host_url.rstrip("/"),
        )
    if reason == f"origin {FormOrigin.UNKNOWN.value}":
        return "no_origin", gettext(
            "Nothing was stored. Your browser, or a proxy on the way, does not say which site this "
            "form is from. Allow the Origin or the Referer header for this site, then send it once "
            "more."
        )
    if current_app.config["SESSION_COOKIE_NAME"] in request.cookies:
        return "old_token", gettext(
            "This form is out of date: your session has ended since you opened it. Nothing was "
            "stored. Send it once more."
        )
    needs_tls = current_app.config["SESSION_COOKIE_SECURE"] and not request.is_secure
    if needs_tls and not is_known_here_only(request.host_url):
        return "plain_http", gettext(
            "Nothing was stored. You opened this site by http, over which your browser keeps no "
            "log-in. Open it by https."
        )
    return "no_cookie", gettext(
        "Nothing was stored, since your browser sent no cookie with this form. Send it once more; "
        "if that does not help, allow cookies for this site."
    )
