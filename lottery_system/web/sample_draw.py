"""Sample draw: what a result looks like and how it is checked, until the first draw is made."""

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from lottery_system.fairness.certificate import parse_certificate
from lottery_system.fairness.records import parse_freeze


class SampleDraw(NamedTuple):
    """A draw that nobody took part in."""

    #: of its certificate, below the static files
    file: str
    #: of the winning ballot
    number: int
    ballot_count: int
    username: str


@lru_cache
def sample_draw(folder: str, mode: str) -> SampleDraw:
    """Read the sample of a mode, which comes with the static files.

    Args:
        folder: of the static files.
        mode: `operator` or `beacon`.
    """
    file = f"sample/{mode}.json"
    certificate = parse_certificate((Path(folder) / file).read_bytes())
    winner = certificate.winners[0]
    size = parse_freeze(certificate.freeze).size
    return SampleDraw(file, winner.number, size, winner.holder.username)
