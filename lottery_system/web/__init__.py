"""The pages: one module a resource, and what they share."""

from flask import Flask

from config import Settings
from lottery_system.web import (
    accounts,
    ballots,
    cards,
    cookies,
    days,
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
    proxies,
    public_address,
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
    days.register(app)
    errors.register(app)
    languages.register(app)
    resuming.register(app)
    static_files.register(app)
    words.register(app, settings)
    remembered.register(app)
    login.register(app)
    public_address.register(app)
    app.wsgi_app = proxies.Proxies(  # type: ignore[method-assign]
        app.wsgi_app, settings.trusted_proxies, settings.trusted_hosts
    )
    app.wsgi_app = incoming.Limits(app.wsgi_app)  # type: ignore[method-assign]
    app.wsgi_app = headers.Headers(  # type: ignore[method-assign]
        app.wsgi_app, secure=settings.is_production
    )
