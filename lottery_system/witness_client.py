"""Client of witnesses (C2SP tlog-witness): has checkpoints cosigned, asks what was cosigned last.

A witness is not trusted: it may be slow, broken or lying. Its cosignature counts only where it
holds, and what it says of the journal only as far as it shows it; `witnesses` judges that. Each has
a few seconds in all, and all are asked at once. Knows nothing of the database.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from threading import Thread
from time import monotonic
from typing import NamedTuple

from lottery_system.fairness.cosignature import check_cosignature, is_by
from lottery_system.fairness.note import (
    CryptographyMissing,
    NoteError,
    VerifierKey,
    encode_base64,
    format_signature,
    note_text,
    open_checkpoint,
    parse_signatures,
)
from lottery_system.fairness.policy import Witness
from lottery_system.http_client import Answer, Conversation, Refused, Request
from lottery_system.models.cosignature import Cosigned

#: seconds that all witnesses together have, where nothing waits for them
PATIENCE = 5.0
#: what a witness answers that knows another size (C2SP tlog-witness, add-checkpoint)
SIZE_TYPE = "text/x.tlog.size"
#: times that a checkpoint is sent: with the size that is believed, and that which it answered
TRIES = 3

_SIZE = re.compile(rb"(0|[1-9][0-9]{0,17})\n?", re.ASCII)

#: proves that the journal of a checkpoint extends its own first records
Prove = Callable[[int], Sequence[bytes]]


class Submission(NamedTuple):
    """A checkpoint for a witness."""

    witness: Witness
    #: whose checkpoint it is
    log: VerifierKey
    size: int
    #: a signed note
    checkpoint: str
    #: the size that the witness is believed to have signed last
    old: int
    prove: Prove


class Heard(NamedTuple):
    """What a witness answered; nothing but `cosigned` is checked here."""

    cosigned: Cosigned | None = None
    #: the note that it cosigned last, as far as it shows it
    note: str | None = None
    #: a size above ours that it says to have cosigned
    claims: int | None = None
    #: it says that the checkpoint does not extend what it cosigned
    is_fork: bool = False
    #: why there is no cosignature; None if there is one, or it was only asked
    reason: str | None = None
    #: whether it could be reached at all
    is_there: bool = True


def submit(submissions: Iterable[Submission], patience: float = PATIENCE) -> list[Heard]:
    """Have a checkpoint cosigned by several witnesses at once.

    `POST <prefix>/add-checkpoint`. Whoever refuses it as contradicting is also asked for what it
    cosigned.

    Args:
        patience: seconds for all of them together.

    Returns:
        What each answered, in order.
    """
    return _all([(each, _submit) for each in submissions], patience)


def look(submissions: Iterable[Submission], patience: float = PATIENCE) -> list[Heard]:
    """Ask several witnesses at once what they cosigned last.

    `GET <prefix>/<SHA-256 of the origin, hex>/checkpoint`. Where that is not served, or is no
    checkpoint by the log's key, the checkpoint is submitted, and the answer tells.
    """
    return _all([(each, _look) for each in submissions], patience)


def shown(submissions: Iterable[Submission], patience: float = PATIENCE) -> list[Heard]:
    """Ask several witnesses at once for what they show that they cosigned last; submit nothing."""
    return _all([(each, _shown) for each in submissions], patience)


def format_request(old: int, proof: Sequence[bytes], checkpoint: str) -> bytes:
    """Write what `add-checkpoint` takes: the old size, a consistency proof, and the checkpoint.

    old 7
    <base64 of a hash>       any number
    <empty line>
    <the checkpoint, a signed note>
    """
    lines = [f"old {old}\n", *(f"{encode_base64(each)}\n" for each in proof), "\n"]
    return "".join(lines).encode() + checkpoint.encode()


class _Talk(Thread):
    """All that is said with one witness, in a thread that ends at its deadline."""

    def __init__(
        self, submission: Submission, say: "Callable[[Submission, _Line], Heard]", patience: float
    ) -> None:
        super().__init__(name=f"witness {submission.witness.key.name}", daemon=True)
        self._submission = submission
        self._say = say
        self._line = _Line(submission.witness.url or "", patience)
        self.heard = Heard(reason=f"it had not answered after {patience:g} seconds", is_there=False)

    def run(self) -> None:
        """Talk, in the thread."""
        try:
            self.heard = self._say(self._submission, self._line)
        except Refused as reason:
            self.heard = Heard(reason=str(reason), is_there=False)
        except Exception as error:  # whatever one witness sends, the others are heard
            self.heard = Heard(reason=f"it cannot be understood ({type(error).__name__})")


class _Line:
    """Requests to one witness, with one deadline for all of them."""

    def __init__(self, url: str, patience: float) -> None:
        self._url = url
        self._patience = patience
        self._deadline = monotonic() + patience

    def ask(self, path: str, body: bytes | None = None) -> Answer:
        headers = {"Content-Type": "text/plain; charset=utf-8"} if body is not None else {}
        request = Request(self._url, path, headers, body)
        conversation = Conversation("witness", request, self._patience)
        conversation.start()
        return conversation.wait(self._deadline - monotonic())


def _all(
    asked: Sequence[tuple[Submission, "Callable[[Submission, _Line], Heard]"]], patience: float
) -> list[Heard]:
    talks = [_Talk(submission, say, patience) for submission, say in asked]
    deadline = monotonic() + patience
    for talk in talks:
        talk.start()
    for talk in talks:
        # a little longer than the talk itself waits, so that it says why it failed
        talk.join(max(deadline - monotonic(), 0) + 0.2)
    return [talk.heard for talk in talks]


def _look(submission: Submission, line: _Line) -> Heard:
    note = _last_signed(submission, line)
    if note is not None and _is_by(submission.log, note):
        return Heard(note=note)
    heard = _submit(submission, line)
    if heard.cosigned is not None or heard.note is not None:
        return heard
    return heard._replace(note=note)  # perhaps of a journal that ended


def _is_by(log: VerifierKey, note: str) -> bool:
    try:
        open_checkpoint(note, log)
    except (NoteError, CryptographyMissing):
        return False
    return True


def _shown(submission: Submission, line: _Line) -> Heard:
    note = _last_signed(submission, line)
    return Heard(note=note, reason=None if note else "it shows nothing that it cosigned")


def _submit(submission: Submission, line: _Line) -> Heard:
    old = submission.old
    for _ in range(TRIES):
        proof = submission.prove(old) if old else ()
        body = format_request(old, proof, submission.checkpoint)
        answer = line.ask("/add-checkpoint", body)
        size = _size(answer) if answer.status == 409 else None
        if size is None or size == old or size > submission.size:
            return _heard(submission, line, answer, old, size)
        old = size
    return Heard(reason="it says another size each time (409)")


def _heard(
    submission: Submission, line: _Line, answer: Answer, old: int, size: int | None
) -> Heard:
    """Read an answer after which the checkpoint is not sent again.

    Args:
        old: the size that was sent.
        size: the one that the witness knows, where it says another.
    """
    match answer.status:
        case 200:
            return _cosigned(submission, answer)
        case 409 if size is None:
            return Heard(reason="it knows another size (409), and does not say which")
        case 409 if size is not None and size > submission.size:
            return _contradicted(submission, line, claims=size)
        case 409 | 422 if old:  # the same size with another root is a 409, too
            return _contradicted(submission, line, is_fork=True)
        case status:
            return Heard(reason=_REASONS.get(status, f"it answered {status}"))


def _contradicted(
    submission: Submission, line: _Line, *, claims: int | None = None, is_fork: bool = False
) -> Heard:
    """Ask whoever contradicts for what it cosigned."""
    try:
        note = _last_signed(submission, line)
    except Refused:
        note = None
    return Heard(
        note=note, claims=claims, is_fork=is_fork, reason="it has cosigned another journal"
    )


def _last_signed(submission: Submission, line: _Line) -> str | None:
    answer = line.ask(f"/{sha256(submission.log.name.encode()).hexdigest()}/checkpoint")
    if answer.status != 200:
        return None
    try:
        return answer.body.decode()
    except UnicodeDecodeError:
        return None


def _cosigned(submission: Submission, answer: Answer) -> Heard:
    """Pick out of an answer the witness's own line, if it holds; others are ignored."""
    key, text = submission.witness.key, note_text(submission.checkpoint)
    try:
        for signature in parse_signatures(answer.body.decode()):
            if is_by(signature, key):
                time = check_cosignature(signature, key, text)
                return Heard(cosigned=Cosigned(key, time, format_signature(signature)))
    except (NoteError, UnicodeDecodeError):
        return Heard(reason="its cosignature does not hold")
    except CryptographyMissing as error:
        return Heard(reason=f"its cosignature cannot be checked here: {error}")
    return Heard(reason="its answer has no cosignature by its key")


def _size(answer: Answer) -> int | None:
    match = _SIZE.fullmatch(answer.body)
    return int(match[1]) if match and answer.content_type == SIZE_TYPE else None


_REASONS = {
    400: "it takes the request for malformed (400)",
    403: "it does not know this lottery's key (403): give its operator the present key",
    422: "it refuses a first checkpoint (422)",
    404: "it does not know this lottery (404): give its operator the name and the key",
}
