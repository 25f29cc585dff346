"""Fuzzing, `make fuzz`: atheris looks for crashes and false passes of the verifier.

For any bytes as a certificate, a receipt or a list of offers, `verify` raises nothing but
`Unreadable`, and passes only for the JSON of an honest one. Guided by coverage: inputs that reach
new code are mutated further. Random bytes are hardly ever valid JSON, so most mutations change a
value inside it.
"""

import json
import random
import sys
from copy import deepcopy
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import atheris

with atheris.instrument_imports(include=["lottery_system.fairness"]):
    from lottery_system.fairness.certificate import Unreadable
    from lottery_system.fairness.checks import Verdict, holds
    from lottery_system.fairness.offers import format_signed_offers
    from lottery_system.fairness.verify import verify

from tests.fairness.forge import Day

DATA = Path(__file__).parent / "data" / "certificates"
DAY = Day()
CERTIFICATE = DAY.certificate()
CERTIFICATES = [CERTIFICATE, *(path.read_bytes() for path in DATA.glob("*.json"))]
RECEIPTS = [DAY.receipt(3, size) for size in (3, 8, 13)]
OFFERS = format_signed_offers(DAY.offers()).encode()
HONEST = [json.loads(each) for each in [*CERTIFICATES, *RECEIPTS, OFFERS]]
OF_RECEIPTS = {"receipt signed", "receipt included", "receipt kept"}


def try_one(data: bytes) -> None:
    """Verify bytes as a certificate, and as a receipt and as offers beside one that holds."""
    offers = verify(CERTIFICATE, offers=data)
    try:
        believed = holds(verify(data))
        checks = verify(CERTIFICATE, ballots=DAY.log.records, receipt=data)
    except Unreadable:
        return
    believed |= any(
        check.verdict is Verdict.OK for check in checks if check.name == "receipt included"
    ) and all(check.verdict is Verdict.OK for check in checks if check.name in OF_RECEIPTS)
    believed |= any(each.name == "offers" and each.verdict is Verdict.OK for each in offers)
    if believed and json.loads(data) not in HONEST:
        raise AssertionError("this holds, and is not honest")


def change(data: bytes, most: int, seed: int) -> bytes:
    """Change one value of JSON, or any bytes if there is none."""
    chance = random.Random(seed)
    try:
        loaded = json.loads(data)
    except (ValueError, RecursionError):
        loaded = None
    places = _places(loaded) if isinstance(loaded, dict) else []
    if not places or chance.random() < 0.1:
        return bytes(atheris.Mutate(data, most))
    holder, key = chance.choice(places)
    other = _places(deepcopy(chance.choice(HONEST)))
    source, name = chance.choice([each for each in other if each[1] == key] or other)
    match chance.randrange(5):
        case 0:
            del holder[key]
        case 1:
            holder[key] = source[name]
        case 2 if isinstance(holder, list):
            holder.insert(chance.randrange(len(holder) + 1), source[name])
        case _:
            holder[key] = _changed(holder[key], chance)
    return json.dumps(loaded, ensure_ascii=chance.random() < 0.5).encode("utf-8", "replace")[:most]


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Return what holds a value, and at which key or index, for all of JSON."""
    inside = list(value.items() if isinstance(value, dict) else enumerate(value))
    found = [(value, key) for key, _ in inside]
    for _, each in inside:
        if isinstance(each, dict | list):
            found += _places(each)
    return found


def _changed(value: Any, chance: random.Random) -> Any:
    if isinstance(value, str):
        return bytes(atheris.Mutate(value.encode("utf-8", "replace"), 4096)).decode(
            "utf-8", "replace"
        )
    if isinstance(value, int):
        return value ^ 1 << chance.randrange(8)
    return None


if __name__ == "__main__":
    corpus = Path(mkdtemp())
    for number, each in enumerate([*CERTIFICATES, *RECEIPTS, OFFERS]):
        (corpus / str(number)).write_bytes(each)
    atheris.Setup([*sys.argv, str(corpus)], try_one, custom_mutator=change)
    atheris.Fuzz()
