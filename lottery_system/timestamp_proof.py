"""Timestamp proof: how the digest of a file leads to what calendars attest (OpenTimestamps); pure.

A proof is a set of paths. A path is what is done to the digest, step by step, and the attestation
at its end: `pending`, which names the calendar that promises one, or `bitcoin`, which names the
block whose Merkle root is the result. Whether that block has this root, only the chain of blocks
tells; this module does not ask it.

Only what calendars answer is read: three operations and two attestations. All others can write is
bounded, and what is written here every other reader of the format takes.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import NamedTuple

#: bytes of a calendar's answer; honest ones have some hundred
MAX_BYTES = 10_000
#: operations on one path; the reference reader takes 255
MAX_STEPS = 250
#: paths in one answer; honest ones have one, or a few after a fork of the chain of blocks
MAX_PATHS = 16
#: bytes of whatever an operation is done to or results in, as in the reference reader
MAX_MESSAGE = 4096
#: what a Bitcoin attestation can be about: the Merkle root in a block's header
ROOT_BYTES = 32

#: what a file begins with, its version, and the operation that makes its digest
HEADER = bytes.fromhex("004f70656e54696d657374616d7073000050726f6f6600bf89e2e884e89294") + b"\x01"

SHA256, APPEND, PREPEND = b"\x08", b"\xf0", b"\xf1"
_ATTESTATION, _FORK = b"\x00", b"\xff"
_PENDING, _BITCOIN = bytes.fromhex("83dfe30d2ef90c8e"), bytes.fromhex("0588960d73d71901")
_TAG_BYTES = 8
_MAX_PAYLOAD = 8192
#: the least that a block's height needs, and far above those that there will be
_MAX_HEIGHT = 2**31 - 1
_URI = re.compile(rb"[A-Za-z0-9._/:-]{1,1000}", re.ASCII)


class ProofError(ValueError):
    """Bytes that are no proof, or one that goes beyond what is read here."""


class Step(NamedTuple):
    """One operation: SHA-256, or other bytes put behind or before."""

    tag: bytes
    #: the other bytes; none for SHA-256
    operand: bytes = b""


class ProofPath(NamedTuple):
    """One way from the digest to an attestation."""

    steps: tuple[Step, ...]
    #: height of the block that attests it; None while that is pending
    block: int | None
    #: of a pending one: the calendar that promises it, in its own words
    calendar: str = ""


def parse_proof(data: bytes, message: bytes) -> list[ProofPath]:
    """Read a proof about a message, as a calendar answers it.

    Paths to attestations of other kinds are left out.

    Raises:
        ProofError: it is none, or has no path that is known here.
    """
    if len(data) > MAX_BYTES:
        raise ProofError(f"it has more than {MAX_BYTES} bytes")
    paths = list(_paths(_Reader(data), message))
    if not paths:
        raise ProofError("it attests nothing that is known here")
    return paths


def format_proof(paths: Iterable[ProofPath]) -> bytes:
    """Write a proof, each path once; a path that begins as another does shares its steps."""
    return _tree(sorted(set(paths), key=_order))


def format_file(digest: bytes, paths: Iterable[ProofPath]) -> bytes:
    """Write a file `.ots` for the file of a SHA-256 digest.

    0 O p e n T i m e s t a m p s 0 0 P r o o f 0 bf 89 e2 e8 84 e8 92 94     magic
    01                                                                        version
    08 <digest>                                                               SHA-256 of the file
    <proof>

    Source: github.com/opentimestamps/python-opentimestamps, `opentimestamps.core`.
    """
    return HEADER + SHA256 + digest + format_proof(paths)


def result(message: bytes, steps: Iterable[Step]) -> bytes:
    """Return what the steps of a path make of a message.

    Raises:
        ProofError: it gets too long.
    """
    for step in steps:
        match step.tag:
            case b"\x08":
                message = sha256(message).digest()
            case b"\xf0":
                message += step.operand
            case _:
                message = step.operand + message
        if len(message) > MAX_MESSAGE:
            raise ProofError(f"an operation results in more than {MAX_MESSAGE} bytes")
    return message


def completed(pending: ProofPath, answer: Sequence[ProofPath]) -> list[ProofPath]:
    """Put the paths of an answer that lead to a block behind the steps of a pending path.

    Raises:
        ProofError: it gets too long to be read again.
    """
    paths = [
        ProofPath(pending.steps + path.steps, path.block)
        for path in answer
        if path.block is not None
    ]
    if any(len(path.steps) > MAX_STEPS for path in paths):
        raise ProofError(f"a path has more than {MAX_STEPS} operations")
    if paths and len(format_proof(paths)) > MAX_BYTES:
        raise ProofError(f"it has more than {MAX_BYTES} bytes")
    return paths


def is_complete(paths: Iterable[ProofPath]) -> bool:
    """Return whether a block attests it, as far as the proof says."""
    return any(path.block is not None for path in paths)


class _Reader:
    """Takes bytes off the front of others."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        taken = self._data[self._at : self._at + count]
        if len(taken) < count:
            raise ProofError("it ends too early")
        self._at += count
        return taken

    def number(self, most: int) -> int:
        """Take a number: seven bits a byte, the lowest first; the highest bit says to go on."""
        value = 0
        for shift in range(0, 35, 7):
            (byte,) = self.take(1)
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if value <= most:
                    return value
                break
        raise ProofError(f"a number is above {most}")

    def block(self, most: int) -> bytes:
        """Take bytes that stand behind their number."""
        return self.take(self.number(most))

    def demand_end(self) -> None:
        if self._at < len(self._data):
            raise ProofError("something follows its end")


