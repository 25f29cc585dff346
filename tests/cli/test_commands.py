"""Commands of operators: users, lotteries and draws."""

from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from lottery_system import cli
from lottery_system.models import AccountEvent, AccountLink, LoginSession, Lottery, User, Winner
from lottery_system.models.password_reset import holder_of
from lottery_system.passwords import check_password
from tests.cli.conftest import Type
from tests.conftest import FIRST_DAY, FIRST_NOON, Cast, Clock, Submit
from tests.stand_ins.log_keys import begin


def test_the_first_organiser_comes_from_the_command_line(type_: Type, session: Session) -> None:
    done = type_("user create alice --organiser", "correct horse\n")

    assert (done.exit_code, done.output) == (0, "Created organiser alice.\n")
    user = session.scalars(select(User)).one()
    assert user.is_organiser
    assert check_password(user.password_hash, "correct horse")


@pytest.mark.parametrize(
    ("command", "password", "says"),
    [
        ("user create b<b", "correct horse", "Use only letters"),
        ("user create dana", "short", "8 to 128 characters"),
        ("user create dana", "", "8 to 128 characters"),
        ("user create dana", "lotterylottery", "the lottery’s name"),
        ("user create BOB", "correct horse", "is taken, or looks too similar to"),
        ("user promote nobody", "", "There is no user 'nobody'."),
        ("user reset-link nobody", "", "There is no user 'nobody'."),
        ("user demote nobody", "", "There is no user 'nobody'."),
        ("lottery create Raffle --closes-on 2026-02-30", "", "'2026-02-30' is not a date"),
        ("lottery create Raffle --closes-on 2026-11-18", "", "This day is over."),
        ("lottery create Raf\u200bfle --closes-on 2026-12-31", "", "invisible characters"),
        ("lottery create Raf\u202efle --closes-on 2026-12-31", "", "invisible characters"),
        ("lottery create Raf\x07fle --closes-on 2026-12-31", "", "invisible characters"),
        ("lottery create Gl\udcfcck --closes-on 2026-12-31", "", "invisible characters"),
        ("lottery create R --closes-on 2026-12-31 --prize \udcfc", "", "invisible characters"),
        ("user create B\udcfcb", "correct horse", "some of the characters"),
        ("user promote B\udcfcb", "", "some of the characters"),
        ("lottery create Raffle", "", "Missing option '--closes-on'"),
        ("draw show yesterday", "", "'yesterday' is not a date"),
        ("draw show 2020-01-01", "", "There is no draw of 2020-01-01."),
    ],
)
def test_what_cannot_be_ends_with_a_sentence(
    type_: Type, cast: Cast, session: Session, command: str, password: str, says: str
) -> None:
    done = type_(command, password + "\n")

    assert done.exit_code != 0
    assert says in done.output
    assert len(session.scalars(select(User)).all()) == 3
    assert session.scalars(select(Lottery)).all() == []


def test_a_password_that_is_no_text_ends_with_a_sentence(app: Flask, clock: Clock) -> None:
    done = app.test_cli_runner().invoke(args=["user", "create", "bob"], input=b"correct \xfc horse")

    assert (done.exit_code, done.output) == (
        1, "Error: The password on standard input is not UTF-8 text.\n"
    )  # fmt: skip


