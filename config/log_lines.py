"""Log lines: one an event, as text or JSON, limited in length and rate: strangers cause them."""

import json
import logging
import re
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from time import monotonic

#: characters of a line; long paths are truncated
MOST_OF_LINE = 1000
#: characters of a traceback, of which the end tells most
MOST_OF_TRACEBACK = 8000
#: lines of one kind in a window of this many seconds; more are counted, and told by one line
MOST_OF_KIND = 60
WINDOW = 60

#: a query string, which may hold the token of a link; what comes before its first "=" has no "?",
#: or many of them would take the square of their number
_QUERY = re.compile(r"\?[^\s'\"?=]*=[^\s'\"]*")

#: tells of the request that is being answered what each of its lines says, by name; unset elsewhere
request: ContextVar[Callable[[], Mapping[str, object]]] = ContextVar("request")


class BoundedLine(logging.Formatter):
    """Writes an event as one line of printable ASCII, and its traceback below.

    The time is UTC. Behind the message stands what is known of the request, in parentheses.
    """

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        """Write the time as RFC 3339 has it."""
        return time_of(record)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        """Write the line, with anything unprintable escaped."""
        line = _bounded(super().formatMessage(record))
        known = " ".join(f"{name}={_printable(str(value))}" for name, value in _known().items())
        return f"{line} ({known})" if known else line

    def formatException(self, ei: object) -> str:  # noqa: N802
        """Write the end of a traceback, none of whose lines can be taken for an event."""
        text = _without_queries(super().formatException(ei))  # type: ignore[arg-type]
        if len(text) > MOST_OF_TRACEBACK:
            text = "..." + text[-MOST_OF_TRACEBACK:]
        return "\n".join("  " + _printable(line) for line in text.split("\n"))


class JsonLine(BoundedLine):
    """Writes an event as one line of JSON, its traceback included."""

    def format(self, record: logging.LogRecord) -> str:
        """Write the object."""
        event = {
            "time": time_of(record),
            "level": record.levelname,
            "logger": record.name,
            "pid": record.process,
            "message": _bounded(record.getMessage()),
            **_known(),
        }
        if record.exc_info:
            event["traceback"] = self.formatException(record.exc_info)
        return json.dumps(event)


FORMATTERS: dict[str, type[logging.Formatter]] = {"text": BoundedLine, "json": JsonLine}


def time_of(record: logging.LogRecord) -> str:
    """Return when an event was, in UTC to the millisecond."""
    at = datetime.fromtimestamp(record.created, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _known() -> Mapping[str, object]:
    tell = request.get(None)
    return tell() if tell else {}


def _bounded(text: str) -> str:
    line = _printable(_without_queries(text[: 2 * MOST_OF_LINE]))
    return line if len(line) <= MOST_OF_LINE else line[:MOST_OF_LINE] + "..."


def _without_queries(text: str) -> str:
    """Leave out query strings, for the case that a program of others logs an address."""
    return _QUERY.sub("?...", text) if "?" in text else text


def _printable(text: str) -> str:
    return "".join(map(_visible, text))


def _visible(character: str) -> str:
    if character.isascii() and character.isprintable():
        return character
    return character.encode("unicode_escape").decode()


class FloodFilter(logging.Filter):
    """Limits the lines of each kind, and logs the number of suppressed ones afterwards.

    A kind is a place in the code, and the `kind` that it gives with `extra`.
    """

    def __init__(self, most: int = MOST_OF_KIND, window: float = WINDOW) -> None:
        super().__init__()
        self._most, self._window = most, window
        self._lock = threading.Lock()
        self._ends_at = 0.0
        self._seen: Counter[tuple[object, ...]] = Counter()
        self._left_out: Counter[tuple[object, ...]] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a line is written; the first suppressed one starts a timer."""
        kind = (record.pathname, record.lineno, getattr(record, "kind", None))
        with self._lock:
            if monotonic() > self._ends_at:
                self._ends_at = monotonic() + self._window
                self._seen.clear()
            self._seen[kind] += 1
            if self._seen[kind] <= self._most:
                return True
            self._left_out[kind] += 1
            is_first = self._left_out[kind] == 1
        if is_first:
            clock = threading.Timer(self._window, self._tell, [record, kind])
            clock.daemon = True
            clock.start()
        return False

    def _tell(self, record: logging.LogRecord, kind: tuple[object, ...]) -> None:
        with self._lock:
            count = self._left_out.pop(kind)
        span = "minute" if self._window == 60 else f"{self._window} s"
        logging.getLogger(record.name).log(
            record.levelno, "... and %d more like it in the last %s: %s", count, span,
            record.getMessage(), extra={"kind": kind},
        )  # fmt: skip
