"""The pages: one module a resource, and what they share."""

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from config import Settings
from lottery_system.web import (
    accounts,
    ballots,
    cards,
    cookies,
    draws,
    errors,
    exports,
    headers,
    incoming,
    languages,
    live,
    login,
    logs,
    lotteries,
    monitoring,
    my_account,
    organiser,
    remembered,
    resuming,
    rules,
    static_files,
    verifiers,
    winners,
    words,
)


def register(app: Flask, settings: Settings) -> None:
    """Give an application its pages."""
    for module in (
        accounts, ballots, cards, draws, exports, live, logs, lotteries, monitoring,
        my_account, organiser, rules, verifiers, winners,
    ):  # fmt: skip
        app.register_blueprint(module.blueprint)
    app.session_interface = cookies.SessionCookies(app)
    errors.register(app)
    languages.register(app)
    live.register(app)
    resuming.register(app)
    static_files.register(app)
    words.register(app, settings)
    remembered.register(app)
    login.register(app)
    app.wsgi_app = incoming.Limits(app.wsgi_app)  # type: ignore[method-assign]
    if settings.trusted_proxies:
        proxies = settings.trusted_proxies
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=proxies
        )
    app.wsgi_app = headers.Headers(  # type: ignore[method-assign]
        app.wsgi_app, secure=settings.is_production
    )
