"""Log lines: limited in length and rate, since strangers can cause them."""

import logging
import threading
from collections import Counter
from time import monotonic

#: characters of a line; long paths are truncated
MOST_OF_LINE = 1000
#: characters of a traceback, of which the end tells most
MOST_OF_TRACEBACK = 8000
#: lines of one kind in a window of this many seconds; more are counted, and told by one line
MOST_OF_KIND = 60
WINDOW = 60


class BoundedLine(logging.Formatter):
    """Writes an event as one line of printable ASCII, and its traceback below."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        """Write the line, with anything unprintable escaped."""
        line = super().formatMessage(record)
        line = "".join(map(_visible, line[: MOST_OF_LINE + 1]))
        return line if len(line) <= MOST_OF_LINE else line[:MOST_OF_LINE] + "..."

    def formatException(self, ei: object) -> str:  # noqa: N802
        """Write the end of a traceback, none of whose lines can be taken for an event."""
        text = super().formatException(ei)  # type: ignore[arg-type]
        if len(text) > MOST_OF_TRACEBACK:
            text = "..." + text[-MOST_OF_TRACEBACK:]
        return "\n".join("  " + "".join(map(_visible, line)) for line in text.split("\n"))


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
        logging.getLogger(record.name).log(
            record.levelno, "%d more lines in %s s like: %s", count, self._window,
            record.getMessage(),
        )  # fmt: skip
