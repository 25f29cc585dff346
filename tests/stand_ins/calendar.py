"""A calendar on the loopback address (OpenTimestamps): honest, or faulty in some way.

A real server, whose answers are made by the format's reference library.
"""

from collections.abc import Callable
from hashlib import sha256

from opentimestamps.core.notary import (
    BitcoinBlockHeaderAttestation,
    PendingAttestation,
    TimeAttestation,
)
from opentimestamps.core.op import OpAppend, OpPrepend, OpSHA256
from opentimestamps.core.serialize import BytesSerializationContext
from opentimestamps.core.timestamp import Timestamp

from tests.stand_ins.local_server import Handler, LocalServer
from tests.stand_ins.witness import Reply

#: seconds between two bytes of a calendar that drips: too often for a socket to time out
DRIP = 0.1
#: what stands before and behind a commitment in the transaction that has it
BEFORE, BEHIND = b"\x01\x00\x00\x00", bytes(4)


class Calendar(LocalServer):
    """Serves until its block ends.

    Args:
        name: by which its promises differ from those of others.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name.encode()
        #: what it has promised
        self.promised: set[bytes] = set()
        #: height of the block that attests all that it promised; None while there is none
        self.block: int | None = None
        #: in place of what it would answer to a path and a body; for liars
        self.answer: Callable[[str, bytes], Reply] | None = None
        #: paths that it was asked for, with what was sent
        self.received: list[tuple[str, bytes]] = []
        #: whether it sends its answers byte by byte
        self.drips = False

    @property
    def asked(self) -> list[str]:
        """Return the first part of each path that it was asked for."""
        return [path.split("/")[1] for path, _ in self.received]

    def handler(self) -> type[Handler]:
        """Return what answers."""
        calendar = self

        class Answering(Handler):
            def do_GET(self) -> None:  # noqa: N802 - as http.server calls it
                self.reply(calendar.complete)

            def do_POST(self) -> None:  # noqa: N802 - as http.server calls it
                self.reply(calendar.promise)

            def reply(self, honest: Callable[[str, bytes], Reply]) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                calendar.received.append((self.path, body))
                reply = (calendar.answer or honest)(self.path, body)
                self.send_response(reply.status)
                self.send_header("Content-Length", str(len(reply.body)))
                for name, value in reply.headers:
                    self.send_header(name, value)
                self.end_headers()
                for byte in reply.body if calendar.drips else ():
                    self.wfile.write(bytes([byte]))
                    calendar._end.wait(DRIP)
                if not calendar.drips:
                    self.wfile.write(reply.body)

        return Answering

    def promise(self, _: str, digest: bytes) -> Reply:
        """Answer `POST /digest`."""
        proof = Timestamp(digest)
        end = proof.ops.add(OpAppend(self._name)).ops.add(OpSHA256()).ops.add(OpPrepend(BEFORE))
        end.attestations.add(PendingAttestation(self.url))
        self.promised.add(end.msg)
        return Reply(200, written(proof))

    def complete(self, path: str, _: bytes) -> Reply:
        """Answer `GET /timestamp/<hex>`."""
        commitment = bytes.fromhex(path.removeprefix("/timestamp/"))
        if self.block is None or commitment not in self.promised:
            return Reply(404, b"Pending confirmation in Bitcoin blockchain")
        return Reply(200, attested(commitment, BitcoinBlockHeaderAttestation(self.block)))


def attested(commitment: bytes, attestation: TimeAttestation) -> bytes:
    """Return the proof of a block whose only transaction has a commitment."""
    proof = Timestamp(commitment)
    transaction = proof.ops.add(OpPrepend(BEFORE)).ops.add(OpAppend(BEHIND))
    transaction.ops.add(OpSHA256()).ops.add(OpSHA256()).attestations.add(attestation)
    return written(proof)


def root_for(name: str, file: bytes) -> bytes:
    """Return the root of the block in which the calendar of a name attests a file."""
    commitment = BEFORE + sha256(sha256(file).digest() + name.encode()).digest()
    return sha256(sha256(BEFORE + commitment + BEHIND).digest()).digest()


def written(proof: Timestamp) -> bytes:
    """Return a proof as calendars answer it."""
    context = BytesSerializationContext()
    proof.serialize(context)
    return bytes(context.getbytes())
