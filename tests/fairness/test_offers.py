"""A day's signed list of offers: of one list there is one text, and no forgery of it holds."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lottery_system.fairness.certificate import FormatError
from lottery_system.fairness.checks import Check, Verdict, holds
from lottery_system.fairness.note import (
    Checkpoint,
    NoteError,
    format_vkey,
    open_checkpoint,
    sign_checkpoint,
)
from lottery_system.fairness.offers import (
    Offered,
    Offers,
    format_offers,
    format_signed_offers,
    open_head,
    open_offers,
    parse_offers,
    parse_signed_offers,
)
from lottery_system.fairness.verify import verify
from tests.fairness.forge import KEY, OFFERED, Day, forged_offers, places_to_change
from tests.fairness.test_command import run
from tests.fairness.test_recovery import AFTER, BEFORE, NEXT, NOTE

DAY = Day()
HONEST = format_signed_offers(DAY.offers()).encode()
FORGED = forged_offers(DAY)

#: with what ballots after a loss are of
OFFERED_LATER = [*OFFERED, Offered(9, "Late Chance", "")]

texts = st.text(st.characters(exclude_categories=["Cs"]))
lists = st.dictionaries(st.integers(1, 10**18 - 1), st.tuples(texts, texts)).map(
    lambda found: Offers(
        DAY.day, [Offered(number, *said) for number, said in sorted(found.items())]
    )
)


def failed(checks: list[Check]) -> list[str]:
    return [check.name for check in checks if check.verdict is Verdict.FAILED]


def verdict(checks: list[Check]) -> Verdict:
    return next(check.verdict for check in checks if check.name == "offers")


@given(lists)
def test_what_is_written_is_read_again(offers: Offers) -> None:
    text = format_offers(offers)

    assert parse_offers(text) == offers
    assert json.loads(text)["lotteries"] == [
        {"id": each.lottery, "name": each.name, "prize": each.prize} for each in offers.lotteries
    ]


def test_the_text_is_this_to_the_letter() -> None:
    assert format_offers(Offers(DAY.day, [Offered(7, 'é"\\\n\x01', "\u2028\x7f")])) == (
        '{\n "format": "daily-draw/v1 offers",\n "day": "2024-10-13",\n "lotteries": [\n  {\n'
        '   "id": 7,\n   "name": "é\\"\\\\\\n\\u0001",\n   "prize": "\u2028\x7f"\n  }\n ]\n}\n'
    )
    assert format_offers(Offers(DAY.day, [])).endswith('"lotteries": []\n}\n')


def test_an_honest_list_holds() -> None:
    checks = verify(DAY.certificate(), key=KEY.verifier, offers=HONEST)

    assert verdict(checks) is Verdict.OK
    assert holds(checks)
    assert open_offers(DAY.offers(), KEY.verifier, KEY.name, DAY.day) == Offers(
        DAY.day, list(OFFERED)
    )


def test_without_a_list_it_is_not_checked_and_the_rest_holds() -> None:
    checks = verify(DAY.certificate(), key=KEY.verifier)

    assert verdict(checks) is Verdict.NOT_MADE
    assert holds(checks)


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_list_fails_by_its_name_and_by_no_other(name: str) -> None:
    assert FORGED[name] != HONEST

    checks = verify(DAY.certificate(), key=KEY.verifier, offers=FORGED[name])

    assert failed(checks) == ["offers"]
    assert not holds(checks)


def test_what_cannot_have_been_signed_by_a_known_key_is_left_open() -> None:
    other = Day(key=NEXT)

    checks = verify(
        other.certificate(), key=KEY.verifier, offers=format_signed_offers(other.offers()).encode()
    )

    assert failed(checks) == ["checkpoint"]
    assert verdict(checks) is Verdict.NOT_MADE


def test_each_day_before_and_after_a_loss_is_signed_by_the_key_of_its_journal() -> None:
    for day, other in ((AFTER, KEY), (BEFORE, NEXT)):
        for key, expected in ((day.key, Verdict.OK), (other, Verdict.FAILED)):
            offers = format_signed_offers(day.offers(OFFERED_LATER, key=key)).encode()
            checks = verify(day.certificate(), key=KEY.verifier, recoveries=[NOTE], offers=offers)
            assert verdict(checks) is expected


def test_no_changed_character_is_overlooked() -> None:
    text = HONEST.decode()
    means = json.loads(text)
    for at in places_to_change(text):
        for other in {chr(ord(text[at]) ^ 1), ""}:
            changed = text[:at] + other + text[at + 1 :]
            if verdict(verify(DAY.certificate(), offers=changed.encode())) is Verdict.OK:
                assert json.loads(changed) == means, (at, other)


def test_a_note_of_offers_is_no_checkpoint_and_a_checkpoint_is_no_note_of_offers() -> None:
    origin = f"{KEY.name}/offers/{DAY.day}"

    with pytest.raises(NoteError, match="this is not a checkpoint"):
        open_checkpoint(DAY.offers().note, KEY.verifier)
    for size in (0, 3, 10**17):
        note = sign_checkpoint(Checkpoint(origin, size, bytes(32)), KEY)
        with pytest.raises(NoteError, match="this is not a note of offers"):
            open_head(note, KEY.verifier)


def test_what_is_served_is_read_as_strictly_as_a_certificate() -> None:
    whole = json.loads(HONEST)

    assert parse_signed_offers(json.dumps(whole).encode()) == DAY.offers()
    others: tuple[object, ...] = (
        {},
        whole | {"more": 1},
        whole | {"note": 1},
        whole | {"format": "other"},
    )
    for changed in others:
        with pytest.raises(FormatError):
            parse_signed_offers(json.dumps(changed).encode())


def test_the_command_takes_a_list(tmp_path: Path) -> None:
    certificate, offers, log = tmp_path / "c.json", tmp_path / "o.json", tmp_path / "log"
    certificate.write_bytes(DAY.certificate())
    known = ("verify", certificate, "--key", format_vkey(KEY.verifier))
    DAY.log.write(log)

    assert "--   offers: not made: no signed list" in run(*known, "--log", log)[1]
    for content, code, line in (
        (HONEST, 0, "ok   offers: what each winning ballot won"),
        (FORGED["a prize renamed"], 1, "FAIL offers: the list of offers is not the one that was"),
        (FORGED["no JSON"], 1, "FAIL offers: this is not JSON"),
    ):
        offers.write_bytes(content)
        (log / "offers.json").write_bytes(content)
        for option in (("--offers", offers), ("--log", log)):
            found, said, _ = run(*known, *option)
            assert (found, line in said) == (code, True)
            assert said.count("FAIL") == code
    offers.write_bytes(HONEST)  # what is named comes before what lies in the folder
    assert run(*known, "--log", log, "--offers", offers)[0] == 0
    code, _, error = run(*known, "--offers", tmp_path / "none")
    assert (code, "cannot be read" in error) == (2, True)
