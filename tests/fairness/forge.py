"""Forged days: honest ones made by hand, with one field changed, signed with a test key."""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from py_arkworks_bls12381 import G1Point, G2Point, Scalar

from lottery_system.fairness import beacon, commitment, tiles
from lottery_system.fairness.beacon import QUICKNET, ChainInfo
from lottery_system.fairness.certificate import (
    Beacon,
    Certificate,
    Holder,
    Journal,
    Receipt,
    Winner,
    format_certificate,
    format_receipt,
)
from lottery_system.fairness.merkle import Frontier, Row, leaf_hash
from lottery_system.fairness.note import (
    Checkpoint,
    Signature,
    SigningKey,
    format_checkpoint,
    format_signature,
    format_vkey,
    parse_signatures,
    sign,
    sign_checkpoint,
)
from lottery_system.fairness.offers import (
    Offered,
    Offers,
    OffersHead,
    SignedOffers,
    format_head,
    format_offers,
    format_signed_offers,
    hash_offers,
    offers_origin,
    sign_offers,
)
from lottery_system.fairness.records import (
    BEACON,
    OPERATOR,
    Ballot,
    Freeze,
    Genesis,
    format_ballot,
    format_freeze,
    format_genesis,
)
from lottery_system.fairness.selection import seed_of, winning_ballots
from lottery_system.fairness.tiles import TILE_WIDTH, ReadTiles, Tile, TilePath, format_path
from tests.stand_ins.cosigning import CosigningKey
from tests.stand_ins.rounds import BEACON_DAY, BEACON_GAP, BEACON_ROUND, SIGNATURES
from tests.stand_ins.strikes import STRIKES

#: `make test` changes one character in so many, others each time; `make faults` changes each
STRIDE = 8 if STRIKES == 1 else 1


def places_to_change(text: str) -> range:
    """Return at which characters a test that changes one at a time is to change it."""
    return range(random.randrange(STRIDE), len(text), STRIDE)


KEY = SigningKey("forge.example", b"\x05" * 32)
TIP = b"\x06" * 32
USERNAMES = ("alice", "bob", "zoë")
#: what the ballots of these days are of
OFFERED = (
    Offered(1, "Big Chance", "A weekend for two by the sea."),
    Offered(2, 'Extra "Win" \\ \u2028', "Käse & Brot \U0001f9c0\n\tund mehr\x7f"),
    Offered(3, "Small Chance", ""),
)

#: whose cosignatures the journals of these days may have; two are needed
WITNESSES = tuple(
    CosigningKey(name, bytes([0x40 + number]) * 32)
    for number, name in enumerate(("one.example/w", "zwö.example", "three.example"))
)
NO_WITNESS = CosigningKey("four.example", b"\x50" * 32)
#: a clock that is this much behind is taken for right
CLOCK_BEHIND = 60

Change = Callable[[dict[str, Any]], object]


OWN_NETWORK = QUICKNET._replace(public_key=(G2Point() * Scalar(7)).to_compressed_bytes())


def same(record: Any) -> Any:
    """Leave a record as it is."""
    return record


