"""Days in mode beacon: they wait for their round, accept no other, and recover by themselves."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from lottery_system import draws
from lottery_system.clock import closes_at, starts_at
from lottery_system.errors import BadBeacon
from lottery_system.extensions import db, reading
from lottery_system.fairness.beacon import QUICKNET, round_at, time_of
from lottery_system.fairness.checks import holds
from lottery_system.fairness.note import Checkpoint, sign_checkpoint
from lottery_system.fairness.verify import verify
from lottery_system.models import CLOSED, DRAWN, OPEN, Draw, JournalRecord, Winner
from lottery_system.parts import parts_of
from tests.conftest import running, settings_for
from tests.stand_ins.log_keys import begin, keep_keys
from tests.stand_ins.rounds import BEACON_DAY, BEACON_GAP, BEACON_OPERATOR, BEACON_ROUND, SIGNATURES
from tests.web.conftest import Visitor, text_of

ONE_DAY = timedelta(days=1)
MIDNIGHT = closes_at(BEACON_DAY)
DUE = datetime.fromtimestamp(time_of(QUICKNET, BEACON_ROUND), UTC)


class Relays:
    """Relays that know the recorded rounds, and note what they are asked for."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.are_out = False

    def __call__(self, number: int) -> bytes | None:
        self.asked.append(number)
        return None if self.are_out else SIGNATURES.get(number)


@pytest.fixture
def relays() -> Relays:
    return Relays()


@pytest.fixture
def app(database_url: str, tmp_path: Path) -> Iterator[Flask]:
    """Return an application in mode beacon, whose days begin on a recorded one."""
    keep_keys(tmp_path, BEACON_OPERATOR)
    settings = settings_for(
        database_url,
        LOTTERY_STORAGE=str(tmp_path),
        LOTTERY_BEACON="drand",
        LOTTERY_BEACON_GAP=str(BEACON_GAP),
        LOTTERY_BEACON_URLS="http://127.0.0.1:9",  # nobody is there
    )
    with (
        time_machine.travel(starts_at(BEACON_DAY) + ONE_DAY / 2, tick=False),
        running(settings) as app,
    ):
        yield app


@pytest.fixture
def session(app: Flask) -> Iterator[Session]:
    with app.app_context(), Session(db.engine, expire_on_commit=False) as session:
        begin(session, starts_at(BEACON_DAY), BEACON_OPERATOR, BEACON_GAP)
        yield session


def tick(session: Session, now: datetime, relays: Relays) -> list[object]:
    return list(draws.run_due(session, now, 1, BEACON_OPERATOR, relays))


def status_of(session: Session) -> str:
    with session.begin():
        return session.scalars(select(Draw.status).where(Draw.day == BEACON_DAY)).one()


def test_a_day_is_closed_at_midnight_and_drawn_when_its_round_is_there(
    session: Session, relays: Relays
) -> None:
    assert tick(session, MIDNIGHT, relays) == []
    assert status_of(session) == CLOSED

    assert tick(session, DUE, relays) == [BEACON_DAY]

    assert status_of(session) == DRAWN
    assert relays.asked == [BEACON_ROUND]


def test_a_day_that_waits_for_its_round_is_drawn_as_it_was_frozen_though_keys_are_replaced(
    app: Flask, session: Session, relays: Relays
) -> None:
    parts, runner, visitor = parts_of(app), app.test_cli_runner(), Visitor(app.test_client())
    with app.app_context(), reading() as connection:
        parts.rollback.look(connection)
    tick(session, MIDNIGHT, relays)
    frozen = visitor.get(f"/draws/{BEACON_DAY}/freeze.tlog-proof").data

    with time_machine.travel(MIDNIGHT, tick=False):
        done = runner.invoke(args=["draw", "replace-keys"], input="lottery.local\n")
        assert f"{BEACON_DAY}: closed already, so that it is drawn as it was frozen." in done.output
    new = parts.keyring.begin(DUE)
    assert new.key != BEACON_OPERATOR.key
    assert draws.run_due(session, DUE, 1, new, relays) == [BEACON_DAY]

    certificate = visitor.get(f"/draws/{BEACON_DAY}/certificate.json").data
    assert visitor.get(f"/draws/{BEACON_DAY}/freeze.tlog-proof").data == frozen
    notes = [visitor.get("/log/recovery/1").text]
    for key in (BEACON_OPERATOR.key.verifier, new.key.verifier):
        assert holds(verify(certificate, key=key, recoveries=notes))


