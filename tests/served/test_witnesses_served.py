"""A witness that learns the key after the first start, with real gunicorn."""

from pathlib import Path
from urllib.request import urlopen

import pytest

from lottery_system.fairness.note import parse_signing_key
from lottery_system.keys import LOG_KEY
from tests.stand_ins.processes import Gunicorn
from tests.stand_ins.witness import Witness, keep_policy
from tests.stand_ins.witnessed_site import cosigners


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_genesis_is_cosigned_at_the_start_before_anybody_plays(
    database_url: str, tmp_path: Path
) -> None:
    with Witness("w1.example") as witness:
        policy = keep_policy(tmp_path / "witnesses", witness)
        with Gunicorn(database_url, tmp_path, workers=2, LOTTERY_WITNESSES=str(policy)) as server:
            with urlopen(f"{server.url}/log/checkpoint") as answer:
                assert cosigners(answer.read().decode(), witness) == []
            assert "w1.example: it does not know this lottery (404)" in server.log()
            key = parse_signing_key((tmp_path / LOG_KEY).read_text().strip()).verifier
            witness.known = {(key.name, key.key_id): key}
            server.stop()

            server.start()

            with urlopen(f"{server.url}/log/checkpoint") as answer:
                assert cosigners(answer.read().decode(), witness) == ["w1.example"]
