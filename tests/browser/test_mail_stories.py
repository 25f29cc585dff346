"""Somebody who forgot the password gets back in by an email: on a phone, also without scripts."""

import re
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect

from lottery_system.models import User
from tests.browser.conftest import browsing, database, log_in
from tests.browser.states import width_of
from tests.browser.test_accessibility import barriers
from tests.browser.test_stories import WITH_SCRIPT, site
from tests.conftest import FIRST_NOON, PASSWORD, hash_of_password
from tests.stand_ins.mail_server import MailBox, settings_to_mail

NEW, BOB = "seven lazy badgers", "bob@mail.example"
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True}


def link_in(message: EmailMessage) -> str:
    """Return the first link of an email, as somebody taps it."""
    body = message.get_body(("html",))
    assert body is not None
    found = re.search(r'href="https://site\.example(/[^"]+)"', body.get_content())
    assert found
    return found[1]


def look_at(page: Page, with_script: bool) -> None:
    assert width_of(page) == PHONE["viewport"]["width"]
    if with_script:  # which axe is
        assert barriers(page) == []


@WITH_SCRIPT
def test_somebody_who_forgot_the_password_gets_back_in_by_an_email(
    chromium: Browser, sqlite_file: Path, tmp_path: Path, with_script: bool, mailbox: MailBox,
    mail_port: int,
) -> None:  # fmt: skip
    options = {**PHONE, "java_script_enabled": with_script}
    settings = settings_to_mail(mail_port)
    with (
        site(sqlite_file, tmp_path, settings=settings) as lottery,
        browsing(chromium, lottery.server.url, **options) as bobs,
        browsing(chromium, lottery.server.url, **options) as mails,
    ):
        with database(lottery.url) as session, session.begin():
            session.add(User.sign_up("bob", hash_of_password(), FIRST_NOON))
        main = bobs.get_by_role("main")

        # while bob knows the password, he adds an address
        log_in(bobs, "bob")
        bobs.goto("/account")
        bobs.get_by_role("link", name="Email address and notices").click()
        look_at(bobs, with_script)
        bobs.get_by_label("Email address").fill(BOB)
        bobs.get_by_label("Current password").first.fill(PASSWORD)
        bobs.get_by_role("button", name="Send link").click()
        expect(bobs.get_by_role("status").first).to_contain_text("We’ve sent you an email.")
        expect(main).to_contain_text(f"Not confirmed yet: {BOB}")

        # he opens the email elsewhere, and confirms
        mails.goto(link_in(mailbox.wait_to(BOB)))
        look_at(mails, with_script)
        mails.get_by_role("button", name="Confirm email address").click()
        expect(mails.get_by_role("status").first).to_contain_text(
            "Your email address is confirmed."
        )
        bobs.goto("/account/email")
        expect(main.get_by_role("definition")).to_have_text(BOB)
        look_at(bobs, with_script)
        bobs.goto("/account")
        bobs.get_by_role("button", name="Log out (bob)").click()

        # then he forgets it, and asks for a link at the log-in page
        bobs.get_by_role("link", name="Forgotten your password?").click()
        look_at(bobs, with_script)
        bobs.get_by_label("Username or email address").fill(BOB)
        bobs.get_by_role("button", name="Send link").click()
        expect(bobs.get_by_role("status").first).to_contain_text("we’ve sent a link to it")

        # the email leads to a new password, and to being logged in
        bobs.goto(link_in(mailbox.wait_to(BOB, 2)))
        assert bobs.url == f"{lottery.server.url}/new-password"
        bobs.get_by_label("New password").fill(NEW)
        bobs.get_by_role("button", name="Set new password").click()
        bobs.get_by_label("Username").fill("bob")
        bobs.get_by_label("Password").fill(NEW)
        bobs.get_by_role("button", name="Log in", exact=True).click()
        bobs.get_by_role("button", name="Log out (bob)").wait_for()

        # he is told of it
        assert mailbox.wait_to(BOB, 3)["Subject"] == "Your password was changed"