class Log:
    """An append-only log in memory, with its tiles."""

    def __init__(self, records: Sequence[bytes] = ()) -> None:
        self.records = list(records)
        frontier, rows = Frontier().extend([leaf_hash(record) for record in self.records])
        self.root = frontier.root
        self.tiles = _tiles(rows)

    @property
    def read(self) -> ReadTiles:
        return lambda wanted: {each: self.tiles[each] for each in wanted}

    def write(self, folder: Path) -> Path:
        """Lay the records down as a downloaded log."""
        for number in range(-(-len(self.records) // TILE_WIDTH)):
            bundle = self.records[number * TILE_WIDTH : (number + 1) * TILE_WIDTH]
            path = folder / "tile" / format_path(TilePath(None, number, len(bundle)))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(tiles.format_entries(bundle))
        folder.mkdir(exist_ok=True)
        return folder


def _tiles(rows: Sequence[Row]) -> dict[Tile, bytes]:
    found: dict[Tile, bytes] = {}
    for piece in tiles.pieces(rows):
        found[piece.tile] = found.get(piece.tile, b"") + piece.hashes
    return found


@dataclass
class Day:
    """A day, its log, and the journal it is frozen in.

    Args:
        genesis, freeze, ballot: change a record before it is written; what follows follows.
    """

    size: int = 13
    mode: str = OPERATOR
    places: int = 2
    draw: int = 2
    key: SigningKey = KEY
    day: date = BEACON_DAY
    gap: int = BEACON_GAP
    genesis_as: Callable[[Genesis], Genesis] = same
    freeze_as: Callable[[Freeze], Freeze] = same
    ballot_as: Callable[[Ballot], Ballot] = same
    #: records of the journal that stand between the day before and the freeze, and should not
    strays: int = 0
    log: Log = field(init=False)

    def __post_init__(self) -> None:
        is_beacon = self.mode == BEACON
        self.genesis = self.genesis_as(
            Genesis(
                name=self.key.name,
                first=self.day - timedelta(days=self.draw),
                anchor=commitment.anchor_of(TIP),
                mode=BEACON if is_beacon else OPERATOR,
                chain=QUICKNET.chain_hash if is_beacon else None,
                gap=self.gap if is_beacon else 0,
            )
        )
        midnight = datetime.fromisoformat(f"{self.day + timedelta(days=1)}T00:00:00+00:00")
        ballots = [
            self.ballot_as(
                Ballot(
                    day=self.day,
                    number=number,
                    lottery=1 + number % 3,
                    holder=commitment.holder_hash(self.salt(number), self.username(number)),
                    time=midnight - timedelta(hours=20) + timedelta(seconds=number),
                )
            )
            for number in range(1, self.size + 1)
        ]
        self.log = Log([format_ballot(ballot) for ballot in ballots])
        round_ = None
        if is_beacon:
            due = beacon.due_time(midnight, midnight, self.gap)
            round_ = beacon.round_at(QUICKNET, due)
            assert round_ == BEACON_ROUND
        before = [format_genesis(self.genesis)] + [b"a day before\n"] * (self.draw + self.strays)
        self.freeze = self.freeze_as(
            Freeze(
                draw=self.draw,
                day=self.day,
                closes=midnight,
                size=self.size,
                frozen=midnight,
                root=self.log.root,
                places=self.places,
                secret=commitment.reveal(TIP, self.draw),
                round=round_,
                previous=sha256(before[-1]).digest(),
            )
        )
        self.journal = Log([*before, format_freeze(self.freeze)])
        signature = SIGNATURES[BEACON_ROUND] if is_beacon else None
        self.beacon = Beacon(BEACON_ROUND, signature, QUICKNET) if signature else None
        seed = seed_of(format_freeze(self.freeze), signature)
        self.picks = winning_ballots(seed, self.freeze.size, self.freeze.places)

    def with_beacon(self, found: Beacon) -> "Day":
        """Draw by another beacon than the recorded one."""
        self.beacon = found
        seed = seed_of(format_freeze(self.freeze), found.signature)
        self.picks = winning_ballots(seed, self.freeze.size, self.freeze.places)
        return self

    @staticmethod
    def salt(number: int) -> bytes:
        return number.to_bytes(16, "big")

    @staticmethod
    def username(number: int) -> str:
        return USERNAMES[number % len(USERNAMES)]

    def holder(self, number: int) -> Holder:
        return Holder(self.username(number), self.salt(number))

    def certificate(self, change: Change = same) -> bytes:
        """Write the certificate, changed as loaded JSON."""
        size = len(self.journal.records)
        index = size - 1
        written = format_certificate(
            Certificate(
                genesis=format_genesis(self.genesis).decode(),
                freeze=format_freeze(self.freeze).decode(),
                journal=Journal(
                    checkpoint=sign_checkpoint(
                        Checkpoint(self.key.name, size, self.journal.root), self.key
                    ),
                    genesis_proof=tiles.prove_inclusion(self.journal.read, 0, size),
                    index=index,
                    proof=tiles.prove_inclusion(self.journal.read, index, size),
                ),
                beacon=self.beacon,
                winners=[
                    Winner(
                        place=pick.place,
                        number=pick.number,
                        counter=pick.counter,
                        ballot=self.log.records[pick.number - 1].decode(),
                        proof=tiles.prove_inclusion(self.log.read, pick.number - 1, self.size),
                        holder=self.holder(pick.number),
                    )
                    for pick in self.picks
                ],
                log_key=format_vkey(self.key.verifier),
            )
        )
        loaded = json.loads(written)
        change(loaded)
        return json.dumps(loaded).encode()

    def receipt(self, number: int, size: int, change: Change = same) -> bytes:
        """Write the receipt of a ballot, as of when the log had a size."""
        then = Log(self.log.records[:size])
        written = format_receipt(
            Receipt(
                ballot=self.log.records[number - 1].decode(),
                holder=self.holder(number),
                index=number - 1,
                proof=tiles.prove_inclusion(then.read, number - 1, size),
                checkpoint=sign_checkpoint(
                    Checkpoint(f"{self.key.name}/{self.day}", size, then.root), self.key
                ),
            )
        )
        loaded = json.loads(written)
        change(loaded)
        return json.dumps(loaded).encode()

    def offers(
        self,
        lotteries: Sequence[Offered] = OFFERED,
        *,
        key: SigningKey | None = None,
        day: date | None = None,
    ) -> SignedOffers:
        """Sign a list of offers, of this day where no other is named."""
        return sign_offers(Offers(day or self.day, lotteries), key or self.key)


def signed_text(day: Day, text: str, origin: str = "") -> SignedOffers:
    """Sign any text as the offers of a day, or of whatever origin is named."""
    head = OffersHead(origin or offers_origin(day.key.name, day.day), hash_offers(text))
    return SignedOffers(text, sign(format_head(head), day.key))


def without(lottery: int) -> list[Offered]:
    """Return what is offered, but for one lottery."""
    return [each for each in OFFERED if each.lottery != lottery]


def forged_offers(day: Day) -> dict[str, bytes]:
    """Return what is not the signed list of offers of an honest day with two winning ballots."""
    honest, (first, second) = day.offers(), [1 + pick.number % 3 for pick in day.picks]
    text, yesterday = honest.text, day.day - timedelta(days=1)
    loaded = json.loads(text)
    whole = json.loads(format_signed_offers(honest))
    signed = {
        "a prize renamed": SignedOffers(text.replace("weekend", "evening"), honest.note),
        "a name changed": SignedOffers(text.replace("Small", "Other"), honest.note),
        "a lottery taken out": honest._replace(text=day.offers(without(first)).text),
        "signed without the winner's lottery": day.offers(without(first)),
        "signed without the lottery of a reserve": day.offers(without(second)),
        "signed without any": day.offers([]),
        "another day's": day.offers(day=yesterday),
        "another day's note": honest._replace(
            note=signed_text(day, text, offers_origin(day.key.name, yesterday)).note
        ),
        "another day's text": signed_text(day, day.offers(day=yesterday).text),
        "by another key": day.offers(key=SigningKey(day.key.name, b"\x09" * 32)),
        "by a key of another name": day.offers(key=SigningKey("other.example", day.key.seed)),
        "of another lottery": signed_text(day, text, f"other.example/offers/{day.day}"),
        "not signed": honest._replace(note=honest.note.split("—")[0]),
        "more lines in the note": honest._replace(
            note=sign(f"{offers_origin(day.key.name, day.day)}\nA\nB\n", day.key)
        ),
        "a checkpoint of the day": honest._replace(
            note=sign_checkpoint(
                Checkpoint(f"{day.key.name}/{day.day}", day.size, day.log.root), day.key
            )
        ),
        "a checkpoint of the hash": honest._replace(
            note=sign_checkpoint(
                Checkpoint(offers_origin(day.key.name, day.day), 3, hash_offers(text)), day.key
            )
        ),
        "in another order": day.offers(OFFERED[::-1]),
        "one lottery twice": day.offers([*OFFERED, OFFERED[-1]]),
        "a lottery 0": day.offers([Offered(0, "", ""), *OFFERED]),
        "other white space": signed_text(day, json.dumps(loaded, ensure_ascii=False)),
        "other escapes": signed_text(day, json.dumps(loaded, indent=1) + "\n"),
        "no line feed at the end": signed_text(day, text[:-1]),
        "other fields first": signed_text(
            day, json.dumps(loaded, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        ),
        "a field more": signed_text(day, text.replace('"day"', '"more": 1,\n "day"')),
        "a field twice": signed_text(day, text.replace(' "day"', f' "day": "{day.day}",\n "day"')),
        "an id as text": signed_text(day, text.replace('"id": 1', '"id": "1"')),
        "a day in no calendar": signed_text(day, text.replace(str(day.day), "2026-02-30")),
        "no day at all": signed_text(day, text.replace(str(day.day), "today")),
        "of another format": signed_text(day, text.replace("v1 offers", "v2 offers")),
        "no JSON in it": signed_text(day, "[\n"),
        "a list": signed_text(day, "[]\n"),
    }
    found = {name: format_signed_offers(each).encode() for name, each in signed.items()}
    assert format_offers(Offers(day.day, OFFERED)) == text
    return found | {
        "nothing": b"",
        "no JSON": b"\x89PNG",
        "only the list": text.encode(),
        "only the note": honest.note.encode(),
        "more than that": json.dumps(whole | {"more": 1}).encode(),
        "a certificate": day.certificate(),
        "half a surrogate pair": json.dumps(whole | {"text": "\ud800"}).encode(),
    }


def policy_of(
    *keys: CosigningKey, log: SigningKey | None = KEY, quorum: str = "group Q 2"
) -> bytes:
    """Write a policy that needs two of some witnesses, of those of these days where none is named.

    Args:
        quorum: how the line of its group begins.
    """
    keys = keys or WITNESSES
    lines = [f"log {format_vkey(log.verifier)}"] if log else []
    lines += [f"witness W{number} {key.vkey}" for number, key in enumerate(keys)]
    lines += [" ".join([quorum, *(f"W{number}" for number in range(len(keys)))]), "quorum Q"]
    return ("\n".join(lines) + "\n").encode()


def add_lines(*lines: Signature) -> Change:
    """Return what adds signature lines to a certificate's checkpoint."""

    def change(certificate: dict[str, Any]) -> None:
        certificate["journal"]["checkpoint"] += "".join(map(format_signature, lines))

    return change


class Cosigned:
    """A day and what witnesses sign of its journal."""

    def __init__(self, day: Day) -> None:
        self.day = day
        size = len(day.journal.records)
        self.text = format_checkpoint(Checkpoint(day.key.name, size, day.journal.root))
        self.frozen = round(day.freeze.frozen.timestamp())
        #: the second in which the beacon's number is due
        self.due = beacon.time_of(QUICKNET, BEACON_ROUND)

    def line(self, key: CosigningKey, time: int | None = None) -> Signature:
        """Cosign, a second after the freeze where no other time is named."""
        return key.cosign(self.text, self.frozen + 1 if time is None else time)

    def certificate(self, *lines: Signature) -> bytes:
        return self.day.certificate(add_lines(*lines))


def witnessed_days() -> dict[str, tuple[bytes, bytes]]:
    """Return certificates that have the cosignatures that a policy needs, each with that policy."""
    one, two, three = WITNESSES
    made, without_beacon = Cosigned(Day(mode=BEACON)), Cosigned(Day())
    both = [made.line(one), made.line(two)]
    strangers = [CosigningKey(f"w{number}", bytes([number]) * 32) for number in range(13)]
    policy = policy_of()
    return {
        "two of three": (made.certificate(*both), policy),
        "all three": (made.certificate(*both, made.line(three)), policy),
        "on the last second": (made.certificate(both[0], made.line(three, made.due - 1)), policy),
        "by a clock that is behind": (
            made.certificate(both[0], made.line(three, made.frozen - CLOCK_BEHIND)), policy
        ),
        "in time, and again too late": (
            made.certificate(made.line(one, made.due), *both), policy
        ),
        "among fifteen": (
            made.certificate(*(made.line(each) for each in strangers), *both), policy
        ),
        "a broken line of somebody else": (
            made.certificate(*both, made.line(NO_WITNESS)._replace(signature=bytes(72))), policy
        ),
        "a policy without a log": (made.certificate(*both), policy_of(log=None)),
        "a policy that needs nobody": (made.certificate(), b"quorum none\n"),
        "without a beacon at any time": (
            without_beacon.certificate(without_beacon.line(one, 1), without_beacon.line(two)),
            policy,
        ),
    }  # fmt: skip


def forged_witnesses() -> dict[str, tuple[bytes, bytes]]:
    """Return certificates that lack what a policy needs and are right else, each with the policy.

    Some are not forged: what the policy says is not so.
    """
    one, two, _ = WITNESSES
    made, without_beacon = Cosigned(Day(mode=BEACON)), Cosigned(Day())
    both = [first := made.line(one), made.line(two)]
    policy, other = policy_of(), SigningKey(KEY.name, b"\x09" * 32)
    elsewhere = made.text.replace("\n4\n", "\n5\n")
    assert elsewhere != made.text

    def stamped(line: Signature, time: int) -> Signature:
        return line._replace(signature=time.to_bytes(8, "big") + line.signature[8:])

    by_note = parse_signatures(sign(made.text, SigningKey(*two[:2])).split("\n\n")[1])
    lines: dict[str, list[Signature]] = {
        "by nobody": [],
        "by one": [first],
        "by one, twice": [first, made.line(one, made.frozen + 2)],
        "by one, under another name": [first, made.line(one._replace(name="other.example"))],
        "by one, and somebody else": [first, made.line(NO_WITNESS)],
        "in another's name": [first, made.line(NO_WITNESS._replace(name=two.name))],
        "by a key of notes": [first, *by_note],
        "once the number was due": [first, made.line(two, made.due)],
        "a day after the number was due": [first, made.line(two, made.due + 86_400)],
        "long before the day was frozen": [first, made.line(two, made.frozen - CLOCK_BEHIND - 1)],
        "at no time": [*both, made.line(one, 0)],
        "at a time without end": [*both, stamped(first, 2**63)],
        "another time than was signed": [*both, stamped(first, made.frozen + 2)],
        "of another size": [*both, one.cosign(elsewhere, made.frozen + 1)],
        "by another key, with its id": [
            *both, made.line(one._replace(seed=b"\x51" * 32))._replace(key_id=first.key_id)
        ],
        "a line cut short": [*both, first._replace(signature=first.signature[:-1])],
        "a line with one byte more": [*both, first._replace(signature=first.signature + b"\0")],
        "a line of a key id and a byte": [*both, first._replace(signature=b"\1")],
    }  # fmt: skip
    return {name: (made.certificate(*each), policy) for name, each in lines.items()} | {
        "a policy for another log": (made.certificate(*both), policy_of(log=other)),
        "a policy for a log of another name": (
            made.certificate(*both), policy_of(log=SigningKey("other.example", KEY.seed))
        ),
        "a policy that needs all": (
            made.certificate(*both), policy_of(quorum="group Q all")
        ),
        "without a beacon, by one": (
            without_beacon.certificate(without_beacon.line(one)), policy
        ),
        "without a beacon, a bad line": (
            without_beacon.certificate(
                without_beacon.line(one), stamped(without_beacon.line(two), 1)
            ),
            policy,
        ),
    }  # fmt: skip


def day_of_an_own_network() -> Day:
    """Make a day whose beacon is the operator's own, who knows its key, and all else is right."""
    hashed = G1Point.hash_to_curve(sha256(BEACON_ROUND.to_bytes(8, "big")).digest(), beacon.DST)
    signature = (hashed * Scalar(7)).to_compressed_bytes()
    return day_of_network(OWN_NETWORK, BEACON_ROUND, signature)


def day_of_network(info: ChainInfo, number: int, signature: bytes) -> Day:
    """Make a day whose genesis names a network, and that is drawn by one of its rounds."""
    day = Day(mode=BEACON, genesis_as=lambda genesis: genesis._replace(chain=info.chain_hash))
    return day.with_beacon(Beacon(number, signature, info))
