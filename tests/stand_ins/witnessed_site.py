"""A lottery with witnesses, seen from outside: its pauses, its checkpoint, who cosigned that."""

from flask import Flask

from lottery_system import witnesses
from lottery_system.certificates import certificate_of
from lottery_system.extensions import reading
from lottery_system.fairness.certificate import parse_certificate
from lottery_system.fairness.cosignature import check_cosignature, is_by
from lottery_system.fairness.note import split_note
from lottery_system.parts import keep, parts_of
from tests.conftest import FIRST_DAY
from tests.stand_ins.log_keys import LOG_KEYS
from tests.stand_ins.witness import Witness
from tests.web.conftest import Visitor


def restarted(app: Flask) -> None:
    """Let the process forget what it has heard, as a restart does."""
    parts = parts_of(app)
    fresh = witnesses.of(parts.settings, parts.rollback, parts.pause)
    parts.pause.clear(witnesses.CAUSE)
    keep(app, type(parts)(**{**vars(parts), "witnesses": fresh}))


def reasons(app: Flask) -> str:
    return "\n".join(parts_of(app).pause.reasons)


def checkpoint(app: Flask) -> str:
    return Visitor(app.test_client()).get("/log/checkpoint").text


def cosigners(note: str, *known: Witness) -> list[str]:
    """Return the names of the witnesses whose cosignatures of a note hold."""
    body, signatures = split_note(note)
    found = []
    for witness in known:
        for signature in signatures:
            if is_by(signature, witness.key.witness):
                check_cosignature(signature, witness.key.witness, body)
                found.append(witness.key.name)
    return found


def certified(app: Flask) -> str:
    """Return the checkpoint of the first day's certificate."""
    with app.app_context(), reading() as connection:  # which no cache of pages knows
        text = certificate_of(connection, FIRST_DAY, LOG_KEYS)
    return parse_certificate(text.encode()).journal.checkpoint
