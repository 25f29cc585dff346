"""A club of invited members, and one who has to leave, in a real browser; phone and desktop.

Each story runs with a script on a desktop, and without one on a phone.
"""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import browsing, log_in
from tests.browser.states import width_of
from tests.browser.test_journey import submit_one
from tests.browser.test_stories import open_lotteries, site
from tests.conftest import PASSWORD

PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
WHERE = pytest.mark.parametrize(
    ("viewport", "with_script"), [(DESKTOP, True), (PHONE, False)], ids=["desktop", "phone"]
)


def expect_to_fit(page: Page) -> None:
    assert page.viewport_size is not None
    assert width_of(page) <= page.viewport_size["width"]


def invite(page: Page, people: str) -> str:
    """Make an invitation for some people, and return its link."""
    page.get_by_role("link", name="Organise").click()
    page.get_by_role("link", name="Participants", exact=True).click()
    page.get_by_role("link", name="Invite people").click()
    page.get_by_label("Name").fill("Poster in the hall")
    page.get_by_label("How many people can sign up with it").fill(people)
    expect_to_fit(page)
    page.get_by_role("button", name="Create invitation").click()
    expect(page.get_by_role("heading", name="You’re invited")).to_be_visible()
    expect(page.locator("svg.code")).to_be_visible()
    expect_to_fit(page)
    return page.get_by_label("Link").input_value()


def join(page: Page, link: str, username: str) -> None:
    """Follow an invitation and sign up."""
    page.goto(link)
    expect(page.get_by_role("main")).to_contain_text("You’ve been invited.")
    assert page.url.endswith("/join")
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign up").click()


@WHERE
def test_three_join_a_club_by_an_invitation_for_three_and_the_fourth_does_not(
    chromium: Browser,
    sqlite_file: Path,
    tmp_path: Path,
    viewport: dict[str, int],
    with_script: bool,
) -> None:
    options: dict[str, Any] = {"viewport": viewport, "java_script_enabled": with_script}
    with (
        site(sqlite_file, tmp_path, settings={"LOTTERY_SIGN_UP": "invited"}) as lottery,
        browsing(chromium, lottery.server.url, **options) as alices,
    ):
        open_lotteries(lottery.url, "Big Chance")
        log_in(alices, "alice")
        link = invite(alices, "3")

        with browsing(chromium, lottery.server.url, **options) as page:
            page.goto("/login")
            expect(page.get_by_role("link", name="Sign up")).to_have_count(0)
            page.goto("/signup")
            expect(page.get_by_role("main")).to_contain_text("you need an invitation")
        for name in ("bob", "charlie", "dana"):
            with browsing(chromium, lottery.server.url, **options) as page:
                join(page, link, name)
                submit_one(page, "Big Chance")
                expect(page.get_by_role("status", name="Receipt")).to_be_visible()
        with browsing(chromium, lottery.server.url, **options) as page:
            page.goto(link)
            expect(page.get_by_role("main")).to_contain_text("This invitation has been used up")
            expect(page.get_by_label("Username")).to_have_count(0)
            expect_to_fit(page)

        alices.get_by_role("link", name="Who signed up with it").click()
        main = alices.get_by_role("main")
        expect(main).to_contain_text("3 of 3")
        for name in ("bob", "charlie", "dana"):
            expect(main.get_by_role("link", name=name)).to_be_visible()
        expect_to_fit(alices)


@WHERE
def test_a_member_who_is_blocked_is_out_and_told_why_and_comes_back(
    chromium: Browser,
    sqlite_file: Path,
    tmp_path: Path,
    viewport: dict[str, int],
    with_script: bool,
) -> None:
    options: dict[str, Any] = {"viewport": viewport, "java_script_enabled": with_script}
    with (
        site(sqlite_file, tmp_path) as lottery,
        browsing(chromium, lottery.server.url, **options) as alices,
        browsing(chromium, lottery.server.url, **options) as bobs,
    ):
        open_lotteries(lottery.url, "Big Chance")
        log_in(alices, "alice")
        join(bobs, invite(alices, "1"), "bob")
        submit_one(bobs, "Big Chance")

        alices.goto("/organiser/participants")
        alices.get_by_role("link", name="bob", exact=True).click()
        alices.get_by_label("Reason").fill("Rude to others")
        expect_to_fit(alices)
        alices.get_by_role("button", name="Block", exact=True).click()
        expect(alices.get_by_role("main")).to_contain_text("Blocked. All their log-ins have ended.")
        bobs.goto("/ballots")
        expect(bobs.get_by_role("heading", name="Log in", exact=True)).to_be_visible()
        bobs.get_by_label("Username").fill("bob")
        bobs.get_by_label("Password").fill(PASSWORD)
        bobs.get_by_role("button", name="Log in", exact=True).click()
        expect(bobs.get_by_role("main")).to_contain_text("Reason: “Rude to others”")

        alices.get_by_role("button", name="Unblock").click()
        expect(alices.get_by_role("main")).to_contain_text("Unblocked.")
        log_in(bobs, "bob")
        bobs.goto("/ballots")
        expect(bobs.get_by_role("main")).to_contain_text("Still open")
