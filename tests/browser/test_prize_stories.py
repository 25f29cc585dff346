"""A prize from its lottery to the hand-over, and one that nobody claims, in a real browser.

Each story runs twice, with scripts and without.
"""

from datetime import timedelta
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import browsing, log_in
from tests.browser.test_journey import sign_up, submit_one
from tests.browser.test_stories import WITH_SCRIPT, open_lotteries, site
from tests.conftest import FIRST_DAY

ONE_DAY = timedelta(days=1)


def expect_result_to_stand(page: Page) -> None:
    """Whatever is said of the lottery now, the day shows what was promised when it closed."""
    page.goto(f"/winners/{FIRST_DAY}")
    main = page.get_by_role("main")
    expect(main).to_contain_text("Seaside")
    expect(main).to_contain_text("A weekend for two by the sea")
    expect(main).not_to_contain_text("Mountains")


def promise(page: Page) -> None:
    """Create a lottery, which the next page says once."""
    page.goto("/organiser/lotteries/new")
    page.get_by_label("Name").fill("Seaside")
    page.get_by_label("Prize", exact=True).fill("A weekend for two by the sea")
    page.get_by_label("How to claim the prize").fill("Come to the desk.")
    page.get_by_label("Last day (UTC)").fill("2026-12-24")
    page.get_by_role("button", name="Create").click()
    confirmation = page.get_by_role("status").first
    expect(confirmation).to_have_text("The lottery has been created.")
    expect(confirmation).to_be_focused()
    page.reload()
    expect(page.get_by_role("main")).not_to_contain_text("The lottery has been created.")


def promise_something_else(page: Page) -> None:
    """Give the lottery another name, and another prize to come; that is kept for ever."""
    page.goto("/organiser/lotteries")
    page.get_by_role("link", name="Seaside", exact=True).click()
    page.get_by_label("Name").fill("Mountains")
    page.get_by_label("Prize", exact=True).fill("A hut")
    page.get_by_label("How to claim the prize").fill("Call us.")
    page.get_by_role("button", name="Save").click()
    main = page.get_by_role("main")
    expect(main).to_contain_text("Your changes have been saved.")
    page.get_by_role("link", name="Changes", exact=True).click()
    expect(main).to_contain_text("“A weekend for two by the sea” to “A hut”")


def hand_over(page: Page) -> None:
    page.goto("/organiser")
    main = page.get_by_role("main")
    expect(main).to_contain_text("bob@lottery.example")
    expect(main).to_contain_text("Any evening.")
    page.get_by_role("link", name="A weekend for two by the sea").click()
    page.get_by_label("Day of the hand-over").fill("2026-11-24")
    page.get_by_label("Note").fill("At the desk")
    page.get_by_role("button", name="Mark as handed over").click()
    expect(main).to_contain_text("The prize is marked as handed over.")
    expect(main).not_to_contain_text("bob@lottery.example")


@WITH_SCRIPT
def test_a_prize_is_promised_won_claimed_and_handed_over_whatever_is_changed_in_between(
    chromium: Browser, sqlite_file: Path, tmp_path: Path, with_script: bool
) -> None:
    with (
        site(sqlite_file, tmp_path) as lottery,
        browsing(chromium, lottery.server.url, java_script_enabled=with_script) as alices,
        browsing(chromium, lottery.server.url, java_script_enabled=with_script) as bobs,
    ):
        bobs_main = bobs.get_by_role("main")

        # Thursday: alice promises, bob plays
        log_in(alices, "alice")
        promise(alices)
        sign_up(bobs, "bob")
        submit_one(bobs, "Seaside")
        expect(bobs.get_by_role("status", name="Receipt")).to_be_visible()

        # Friday: bob has won; alice gives the lottery another name, and another prize to come
        lottery.next_noon(alices, bobs)
        promise_something_else(alices)

        # Saturday: he looks around, and the prize waits wherever he goes
        lottery.next_noon(alices, bobs)
        bobs.goto("/")
        won = bobs.get_by_role("region", name="You won: A weekend for two by the sea")
        expect(won).to_contain_text("Call us.")
        expect(bobs.get_by_role("heading", name="Mountains")).to_be_visible()
        submit_one(bobs, "Mountains")
        expect(bobs.get_by_role("status", name="Receipt")).to_be_visible()
        expect(won).to_be_visible()
        bobs.get_by_role("link", name="How it works").first.click()
        expect(bobs_main).to_contain_text("You won on Thursday 19 November 2026.")
        bobs.get_by_role("link", name="Claim your prize").click()
        expect(bobs_main).to_contain_text("Only the organisers can see what you write here.")
        bobs.get_by_label("How can the organisers reach you?").fill("bob@lottery.example")
        bobs.get_by_label("Message to the organisers").fill("Any evening.")
        bobs.get_by_role("button", name="Claim your prize").click()
        expect(bobs_main).to_contain_text("Your claim has reached the organisers.")
        bobs.get_by_role("link", name="My ballots", exact=True).click()
        expect(bobs_main).to_contain_text("claimed, not handed over yet")
        expect(bobs_main).not_to_contain_text("You won on")

        # Wednesday: alice hands it over, and everybody can read how
        lottery.next_noon(alices, bobs, days=4)
        hand_over(alices)
        bobs.goto("/prizes")
        expect(bobs_main).to_contain_text("handed over on Tuesday 24 November 2026")
        bobs.get_by_role("link", name="A weekend for two by the sea").click()
        expect(bobs_main).to_contain_text("At the desk")

        # and the result has not moved by a word
        for page in (bobs, alices):
            expect_result_to_stand(page)


