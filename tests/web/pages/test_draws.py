"""The page of a draw, its certificate, and the receipts of ballots."""

import io
import json
import zipfile
from collections.abc import Callable
from datetime import date, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from lottery_system.fairness.certificate import parse_certificate, parse_receipt
from lottery_system.fairness.checks import Verdict, holds
from lottery_system.fairness.tlog_proof import parse_proof
from lottery_system.fairness.verify import verify
from lottery_system.models import Lottery
from lottery_system.queries.day import look_up
from lottery_system.queries.logs import ballot_records
from lottery_system.web.pages import draws
from tests.conftest import FIRST_DAY, FIRST_NOON, Cast, Clock, Submit
from tests.stand_ins.log_keys import LOG_KEYS, run_due
from tests.web.conftest import Visitor, text_of

ONE_DAY = timedelta(days=1)
KEY = LOG_KEYS.key.verifier

EndDay = Callable[[], None]


@pytest.fixture
def end_day(session: Session, clock: Clock) -> EndDay:
    """Return a function that lets the first day end."""

    def end() -> None:
        clock.turn(ONE_DAY)
        run_due(session, FIRST_NOON + ONE_DAY, places=2)

    return end


@pytest.fixture
def _played(
    session: Session, cast: Cast, big_chance: Lottery, extra_win: Lottery, submit: Submit
) -> None:
    run_due(session, FIRST_NOON)
    submit(cast.bob, big_chance, 3)
    submit(cast.charlie, extra_win, 4)


def address(day: date = FIRST_DAY) -> str:
    return f"/draws/{day}"


def receipt_address(number: int, day: date = FIRST_DAY) -> str:
    return f"/draws/{day}/ballots/{number}/receipt.json"


@pytest.mark.usefixtures("_played")
def test_the_certificate_of_a_drawn_day_verifies_for_strangers(
    stranger: Visitor, end_day: EndDay, session: Session
) -> None:
    end_day()

    answer = stranger.get(f"{address()}/certificate.json")

    assert answer.status_code == 200
    assert answer.mimetype == "application/json"
    assert "immutable" in answer.headers["Cache-Control"]
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    records = ballot_records(session.connection(), FIRST_DAY, 1, 7)
    checks = verify(answer.data, key=KEY, ballots=records)
    assert holds(checks), checks
    assert [check.name for check in checks if check.verdict is Verdict.NOT_MADE] == [
        "offers", "witnessed", "receipt signed", "receipt included", "receipt kept",
    ]  # fmt: skip
    numbers = [winner.number for winner in look_up(session.connection(), FIRST_DAY, None).winners]
    assert [each.number for each in parse_certificate(answer.data).winners] == numbers


@pytest.mark.usefixtures("_played")
def test_a_certificate_stays_the_same_when_more_days_are_drawn(
    stranger: Visitor, end_day: EndDay, session: Session, clock: Clock
) -> None:
    end_day()
    before = stranger.get(f"{address()}/certificate.json").data
    clock.turn(3 * ONE_DAY)
    run_due(session, FIRST_NOON + 4 * ONE_DAY)

    draws._certificate.cache_clear()

    assert stranger.get(f"{address()}/certificate.json").data == before
    quiet = stranger.get(f"{address(FIRST_DAY + ONE_DAY)}/certificate.json")
    assert holds(verify(quiet.data, key=KEY))


@pytest.mark.usefixtures("_played")
@pytest.mark.parametrize("day", [str(FIRST_DAY), "2026-11-30", "2000-01-01", "tomorrow"])
def test_a_day_that_is_not_drawn_has_no_certificate(stranger: Visitor, day: str) -> None:
    answer = stranger.get(f"/draws/{day}/certificate.json")

    assert answer.status_code == 404
    assert "Traceback" not in answer.text


