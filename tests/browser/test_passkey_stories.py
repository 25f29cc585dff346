"""An organiser with a passkey, in a browser with a virtual authenticator; a player with an app.

Chromium's DevTools protocol, domain WebAuthn, has the authenticator. Passkeys belong to a domain,
so the pages are opened at localhost.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pyotp
import pytest
from playwright.sync_api import Browser, CDPSession, Page, expect

from lottery_system.models import User
from tests.browser.conftest import browsing, database, log_in
from tests.browser.states import width_of
from tests.browser.test_accessibility import barriers
from tests.browser.test_stories import site
from tests.conftest import FIRST_NOON, PASSWORD, hash_of_password

PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 900}}
DEVICE = {
    "protocol": "ctap2", "transport": "internal", "hasResidentKey": True,
    "hasUserVerification": True, "isUserVerified": True, "automaticPresenceSimulation": True,
}  # fmt: skip


@contextmanager
def authenticator_of(page: Page) -> Iterator[tuple[CDPSession, str]]:
    """Give a browser a device that makes passkeys, and checks a finger that is the right one."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    added = session.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE})
    yield session, added["authenticatorId"]


def log_out(page: Page, username: str) -> None:
    page.get_by_role("button", name=f"Log out ({username})").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Log in")


@pytest.mark.parametrize("device", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_an_organiser_adds_a_passkey_and_logs_in_with_it(
    chromium: Browser, sqlite_file: Path, tmp_path: Path, device: dict[str, Any]
) -> None:
    demanded = {"LOTTERY_ORGANISERS_SECOND_FACTOR": "on"}
    with (
        site(sqlite_file, tmp_path, settings=demanded) as lottery,
        browsing(chromium, lottery.server.url.replace("127.0.0.1", "localhost"), **device) as page,
        authenticator_of(page) as (session, authenticator),
    ):
        main = page.get_by_role("main")
        log_in(page, "alice")

        # the password alone does not open organisers' pages; she is led to what does
        page.get_by_role("link", name="Organise").click()
        expect(main).to_contain_text("Organisers’ pages need more than a password here.")
        assert barriers(page) == []
        assert width_of(page) == device["viewport"]["width"]
        page.get_by_label("Name").fill("My phone")
        page.get_by_role("button", name="Add a passkey").click()
        expect(page.get_by_role("heading", name="Your new recovery codes")).to_be_focused()
        expect(page.locator(".codes li")).to_have_count(10)
        assert barriers(page) == []
        assert width_of(page) == device["viewport"]["width"]
        page.get_by_role("link", name="Organise").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Organise")

        # she comes back with it, without a password, and without a username
        log_out(page, "alice")
        assert barriers(page) == []
        page.get_by_role("button", name="Log in with a passkey").click()
        page.get_by_role("link", name="Organise").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Organise")

        # a finger that is not hers gets nowhere, and is told so
        log_out(page, "alice")
        verified = {"authenticatorId": authenticator, "isUserVerified": False}
        session.send("WebAuthn.setUserVerified", verified)
        page.get_by_role("button", name="Log in with a passkey").click()
        expect(main.get_by_role("alert").filter(visible=True)).to_contain_text("cancelled")
        session.send("WebAuthn.setUserVerified", verified | {"isUserVerified": True})

        # her password leads to the passkey too
        page.get_by_label("Username").fill("alice")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in", exact=True).click()
        expect(main).to_contain_text("The password of alice is right.")
        assert barriers(page) == []
        assert width_of(page) == device["viewport"]["width"]
        page.get_by_role("button", name="Use a passkey").click()
        page.get_by_role("link", name="Organise").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Organise")

        # and once she has removed it, it is asked for no more
        page.goto("/account/security")
        page.get_by_role("button", name="Remove My phone").click()
        expect(main).to_contain_text("The passkey has been removed.")
        log_out(page, "alice")
        page.get_by_role("button", name="Log in with a passkey").click()
        expect(main.get_by_role("alert").first).to_contain_text("isn’t known here")


@pytest.mark.parametrize("with_script", [True, False], ids=["script", "no script"])
def test_a_player_sets_up_an_app_and_logs_in_with_its_code(
    chromium: Browser, sqlite_file: Path, tmp_path: Path, with_script: bool
) -> None:
    options = {**PHONE, "java_script_enabled": with_script}
    with site(sqlite_file, tmp_path) as lottery:
        url = lottery.server.url.replace("127.0.0.1", "localhost")
        with database(lottery.url) as session, session.begin():
            session.add(User.sign_up("bob", hash_of_password(), FIRST_NOON))
        with browsing(chromium, url, **options) as page:
            main = page.get_by_role("main")
            log_in(page, "bob")
            page.goto("/account")
            page.get_by_role("link", name="Passkeys and codes").click()
            expect(page.get_by_role("button", name="Add a passkey")).to_have_count(int(with_script))
            page.get_by_role("button", name="Set up an app").click()
            expect(
                page.get_by_role("img", name="QR code for the authenticator app")
            ).to_be_visible()
            key = main.locator("code").text_content() or ""
            app = pyotp.TOTP(re.sub(r"\s", "", key))
            now = parsedate_to_datetime(page.request.get("/healthz").headers["date"])
            page.get_by_label("Code", exact=True).fill(app.at(now))
            page.get_by_role("button", name="Set up").click()
            expect(page.locator(".codes code")).to_have_count(10)
            codes = page.locator(".codes code").all_text_contents()
            log_out(page, "bob")

            page.get_by_label("Username").fill("bob")
            page.get_by_label("Password").fill(PASSWORD)
            page.get_by_role("button", name="Log in", exact=True).click()
            page.get_by_label("Code", exact=True).fill(codes[0])
            page.get_by_role("button", name="Log in", exact=True).click()
            page.get_by_role("button", name="Log out (bob)").wait_for()
