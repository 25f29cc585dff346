"""Differential fuzzing: keys, notes, policies and proofs, changed at random, and what Python says.

Another verifier must say the same of each, message included.
"""

import random
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from typing import Any

from lottery_system.fairness import merkle, tiles
from lottery_system.fairness.certificate import FormatError
from lottery_system.fairness.checks import Check
from lottery_system.fairness.cosignature import ML_DSA_44, format_witness_key, parse_witness_key
from lottery_system.fairness.note import (
    Checkpoint,
    NoteError,
    SigningKey,
    VerifierKey,
    format_vkey,
    open_checkpoint,
    parse_vkey,
    sign_checkpoint,
)
from lottery_system.fairness.pin import format_pin, parse_pin
from lottery_system.fairness.policy import PolicyError, parse_policy
from lottery_system.fairness.records import BEACON
from lottery_system.fairness.verify import verify
from tests.fairness.forge import KEY, NO_WITNESS, WITNESSES, Cosigned, Day, Log, policy_of
from tests.stand_ins import odd_keys
from tests.stand_ins.cosigning import CosigningKey

#: what a careless reader takes for something else
NASTY = [
    *" \t\n\r\x00\x0b\x1c\x1f\x7f\x85\xa0\ufeff\u2028\u3000\u0661\uff10\U0001f9d0ëK\u212a+=—-#/A0"
]
WORDS = [
    "none",
    "any",
    "all",
    "quorum",
    "group",
    "witness",
    "log",
    "0",
    "1",
    "2",
    "01",
    "W0",
    "Q",
    "",
]

ODD = CosigningKey("pq.example", b"\x60" * 32, ML_DSA_44)
LOG = Log([b"%d" % number for number in range(70)])
MADE = Cosigned(Day(mode=BEACON))
KEYS = [
    format_vkey(KEY.verifier),
    format_pin(KEY.verifier, bytes(range(32))),
    *(each.vkey for each in (*WITNESSES, NO_WITNESS, ODD)),
    *(format_vkey(VerifierKey("odd", each.encoded)) for each in odd_keys.public_keys()),
    *(
        format_witness_key(NO_WITNESS.witness._replace(public_key=each.encoded))
        for each in odd_keys.public_keys()
    ),
]
POLICIES = [
    policy_of(),
    policy_of(*WITNESSES, ODD, quorum="group Q 3"),
    policy_of(log=None, quorum="group Q any"),
    b"# ours\n\nwitness \xe9\xff " + NO_WITNESS.vkey.encode() + b" https://x\xc3\xa4.example/\n"
    b"group K all \xe9\xff\nquorum K\n",
    b"quorum none\n",
]

#: what both are asked: `kind`, and what is given; and what Python says
Case = tuple[dict[str, Any], object]


def cases(seed: int, count: int) -> Iterator[Case]:
    """Make so many cases of each kind."""
    chance = random.Random(seed)
    for _ in range(count):
        yield key_case(chance)
        yield note_case(chance)
        yield policy_case(chance)
        yield proof_case(chance)
        yield witnessed_case(chance)


def key_case(chance: random.Random) -> Case:
    text = changed(chance.choice(KEYS), chance)
    return {"kind": "key", "text": text}, [
        said(lambda: format_vkey(parse_vkey(text))),
        said(lambda: str(parse_pin(text).genesis and "pin")),
        said(lambda: format_witness_key(parse_witness_key(text))),
    ]


def note_case(chance: random.Random) -> Case:
    """Change a checkpoint's text, its lines, and the bytes in its base64."""
    size = chance.choice([0, 1, 7, 10**18 - 1])
    note = sign_checkpoint(Checkpoint(KEY.name, size, bytes([size % 256]) * 32), KEY)
    for key in chance.choices([*WITNESSES, NO_WITNESS], k=chance.choice([0, 0, 1, 2, 15, 16])):
        note = key.add_to(note, chance.choice([1, 2**40]))
    if chance.random() < 0.3:
        odd = chance.choice(odd_keys.signed())
        other = VerifierKey("odd", odd.public_key)
        blob = b64encode(other.key_id + odd.signature).decode()
        note = f"{odd_keys.MESSAGE.decode()}\n— odd {blob}\n"
    note = changed(_bytes_changed(note, chance), chance)
    return {"kind": "note", "note": note, "key": format_vkey(KEY.verifier)}, said(
        lambda: str(open_checkpoint(note, KEY.verifier).size)
    )


def policy_case(chance: random.Random) -> Case:
    data = chance.choice(POLICIES)
    for _ in range(chance.randrange(3)):
        lines = data.split(b"\n")
        at = chance.randrange(len(lines))
        words = lines[at].split(b" ")
        match chance.randrange(6):
            case 0:
                lines.insert(chance.randrange(len(lines)), lines[at])
            case 1:
                lines.pop(at)
            case 2:
                words[chance.randrange(len(words))] = chance.choice(WORDS).encode()
                lines[at] = b" ".join(words)
            case 3:
                words.insert(chance.randrange(len(words) + 1), chance.choice(WORDS).encode())
                lines[at] = b" ".join(words)
            case 4:
                place = chance.randrange(len(lines[at]) + 1)
                odd = bytes([chance.randrange(256)])
                lines[at] = lines[at][:place] + odd + lines[at][place + chance.randrange(2) :]
            case _:
                other = chance.randrange(len(lines))
                lines[at], lines[other] = lines[other], lines[at]
        data = b"\n".join(lines)
    signers = chance.sample([*WITNESSES, NO_WITNESS, ODD], chance.randrange(6))
    signed = [each.witness.public_key for each in signers]
    return (
        {"kind": "policy", "data": list(data), "signed": [each.hex() for each in signed]},
        said(lambda: parse_policy(data).is_met_by(signed)),
    )


