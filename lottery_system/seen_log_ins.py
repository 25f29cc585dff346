"""Last use of log-ins: collected in memory by each process, and stored by the tick.

A request only notes that a log-in is used, once its stored time is an hour old, so that no page
waits for a write. What a process has noted and not stored when it ends is lost; the next use of the
log-in notes it again.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from threading import Lock

from sqlalchemy.orm import Session

from lottery_system.models import LoginSession
from lottery_system.models.login_session import Viewer

#: how exact the stored time is
EXACT = timedelta(hours=1)


class SeenLogIns:
    """The log-ins that were used lately and whose time is not stored yet."""

    def __init__(self) -> None:
        self._tokens: set[str] = set()
        self._lock = Lock()

    def add(self, viewers: Iterable[Viewer], now: datetime) -> None:
        """Note who has just made a request."""
        late = {each.token for each in viewers if not each.seen_at or now - each.seen_at >= EXACT}
        if late:
            with self._lock:
                self._tokens |= late

    def store(self, session: Session, now: datetime) -> None:
        """Store when they were used, in the caller's transaction."""
        with self._lock:
            tokens, self._tokens = self._tokens, set()
        LoginSession.see(session, tokens, now)
