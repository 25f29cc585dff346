"""Log lines are limited in length and rate."""

import logging
from collections.abc import Iterator
from io import StringIO

import pytest

from config.log_lines import MOST_OF_LINE, MOST_OF_TRACEBACK, BoundedLine, FloodFilter
from tests.stand_ins.processes import wait_for


@pytest.fixture
def written() -> Iterator[StringIO]:
    """Have what is logged at `flood` written here, at most 3 lines of a kind in 0.2 seconds."""
    text = StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(BoundedLine(fmt="%(levelname)s %(name)s: %(message)s"))
    log = logging.getLogger("flood")
    floods = FloodFilter(most=3, window=0.2)
    log.addFilter(floods)
    log.addHandler(handler)
    log.propagate = False
    yield text
    log.removeFilter(floods)
    log.removeHandler(handler)


def test_a_line_is_one_line_of_so_many_printable_characters() -> None:
    text = "x\r\nERROR \x1b[2J\u202e\ud800\xff" + 9000 * "\n"
    record = logging.LogRecord("flood", logging.WARNING, __file__, 1, "%s", (text,), None)

    line = BoundedLine(fmt="%(levelname)s %(name)s: %(message)s").format(record)

    assert line.isprintable()
    assert line.startswith(r"WARNING flood: x\r\nERROR \x1b[2J\u202e\ud800\xff\n")
    assert len(line) <= MOST_OF_LINE + 3


def test_an_error_that_quotes_a_stranger_makes_no_event_of_its_own(written: StringIO) -> None:
    try:
        raise ValueError("x\n\x1b[2JERROR flood: log_in user=alice\r\nERROR flood: b")
    except ValueError:
        logging.getLogger("flood").exception("a fault")

    first, *others = written.getvalue().removesuffix("\n").split("\n")
    assert first == "ERROR flood: a fault"
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

    assert written.getvalue().splitlines() == 3 * ["WARNING flood: GET /: 404"] + [
        "WARNING flood: GET /: 403"
    ]
    wait_for(lambda: "2 more lines in 0.2 s like: GET /: 404" in written.getvalue(), "the number")
    log.warning("GET /: %d", 404, extra={"kind": 404})  # another window
    assert written.getvalue().endswith("WARNING flood: GET /: 404\n")
