"""Pauses: why a process takes no ballots and makes no draws for now.

What finds a cause sets it here, and clears it once it is gone; whoever is about to store, close,
draw or sign asks first. Each process knows its own causes, and finds them by itself: a process
that was not told cannot be one that goes on.
"""

import logging

from lottery_system.errors import Paused

log = logging.getLogger(__name__)


class Pause:
    """The causes for which a process is paused, each with a sentence for the operator."""

    def __init__(self) -> None:
        self._reasons: dict[str, str] = {}

    @property
    def reasons(self) -> tuple[str, ...]:
        """Return what is wrong and what to do, a sentence for each cause; empty if nothing is."""
        return tuple(self._reasons.values())

    def set(self, cause: str, reason: str) -> None:
        """Pause for a cause; the log has a line where it is new or has changed.

        Args:
            cause: what found it, one word.
            reason: what is wrong and what to do, for the operator.
        """
        if self._reasons.get(cause) != reason:
            log.error("paused: %s", reason)
        self._reasons[cause] = reason

    def clear(self, cause: str) -> None:
        """End the pause for a cause, if there is one."""
        if self._reasons.pop(cause, None) is not None:
            log.info("no longer paused: %s", cause)

    def refuse(self, cause: str | None = None) -> None:
        """Refuse to go on while paused.

        Args:
            cause: the only one that counts; all do where it is left out.

        Raises:
            Paused: with the first of the reasons.
        """
        reasons = self.reasons if cause is None else (self._reasons.get(cause),)
        if reasons and reasons[0]:
            raise Paused(reasons[0])
