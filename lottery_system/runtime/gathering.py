"""Request coalescing: concurrent queries are answered by one statement.

Queries that arrive while a statement is running wait for each other, and the next statement answers
all of them. So a busy process sends few statements, and an idle one adds no delay.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Generic, TypeVar

#: seconds after which a failure is one that nobody should wait for twice
LONG = 2

Question = TypeVar("Question")
Answer = TypeVar("Answer")


class _Waiting(Generic[Question, Answer]):
    """A waiting query and its result."""

    def __init__(self, question: Question) -> None:
        self.question = question
        #: set once there is an answer or an error, or this one must run the next statement
        self.called = threading.Event()
        self.is_answered = False
        self.answer: Answer | None = None
        self.error: BaseException | None = None


class Gathering(Generic[Question, Answer]):
    """Answers waiting queries together.

    Args:
        ask_all: answers several questions at once; what it leaves out has no answer.
        outages: errors after which, if they took long, those who came meanwhile are not asked for:
            the next statement would fail as this one did, and they have waited long enough.
    """

    def __init__(
        self,
        ask_all: Callable[[Sequence[Question]], Mapping[Question, Answer]],
        outages: tuple[type[Exception], ...] = (),
    ) -> None:
        self._ask_all = ask_all
        self._outages = outages
        self._lock = threading.Lock()
        self._is_asking = False
        self._waiting: list[_Waiting[Question, Answer]] = []

    def ask(self, question: Question) -> Answer | None:
        """Return the answer to a question, or None if it has none.

        Raises:
            Exception: whatever `ask_all` raised for those who asked together, and an outage for
                those before.
        """
        mine = _Waiting[Question, Answer](question)
        with self._lock:
            self._waiting.append(mine)
            must_wait, self._is_asking = self._is_asking, True
        if must_wait:
            mine.called.wait()
        if not mine.is_answered:
            self._ask_for_all()
        if mine.error is not None:
            raise mine.error
        return mine.answer

    def _ask_for_all(self) -> None:
        with self._lock:
            together, self._waiting = self._waiting, []
        began = monotonic()
        try:
            answers = self._ask_all([each.question for each in together])
            for each in together:
                each.answer = answers.get(each.question)
        except BaseException as error:
            if isinstance(error, self._outages) and monotonic() - began > LONG:
                with self._lock:
                    together += self._waiting
                    self._waiting = []
            for each in together:
                each.error = error
        with self._lock:
            following = self._waiting[0] if self._waiting else None
            self._is_asking = following is not None
        for each in together:
            each.is_answered = True
            each.called.set()
        if following is not None:
            following.called.set()
