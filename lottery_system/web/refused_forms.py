"""Refused forms: why the CSRF protection refused one, and what its sender can do."""

from flask import current_app, request
from flask_babel import gettext

from lottery_system.form_origin import FormOrigin, claimed_origin, origin_of_form
from lottery_system.web.public_address import is_known_here_only


def why_refused(reason: str) -> tuple[str, str]:
    """Return the reason, for the log, and a sentence for whoever sent the form.

    Args:
        reason: what the protection found.
    """
    origin = origin_of_form()
    if origin is FormOrigin.FOREIGN:
        return "foreign_origin", gettext(
            "This form wasn’t sent from this website, so nothing was saved. Open the page here and "
            "send it again."
        )
    if reason == f"origin {FormOrigin.OTHER_PORT.value}":
        return "other_port", gettext(
            "Nothing was saved. This form came from %(origin)s, but the website thinks it is at "
            "%(site)s. Tell whoever runs it: the proxy must pass on the host and port, or "
            "LOTTERY_URL must be set.",
            origin=claimed_origin(),
            site=request.host_url.rstrip("/"),
        )
    if reason == f"origin {FormOrigin.UNKNOWN.value}":
        return "no_origin", gettext(
            "Nothing was saved, because your browser doesn’t say which website this form is from. "
            "Allow it to send the Origin or Referer header to this website, then send the form "
            "again."
        )
    if current_app.config["SESSION_COOKIE_NAME"] in request.cookies:
        return "old_token", gettext(
            "This form is out of date, because your session ended after you opened it. Nothing was "
            "saved. Send it again."
        )
    needs_tls = current_app.config["SESSION_COOKIE_SECURE"] and not request.is_secure
    if needs_tls and not is_known_here_only(request.host_url):
        return "plain_http", gettext(
            "Nothing was saved. You opened this website with http, so your browser can’t keep you "
            "logged in. Open it with https."
        )
    return "no_cookie", gettext(
        "Nothing was saved, because your browser sent no cookie with this form. Send it again. If "
        "that doesn’t help, allow cookies for this website."
    )
