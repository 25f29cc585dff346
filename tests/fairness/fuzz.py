"""`make fuzz`: atheris tries to make the verifier stumble or believe what it should not.

Whatever bytes come, `verify` raises nothing but `Unreadable`, and holds for nothing whose JSON is
not that of one of the protocol's own certificates. Coverage leads it: it mutates what reaches new
code.
"""

import json
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["lottery_system.fairness"]):
    from lottery_system.fairness.certificate import Unreadable
    from lottery_system.fairness.checks import holds
    from lottery_system.fairness.verify import verify

SEEDS = Path(__file__).parent / "data" / "certificates"
MEANINGS = [json.loads(path.read_bytes()) for path in SEEDS.glob("*.json")]


def try_one(data: bytes) -> None:
    """Verify bytes as a certificate, and as a receipt of one that holds."""
    try:
        checks = verify(data)
    except Unreadable:
        return
    if holds(checks) and json.loads(data) not in MEANINGS:
        raise AssertionError("this holds, and is none of the certificates")


atheris.Setup([*sys.argv, str(SEEDS)], try_one)
atheris.Fuzz()