def _paths(reader: _Reader, message: bytes) -> Iterator[ProofPath]:
    """Read a tree without recursion: where paths part, the common steps are remembered."""
    parted: list[tuple[tuple[Step, ...], bytes]] = []
    steps: tuple[Step, ...] = ()
    for _ in range(MAX_PATHS):
        while (tag := reader.take(1)) != _ATTESTATION:
            if tag == _FORK:
                parted.append((steps, message))
                if len(parted) > MAX_PATHS:
                    raise ProofError(f"it has more than {MAX_PATHS} paths")
                continue
            steps = (*steps, _step(reader, tag))
            message = result(message, steps[-1:])
            if len(steps) > MAX_STEPS:
                raise ProofError(f"a path has more than {MAX_STEPS} operations")
        path = _attested(reader, steps, message)
        if path is not None:
            yield path
        if not parted:
            reader.demand_end()
            return
        steps, message = parted.pop()
    raise ProofError(f"it has more than {MAX_PATHS} paths")


def _step(reader: _Reader, tag: bytes) -> Step:
    if tag == SHA256:
        return Step(tag)
    if tag not in (APPEND, PREPEND):
        raise ProofError("it has an operation that is not known here")
    operand = reader.block(MAX_MESSAGE)
    if not operand:
        raise ProofError("an operation adds nothing")
    return Step(tag, operand)


def _attested(reader: _Reader, steps: tuple[Step, ...], message: bytes) -> ProofPath | None:
    """Read an attestation; None for one of another kind."""
    tag = reader.take(_TAG_BYTES)
    payload = _Reader(reader.block(_MAX_PAYLOAD))
    if tag == _PENDING:
        calendar = payload.block(_MAX_PAYLOAD)
        payload.demand_end()
        if not _URI.fullmatch(calendar):
            raise ProofError("it names no calendar")
        return ProofPath(steps, None, calendar.decode("ascii"))
    if tag == _BITCOIN:
        height = payload.number(_MAX_HEIGHT)
        payload.demand_end()
        if len(message) != ROOT_BYTES:
            raise ProofError(f"the root of a block has {ROOT_BYTES} bytes")
        return ProofPath(steps, height)
    return None


def _order(path: ProofPath) -> tuple[tuple[Step, ...], int, str]:
    return path.steps, path.block or 0, path.calendar


def _tree(paths: Sequence[ProofPath]) -> bytes:
    """Write what follows from one message: attestations first, then each next step, in order."""
    branches: list[bytes] = [_ATTESTATION + _attestation(path) for path in paths if not path.steps]
    following: dict[Step, list[ProofPath]] = {}
    for path in paths:
        if path.steps:
            following.setdefault(path.steps[0], []).append(path._replace(steps=path.steps[1:]))
    for step, rest in following.items():
        operand = _block(step.operand) if step.operand else b""
        branches.append(step.tag + operand + _tree(rest))
    return b"".join(_FORK + branch for branch in branches[:-1]) + branches[-1]


def _attestation(path: ProofPath) -> bytes:
    if path.block is None:
        return _PENDING + _block(_block(path.calendar.encode("ascii")))
    return _BITCOIN + _block(_number(path.block))


def _number(value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*written, value])


def _block(data: bytes) -> bytes:
    return _number(len(data)) + data