@pytest.mark.usefixtures("_played")
def test_a_certificate_that_fails_its_own_checks_is_not_published(
    stranger: Visitor, end_day: EndDay, session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody changed the winner in the database, its own guard removed."""
    end_day()
    on = " ON winners" if session.get_bind().dialect.name == "postgresql" else ""
    with session.begin():
        session.execute(text(f"DROP TRIGGER winners_kept_on_update{on}"))
        session.execute(
            text(
                "UPDATE winners SET number = (SELECT min(number) FROM ballots WHERE number NOT IN"
                " (SELECT number FROM winners)) WHERE place = 1"
            )
        )
    try:
        answer = stranger.get(f"{address()}/certificate.json")
    finally:
        if on:
            with session.begin():
                session.execute(text(
                    "CREATE TRIGGER winners_kept_on_update BEFORE UPDATE ON winners FOR EACH ROW"
                    " EXECUTE FUNCTION refuse_to_forget()"
                ))  # fmt: skip

    assert answer.status_code == 500
    assert "fails its own checks" in text_of(answer)
    assert "winners: the winning numbers are not those drawn" in caplog.text


@pytest.mark.usefixtures("_played")
def test_a_receipt_can_be_had_at_once_and_for_ever_after(bob: Visitor, end_day: EndDay) -> None:
    early = bob.get(receipt_address(2))
    end_day()
    late = bob.get(receipt_address(2) + "?size=7")
    certificate = bob.get(f"{address()}/certificate.json").data

    assert early.status_code == 200
    assert early.headers["Cache-Control"] == "no-store"
    for receipt in (early.data, late.data):
        checks = {
            check.name: check.verdict for check in verify(certificate, key=KEY, receipt=receipt)
        }
        assert checks["receipt signed"] is Verdict.OK
        assert checks["receipt included"] is Verdict.OK
        assert checks["receipt kept"] is Verdict.OK
    assert parse_receipt(early.data).holder.username == "bob"


@pytest.mark.usefixtures("_played")
def test_an_old_receipt_is_kept_by_the_list_that_was_frozen(
    bob: Visitor, end_day: EndDay, session: Session
) -> None:
    early = bob.get(receipt_address(2) + "?size=3").data
    end_day()

    checks = verify(
        bob.get(f"{address()}/certificate.json").data,
        key=KEY,
        receipt=early,
        ballots=ballot_records(session.connection(), FIRST_DAY, 1, 7),
    )

    not_made = [check.name for check in checks if check.verdict is not Verdict.OK]
    assert not_made == ["offers", "witnessed"], checks


@pytest.mark.usefixtures("_played")
@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        (receipt_address(4), 404, "You have no ballot 4"),  # charlie's
        (receipt_address(8), 404, "You have no ballot 8"),
        (
            receipt_address(2, date(2026, 11, 30)),
            404,
            "You have no ballot 2 for Monday 30 November",
        ),
        (receipt_address(2) + "?size=8", 404, "Ask for a size from 2 to 7"),
        (receipt_address(2) + "?size=1", 404, "Ask for a size from 2 to 7"),
        (receipt_address(2) + "?size=x", 422, "Enter the size as a number"),
        ("/draws/2026-11-31/ballots/1/receipt.json", 404, "isn’t a date"),
        (f"/draws/{FIRST_DAY}/receipt?number=two", 422, "Enter the number"),
    ],
)
def test_a_receipt_that_one_cannot_have_is_refused_with_a_sentence(
    bob: Visitor, path: str, status: int, sentence: str
) -> None:
    answer = bob.get(path)

    assert answer.status_code == status
    assert sentence in text_of(answer)


@pytest.mark.usefixtures("_played")
def test_a_number_that_is_not_known_on_a_drawn_day_leads_to_the_check_of_a_kept_receipt(
    bob: Visitor, end_day: EndDay
) -> None:
    link = f'href="{address()}#receipt"'
    assert link not in bob.get(receipt_address(8)).text  # nothing to check against yet

    end_day()

    answer = bob.get(receipt_address(8))
    assert answer.status_code == 404
    assert "If you hold a receipt for it, it proves that we accepted this ballot." in text_of(
        answer
    )
    assert link in answer.text
    assert 'id="receipt"' in bob.get(address()).text
    assert link not in bob.get(receipt_address(2) + "?size=8").text  # that ballot is known


@pytest.mark.usefixtures("_played")
def test_a_receipt_is_its_holders_alone(stranger: Visitor) -> None:
    assert stranger.get(receipt_address(2)).status_code == 303


@pytest.mark.usefixtures("_played")
def test_whoever_types_a_number_gets_that_receipt(bob: Visitor) -> None:
    answer = bob.get(f"{address()}/receipt?number=3")

    assert (answer.status_code, answer.location) == (303, receipt_address(3))


@pytest.mark.usefixtures("_played")
def test_the_page_of_a_drawn_day_tells_what_was_fixed_and_in_which_mode(
    bob: Visitor, end_day: EndDay, session: Session
) -> None:
    end_day()
    with session.begin():
        first, _ = look_up(session.connection(), FIRST_DAY, None).winners

    page = bob.get(address())

    words = text_of(page)
    assert page.status_code == 200
    assert f"Ballot {first.number} of 7 won" in words
    assert "same chance: 1 in 7" in words
    assert "This server makes the draw." in words
    assert "We can’t prove that whoever runs this server" in words
    assert "You had 3 ballots: 1 to 3" in words
    assert f'data-certificate="{address()}/certificate.json"' in page.text
    assert "lottery.local+" in words


@pytest.mark.usefixtures("_played")
@pytest.mark.parametrize(
    ("day", "status", "words"),
    [
        (str(FIRST_DAY), 200, "Not drawn yet. Today’s draw has 7 ballots so far."),
        ("2026-11-30", 404, "This day hasn’t happened yet."),
        ("2000-01-01", 404, "There was no draw that day."),
        ("2026-02-30", 404, "“2026-02-30” isn’t a date"),
    ],
)
def test_every_other_date_has_its_answer(
    stranger: Visitor, day: str, status: int, words: str
) -> None:
    answer = stranger.get(f"/draws/{day}")

    assert answer.status_code == status
    assert words in text_of(answer)


def test_a_day_on_which_nobody_played_has_a_draw_that_can_be_checked(
    stranger: Visitor, session: Session, clock: Clock
) -> None:
    run_due(session, FIRST_NOON)
    clock.turn(ONE_DAY)
    run_due(session, FIRST_NOON + ONE_DAY)

    assert "No winner: nobody entered that day." in text_of(stranger.get(address()))
    assert holds(verify(stranger.get(f"{address()}/certificate.json").data, key=KEY))


@pytest.mark.usefixtures("_played")
def test_the_verifier_can_be_taken_away(stranger: Visitor) -> None:
    page, program = stranger.get("/verifier.html"), stranger.get("/verify.pyz")

    assert page.headers["Content-Disposition"] == "attachment; filename=verifier.html"
    assert page.text.startswith("<!doctype html>")
    assert "__main__.py" in zipfile.ZipFile(io.BytesIO(program.data)).namelist()


@pytest.mark.usefixtures("_played")
def test_the_receipt_after_a_click_leads_to_the_signed_one(
    bob: Visitor, big_chance: Lottery
) -> None:
    bob.submit(big_chance.id, count="2")

    page = bob.get("/")

    assert f'href="{receipt_address(8)}"' in page.text
    assert json.loads(bob.get(receipt_address(8)).data)["index"] == 7


@pytest.mark.usefixtures("_played")
def test_freeze_and_receipt_are_served_as_proofs_that_other_logs_readers_take(
    stranger: Visitor, bob: Visitor, end_day: EndDay
) -> None:
    freeze_path, receipt_path = f"{address()}/freeze.tlog-proof", receipt_address(2)
    before = stranger.get(freeze_path)
    assert (before.status_code, "It’s made when the day closes." in text_of(before)) == (404, True)
    end_day()

    answer = stranger.get(freeze_path)
    mine = bob.get(receipt_path.replace(".json", ".tlog-proof") + "?size=5")

    assert (answer.status_code, answer.mimetype) == (200, "text/plain")
    assert "immutable" in answer.headers["Cache-Control"]
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    certificate = parse_certificate(stranger.get(f"{address()}/certificate.json").data)
    proof = parse_proof(answer.text)
    assert proof == (
        certificate.journal.index,
        list(certificate.journal.proof),
        certificate.journal.checkpoint,
        certificate.freeze.encode(),
    )
    assert (mine.status_code, mine.mimetype) == (200, "text/plain")
    assert mine.headers["Cache-Control"] == "no-store"
    receipt = parse_receipt(bob.get(receipt_path + "?size=5").data)
    kept = parse_proof(mine.text)
    assert kept == (1, list(receipt.proof), receipt.checkpoint, receipt.ballot.encode())
    assert "bob" not in mine.text
    assert stranger.get(receipt_path.replace(".json", ".tlog-proof")).status_code == 303
    unknown = bob.get(receipt_address(8).replace(".json", ".tlog-proof"))
    assert unknown.status_code == 404