def proof_case(chance: random.Random) -> Case:
    """Prove that a record is in a log, or that it extends an earlier one, and change the proof."""
    size = chance.randint(1, len(LOG.records))
    root = Log(LOG.records[:size]).root
    if chance.random() < 0.5:
        index = chance.randrange(size)
        leaf = merkle.leaf_hash(LOG.records[index])
        proof = tiles.prove_inclusion(LOG.read, index, size)
        index, size, proof, [leaf, root] = _proof_changed(index, size, proof, [leaf, root], chance)
        holds = merkle.check_inclusion(index, size, leaf, proof, root)
        given = {"kind": "inclusion", "first": index, "leaf": leaf.hex()}
    else:
        first = chance.randint(1, size)
        before = Log(LOG.records[:first]).root
        proof = tiles.prove_consistency(LOG.read, first, size)
        first, size, proof, [before, root] = _proof_changed(
            first, size, proof, [before, root], chance
        )
        holds = merkle.check_consistency(first, size, before, root, proof)
        given = {"kind": "consistency", "first": first, "leaf": before.hex()}
    # integers travel as text
    return {
        **given, "first": str(given["first"]), "size": str(size), "root": root.hex(),
        "proof": [each.hex() for each in proof],
    }, holds  # fmt: skip


def witnessed_case(chance: random.Random) -> Case:
    """Cosign a draw, and change lines and policy."""
    times = [MADE.frozen - 61, MADE.frozen - 60, MADE.frozen, MADE.due - 1, MADE.due, 0, 2**63]
    signers = chance.choices([*WITNESSES, NO_WITNESS, ODD], k=chance.randrange(4))
    lines = [MADE.line(each, chance.choice(times[:5] * 4 + times)) for each in signers]
    if lines and chance.random() < 0.2:
        at = chance.randrange(len(lines))
        signature = lines[at].signature
        if signers[at] is not ODD:  # whose signatures browsers do not check
            place = chance.randrange(len(signature))
            signature = signature[:place] + bytes([signature[place] ^ 1]) + signature[place + 1 :]
        lines[at] = lines[at]._replace(signature=signature)
    policy = chance.choice(
        [
            policy_of(),
            policy_of(quorum="group Q any"),
            policy_of(quorum="group Q all"),
            policy_of(log=chance.choice([None, SigningKey(KEY.name, b"\x09" * 32)])),
        ]
    )
    certificate = MADE.certificate(*lines)

    def witnessed() -> Check:
        checks = verify(certificate, key=KEY.verifier, policy=parse_policy(policy))
        return next(each for each in checks if each.name == "witnessed")

    found = witnessed()
    return {
        "kind": "witnessed",
        "certificate": certificate.decode(),
        "key": format_vkey(KEY.verifier),
        "policy": policy.decode(),
    }, [found.verdict.value, found.detail]


def said(say: Callable[[], object]) -> object:
    """Return what is said, or why it is refused."""
    try:
        return say()
    except (NoteError, PolicyError, FormatError) as error:
        return f"refused: {error}"


def changed(text: str, chance: random.Random) -> str:
    """Change some characters of a text, or none."""
    for _ in range(chance.choice([0, 1, 1, 1, 2, 3])):
        at = chance.randrange(len(text) + 1)
        other = chance.choice(["", chance.choice(NASTY), text[at : at + 1] * 2, text[:at][-9:]])
        text = text[:at] + other + text[at + chance.randrange(2) :]
    return text


def _bytes_changed(note: str, chance: random.Random) -> str:
    """Change a bit of what one line of a note has in base64."""
    text, separator, lines = note.rpartition("\n\n")
    found = lines.split("\n")
    at = chance.randrange(len(found))
    name, space, blob = found[at].rpartition(" ")
    data = bytearray(b64decode(blob)) if blob else bytearray()
    if data and chance.random() < 0.5:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        found[at] = name + space + b64encode(data).decode()
    return text + separator + "\n".join(found)


def _proof_changed(
    first: int, size: int, proof: list[bytes], hashes: list[bytes], chance: random.Random
) -> tuple[int, int, list[bytes], list[bytes]]:
    proof, hashes = list(proof), list(hashes)
    match chance.randrange(8):
        case 0:
            first = max(0, first + chance.choice([-1, 1, 64]))
        case 1:
            size = max(0, size + chance.choice([-1, 1, 64, 2**62]))
        case 2 if proof:
            proof.pop(chance.randrange(len(proof)))
        case 3:
            proof.insert(chance.randrange(len(proof) + 1), chance.choice([*proof, *hashes]))
        case 4 if proof:
            at = chance.randrange(len(proof))
            proof[at] = bytes([proof[at][0] ^ 1]) + proof[at][1:]
        case 5:
            hashes.reverse()
        case _:
            pass
    return first, size, proof, hashes
