"""A participant who forgot the password is helped by an organiser's link, without mail.

The story runs on a phone and on a desktop, with scripts and without.
"""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from lottery_system.models import User
from tests.browser.conftest import browsing, database, log_in
from tests.browser.states import width_of
from tests.browser.test_accessibility import barriers
from tests.browser.test_stories import site
from tests.conftest import FIRST_NOON, hash_of_password

NEW = "seven lazy badgers"
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 900}}


def create_link(page: Page, username: str) -> str:
    """Create a link as an organiser does, and copy it from the page."""
    page.get_by_role("link", name="Organise").click()
    page.get_by_role("link", name="Participants", exact=True).click()
    page.get_by_role("link", name=f"New password {username}").click()
    expect(page.get_by_role("main")).to_contain_text(f"log in as {username}")
    page.get_by_role("button", name="Create link").click()
    field = page.get_by_label("Link to set a new password")
    expect(field).not_to_be_editable()
    return field.input_value()


@pytest.mark.parametrize(
    ("device", "with_script"),
    [(PHONE, True), (PHONE, False), (DESKTOP, True)],
    ids=["phone", "phone without a script", "desktop"],
)
def test_somebody_who_forgot_the_password_is_helped_by_an_organiser(
    chromium: Browser, sqlite_file: Path, tmp_path: Path, device: dict[str, Any], with_script: bool
) -> None:
    options = {**device, "java_script_enabled": with_script}
    with (
        site(sqlite_file, tmp_path) as lottery,
        browsing(chromium, lottery.server.url, **options) as bobs,
        browsing(chromium, lottery.server.url, **options) as elsewhere,
        browsing(chromium, lottery.server.url, **options) as alices,
    ):
        with database(lottery.url) as session, session.begin():
            session.add(User.sign_up("bob", hash_of_password(), FIRST_NOON))
        log_in(elsewhere, "bob")

        # bob does not know it any more, and learns what to do
        main = bobs.get_by_role("main")
        bobs.goto("/login")
        bobs.get_by_role("link", name="Forgotten your password?").click()
        expect(main).to_contain_text("Tell them your username.")

        # alice makes a link, and hands it to him
        log_in(alices, "alice")
        link = create_link(alices, "bob")
        assert link.startswith(f"{lottery.server.url}/new-password?link=")
        if with_script:  # which axe is
            assert barriers(alices) == []

        # he follows it, mistypes, and sets a new password; the token is not in the address
        bobs.goto(link)
        assert bobs.url == f"{lottery.server.url}/new-password"
        expect(main).to_contain_text("For the account bob.")
        if with_script:
            assert barriers(bobs) == []
            assert width_of(bobs) == device["viewport"]["width"]
        bobs.get_by_label("New password").fill("short")
        bobs.get_by_role("button", name="Set new password").click()
        expect(bobs.get_by_role("alert")).to_contain_text("8 to 128 characters")
        bobs.get_by_label("New password").fill(NEW)
        bobs.get_by_role("button", name="Set new password").click()
        expect(bobs.get_by_role("status").first).to_contain_text("Your new password is set")

        # he logs in by it, and is told who made the link until he says that he has seen it
        bobs.get_by_label("Username").fill("bob")
        bobs.get_by_label("Password").fill(NEW)
        bobs.get_by_role("button", name="Log in", exact=True).click()
        expect(main).to_contain_text("Something was done to your account")
        bobs.get_by_role("link", name="See what it was").click()
        news = bobs.get_by_role("region", name="What others did to your account")
        expect(news).to_contain_text("By alice, an organiser.")
        news.get_by_role("button", name="Got it").click()
        expect(news).to_have_count(0)
        expect(main).to_contain_text("A new password was set with a link.")
        bobs.goto("/")
        expect(main).not_to_contain_text("Something was done to your account")

        # the log-in elsewhere is over, the link works no more, and alice sees what she did
        elsewhere.goto("/account")
        expect(elsewhere.get_by_role("heading", level=1)).to_have_text("Log in")
        elsewhere.goto(link)
        expect(elsewhere.get_by_role("main")).to_contain_text("has been used already")
        alices.goto("/organiser/participants")
        expect(alices.get_by_role("main")).to_contain_text(
            "bob: A link to set a new password was created. By alice, an organiser."
        )