def test_witnesses_are_asked_once_a_day_is_closed_and_not_when_its_round_is_out(
    session: Session, relays: Relays
) -> None:
    asked: list[str] = []

    for now in (MIDNIGHT, DUE):
        draws.run_due(
            session, now, 1, BEACON_OPERATOR, relays,
            cosign=lambda: asked.append(status_of(session)),
        )  # fmt: skip

    assert asked == [CLOSED]
    assert status_of(session) == DRAWN


def test_the_winners_page_says_when_the_number_of_a_closed_day_comes(
    app: Flask, session: Session, relays: Relays
) -> None:
    def winners(now: datetime) -> str:
        with time_machine.travel(now, tick=False):
            return text_of(Visitor(app.test_client()).get("/winners"))

    said = f"The draw of {BEACON_DAY:%-d %b} is being made."
    due = f"{DUE:%-d %B %Y, %H:%M:%S} UTC"
    assert f"{said} Wait for the winner" in winners(MIDNIGHT)

    tick(session, MIDNIGHT, relays)
    early, late = winners(DUE - timedelta(seconds=1)), winners(DUE + timedelta(minutes=1))
    assert f"{said} The public random number for it is due on {due}" in early
    # what somebody keeps before the number is out ends all other lists
    assert "Save tonight’s checkpoint : it proves later" in early
    assert "Save tonight’s checkpoint" not in late
    assert f"{said} It waits for a public random number, which was due on {due}" in late

    tick(session, DUE + timedelta(minutes=2), relays)
    assert said not in winners(DUE + timedelta(minutes=2))


def test_the_draw_screen_says_when_the_number_of_a_closed_day_comes(
    app: Flask, session: Session, relays: Relays
) -> None:
    def screen(now: datetime) -> str:
        with time_machine.travel(now, tick=False):
            return text_of(Visitor(app.test_client()).get("/screen"))

    assert "Today’s ballots close in" in screen(MIDNIGHT - timedelta(hours=1))
    assert "It comes some minutes after midnight UTC." in screen(MIDNIGHT)

    tick(session, MIDNIGHT, relays)
    assert "It’s being made now." in screen(MIDNIGHT)
    assert f"It comes at {DUE:%H:%M:%S} UTC." in screen(DUE - timedelta(seconds=1))
    assert "which is late" in screen(DUE + timedelta(minutes=1))

    tick(session, DUE + timedelta(minutes=2), relays)
    assert "No ballots were added" in screen(DUE + timedelta(minutes=2))


def test_nobody_is_asked_before_the_rounds_time(session: Session, relays: Relays) -> None:
    tick(session, MIDNIGHT, relays)

    assert tick(session, DUE - timedelta(seconds=1), relays) == []
    assert relays.asked == []


def test_while_the_relays_are_out_the_draw_waits_and_then_takes_the_same_round(
    session: Session, relays: Relays, caplog: pytest.LogCaptureFixture
) -> None:
    tick(session, MIDNIGHT, relays)
    relays.are_out = True
    with caplog.at_level(logging.WARNING):
        for hours in range(1, 6):
            assert tick(session, DUE + timedelta(hours=hours), relays) == []
    assert f"waits for round {BEACON_ROUND} of the beacon" in caplog.text
    relays.are_out = False

    assert tick(session, DUE + timedelta(hours=6), relays) == [BEACON_DAY]

    assert set(relays.asked) == {BEACON_ROUND}


def test_days_go_on_closing_while_a_draw_waits_and_are_drawn_in_order(
    session: Session, relays: Relays
) -> None:
    relays.are_out = True
    tick(session, MIDNIGHT + 2 * ONE_DAY, relays)
    with session.begin():
        statuses = session.scalars(select(Draw.status).order_by(Draw.day)).all()

    assert statuses == [CLOSED, CLOSED, CLOSED, OPEN]


@pytest.mark.parametrize("signature", [SIGNATURES[2], bytes(48), b"", SIGNATURES[12_040_883][:47]])
def test_a_signature_that_is_not_the_networks_draws_nothing(
    session: Session, relays: Relays, signature: bytes
) -> None:
    tick(session, MIDNIGHT, relays)

    with pytest.raises(BadBeacon), session.begin():
        Draw.draw(session, BEACON_DAY, DUE, BEACON_OPERATOR, signature)

    assert status_of(session) == CLOSED
    with session.begin():
        assert session.scalars(select(Winner)).all() == []


def test_there_is_no_falling_back_to_a_draw_without_a_beacon(
    session: Session, relays: Relays
) -> None:
    tick(session, MIDNIGHT, relays)

    with pytest.raises(BadBeacon, match="takes round 12040883"), session.begin():
        Draw.draw(session, BEACON_DAY, DUE, BEACON_OPERATOR)


