"""A witness on the loopback address (C2SP tlog-witness): honest, or faulty in some way.

A real server with real signatures. It keeps the newest checkpoint of each log in memory.
"""

import threading
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from lottery_system.clock import utcnow
from lottery_system.fairness.cosignature import ED25519
from lottery_system.fairness.merkle import check_consistency
from lottery_system.fairness.note import (
    Checkpoint,
    NoteError,
    VerifierKey,
    decode_base64,
    format_signature,
    note_text,
    open_checkpoint,
    parse_checkpoint,
)
from tests.stand_ins.cosigning import CosigningKey
from tests.stand_ins.local_server import Handler, LocalServer

#: seconds after which a witness that stalls gives up, so that no test waits for ever
ENOUGH = 20


class Reply(NamedTuple):
    """An answer of HTTP."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain"
    headers: tuple[tuple[str, str], ...] = ()


class Witness(LocalServer):
    """Serves until its block ends.

    Args:
        name: what it signs with.
        known: keys of logs that it knows.
        algorithm: of its key, `ED25519` or `ML_DSA_44`.
    """

    def __init__(self, name: str, *known: VerifierKey, algorithm: bytes = ED25519) -> None:
        super().__init__()
        self.key = CosigningKey(name, sha256(name.encode()).digest(), algorithm)
        self.known = {(key.name, key.key_id): key for key in known}
        #: by origin: the newest checkpoint, and its note with the cosignature
        self.newest: dict[str, tuple[Checkpoint, str]] = {}
        #: whether it serves what it cosigned last
        self.shows = True
        #: in place of what it would answer to a checkpoint; for liars
        self.answer: Callable[[bytes], Reply] | None = None
        #: bodies of the checkpoints that came
        self.received: list[bytes] = []
        #: those that contradict what it has
        self.refused: list[bytes] = []
        self.asked = 0
        self.stalls = threading.Event()
        self._lock = threading.Lock()

    @property
    def line(self) -> str:
        """Return its line of a policy."""
        return f"witness {self.key.name} {self.key.vkey} {self.url}\n"

    def handler(self) -> type[Handler]:
        """Return what answers."""
        witness = self

        class Answering(Handler):
            def do_GET(self) -> None:  # noqa: N802 - as http.server calls it
                witness.asked += 1
                self.reply(witness.show(self.path))

            def do_POST(self) -> None:  # noqa: N802 - as http.server calls it
                body = self.rfile.read(int(self.headers["Content-Length"]))
                witness.asked += 1
                witness.received.append(body)
                self.reply((witness.answer or witness.add)(body))

            def reply(self, reply: Reply) -> None:
                if witness.stalls.is_set():
                    witness._end.wait(ENOUGH)
                self.send_response(reply.status)
                self.send_header("Content-Type", reply.content_type)
                self.send_header("Content-Length", str(len(reply.body)))
                for name, value in reply.headers:
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(reply.body)

        return Answering

    def show(self, path: str) -> Reply:
        """Answer what it cosigned last."""
        for origin, (_, note) in self.newest.items():
            if self.shows and path == f"/{sha256(origin.encode()).hexdigest()}/checkpoint":
                return Reply(200, note.encode())
        return Reply(404)

    def add(self, body: bytes) -> Reply:
        """Cosign a checkpoint, in the order of checks of C2SP tlog-witness."""
        head, _, note = body.decode().partition("\n\n")
        first, *lines = head.split("\n")
        old, proof = int(first.removeprefix("old ")), [decode_base64(line) for line in lines]
        try:
            checkpoint = parse_checkpoint(note_text(note))
        except NoteError:
            return Reply(400)
        if not any(name == checkpoint.origin for name, _ in self.known):
            return Reply(404)
        if not any(_opens(note, key) for key in self.known.values()):
            return Reply(403)
        if old > checkpoint.size:
            return Reply(400)
        return self._add(old, proof, checkpoint, note, body)

    def _add(
        self, old: int, proof: list[bytes], checkpoint: Checkpoint, note: str, body: bytes
    ) -> Reply:
        with self._lock:
            known = self.newest.get(checkpoint.origin)
            size = known[0].size if known else 0
            if old != size:
                return Reply(409, f"{size}\n".encode(), "text/x.tlog.size")
            if known is not None and not check_consistency(
                size, checkpoint.size, known[0].root, checkpoint.root, proof
            ):
                self.refused.append(body)
                return Reply(422)
            line = format_signature(self.key.cosign(note_text(note), int(utcnow().timestamp())))
            self.newest[checkpoint.origin] = checkpoint, note + line
            return Reply(200, line.encode())


def keep_policy(file: Path, *witnesses: Witness, needed: int | None = None) -> Path:
    """Write a policy of witnesses, of whom so many are needed; all where it is left out."""
    names = " ".join(each.key.name for each in witnesses)
    text = "".join(each.line for each in witnesses)
    file.write_text(f"{text}group both {needed or 'all'} {names}\nquorum both\n")
    return file


def _opens(note: str, key: VerifierKey) -> bool:
    try:
        open_checkpoint(note, key)
    except NoteError:
        return False
    return True
