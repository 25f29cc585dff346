"""Journeys of players and organisers, each in Firefox and WebKit.

In Chromium the stories beside this folder show the same, and more.
"""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.request import urlopen

import pytest

from lottery_system.clock import closes_at
from tests.browser.conftest import DRAWN_DAY, Seeded, database
from tests.browser.engines.conftest import OTHERS
from tests.browser.engines.page import ENTER, SPACE, Engine, Page, browsing
from tests.browser.test_stories import Site, open_lotteries, site
from tests.conftest import FIRST_DAY, PASSWORD
from tests.stand_ins.forger import forging
from tests.stand_ins.processes import PATIENCE, Gunicorn

ONE_DAY = timedelta(days=1)
#: how long before midnight the clock begins to run and a page is opened
SHORTLY = timedelta(seconds=20)
THURSDAY, FRIDAY = "Thursday 19 November 2026", "Friday 20 November 2026"
ONE = "Add 1 ballot to Big Chance"
RECEIPT = ".receipt"
VERDICT = "output[data-verdict]"
DRAW = f"/draws/{DRAWN_DAY}"

pytestmark = pytest.mark.parametrize("engine", OTHERS, indirect=True, scope="package")


@pytest.fixture
def lottery(sqlite_file: Path, tmp_path: Path) -> Iterator[Site]:
    """Serve two open lotteries, at noon of their first day."""
    with site(sqlite_file, tmp_path) as lottery:
        open_lotteries(lottery.url, "Big Chance", "Extra Win")
        yield lottery


def sign_up(page: Page, username: str) -> None:
    page.open("/signup")
    page.fill("Username", username)
    page.fill("Password", PASSWORD)
    page.press("Sign up")
    page.expect("Today’s draw")


def log_in(page: Page, username: str) -> None:
    page.open("/login")
    page.fill("Username", username)
    page.fill("Password", PASSWORD)
    page.press("Log in")
    page.expect(f"Log out ({username})", part="header")


def test_a_player_plays_wins_and_claims_within_three_days(
    engine: Engine, lottery: Site, tmp_path: Path
) -> None:
    with browsing(engine, lottery.server.url, tmp_path) as bob:
        # Thursday: each press is one ballot, and the receipt says how many there are
        sign_up(bob, "bob")
        bob.press(ONE)
        bob.expect("Your ballot is in", "You have 1 ballot in this lottery today.", part=RECEIPT)
        bob.expect("your time", THURSDAY, part=RECEIPT)
        for _ in range(2):
            bob.press(ONE)
        bob.expect("You now have 3 ballots in this lottery today.", part=RECEIPT)
        bob.fill("Or add several to Extra Win", "4")
        bob.press("Add ballots to Extra Win")
        bob.expect("Your 4 ballots are in", "4 to 7", part=RECEIPT)
        bob.expect("Ballots 7 Yours 7 Chance 100 %")
        assert lottery.count_ballots(FIRST_DAY) == 7

        # Friday: he has won, who else, and claims the prize
        bob.open("about:blank")
        lottery.next_noon()
        number = lottery.winner_of(FIRST_DAY).number
        bob.open("/")
        bob.expect("You won", f"Ballot {number} won in")
        bob.press("Claim your prize")
        bob.expect("Only the organisers can see what you write here.")
        bob.fill("How can the organisers reach you? (optional)", "bob@lottery.example")
        bob.press("Claim your prize")
        bob.expect("Your claim has reached the organisers.", "bob@lottery.example")
        bob.press("My ballots")
        bob.expect(THURSDAY, f"Won with ballot {number}")
        bob.press("Lotteries")
        bob.press(ONE)
        bob.expect("Your ballot is in", FRIDAY, part=RECEIPT)

        # Saturday: he looks up who has won
        bob.open("about:blank")
        lottery.next_noon()
        bob.open("/")
        bob.press("Winners")
        bob.expect(FRIDAY, THURSDAY)
        bob.open(f"/winners/{FIRST_DAY}")
        bob.expect(f"Winner of {THURSDAY}", "You won.")
        bob.press("Log out (bob)")
        bob.expect("Log in", "Forgotten your password?")
        assert lottery.count_ballots(FIRST_DAY + ONE_DAY) == 1


def test_ten_presses_in_a_second_are_ten_ballots(
    engine: Engine, lottery: Site, tmp_path: Path
) -> None:
    with browsing(engine, lottery.server.url, tmp_path) as bob:
        sign_up(bob, "bob")

        bob.press(ONE, times=10)
        expect_ballots(bob, lottery, 10)
        bob.focus(ONE)
        bob.type(10 * ENTER)
        expect_ballots(bob, lottery, 20)
        bob.type(10 * SPACE)
        expect_ballots(bob, lottery, 30)


def expect_ballots(bob: Page, lottery: Site, count: int) -> None:
    bob.expect(f"You now have {count} ballots in this lottery today.", part=RECEIPT)
    bob.expect(f"you have {count} ballots in today’s draw", part="#lottery-1")
    assert lottery.count_ballots(FIRST_DAY) == count