def test_a_fault_of_ours_is_told_without_a_traceback_and_what_was_in_it(
    type_: Type, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a password: hunter2")

    monkeypatch.setattr(cli, "look_up", fail)

    done = type_("draw show")

    assert (done.exit_code, done.output) == (
        1,
        "Error: Internal error (RuntimeError). Unfinished work was rolled back. Run it again "
        "with FLASK_DEBUG=1 to see where it is, and report it.\n",
    )


def test_a_file_that_cannot_be_read_is_named(type_: Type, cast: Cast, tmp_path: Path) -> None:
    (tmp_path / "log_key").unlink()
    (tmp_path / "log_key").mkdir()

    done = type_("draw run")

    assert done.exit_code == 1
    assert "log_key" in done.output


def test_a_user_is_made_an_organiser_and_a_participant_again_and_logs_in_anew(
    type_: Type, cast: Cast, session: Session
) -> None:
    def is_organiser() -> bool | None:
        with session.begin():
            return session.scalar(select(User.is_organiser).where(User.username == "bob"))

    with session.begin():
        LoginSession.open(session, cast.bob, FIRST_NOON)
        LoginSession.open(session, cast.charlie, FIRST_NOON)

    assert type_("user promote BOB").output == "bob is an organiser now.\n"
    assert is_organiser() is True
    with session.begin():
        assert session.scalars(select(LoginSession.user_id)).all() == [cast.charlie.id]
    assert type_("user demote bob").output == "bob is a participant now.\n"
    assert is_organiser() is False
    with session.begin():
        events = AccountEvent.latest_of(session.connection(), cast.bob.id, 5)
    assert [(each.kind, each.by_command) for each in events] == [
        ("demoted", True), ("promoted", True),
    ]  # fmt: skip


def test_a_link_for_a_new_password_is_printed_once_and_recorded(
    type_: Type, cast: Cast, session: Session, app: Flask
) -> None:
    done = type_("user reset-link ALICE")

    assert done.exit_code == 0
    path, _, token = done.stdout.rstrip().partition("?link=")
    assert path == "/new-password"
    assert "LOTTERY_URL is not set" in done.stderr
    assert "give it to alice alone" in done.stderr
    with session.begin():
        assert holder_of(session, token, FIRST_NOON).id == cast.alice.id
        event = session.scalars(select(AccountEvent)).one()
        assert (event.user_id, event.kind, event.actor_id, event.by_command) == (
            cast.alice.id, "reset_link_made", None, True,
        )  # fmt: skip


@pytest.mark.parametrize("given_settings", [{"LOTTERY_URL": "https://lottery.example"}])
def test_a_link_begins_with_the_address_of_the_site(type_: Type, cast: Cast) -> None:
    done = type_("user reset-link bob")

    assert done.stdout.startswith("https://lottery.example/new-password?link=")
    assert "LOTTERY_URL" not in done.stderr


def test_there_is_no_link_for_a_closed_account(type_: Type, cast: Cast, session: Session) -> None:
    with session.begin():
        session.get_one(User, cast.bob.id).close(FIRST_NOON)

    done = type_("user reset-link bob")

    assert (done.exit_code, done.stdout) == (1, "")
    assert "This account is closed." in done.stderr
    assert session.scalars(select(AccountLink)).all() == []


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("user demote alice", "There must always be an organiser"),
        ("user demote bob", "bob is not an organiser. Nothing was changed."),
        ("user promote alice", "alice is an organiser already. Nothing was changed."),
        ("user promote nobody", "There is no user 'nobody'."),
    ],
)
def test_rights_that_cannot_change_are_refused_with_a_sentence(
    type_: Type, cast: Cast, session: Session, command: str, says: str
) -> None:
    with session.begin():
        LoginSession.open(session, cast.alice, FIRST_NOON)

    done = type_(command)

    assert (done.exit_code, says in done.output) == (1, True)
    with session.begin():
        organisers = session.scalars(select(User.username).where(User.is_organiser)).all()
        assert organisers == ["alice"]
        assert len(session.scalars(select(LoginSession)).all()) == 1


def test_a_lottery_is_created(type_: Type, session: Session) -> None:
    done = type_("lottery create Raffle --closes-on 2026-12-31 --prize Cheese")

    assert done.output == "Created lottery 'Raffle', open until the end of 2026-12-31 UTC.\n"
    with session.begin():
        lottery = session.scalars(select(Lottery)).one()
    assert (lottery.name, lottery.prize) == ("Raffle", "Cheese")
    again = type_("lottery create Raffle --closes-on 2026-12-31")
    assert "There is a lottery named 'Raffle' already." in again.output
    assert again.exit_code != 0


def test_the_demo_lotteries_are_created_once(type_: Type, session: Session) -> None:
    first, second = type_("lottery demo"), type_("lottery demo")

    assert (first.exit_code, second.exit_code) == (0, 0)
    names = session.scalars(select(Lottery.name).order_by(Lottery.name)).all()
    assert names == ["Big Chance", "Extra Win"]
    assert "There is a lottery named 'Big Chance' already." in second.output


def test_where_there_is_a_lottery_there_is_no_demo(
    type_: Type, big_chance: Lottery, session: Session
) -> None:
    done = type_("lottery demo --if-empty")

    assert (done.exit_code, done.output) == (0, "")
    assert session.scalars(select(Lottery.name)).all() == ["Big Chance"]


@pytest.mark.parametrize(
    "given_settings",
    [{"LOTTERY_ENV": "production", "LOTTERY_SECRET_KEY": "k" * 32, "LOTTERY_NAME": "a.example"}],
)
def test_production_has_no_lotteries_to_play_with(type_: Type, session: Session) -> None:
    refused, quiet = type_("lottery demo"), type_("lottery demo --if-empty")

    assert refused.exit_code == 1
    assert "have no place in production" in refused.output
    assert (quiet.exit_code, quiet.output) == (0, "")
    assert session.scalars(select(Lottery.name)).all() == []


def test_draws_are_run_and_shown(
    type_: Type, cast: Cast, big_chance: Lottery, submit: Submit, clock: Clock, session: Session
) -> None:
    begin(session, FIRST_NOON)
    submit(cast.bob, big_chance, 3)
    assert type_("draw show").output == "2026-11-19: open, ballots: 3\n"
    assert type_("draw run").output == "Nothing is due.\n"
    clock.turn(timedelta(days=2))

    done = type_("draw run")

    with session.begin():
        number = session.get_one(Winner, (FIRST_DAY, 1)).number
    first_day = f"2026-11-19: drawn, ballots: 3\n  place 1: ballot {number}, bob, Big Chance\n"
    assert done.output == first_day + "2026-11-20: drawn, ballots: 0\n"
    assert type_("draw show 2026-11-19").output == first_day
    assert type_("draw run").output == "Nothing is due.\n"


def test_waiting_for_a_database_ends_at_once_where_it_lets_us_in(type_: Type) -> None:
    done = type_("db wait --seconds 0")

    assert (done.exit_code, done.output) == (0, "")
