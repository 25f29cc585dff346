"""Sample draws, one for each mode: `python -m tests.stand_ins.sample_draw` writes `static/sample`.

The Winners page shows one before the first draw. They are played by the lottery's own code with
fixed keys and dice, so they are the same each time.
"""

from datetime import timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

from sqlalchemy.orm import Session

from lottery_system.ballot_box import BallotBox
from lottery_system.certificates import certificate_of
from lottery_system.clock import closes_at, starts_at
from lottery_system.extensions import db
from lottery_system.fairness.beacon import QUICKNET
from lottery_system.fairness.note import SigningKey
from lottery_system.models import AskedBallots, LogKeys, Lottery, User
from tests.conftest import hash_of_password, migrate, running, settings_for
from tests.stand_ins.log_keys import begin, run_due
from tests.stand_ins.processes import ROOT
from tests.stand_ins.rounds import BEACON_DAY, BEACON_GAP, SIGNATURES

FOLDER = ROOT / "static" / "sample"
NAME = "sample.lottery.local"
PLAYERS = {"anna": 5, "ben": 7, "carla": 3, "david": 6, "emma": 3}
NOON = starts_at(BEACON_DAY) + timedelta(hours=12)


def write(folder: Path = FOLDER) -> None:
    """Play the sample day in each mode, and write its certificates."""
    folder.mkdir(exist_ok=True)
    for mode, chain in (("operator", None), ("beacon", QUICKNET)):
        with TemporaryDirectory() as name:
            url = f"sqlite:///{name}/lottery.db"
            migrate(url)
            with (
                running(settings_for(url)) as app,
                app.app_context(),
                Session(db.engine, expire_on_commit=False) as session,
            ):
                log_keys = LogKeys(SigningKey(NAME, dice("key")), dice("tip"), chain)
                text = played(session, log_keys)
        file = folder / f"{mode}.json"
        file.write_text(text, encoding="utf-8")
        file.chmod(0o644)  # a file that everybody is shown


def played(session: Session, log_keys: LogKeys) -> str:
    """Let people play for a day, draw it, and return its certificate."""
    lottery = Lottery.create("Village Raffle", "", BEACON_DAY, NOON)
    password_hash = hash_of_password()
    with session.begin():
        users = [User.sign_up(name, password_hash, NOON) for name in PLAYERS]
        session.add_all([lottery, *users])
    box = BallotBox(db.engine, utcnow=lambda: NOON)
    begin(session, NOON, log_keys, BEACON_GAP if log_keys.chain else 0)
    for user in users:
        box.submit(
            AskedBallots.of(
                token=UUID(bytes=dice(user.username)[:16]),
                user_id=user.id,
                username=user.username,
                lottery_id=lottery.id,
                ballot_count=PLAYERS[user.username],
                entropy=partial(salts, user.username),
            )
        )
    box.drain()
    midnight = closes_at(BEACON_DAY)
    run_due(session, midnight, log_keys=log_keys)
    run_due(session, midnight + timedelta(days=1), log_keys=log_keys, fetch=SIGNATURES.get)
    return certificate_of(session.connection(), BEACON_DAY, log_keys)


def salts(name: str, size: int) -> bytes:
    """Return bytes that are always the same for a name."""
    return (dice(name) * size)[:size]


def dice(name: str) -> bytes:
    """Return what stands for chance: 32 bytes."""
    return sha256(f"sample draw: {name}".encode()).digest()


if __name__ == "__main__":
    write()