def test_without_a_script_one_signs_up_and_plays(
    engine: Engine, lottery: Site, tmp_path: Path
) -> None:
    with browsing(engine, lottery.server.url, tmp_path, with_script=False) as bob:
        sign_up(bob, "bob")
        bob.press(ONE)
        bob.expect("Your ballot is in", "You have 1 ballot in this lottery today.", part=RECEIPT)
        assert str(bob.run("location.href")).endswith("/#receipt-1")
        bob.press(ONE)
        bob.expect("You now have 2 ballots in this lottery today.", part=RECEIPT)
        bob.fill("Or add several to Extra Win", "3")
        bob.press("Add ballots to Extra Win")
        bob.expect("Your 3 ballots are in", "3 to 5", part=RECEIPT)
        assert "Closes in" not in bob.text()

        assert lottery.count_ballots(FIRST_DAY) == 5


def test_an_open_page_turns_over_at_midnight_by_itself(
    engine: Engine, lottery: Site, tmp_path: Path
) -> None:
    with browsing(engine, lottery.server.url, tmp_path) as bob:
        sign_up(bob, "bob")
        bob.press(ONE)
        bob.expect("Your ballot is in", THURSDAY, part=RECEIPT)
        bob.open("about:blank")
        lottery.server.stop()
        lottery.server.clock.stand_at(closes_at(FIRST_DAY) - SHORTLY)
        lottery.server.start()
        lottery.server.clock.run_from(closes_at(FIRST_DAY) - SHORTLY)
        bob.open("/")
        bob.expect("Closes in 0:00:", "(23:59:59 UTC)", part=".today")
        bob.run("window.isTheSamePage = true")

        bob.expect("Closes in 23:5", part=".today")
        bob.expect("You won: Big Chance", f"Ballot 1 won in Big Chance on {THURSDAY}.")
        assert bob.run("window.isTheSamePage") is True
        bob.press(ONE)
        bob.expect("Your ballot is in", FRIDAY, part=RECEIPT)


def test_an_organiser_promises_a_prize_and_hands_it_over(
    engine: Engine, lottery: Site, tmp_path: Path
) -> None:
    with browsing(engine, lottery.server.url, tmp_path) as alice:
        log_in(alice, "alice")
        alice.press("Organise")
        alice.press("Create lottery")
        alice.fill("Name", "Seaside")
        alice.fill("Prize", "A weekend for two")
        alice.fill("Last day (UTC)", "2026-12-24")
        alice.press("Create")
        alice.expect("The lottery has been created.", "Seaside")

        alice.open("about:blank")
        with database(lottery.url) as session:
            bob = Seeded(session, FIRST_DAY).sign_up("bob").play(FIRST_DAY, "bob", "Seaside", 2)
            lottery.next_noon()
            bob.claim(FIRST_DAY, contact="bob@lottery.example")
        alice.open("/organiser")
        alice.expect("All draws are up to date", "bob@lottery.example")
        alice.press("A weekend for two")
        alice.fill("Day of the hand-over (UTC)", "2026-11-20")
        alice.fill("Note (optional)", "At the desk")
        alice.press("Mark as handed over")
        alice.expect("The prize is marked as handed over.")
        alice.open(f"/organiser/prizes/{FIRST_DAY}/1")
        alice.expect("Handed over Friday 20 November 2026", "At the desk")


def test_the_browser_itself_checks_a_draw(engine: Engine, played: Gunicorn, tmp_path: Path) -> None:
    with browsing(engine, played.url, tmp_path) as page:
        page.open(f"/winners/{DRAWN_DAY}")
        page.press("Check this draw yourself")
        page.press("Check this draw")

        page.expect("This draw is correct: all 12 checks passed on this device.", part=VERDICT)


def test_the_browser_itself_refuses_a_certificate_that_was_changed_on_its_way(
    engine: Engine, played: Gunicorn, tmp_path: Path
) -> None:
    def forge(certificate: bytes) -> bytes:
        forged = certificate.replace(b'"username": "', b'"username": "x', 1)
        assert forged != certificate
        return forged

    with (
        forging(played.url, "/certificate.json", forge) as url,
        browsing(engine, url, tmp_path) as page,
    ):
        page.open(DRAW)
        page.press("Check this draw")

        page.expect("This draw is not correct. Failed: holders.", part=VERDICT)
        page.press("What’s checked")
        page.expect("Failed.", part="li[data-name=holders]")


def test_the_saved_checker_works_from_a_file(
    engine: Engine, played: Gunicorn, tmp_path: Path
) -> None:
    with browsing(engine, played.url, tmp_path) as page:
        page.open(DRAW)
        saved = download(page, "The checker as a page", tmp_path / "verifier.html")
        certificate = download(page, "This day’s certificate", tmp_path / "certificate.json")
        forged = tmp_path / "forged.json"
        forged.write_bytes(certificate.read_bytes().replace(b'"username": "', b'"username": "x', 1))

        page.open(saved.as_uri())
        page.choose("Certificate", certificate)
        page.expect("This draw is correct: all 11 checks", part="output")
        page.choose("Certificate", forged)
        page.expect("This draw is not correct. Failed: holders.", part="output")


def download(page: Page, link: str, file: Path) -> Path:
    """Save what a link leads to; how browsers save files is their own affair."""
    with urlopen(page.address_of(link), timeout=PATIENCE) as answer:
        file.write_bytes(answer.read())
    return file
