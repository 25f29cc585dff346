"""Records have one canonical form, and nothing else is parsed as one."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lottery_system.fairness.records import (
    Ballot,
    Freeze,
    RecordError,
    format_ballot,
    format_freeze,
    format_genesis,
    format_run,
    parse_ballot,
    parse_freeze,
    parse_genesis,
)
from tests.fairness.forge import Day

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parent / "data" / "daily_draw_v1_vectors.json").read_text("utf-8")
)["records"]
CERTIFICATES = [
    json.loads(path.read_text("utf-8"))
    for path in sorted((Path(__file__).parent / "data" / "certificates").glob("*.json"))
]
BALLOT, GENESIS, FREEZE = VECTORS["ballots"][0], VECTORS["genesis"], VECTORS["freeze"]

Parse = Callable[[str | bytes], Any]
seconds = st.datetimes(timezones=st.just(UTC)).map(lambda at: at.replace(microsecond=0))
digests = st.binary(min_size=32, max_size=32)
numbers = st.integers(1, 10**18 - 1)


def test_the_vectors_come_back_as_they_were() -> None:
    for text in VECTORS["ballots"]:
        assert format_ballot(parse_ballot(text)).decode() == text
    for text in [GENESIS, *(each["genesis"] for each in CERTIFICATES)]:
        assert format_genesis(parse_genesis(text)).decode() == text
    for text in [FREEZE, *(each["freeze"] for each in CERTIFICATES)]:
        assert format_freeze(parse_freeze(text)).decode() == text


@settings(derandomize=True, deadline=None)
@given(st.builds(Ballot, st.dates(), numbers, numbers, digests, seconds))
def test_any_ballot_comes_back_as_it_was(ballot: Ballot) -> None:
    assert parse_ballot(format_ballot(ballot)) == ballot


@settings(derandomize=True, deadline=None)
@given(
    st.builds(
        Freeze, st.integers(0, 36_524), st.dates(), seconds, st.integers(0, 10**18 - 1), seconds,
        digests, numbers, digests, st.none() | numbers, digests,
    )
)  # fmt: skip
def test_any_freeze_comes_back_as_it_was(freeze: Freeze) -> None:
    assert parse_freeze(format_freeze(freeze)) == freeze


def test_a_run_is_written_as_its_ballots_one_by_one() -> None:
    at = datetime(2026, 11, 22, 1, 2, 3, 456_789, tzinfo=UTC)
    holders = [bytes([number]) * 32 for number in range(5)]

    run = format_run(date(2026, 11, 22), 98, 3, holders, at)

    assert run == [
        format_ballot(Ballot(date(2026, 11, 22), 98 + place, 3, holder, at))
        for place, holder in enumerate(holders)
    ]
    assert [parse_ballot(record).number for record in run] == [98, 99, 100, 101, 102]


def spoilt(text: str) -> list[str]:
    """Return many ways to write a record that are not the one."""
    lines = text.splitlines(keepends=True)
    found = [
        "",
        text[:-1],
        text + "\n",
        text + lines[-1],
        "\ufeff" + text,
        " " + text,
        text.replace("\n", "\r\n"),
        text.replace("\n", "\r"),
        text.replace("daily-draw/v1", "daily-draw/v2"),
        text.upper(),
        "".join([lines[0], *reversed(lines[1:])]),
    ]
    for at, line in enumerate(lines):
        key, _, value = line.rstrip("\n").partition(" ")
        found += [
            "".join(lines[:at] + lines[at + 1 :]),
            *(
                "".join([*lines[:at], each + "\n", *lines[at + 1 :]])
                for each in (
                    f"{key}  {value}", f"{key} {value} ", f"{key}: {value}", f"{key} 0{value}",
                    f"{key} +{value}", f"{key} -{value}", f"{key} {value}.0", key, f"{key} ",
                    f"{key} ٣", f"{key} ３",
                )
            ),
        ]  # fmt: skip
    return found


@pytest.mark.parametrize(
    ("parse", "text"),
    [(parse_ballot, BALLOT), (parse_genesis, GENESIS), (parse_freeze, FREEZE)],
    ids=["ballot", "genesis", "freeze"],
)
def test_any_other_way_to_write_a_record_is_refused(parse: Parse, text: str) -> None:
    parse(text)
    for wrong in spoilt(text):
        if "name " in text and wrong.startswith(text.split("name ", maxsplit=1)[0] + "name "):
            continue  # a name may be nearly anything
        with pytest.raises(RecordError):
            parse(wrong)


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (parse_ballot, BALLOT.replace("number 1\n", "number 0\n")),
        (parse_ballot, BALLOT.replace("day 2026-11-22", "day 2026-02-30")),
        (parse_ballot, BALLOT.replace("T00:00:00Z", "T24:00:00Z")),
        (parse_ballot, BALLOT.replace("T00:00:00Z", "T00:00:60Z")),
        (parse_ballot, BALLOT.replace("T00:00:00Z", "T00:00:00+00:00")),
        (parse_genesis, GENESIS.replace("lottery.example", "a b")),
        (parse_genesis, GENESIS.replace("lottery.example", "a+b")),
        (parse_genesis, GENESIS.replace("lottery.example", "lotteryé")),
        (parse_genesis, GENESIS.replace("mode operator", "mode drand")),
        (parse_freeze, FREEZE.replace("places 1", "places 0")),
        (parse_freeze, FREEZE.replace("round none", "round 0")),
        (parse_freeze, FREEZE.replace("size 13", "size " + "9" * 19)),
        (parse_freeze, BALLOT),
        (parse_ballot, b"\xff" + BALLOT.encode()),
    ],
)
def test_values_that_cannot_be_are_refused(parse: Parse, text: str | bytes) -> None:
    with pytest.raises(RecordError):
        parse(text)


def test_a_record_is_ascii() -> None:
    day = Day(mode="beacon")

    for record in (*day.log.records, format_freeze(day.freeze), format_genesis(day.genesis)):
        record.decode("ascii")
