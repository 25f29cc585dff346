"""Timestamp proofs: real ones are read, garbage is refused, and others' reader takes ours."""

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest
from opentimestamps.core.notary import BitcoinBlockHeaderAttestation, PendingAttestation
from opentimestamps.core.serialize import BytesDeserializationContext
from opentimestamps.core.timestamp import DetachedTimestampFile

from lottery_system.timestamp_proof import (
    APPEND,
    HEADER,
    MAX_BYTES,
    MAX_PATHS,
    MAX_STEPS,
    SHA256,
    ProofError,
    ProofPath,
    Step,
    completed,
    format_file,
    format_proof,
    is_complete,
    parse_proof,
    result,
)

#: examples of opentimestamps-client; one is complete, the other waits for two calendars
DATA = Path(__file__).parent / "data" / "timestamps"
COMPLETE, WAITING = "bitcoin.pdf.ots", "two-calendars.txt.ots"
DIGEST = sha256(b"a file").digest()
ROOT = "98989f8d2e522d52356cf14ade63bdab44687dd0c4c8e3722c3f39bf726b0876"


def example(name: str) -> tuple[bytes, bytes]:
    """Return the digest and the proof of an example."""
    rest = (DATA / name).read_bytes().removeprefix(HEADER)
    end = 1 + (32 if rest[:1] == SHA256 else 20)  # the older one has a digest by SHA-1
    return rest[1:end], rest[end:]


def attested(file: bytes) -> set[tuple[bytes, int | str]]:
    """Return what the reference reader finds in a file: messages, and blocks or calendars."""
    read = DetachedTimestampFile.deserialize(BytesDeserializationContext(file))
    found: set[tuple[bytes, int | str]] = set()
    for message, attestation in read.timestamp.all_attestations():
        match attestation:
            case BitcoinBlockHeaderAttestation():
                found.add((message, attestation.height))
            case PendingAttestation():
                found.add((message, attestation.uri))
    return found


def ours(digest: bytes, paths: Iterable[ProofPath]) -> set[tuple[bytes, int | str]]:
    return {
        (result(digest, path.steps), path.calendar if path.block is None else path.block)
        for path in paths
    }


def test_a_real_proof_leads_to_the_root_of_its_block() -> None:
    digest, proof = example(COMPLETE)

    (path,) = parse_proof(proof, digest)

    assert path.block == 465_751
    assert result(digest, path.steps)[::-1].hex() == ROOT  # blocks are named back to front
    assert format_proof([path]) == proof


def test_a_real_proof_that_waits_names_its_calendars() -> None:
    digest, proof = example(WAITING)

    paths = parse_proof(proof, digest)

    assert digest == sha256((DATA / "two-calendars.txt").read_bytes()).digest()
    assert [path.calendar for path in paths] == [
        "https://alice.btc.calendar.opentimestamps.org",
        "https://bob.btc.calendar.opentimestamps.org",
    ]
    assert not is_complete(paths)
    assert format_file(digest, reversed(paths)) == (DATA / WAITING).read_bytes()


def test_others_read_a_proof_that_was_completed_and_joined_with_one_that_waits() -> None:
    digest, proof = example(WAITING)
    first, second = parse_proof(proof, digest)
    root = ProofPath((Step(APPEND, b"\x01"), Step(SHA256)), 2**31 - 1)
    same = ProofPath((*root.steps, Step(SHA256)), 1)

    paths = [*completed(first, [root, same, ProofPath((), None, "x")]), second]

    file = format_file(digest, paths)
    assert attested(file) == ours(digest, paths)
    assert len(attested(file)) == 3
    assert parse_proof(format_proof(paths), digest) == sorted(paths, key=lambda path: path.steps)


def test_whatever_is_read_here_others_read_as_well() -> None:
    """Real proofs, with a byte changed or cut off, are refused or mean the same to both."""
    chance, read_count = Random(1), 0
    for name in (COMPLETE, WAITING):
        digest, proof = example(name)
        changed = [proof[:end] for end in range(0, len(proof), 5)]
        for _ in range(200):
            at = chance.randrange(len(proof))
            changed.append(proof[:at] + chance.randbytes(1) + proof[at + 1 :])
        for data in changed:
            try:
                paths = [*parse_proof(data, digest)]
            except ProofError:
                continue
            read_count += 1
            if len(digest) == 20:  # a file of ours has a digest by SHA-256
                paths = [path._replace(steps=(Step(SHA256), *path.steps)) for path in paths]
            assert attested(format_file(DIGEST, paths)) == ours(DIGEST, paths)
    assert read_count > 50


PENDING = bytes.fromhex("0083dfe30d2ef90c8e") + b"\x0b\x0ahttps://a.b"
BLOCK_1 = bytes.fromhex("000588960d73d71901") + b"\x01\x01"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "it ends too early"),
        (b"\x00" * 10, "it attests nothing that is known here"),
        (bytes(MAX_BYTES + 1), "it has more than 10000 bytes"),
        (b"\x08" * (MAX_STEPS + 1), "a path has more than 250 operations"),
        (b"\xff" * (MAX_PATHS + 1), "it has more than 16 paths"),
        ((b"\xff" + BLOCK_1) * MAX_PATHS + BLOCK_1, "it has more than 16 paths"),
        (b"\x67" + BLOCK_1, "it has an operation that is not known here"),
        (b"\xf0\x00" + BLOCK_1, "an operation adds nothing"),
        (b"\xf0\xe1\x1f" + bytes(4065), "an operation results in more than 4096 bytes"),
        (b"\xf0\xff\xff\xff\xff\x7f", "a number is above 4096"),
        (b"\xf0\x01a" + BLOCK_1, "the root of a block has 32 bytes"),
        (BLOCK_1 + b"\x00", "something follows its end"),
        (BLOCK_1[:-2] + b"\x02\x01\x01", "something follows its end"),
        (BLOCK_1[:-2] + b"\x05\xff\xff\xff\xff\x0f", "a number is above 2147483647"),
        (PENDING.replace(b"://", b": \n"), "it names no calendar"),
    ],
)
def test_what_is_no_proof_is_refused_with_a_reason(data: bytes, why: str) -> None:
    with pytest.raises(ProofError, match=why):
        parse_proof(data, DIGEST)


def test_a_promise_is_completed_by_blocks_alone_and_to_a_bounded_length() -> None:
    long = ProofPath((Step(SHA256),) * MAX_STEPS, None, "https://a.b")

    assert completed(long, [ProofPath((), None, "https://a.b")]) == []
    with pytest.raises(ProofError, match="more than 250 operations"):
        completed(long, [ProofPath((Step(SHA256),), 1)])
    wide = ProofPath((*((Step(APPEND, bytes(2000)), Step(SHA256)) * 3),), None, "https://a.b")
    with pytest.raises(ProofError, match="more than 10000 bytes"):
        completed(wide, [wide._replace(block=1)])
    assert is_complete(completed(long, [ProofPath((), 1)]))
