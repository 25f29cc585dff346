"""Client of calendars (OpenTimestamps): has digests stamped, and promises completed.

A calendar is not trusted: it may be slow, broken or lying. Only a proof counts that begins at what
it was asked, and only the address from the settings is asked, never one that an answer names. All
are asked at once, with one deadline. Knows nothing of the database.
"""

from collections.abc import Sequence
from time import monotonic
from typing import NamedTuple
from urllib.parse import urlsplit

from lottery_system.http_client import Answer, Conversation, Refused, Request, address_of
from lottery_system.timestamp_proof import ProofError, ProofPath, completed, parse_proof, result

#: seconds that all calendars together have; nothing waits for them
PATIENCE = 10.0

_TYPE = "application/vnd.opentimestamps.v1"


class Question(NamedTuple):
    """What is asked of a calendar."""

    url: str
    #: what is stamped
    digest: bytes
    #: its promise, to be completed; None to have the digest stamped
    promise: ProofPath | None = None

    def __repr__(self) -> str:
        """Show the address without a password."""
        return f"Question({calendar_of(self.url)!r}, {self.digest.hex()!r})"


class Heard(NamedTuple):
    """What a calendar answered."""

    #: from the digest on; none where it is not there yet
    proof: Sequence[ProofPath] = ()
    #: what is wrong; None if nothing is
    reason: str | None = None


def calendar_of(url: str) -> str:
    """Return the address of a calendar without the name and password that may stand in it."""
    return urlsplit(url)._replace(netloc=address_of(url)).geturl()


def ask(questions: Sequence[Question], patience: float = PATIENCE) -> list[Heard]:
    """Ask calendars, all at once.

    `POST <url>/digest` with the digest, 32 bytes, for a promise; `GET <url>/timestamp/<hex>` of
    what the promise leads to for the rest, 404 until a block attests it.
    Source: github.com/opentimestamps/opentimestamps-server, `otsserver/rpc.py`.

    Args:
        patience: seconds for all of them together.

    Returns:
        What each answered, in order.
    """
    conversations = [Conversation("calendar", _request(each), patience) for each in questions]
    deadline = monotonic() + patience
    for conversation in conversations:
        conversation.start()
    return [
        _heard(question, conversation, deadline - monotonic())
        for question, conversation in zip(questions, conversations, strict=True)
    ]


def _request(question: Question) -> Request:
    headers = {"Accept": _TYPE}
    if question.promise is None:
        return Request(question.url, "/digest", headers, question.digest)
    commitment = result(question.digest, question.promise.steps)
    return Request(question.url, f"/timestamp/{commitment.hex()}", headers)


def _heard(question: Question, conversation: Conversation, seconds: float) -> Heard:
    try:
        return Heard(_read(question, conversation.wait(seconds)))
    except Refused as reason:
        return Heard(reason=str(reason))
    except ProofError as error:
        return Heard(reason=f"its answer is no proof: {error}")


def _read(question: Question, answer: Answer) -> Sequence[ProofPath]:
    if question.promise is not None and answer.status == 404:
        return ()
    if answer.status != 200:
        raise Refused(f"it answered {answer.status}")
    if question.promise is None:
        return parse_proof(answer.body, question.digest)
    commitment = result(question.digest, question.promise.steps)
    return completed(question.promise, parse_proof(answer.body, commitment))
