"""Pauses: why a process takes no ballots and makes no draws for now.

Whatever detects a cause sets it here, and clears it once it is gone. Code that stores, closes,
draws or signs asks first. Each process detects its own causes, so no process depends on being told.
"""

import logging

from lottery_system.errors import Paused

log = logging.getLogger(__name__)


class Pause:
    """The causes for which a process is paused, each with a sentence for the operator."""

    def __init__(self) -> None:
        self._reasons: dict[str, str] = {}
        #: the causes for which it takes no ballots, and makes draws all the same
        self._ballots_only: set[str] = set()

    @property
    def reasons(self) -> tuple[str, ...]:
        """Return what is wrong and what to do, a sentence for each cause; empty if nothing is."""
        return tuple(self._reasons.values())

    @property
    def causes(self) -> frozenset[str]:
        """Return the causes, one word each; empty if it is not paused."""
        return frozenset(self._reasons)

    def set(self, cause: str, reason: str, *, ballots_only: bool = False) -> None:
        """Pause for a cause; the log has a line where it is new or has changed.

        Args:
            cause: what found it, one word.
            reason: what is wrong and what to do, for the operator.
            ballots_only: draws are made all the same.
        """
        if self._reasons.get(cause) != reason:
            log.error("paused: %s", reason)
        self._reasons[cause] = reason
        if ballots_only:
            self._ballots_only.add(cause)

    def clear(self, cause: str) -> None:
        """End the pause for a cause, if there is one."""
        self._ballots_only.discard(cause)
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

    def refuse_draws(self, *besides: str) -> None:
        """Refuse to go on while paused for a cause for which no draws are made.

        Args:
            besides: causes that do not count.

        Raises:
            Paused: with the first of their reasons.
        """
        for cause in self._reasons:
            if cause not in self._ballots_only and cause not in besides:
                self.refuse(cause)
