"""Recovery statements: what was lost with a database, signed (daily-draw/v1, section 13)."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple

from lottery_system.fairness.note import SigningKey, sign
from lottery_system.fairness.records import _day, _instant, format_instant


class LostBallots(NamedTuple):
    """A day's log of ballots: how far it was signed, and how much of it is left."""

    day: date
    signed: int
    left: int


class Recovery(NamedTuple):
    """The end of a journal, and the beginning of the next."""

    name: str
    ended: bytes
    signed: int
    root: bytes
    kept: int
    left: bytes
    next: str
    begins: bytes
    first: date
    time: datetime
    ballots: tuple[LostBallots, ...] = ()


def format_recovery(recovery: Recovery) -> bytes:
    lines = [
        "daily-draw/v1 recovery",
        f"name {recovery.name}",
        f"ended {recovery.ended.hex()}",
        f"signed {recovery.signed}",
        f"root {recovery.root.hex()}",
        f"kept {recovery.kept}",
        f"left {recovery.left.hex()}",
        f"next {recovery.next}",
        f"begins {recovery.begins.hex()}",
        f"first {recovery.first}",
        f"time {format_instant(recovery.time)}",
        f"days {len(recovery.ballots)}",
        *(f"day {each.day} {each.signed} {each.left}" for each in recovery.ballots),
    ]
    return "".join(f"{line}\n" for line in lines).encode()


def parse_recovery(text: str) -> Recovery:
    lines = dict(line.split(" ", 1) for line in text.splitlines()[1:12])
    days = [line.split() for line in text.splitlines()[12:]]
    return Recovery(
        name=lines["name"],
        ended=bytes.fromhex(lines["ended"]),
        signed=int(lines["signed"]),
        root=bytes.fromhex(lines["root"]),
        kept=int(lines["kept"]),
        left=bytes.fromhex(lines["left"]),
        next=lines["next"],
        begins=bytes.fromhex(lines["begins"]),
        first=_day(lines["first"]),
        time=_instant(lines["time"]),
        ballots=tuple(LostBallots(_day(d[1]), int(d[2]), int(d[3])) for d in days),
    )


def sign_recovery(recovery: Recovery, keys: Sequence[SigningKey]) -> str:
    text = format_recovery(recovery).decode()
    return text + "\n" + "".join(sign(text, key).removeprefix(text + "\n") for key in keys)
