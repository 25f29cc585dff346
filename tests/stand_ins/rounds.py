"""Recorded rounds of drand's quicknet, and a day that uses one of them."""

import json
from datetime import date
from pathlib import Path

from lottery_system.fairness.beacon import QUICKNET
from tests.stand_ins.log_keys import LOG_KEYS

DATA = Path(__file__).resolve().parents[1] / "fairness" / "data"
RECORDED = json.loads((DATA / "drand_rounds.json").read_text("utf-8"))["quicknet"]
SIGNATURES: dict[int, bytes] = {
    each["round"]: bytes.fromhex(each["signature"]) for each in RECORDED["rounds"]
}
#: a day, and the seconds after its end at which a recorded round is signed
BEACON_DAY, BEACON_GAP, BEACON_ROUND = date(2024, 10, 13), 62_013, 12_040_883
BEACON_OPERATOR = LOG_KEYS._replace(chain=QUICKNET)
