"""Log lines are limited in length and rate."""

import json
import logging
import os
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from io import StringIO

import pytest

from config.log_lines import (
    FORMATTERS,
    MOST_OF_LINE,
    MOST_OF_TRACEBACK,
    BoundedLine,
    FloodFilter,
    JsonLine,
    request,
)
from tests.stand_ins.processes import wait_for


@pytest.fixture
def written() -> Iterator[StringIO]:
    """Have what is logged at `flood` written here, at most 3 lines of a kind in 0.2 seconds."""
    text = StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(BoundedLine())
    log = logging.getLogger("flood")
    floods = FloodFilter(most=3, window=0.2)
    log.addFilter(floods)
    log.addHandler(handler)
    log.propagate = False
    yield text
    log.removeFilter(floods)
    log.removeHandler(handler)


def said(line: str) -> str:
    """Return a line without time and process."""
    return line.split(" ", 2)[2]


def test_a_line_is_one_line_of_so_many_printable_characters() -> None:
    text = "x\r\nERROR \x1b[2J\u202e\ud800\xff" + 9000 * "\n"
    record = logging.LogRecord("flood", logging.WARNING, __file__, 1, "%s", (text,), None)

    line = BoundedLine().format(record)

    assert line.isprintable()
    assert said(line).startswith(r"WARNING flood: x\r\nERROR \x1b[2J\u202e\ud800\xff\n")
    assert len(line) <= MOST_OF_LINE + 3


def test_a_line_begins_with_the_time_in_utc_and_the_process() -> None:
    record = logging.LogRecord("flood", logging.INFO, __file__, 1, "hello", (), None)
    record.created = datetime(2026, 11, 26, 1, 2, 3, 45_678, UTC).timestamp()

    line = BoundedLine().format(record)

    assert line == f"2026-11-26T01:02:03.045Z {os.getpid()} INFO flood: hello"


def test_a_line_of_json_has_the_same_in_fields_and_its_traceback() -> None:
    try:
        raise ValueError("x\n\x1b[2J")
    except ValueError:
        record = logging.LogRecord(
            "flood", logging.ERROR, __file__, 1, "%s", ("a\nb" + 9000 * "\n",), sys.exc_info()
        )
    record.created = datetime(2026, 11, 26, 1, 2, 3, 45_678, UTC).timestamp()
    token = request.set(lambda: {"request": "0123456789abcdef", "user": 7})

    line = JsonLine().format(record)
    request.reset(token)

    assert line.isprintable()
    event = json.loads(line)
    assert len(event["message"]) <= MOST_OF_LINE + 3
    assert event["traceback"].endswith("\n  \\x1b[2J")
    assert event | {"message": "", "traceback": ""} == {
        "time": "2026-11-26T01:02:03.045Z",
        "level": "ERROR",
        "logger": "flood",
        "pid": os.getpid(),
        "message": "",
        "request": "0123456789abcdef",
        "user": 7,
        "traceback": "",
    }


@pytest.mark.parametrize("formatter", FORMATTERS.values())
def test_the_query_of_an_address_is_left_out_whoever_logs_it(
    formatter: type[logging.Formatter],
) -> None:
    try:
        raise ValueError("GET /join?link=s3cret&x=y HTTP/9")
    except ValueError:
        record = logging.LogRecord(
            "gunicorn.error", logging.ERROR, __file__, 1,
            "Error handling request %s", ("/new-password?link=s3cret",), sys.exc_info(),
        )  # fmt: skip

    text = formatter().format(record)

    assert "/new-password?..." in text
    assert "s3cret" not in text


@pytest.mark.parametrize("formatter", FORMATTERS.values())
def test_many_question_marks_take_no_longer_than_other_text(
    formatter: type[logging.Formatter],
) -> None:
    def seconds(text: str) -> float:
        try:
            raise ValueError(text)
        except ValueError:
            record = logging.LogRecord("flood", logging.ERROR, __file__, 1, "", (), sys.exc_info())
        began = time.process_time()
        formatter().format(record)
        return time.process_time() - began

    plain = min(seconds("a" * 100_000) for _ in range(3))

    assert seconds("?" * 100_000) < 20 * plain + 0.5


def test_an_error_that_quotes_a_stranger_makes_no_event_of_its_own(written: StringIO) -> None:
    try:
        raise ValueError("x\n\x1b[2JERROR flood: log_in user=alice\r\nERROR flood: b")
    except ValueError:
        logging.getLogger("flood").exception("a fault")

    first, *others = written.getvalue().removesuffix("\n").split("\n")
    assert said(first) == "ERROR flood: a fault"
    assert all(line.startswith("  ") and line.isprintable() for line in others)


def test_a_traceback_is_kept_up_to_its_end(written: StringIO) -> None:
    try:
        raise ValueError(9000 * "x" + " the end")
    except ValueError:
        logging.getLogger("flood").exception("a fault")

    assert written.getvalue().endswith(" the end\n")
    assert len(written.getvalue()) < MOST_OF_LINE + MOST_OF_TRACEBACK


def test_many_lines_of_a_kind_are_told_by_their_number(written: StringIO) -> None:
    log = logging.getLogger("flood")
    for status in (404, 404, 404, 404, 404, 403):
        log.warning("GET /: %d", status, extra={"kind": status})

    assert [said(line) for line in written.getvalue().splitlines()] == [
        *3 * ["WARNING flood: GET /: 404"],
        "WARNING flood: GET /: 403",
    ]
    told = "WARNING flood: ... and 2 more like it in the last 0.2 s: GET /: 404"
    wait_for(lambda: told in written.getvalue(), "the number")
    log.warning("GET /: %d", 404, extra={"kind": 404})  # another window
    assert written.getvalue().endswith("WARNING flood: GET /: 404\n")