@WITH_SCRIPT
def test_a_winner_who_never_claims_makes_way_for_the_reserve_who_does(
    chromium: Browser, sqlite_file: Path, tmp_path: Path, with_script: bool
) -> None:
    with (
        site(sqlite_file, tmp_path, claim_days=2, places=2) as lottery,
        browsing(chromium, lottery.server.url, java_script_enabled=with_script) as alices,
        browsing(chromium, lottery.server.url, java_script_enabled=with_script) as bobs,
        browsing(chromium, lottery.server.url, java_script_enabled=with_script) as charlies,
    ):
        open_lotteries(lottery.url, "Seaside")
        pages = {"bob": bobs, "charlie": charlies}
        for username, page in pages.items():
            sign_up(page, username)
            submit_one(page, "Seaside")
            expect(page.get_by_role("status", name="Receipt")).to_be_visible()

        # Friday: one has won and can claim until Sunday; the other is told to be the reserve
        lottery.next_noon(*pages.values())
        winner = pages.pop(lottery.winner_of(FIRST_DAY).username)
        ((name, reserve),) = pages.items()
        winner.goto("/")
        won = winner.get_by_role("region", name="You won: Seaside")
        own = "02:00 your time on Monday 23 November 2026 (" if with_script else ""
        utc = "23:59:59 UTC on Sunday 22 November 2026"
        expect(won).to_contain_text(f"Claim it until {own}{utc}")
        reserve.goto("/")
        expect(reserve.locator("#news")).to_contain_text("is reserve 1 in the draw of")
        expect(reserve.get_by_role("link", name="Claim your prize")).to_have_count(0)
        winner.goto(f"/prizes/{FIRST_DAY}/1")

        # Monday: it is too late, and the reserve’s turn
        lottery.next_noon(winner, reserve, days=3)
        winner.goto("/")
        expect(won).to_have_count(0)
        winner.goto(f"/prizes/{FIRST_DAY}/1")
        expect(winner.get_by_role("main")).to_contain_text("The prize was not claimed in time.")
        reserve.goto("/how-it-works")
        reserve.get_by_role("link", name="Claim your prize").click()
        main = reserve.get_by_role("main")
        expect(main).to_contain_text("23:59:59 UTC on Wednesday 25 November 2026")
        reserve.get_by_role("button", name="Claim your prize").click()
        expect(main).to_contain_text("Your claim has reached the organisers.")

        log_in(alices, "alice")
        alices.goto("/organiser")
        expect(alices.get_by_role("main")).to_contain_text(f"{name} · claimed 23 November 2026")
        alices.get_by_role("link", name="Seaside").first.click()
        alices.get_by_role("button", name="Mark as handed over").click()
        expect(alices.get_by_role("main")).to_contain_text("The prize is marked as handed over.")
        reserve.goto("/prizes")
        expect(main).to_contain_text("handed over on Monday 23 November 2026")
