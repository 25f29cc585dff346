"""Draw page: the reader's browser verifies a draw, and detects a forged one."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import copy

import pytest
from playwright.sync_api import Browser, Download, Page, Route, expect

from lottery_system.fairness.checks import Verdict, holds
from lottery_system.fairness.verify import verify
from tests.browser.conftest import (
    CLOSED_DAY,
    DRAWN_DAY,
    TODAY,
    Seeded,
    browsing,
    database,
    log_in,
    noon,
    served,
)
from tests.stand_ins.log_keys import LOG_KEYS
from tests.stand_ins.processes import Gunicorn

PAGE = f"/draws/{DRAWN_DAY}"


@pytest.fixture(scope="module")
def server(sqlite_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gunicorn]:
    """Serve a lottery with a drawn day of 300 ballots, 4 of them charlie's."""
    folder = tmp_path_factory.mktemp("draw")
    url = f"sqlite:///{copy(sqlite_file, folder / 'lottery.db')}"
    with database(url) as session:
        (
            Seeded(session)
            .sign_up("alice", "bob", "charlie")
            .open("Big Chance", "A weekend for two by the sea.", TODAY)
            .play(DRAWN_DAY, "bob", "Big Chance", 20)
            .play(DRAWN_DAY, "charlie", "Big Chance", 1, 3)
            .play(DRAWN_DAY, "bob", "Big Chance", 276)
            .draw(DRAWN_DAY)
        )
    with served(url, folder, noon(CLOSED_DAY)) as server:
        yield server


def conclusion(page: Page) -> Callable[[str], None]:
    return lambda sentence: expect(page.locator("output[data-verdict]").first).to_contain_text(
        sentence
    )


def test_whoever_doubts_a_draw_proves_it_with_one_press(
    chromium: Browser, server: Gunicorn
) -> None:
    with browsing(chromium, server.url) as page:
        page.goto(f"/winners/{DRAWN_DAY}")
        page.get_by_role("link", name="Check this draw yourself").click()
        expect(page).to_have_url(re.compile(f"/draws/{DRAWN_DAY}#check$"))
        expect(page.get_by_role("heading", level=2).first).to_have_text("Check it yourself")
        expect(page.get_by_role("button", name="Check this draw")).to_be_in_viewport()
        page.get_by_label("Also check all 300 ballots").check()
        page.get_by_role("button", name="Check this draw").click()

        conclusion(page)("This draw is correct: all 13 checks passed on this device.")
        conclusion(page)("added no late ballots")


def test_a_player_checks_their_own_ballot_in_two_clicks(
    chromium: Browser, server: Gunicorn
) -> None:
    with browsing(chromium, server.url) as page:
        log_in(page, "charlie")
        page.goto(f"/winners/{DRAWN_DAY}")
        page.get_by_role("link", name="Check this draw yourself").click()
        page.get_by_role("button", name="Check this ballot").click()

        expect(page.locator("form[data-receipts] + output")).to_contain_text(
            "this ballot was in the draw"
        )


@pytest.mark.parametrize(
    ("change", "failed"),
    [
        (lambda each: each["winners"][0]["holder"].update(username="mallory"), "holders"),
        (lambda each: each.update(freeze=each["freeze"].replace("size 300", "size 299")), "freeze"),
    ],
)
def test_a_forged_certificate_fails_its_check(
    chromium: Browser, server: Gunicorn, change: Callable[[dict[str, object]], None], failed: str
) -> None:
    """The server, or whoever sits between, changes the certificate on its way."""

    def forge(route: Route) -> None:
        certificate = route.fetch().json()
        change(certificate)
        route.fulfill(body=json.dumps(certificate), content_type="application/json")

    with browsing(chromium, server.url) as page:
        page.route("**/certificate.json", forge)
        page.goto(PAGE)
        page.get_by_role("button", name="Check this draw").click()

        conclusion(page)("This draw is not correct.")
        page.get_by_text("What’s checked").click()
        item = page.locator(f"li[data-name={failed}]")
        expect(item).to_have_attribute("data-verdict", "FAIL")
        expect(item).to_contain_text("Failed.")


def test_a_prize_that_was_changed_on_its_way_is_found_by_the_check_of_offers(
    chromium: Browser, server: Gunicorn
) -> None:
    def forge(route: Route) -> None:
        served = route.fetch().json()
        served["text"] = served["text"].replace('"prize": "', '"prize": "Not ')
        route.fulfill(body=json.dumps(served), content_type="application/json")

    with browsing(chromium, server.url) as page:
        page.route("**/offers.json", forge)
        page.goto(PAGE)
        page.get_by_role("button", name="Check this draw").click()

        conclusion(page)("This draw is not correct. Failed: offers.")


def test_what_can_be_downloaded_verifies_without_the_server(
    chromium: Browser, server: Gunicorn, tmp_path: Path
) -> None:
    with browsing(chromium, server.url) as page:
        page.goto(PAGE)
        certificate = tmp_path / "certificate.json"
        saved, offers = tmp_path / "verifier.html", tmp_path / "offers.json"
        download(page, "This day’s certificate").save_as(certificate)
        download(page, "This day’s signed list of prizes").save_as(offers)
        download(page, "The checker as a page").save_as(saved)

    checks = verify(certificate.read_bytes(), key=LOG_KEYS.key.verifier, offers=offers.read_bytes())
    assert holds(checks)
    assert next(each for each in checks if each.name == "offers").verdict is Verdict.OK
    assert "data:" in saved.read_text("utf-8")


def download(page: Page, link: str) -> Download:
    with page.expect_download() as found:
        page.get_by_role("link", name=link).click()
    return found.value


def test_without_javascript_the_page_explains_and_hands_out_the_program(
    chromium: Browser, server: Gunicorn
) -> None:
    with browsing(chromium, server.url, java_script_enabled=False) as page:
        page.goto(PAGE)

        expect(page.get_by_text("This needs JavaScript.")).to_be_visible()
        expect(page.get_by_role("button", name="Check this draw")).to_be_hidden()
        expect(page.get_by_role("link", name="The checker as a program")).to_be_visible()


def test_before_the_first_draw_a_sample_is_checked_in_the_browser(
    chromium: Browser, new: Gunicorn
) -> None:
    with browsing(chromium, new.url) as page:
        page.goto("/winners")
        page.get_by_role("button", name="Check the sample").click()

        conclusion(page)("This draw is correct: all 11 checks passed on this device.")
