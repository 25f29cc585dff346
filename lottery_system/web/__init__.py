"""The web: `pages` answers addresses, the modules here are what pages share."""

from flask import Flask

from config import Settings
from lottery_system.web import (
    account_events,
    confirmations,
    cookies,
    current_site,
    days,
    errors,
    fragments,
    headers,
    incoming,
    instants,
    languages,
    login,
    passkeys,
    proxies,
    public_address,
    remembered,
    request_ids,
    request_metrics,
    resuming,
    static_files,
    words,
)
from lottery_system.web.jinja import PageEnvironment
from lottery_system.web.pages import DEMO_PAGES, PAGES


def prepare(app: Flask) -> None:
    """Set what Flask's extensions go by: to be called before theirs."""
    app.jinja_environment = PageEnvironment
    incoming.register(app)


def register(app: Flask, settings: Settings) -> None:
    """Give an application its pages."""
    for page in PAGES + (DEMO_PAGES if settings.demo else ()):
        app.register_blueprint(page.blueprint)
    app.session_interface = cookies.SessionCookies(app)
    account_events.register(app)
    confirmations.register(app)
    days.register(app)
    errors.register(app)
    languages.register(app)
    resuming.register(app)
    current_site.register(app, settings)
    static_files.register(app)
    instants.register(app)
    words.register(app, settings)
    remembered.register(app)
    fragments.register(app)
    login.register(app)
    passkeys.register(app)
    public_address.register(app)
    app.wsgi_app = proxies.Proxies(  # type: ignore[method-assign]
        app.wsgi_app, settings.trusted_proxies, settings.trusted_hosts
    )
    app.wsgi_app = incoming.Limits(app.wsgi_app)  # type: ignore[method-assign]
    app.wsgi_app = headers.Headers(  # type: ignore[method-assign]
        app.wsgi_app, secure=settings.is_production, demo=settings.demo
    )
    app.wsgi_app = request_metrics.RequestMetrics(app.wsgi_app)  # type: ignore[method-assign]
    app.wsgi_app = request_ids.RequestIds(  # type: ignore[method-assign]
        app.wsgi_app, settings.trusted_proxies
    )
