"""Draw page: the reader's browser verifies a draw, and detects a forged one."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import copy

import pytest
from playwright.sync_api import Browser, Download, Page, Route, expect

from lottery_system.fairness.certificate import Holder, Receipt, format_receipt
from lottery_system.fairness.checks import Verdict, holds
from lottery_system.fairness.commitment import holder_hash
from lottery_system.fairness.download import download as download_log
from lottery_system.fairness.folder import read_records
from lottery_system.fairness.note import Checkpoint, sign_checkpoint
from lottery_system.fairness.records import parse_ballot
from lottery_system.fairness.tiles import prove_inclusion
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
from tests.fairness.forge import Log
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


def expect_receipt(page: Page, file: Path, sentence: str) -> None:
    page.get_by_label("Check a receipt that you saved").set_input_files(file)
    expect(page.locator("[data-receipt-file] + output")).to_contain_text(sentence)


def test_a_saved_receipt_is_checked_by_whoever_has_it(
    chromium: Browser, server: Gunicorn, tmp_path: Path
) -> None:
    saved, other = tmp_path / "receipt.json", tmp_path / "other.json"
    with browsing(chromium, server.url) as page:
        log_in(page, "charlie")
        with page.expect_response("**/receipt.json") as answered:
            page.goto(f"{PAGE}/ballots/21/receipt.json")
        saved.write_bytes(answered.value.body())
    other.write_text(saved.read_text().replace(f"day {DRAWN_DAY}", "day 2026-01-01"))
    with browsing(chromium, server.url) as page:
        page.goto(PAGE)
        expect_receipt(page, saved, "Yes, this ballot was in the draw.")
        expect_receipt(page, other, "This receipt is for 2026-01-01.")
        for number, wrong in enumerate((b"{}", b"\xff\x00", b"")):
            none = tmp_path / f"{number}.json"
            none.write_bytes(wrong)
            page.goto(PAGE)
            expect_receipt(page, none, "This file isn’t a receipt.")


def test_a_receipt_for_a_ballot_that_the_server_no_longer_knows_convicts_it(
    chromium: Browser, server: Gunicorn, tmp_path: Path
) -> None:
    """The list was acknowledged with one more ballot than it was drawn with."""
    name = LOG_KEYS.key.name
    download_log(f"{server.url}/log/{DRAWN_DAY}/", tmp_path / "log")
    kept = list(read_records(tmp_path / "log"))
    salt = b"\x07" * 16
    record = kept[-1].replace(b"number 300\n", b"number 301\n")
    holder = parse_ballot(record).holder.hex().encode()
    record = record.replace(holder, holder_hash(salt, "charlie").hex().encode())
    log = Log([*kept, record])
    receipt = tmp_path / "receipt.json"
    receipt.write_text(
        format_receipt(
            Receipt(
                ballot=record.decode(),
                holder=Holder("charlie", salt),
                index=300,
                proof=prove_inclusion(log.read, 300, 301),
                checkpoint=sign_checkpoint(
                    Checkpoint(f"{name}/{DRAWN_DAY}", 301, log.root), LOG_KEYS.key
                ),
            )
        )
    )
    with browsing(chromium, server.url) as page:
        page.goto(PAGE)

        expect_receipt(page, receipt, "This receipt doesn’t match the draw:")
        verdict = page.locator("[data-receipt-file] + output")
        expect(verdict).to_contain_text("Together they prove it to anyone.")
        expect(verdict).to_have_attribute("data-verdict", "FAIL")


def test_a_receipt_that_the_lottery_did_not_sign_proves_nothing(
    chromium: Browser, server: Gunicorn, tmp_path: Path
) -> None:
    """Whoever makes a file up must not have the lottery's own page convict it."""
    forged = tmp_path / "receipt.json"
    with browsing(chromium, server.url) as page:
        log_in(page, "charlie")
        with page.expect_response("**/receipt.json") as answered:
            page.goto(f"{PAGE}/ballots/21/receipt.json")
        receipt = answered.value.json()
        body, line = receipt["checkpoint"].rsplit(" ", 1)
        receipt["checkpoint"] = f"{body} {line[:20]}{'A' if line[20] != 'A' else 'B'}{line[21:]}"
        forged.write_text(json.dumps(receipt))
        page.goto(PAGE)

        expect_receipt(page, forged, "It proves nothing.")
        expect(page.locator("[data-receipt-file] + output")).not_to_contain_text("to anyone")


KEEP = """([day, number, text]) => localStorage.setItem(
    `receipt charlie /draws/${day}/ballots/${number}/receipt.json`, text)"""


def kept_receipt(page: Page, number: int) -> str:
    """Return a receipt of charlie's, from when the list was not whole yet."""
    with page.expect_response("**/receipt.json*") as answered:
        page.goto(f"{PAGE}/ballots/{number}/receipt.json?size=40")
    return answered.value.text()


def test_kept_receipts_are_good_only_if_every_one_was_fully_checked(
    chromium: Browser, server: Gunicorn
) -> None:
    verdict = "[data-kept] output"
    with browsing(chromium, server.url, broken="/tile/") as page:
        log_in(page, "charlie")
        good = kept_receipt(page, 21)
        page.evaluate(KEEP, [str(DRAWN_DAY), 21, good])
        page.goto(PAGE)
        expect(page.locator(verdict)).to_have_attribute("data-verdict", "ok")

        # without the tiles of the log nothing is shown of what was kept
        page.route("**/tile/**", lambda route: route.abort())
        page.goto(PAGE)
        expect(page.locator(verdict)).to_contain_text("Not all of this receipt could be checked")
        expect(page.locator(verdict)).to_have_attribute("data-verdict", "--")
        page.unroute("**/tile/**")

        # one of two does not hold
        other = json.loads(kept_receipt(page, 22))
        other["proof"][0] = "00" * 32
        page.evaluate(KEEP, [str(DRAWN_DAY), 22, json.dumps(other)])
        page.goto(PAGE)
        expect(page.locator(verdict)).to_contain_text("Ballot 22: This receipt doesn’t match")
        expect(page.locator(verdict)).to_have_attribute("data-verdict", "FAIL")

        # what is no receipt at all is not green either
        page.evaluate(KEEP, [str(DRAWN_DAY), 22, "?"])
        page.goto(PAGE)
        expect(page.locator(verdict)).not_to_have_text(re.compile("Checking|no receipt of yours"))
        expect(page.locator(verdict)).not_to_have_attribute("data-verdict", "ok")


def test_a_number_that_the_server_does_not_know_leads_to_the_check_of_a_kept_receipt(
    chromium: Browser, server: Gunicorn
) -> None:
    with browsing(chromium, server.url) as page:
        log_in(page, "charlie")
        page.goto(PAGE)
        page.get_by_label("Number of one of your ballots").fill("300")
        page.get_by_role("button", name="Check this ballot").click()
        told = page.locator("form[data-receipts] + output")
        expect(told).to_contain_text("This server has no such ballot of yours.")
        told.get_by_role("link", name="Check a receipt that you saved").click()
        expect(page.get_by_label("Check a receipt that you saved")).to_be_in_viewport()

        page.goto(f"{PAGE}/ballots/300/receipt.json")
        page.get_by_role("link", name="Check it here").click()
        expect(page).to_have_url(re.compile(f"{PAGE}#receipt$"))
        expect(page.get_by_label("Check a receipt that you saved")).to_be_in_viewport()