def test_a_day_frozen_late_takes_a_round_after_its_freezing(
    session: Session, relays: Relays
) -> None:
    late = MIDNIGHT + timedelta(seconds=BEACON_GAP)
    tick(session, late, relays)

    with session.begin():
        (freeze,) = JournalRecord.freezes(session, [BEACON_DAY]).values()

    assert freeze.round == round_at(QUICKNET, late + timedelta(seconds=BEACON_GAP))
    assert relays.asked == []


def test_the_certificate_of_a_day_with_a_beacon_verifies(
    session: Session, relays: Relays, app: Flask
) -> None:
    tick(session, MIDNIGHT, relays)
    tick(session, DUE, relays)
    with time_machine.travel(DUE, tick=False):
        answer = app.test_client().get(f"/draws/{BEACON_DAY}/certificate.json")
        page = app.test_client().get(f"/draws/{BEACON_DAY}")

    assert holds(verify(answer.data, key=BEACON_OPERATOR.key.verifier))
    assert "A public random number decides the draw." in text_of(page)
    assert f"Round {BEACON_ROUND} of drand" in text_of(page)


def test_while_a_draw_waits_its_pages_say_for_what(
    session: Session, relays: Relays, app: Flask
) -> None:
    tick(session, MIDNIGHT, relays)
    with time_machine.travel(MIDNIGHT + timedelta(minutes=10), tick=False):
        stranger = Visitor(app.test_client())
        draw, winner = (stranger.get(f"/{name}/{BEACON_DAY}") for name in ("draws", "winners"))
        figures = stranger.get("/metrics").text

    for page in (draw, winner):
        assert page.status_code == 200
        assert "14 October 2024, 17:13:33 UTC" in text_of(page)
    assert "round 12040883 of drand" in text_of(draw)
    assert "lottery_draws_overdue 0.0" in figures  # nothing is late yet


def test_a_draw_that_has_waited_too_long_is_told_to_the_operator(
    session: Session, relays: Relays, app: Flask
) -> None:
    tick(session, MIDNIGHT, relays)
    with time_machine.travel(DUE + timedelta(minutes=6), tick=False):
        client = app.test_client()
        figures, ready = client.get("/metrics").text, client.get("/readyz")

    assert "lottery_draws_overdue 1.0" in figures
    assert ready.status_code == 200  # other hosts have no beacon either


def hand_in(app: Flask, number: int, signature: str) -> tuple[int, str]:
    with time_machine.travel(DUE, tick=False):
        done = app.test_cli_runner().invoke(args=["draw", "beacon", str(number), signature])
    return done.exit_code, done.output


def test_a_round_can_be_handed_in_where_the_server_has_no_network(
    session: Session, relays: Relays, app: Flask
) -> None:
    tick(session, MIDNIGHT, relays)

    code, said = hand_in(app, BEACON_ROUND, SIGNATURES[BEACON_ROUND].hex())

    assert (code, said) == (0, f"{BEACON_DAY}: drawn, ballots: 0\n")


def test_no_round_is_taken_while_a_witness_is_known_to_have_seen_another_journal(
    session: Session, relays: Relays, app: Flask, tmp_path: Path
) -> None:
    tick(session, MIDNIGHT, relays)
    seen = Checkpoint(BEACON_OPERATOR.key.name, 9, bytes(32))
    folder = tmp_path / "witness-evidence"
    folder.mkdir()
    (folder / "9-0123456789abcdef").write_text(sign_checkpoint(seen, BEACON_OPERATOR.key))

    code, said = hand_in(app, BEACON_ROUND, SIGNATURES[BEACON_ROUND].hex())

    assert code == 1
    assert "a witness has seen 9 that this lottery signed" in said
    assert status_of(session) == CLOSED


@pytest.mark.parametrize(
    ("number", "signature", "sentence"),
    [
        (BEACON_ROUND, SIGNATURES[2].hex(), "This is not the beacon's signature of round 12040883"),
        (2, SIGNATURES[2].hex(), "No draw waits for round 2. Those that wait take round 12040883."),
        (BEACON_ROUND, "nonsense", "A signature is written as 96 hex digits."),
    ],
)
def test_a_wrong_round_or_signature_is_refused_and_nothing_drawn(
    session: Session, relays: Relays, app: Flask, number: int, signature: str, sentence: str
) -> None:
    tick(session, MIDNIGHT, relays)

    code, said = hand_in(app, number, signature)

    assert code == 1
    assert sentence in said
    assert status_of(session) == CLOSED


def test_a_round_that_nobody_waits_for_is_refused(session: Session, app: Flask) -> None:
    code, said = hand_in(app, 2, SIGNATURES[2].hex())

    assert code == 1
    assert "No draw waits at all." in said
