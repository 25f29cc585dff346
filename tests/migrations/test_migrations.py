"""Migrations: from an empty database to the newest schema and back, on both databases."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask_migrate import downgrade, upgrade
from sqlalchemy import Date, Engine, bindparam, inspect, select, text
from sqlalchemy.exc import DatabaseError, IntegrityError
from sqlalchemy.orm import Session

from lottery_system import migrations
from lottery_system.audit import audit
from lottery_system.certificates import certificate_of
from lottery_system.errors import DataWouldBeLost
from lottery_system.extensions import db, reading
from lottery_system.fairness.checks import Verdict, holds
from lottery_system.fairness.selection import winning_ballots
from lottery_system.fairness.verify import verify
from lottery_system.models import (
    CLOSED,
    DRAWN,
    OPEN,
    AccountEvent,
    Base,
    ClaimEvent,
    Draw,
    Invitation,
    LoginSession,
    Lottery,
    LotteryChange,
    Mail,
    MailAddress,
    Offer,
    OfferNote,
    Passkey,
    User,
    Winner,
)
from lottery_system.models.base import UTCDateTime
from lottery_system.models.claim import claim
from lottery_system.models.lottery_edit import edit_lottery
from lottery_system.queries.logs import ballot_records
from lottery_system.runtime.database import SETTINGS
from lottery_system.schema import demand_current
from lottery_system.usernames import look_alike_key
from tests.conftest import migrate, running, settings_for
from tests.stand_ins.log_keys import LOG_KEYS, begin, run_due
from tests.stand_ins.postgres import Server
from tests.stand_ins.processes import PATIENCE, wait_for

#: the number that hosts lock while they bring the schema up to date
MIGRATING = 0x10_77_E7
VERSIONS = Path(migrations.__path__[0]) / "versions"

#: what each migration is since it has landed; a new one is entered here when it is finished
LANDED = {
    "0001_the_first_tables.py":
        "49350c4892048793859f402fbf4898902de4430dfb59748a4a6917729fd2df99",
    "0002_what_is_kept_for_ever.py":
        "721d853da1f0a90987fa483a438dcc22ef4034c24ad27970126a512a0814858d",
    "0003_the_public_log.py":
        "ce643faa71dda663c53b4b76471aa25d5a121df793cd6fe4605e7c1bc2d32a32",
    "0004_what_people_see.py":
        "d244b21e0a61e60d38b3d8432be75a87e181e8ba06d60b01bb59d7dcb5c1fc4b",
    "0005_earlier_forms.py":
        "cf6e0cb2480cf094177654e09e382fbf0023c6b2312bdbdf3e1242ae6112b1f1",
    "0006_what_was_offered.py":
        "cb5ea9bc21bc68d86de2f3449c8a33eba138775f9e10c05246224f4df677876d",
    "0007_journals_that_end.py":
        "726fd9fab71778e398224d30cd3ee34201110b75f58c6f4447123c1252945f28",
    "0008_look_alike_keys.py": "32edbff551d1baa0d171e0799127a2ee6799cf4904758f5a74eadd3cf1363034",
    "0009_claims_and_limits.py":
        "67bc1be1470234db382abae66a9a413cd32ce428b48ed1cb5ad8ac01f713b935",
    "0010_offers_signed.py":
        "ff0ccece8f938d186661d26003bbf735e6ff6630d1cc9de277994b88ecd66ad3",
    "0011_title_texts_pictures.py":
        "6672ea37b6e3ebc5ec6a55448e3889ef9cc624bcce6ded66eb8ed04995270309",
    "0012_accounts_and_links.py":
        "657f9e1508cb9d2f8298b764b0b7f762dd95a99ef0e5da2effdd2c853e7e0af3",
    "0013_mails.py": "aeb07e7b31bdb1c47b23d17d096129d7f127b8ab7bc40c97b8dbef67bf31939b",
    "0014_who_may_join.py":
        "1fbcf154f114e613a269babfd81a5f71043163aa191779e8ead83d614d4e0592",
    "0015_second_factors.py":
        "a2dc36fba8fa4153073a1d04d8cc9b5c2bdd3bf2fe9f0d9d7386131fc57b4201",
    "0016_search_keys.py": "a2ab32a76ee62007562d5aceee206bbb5c9fd402f6b421125e3fd9fcb06af15a",
    "0017_time_zones.py": "3bc3c5ba56644f614114e9ba0d6b0e3934dd3b8c50e48ec6cdcbb5e8f255ebcd",
    "0018_cosignatures.py":
        "5104260f1f9476700863c67d9b698495a603d72868376febfdf0499ce86dedd3",
    "0019_timestamps.py": "ecca43d9a7ce5eb7d2256c58065ebf4949dccd1cf4ba35f0aa43cd38f700298d",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(path.name for path in VERSIONS.glob("*.py")))
def test_a_migration_that_has_landed_is_never_edited(name: str) -> None:
    digest = sha256((VERSIONS / name).read_bytes()).hexdigest()

    assert name in LANDED, f"{name} has no digest here: enter it once it is finished"
    assert LANDED[name] == digest, (
        f"{name} has landed, and databases were made by it: leave it as it was and write a new "
        "migration"
    )


def test_no_migration_that_has_landed_is_taken_away() -> None:
    assert {path.name for path in VERSIONS.glob("*.py")} >= set(LANDED)


def test_the_newest_schema_is_that_of_the_models(empty_url: str) -> None:
    with running(settings_for(empty_url)) as app, app.app_context():
        upgrade()

        with db.engine.connect() as connection:
            context = MigrationContext.configure(connection)
            assert compare_metadata(context, Base.metadata) == []


def test_a_host_waits_while_another_migrates_however_long_that_takes(
    postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limits of all other statements would end it, since a large table takes its time."""
    url = postgres.create("migrated_by_two")
    for limit in ("lock_timeout", "statement_timeout"):
        monkeypatch.setitem(SETTINGS, limit, "100ms")
    monkeypatch.setattr("lottery_system.runtime.bounded.ANSWER_TIMEOUT", 0.2)

    def has_waited() -> bool:
        return (
            other.execute(
                "SELECT true FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
                "AND datname = current_database() AND now() - query_start > interval '500 ms'"
            ).fetchone()
            is not None
        )

    with psycopg.connect(url, autocommit=True) as other, ThreadPoolExecutor(1) as pool:
        other.execute("SELECT pg_advisory_lock(%s)", [MIGRATING])
        migrated = pool.submit(migrate, url)
        wait_for(lambda: migrated.done() or has_waited(), "the upgrade waits")
        other.execute("SELECT pg_advisory_unlock(%s)", [MIGRATING])
        migrated.result(PATIENCE)

    with running(settings_for(url)) as app, app.app_context(), reading() as connection:
        demand_current(connection)
        assert connection.scalar(text("SELECT current_setting('lock_timeout')")) == "100ms"


def test_every_step_can_be_taken_back_and_forth_again(empty_url: str) -> None:
    with running(settings_for(empty_url)) as app, app.app_context():
        upgrade()
        downgrade(revision="base")

        assert inspect(db.engine).get_table_names() == ["alembic_version"]
        if db.engine.dialect.name == "postgresql":
            with db.engine.connect() as connection:
                left = connection.scalar(
                    text("SELECT count(*) FROM pg_proc WHERE proname LIKE 'refuse%'")
                )
            assert left == 0

        upgrade()
        assert "draws" in inspect(db.engine).get_table_names()


FIRST, CLOSED_DAY, TODAY = date(2026, 11, 19), date(2026, 11, 20), date(2026, 11, 21)
SEED = b"\x07" * 32


def play_before_the_log(session: Session) -> None:
    """Leave what the version before the public log left: a drawn day, a closed one, and today."""

    def add(table: str, **values: object) -> None:
        names = ", ".join(values)
        places = ", ".join(f":{name}" for name in values)
        session.execute(text(f"INSERT INTO {table} ({names}) VALUES ({places})"), values)

    at = datetime(2026, 11, 19, 12, tzinfo=UTC)
    is_sqlite = session.get_bind().dialect.name == "sqlite"

    def instant(day: date) -> object:
        found = at.replace(day=day.day)
        return found.strftime("%Y-%m-%d %H:%M:%S.%f") if is_sqlite else found

    add(
        "users", id=1, username="bob", username_key="bob", look_alike_key="bob", password_hash="",
        is_organiser=False, created_at=instant(FIRST),
    )  # fmt: skip
    add(
        "lotteries", id=1, name="Big Chance", prize="", closes_on=date(2027, 1, 1),
        created_at=instant(FIRST),
    )  # fmt: skip
    for day, counts, status in (
        (FIRST, [3], "drawn"), (CLOSED_DAY, [2, 5], "closed"), (TODAY, [1, 300, 4], "open"),
    ):  # fmt: skip
        is_over = status != "open"
        add(
            "draws", day=day, status=status, ballot_count=sum(counts),
            seed=SEED if is_over else None, places=1 if is_over else None,
            closed_at=instant(TODAY) if is_over else None,
            drawn_at=instant(TODAY) if status == "drawn" else None,
        )  # fmt: skip
        first = 1
        for count in counts:
            token = UUID(int=day.day * 1000 + first)
            add(
                "submissions", token=token.hex if is_sqlite else token, user_id=1, lottery_id=1,
                day=day, first_number=first, ballot_count=count, submitted_at=instant(day),
            )  # fmt: skip
            for number in range(first, first + count):
                add(
                    "ballots", day=day, number=number, lottery_id=1, user_id=1,
                    submitted_at=instant(day),
                )  # fmt: skip
            first += count
        add("holdings", user_id=1, day=day, lottery_id=1, ballot_count=sum(counts))
    add("winners", day=FIRST, place=1, number=2)


def test_what_was_played_before_the_public_log_is_kept_and_enters_it(empty_url: str) -> None:
    with running(settings_for(empty_url)) as app, app.app_context():
        upgrade(revision="0002")
        with Session(db.engine) as session, session.begin():
            play_before_the_log(session)

        upgrade()

        with Session(db.engine) as session:
            with session.begin():
                rows = session.execute(select(Draw.day, Draw.status, Draw.ballot_count)).all()
                assert sorted(tuple(row) for row in rows) == [
                    (FIRST, DRAWN, 3), (CLOSED_DAY, DRAWN, 7), (TODAY, OPEN, 305),
                ]  # fmt: skip
                assert session.scalars(
                    select(Winner.number).where(Winner.day == CLOSED_DAY)
                ).all() == [pick.number for pick in winning_ballots(SEED, 7, 1)]
                assert session.scalars(select(Winner.number).where(Winner.day == FIRST)).all() == [
                    2
                ]
            now = datetime(2026, 11, 22, 12, tzinfo=UTC)
            begin(session, datetime(2026, 11, 21, 12, tzinfo=UTC))
            with session.begin():
                assert list(audit(session.connection(), LOG_KEYS)) == []
            assert run_due(session, now) == [TODAY]
            with session.begin():
                assert list(audit(session.connection(), LOG_KEYS)) == []
                certificate = certificate_of(session.connection(), TODAY, LOG_KEYS)
                records = ballot_records(session.connection(), TODAY, 1, 305)
        checks = verify(certificate.encode(), key=LOG_KEYS.key.verifier, ballots=records)
        assert holds(checks)
        assert next(check for check in checks if check.name == "list").verdict is Verdict.OK


def test_a_step_back_that_would_lose_data_is_refused_and_changes_nothing(empty_url: str) -> None:
    with running(settings_for(empty_url)) as app, app.app_context():
        upgrade(revision="0002")
        with Session(db.engine) as session, session.begin():
            play_before_the_log(session)
        upgrade(revision="0005")
        before = dump(db.engine)

        with pytest.raises(DataWouldBeLost) as refused:
            downgrade(revision="0002")

        assert str(refused.value) == (
            "This downgrade would lose what is stored in ballot_tiles, draws.frontier, "
            "lotteries.changed_at, lottery_changes, submissions.holders, submissions.leaves, "
            "submissions.salts, users.seen_until. Nothing was changed; to go back to an older "
            "version, restore a backup that it has made."
        )
        assert dump(db.engine) == before
        with (
            pytest.raises(DatabaseError, match=r"(?i)foreign key"),
            Session(db.engine) as session,
            session.begin(),
        ):
            session.execute(text("INSERT INTO winners VALUES ('2026-11-21', 9, 999)"))


def test_a_step_back_keeps_what_it_does_not_drop(empty_url: str) -> None:
    with running(settings_for(empty_url)) as app, app.app_context():
        upgrade()
        with Session(db.engine) as session, session.begin():
            session.add(User.sign_up("bob", "", datetime(2026, 11, 19, 12, tzinfo=UTC)))

        downgrade(revision="0002")
        with Session(db.engine) as session, session.begin():
            assert session.scalars(text("SELECT username FROM users")).all() == ["bob"]

        with pytest.raises(DataWouldBeLost, match="stored in users"):
            downgrade(revision="base")


def dump(engine: Engine) -> dict[str, list[tuple[object, ...]]]:
    """Return all rows of all tables, and the revision."""
    with engine.connect() as connection:
        return {
            name: sorted(tuple(row) for row in connection.execute(text(f"SELECT * FROM {name}")))
            for name in inspect(connection).get_table_names()
        }


def test_what_days_offered_that_were_closed_before_is_found_in_the_log_of_changes(
    empty_url: str,
) -> None:
    before_first = date(2026, 11, 18)

    def say(statement: str, at: datetime | None = None) -> None:
        asked = text(statement)
        session.execute(asked.bindparams(bindparam("at", at, UTCDateTime())) if at else asked)

    with running(settings_for(empty_url)) as app, app.app_context():
        upgrade(revision="0002")
        with Session(db.engine) as session, session.begin():
            play_before_the_log(session)  # both days that are over were closed at noon of today
            say(
                "INSERT INTO draws"
                " (day, status, ballot_count, seed, places, closed_at, drawn_at)"
                " SELECT '2026-11-18', status, 1, seed, places, :at, :at FROM draws"
                " WHERE status = 'drawn'",
                datetime(2026, 11, 19, 13, tzinfo=UTC),
            )
            say("INSERT INTO holdings VALUES (1, '2026-11-18', 1, 1)")
        upgrade(revision="0004")
        rename = "UPDATE lotteries SET name = '{}', changed_at = :at WHERE id = {}"
        with Session(db.engine) as session, session.begin():
            say(rename.format("Second", 1), datetime(2026, 11, 20, 9, tzinfo=UTC))
            say(rename.format("Third", 1), datetime(2026, 11, 21, 13, tzinfo=UTC))
            say(
                "INSERT INTO lotteries (id, name, prize, closes_on, created_at, changed_at)"
                " VALUES (2, 'Late', '', '2026-11-21', :at, :at)",
                datetime(2026, 11, 21, 14, tzinfo=UTC),
            )
            say("INSERT INTO holdings VALUES (1, '2026-11-19', 2, 1)")
            say(rename.format("Later", 2), datetime(2026, 11, 21, 15, tzinfo=UTC))

        upgrade()

        offered = (
            select(Offer.day, LotteryChange.name)
            .join_from(Offer, LotteryChange, LotteryChange.id == Offer.change_id)
            .order_by(Offer.day, Offer.lottery_id)
        )
        with Session(db.engine) as session, session.begin():
            assert [tuple(row) for row in session.execute(offered)] == [
                (before_first, "Big Chance"), (FIRST, "Second"), (FIRST, "Late"),
                (CLOSED_DAY, "Second"),
            ]  # fmt: skip


def test_notes_of_offers_are_not_lost_by_a_step_back_and_days_closed_before_have_none(
    empty_url: str,
) -> None:
    with running(settings_for(empty_url)) as app, app.app_context():
        upgrade(revision="0009")
        with Session(db.engine) as session:
            with session.begin():
                at = datetime(2026, 11, 19, 12, tzinfo=UTC)
                created_at = bindparam("at", at, UTCDateTime())
                session.execute(  # without what later migrations add
                    text(
                        "INSERT INTO lotteries (id, name, prize, claim, opens_on, closes_on,"
                        " created_at, changed_at)"
                        " VALUES (1, 'Withdrawn by hand', '', '', '2026-11-19', '2026-11-21', :at,"
                        " :at), (2, 'Over', '', '', '2026-11-17', '2026-11-18', :at, :at)"
                    ).bindparams(created_at)
                )
                for day, status in ((FIRST, CLOSED), (CLOSED_DAY, OPEN)):
                    is_over = status == CLOSED
                    session.add(
                        Draw(
                            day=day, status=status, ballot_count=0, frontier=b"",
                            places=1 if is_over else None, closed_at=at if is_over else None,
                        )
                    )  # fmt: skip
            with session.begin():
                session.execute(text("UPDATE lotteries SET closes_on = '2026-11-01' WHERE id = 1"))
        upgrade()

        with Session(db.engine) as session, session.begin():
            offers = session.execute(select(Offer.day, Offer.lottery_id, Offer.change_id))
            assert [tuple(row) for row in offers] == [(FIRST, 1, 3)]
            assert session.scalars(select(OfferNote.day)).all() == []
        downgrade(revision="0009")
        upgrade()
        with Session(db.engine) as session, session.begin():
            OfferNote.sign(session.connection(), FIRST, LOG_KEYS.key)
        with pytest.raises(DataWouldBeLost, match="stored in offer_notes"):
            downgrade(revision="0009")


def test_usernames_get_the_look_alike_keys_of_the_new_table_and_none_is_lost(
    empty_url: str,
) -> None:
    """In the schema before, keys were made by a library's table, and saw what nobody sees."""
    earlier = [
        (1, "flood1", "flood1"), (2, "flood1\U00016fe4", "flood1\U00016fe4"),
        (3, "Modern", "swapped"), (4, "swapped", "modern"),
    ]  # fmt: skip
    with running(settings_for(empty_url)) as app, app.app_context():
        upgrade(revision="0007")
        with Session(db.engine) as session, session.begin():
            for number, username, key in earlier:
                session.execute(
                    text(
                        "INSERT INTO users (id, username, username_key, look_alike_key,"
                        " password_hash, is_organiser, created_at) VALUES"
                        " (:id, :name, :folded, :key, '', false, '2026-11-19 12:00:00.000000')"
                    ),
                    {"id": number, "name": username, "folded": username.lower(), "key": key},
                )

        upgrade()

        with Session(db.engine) as session, session.begin():
            rows = session.execute(select(User.id, User.look_alike_key))
            assert {row.id: row.look_alike_key for row in rows} == {
                1: look_alike_key("flood1"), 2: look_alike_key("flood1") + " 2",
                3: look_alike_key("modern"), 4: look_alike_key("swapped"),
            }  # fmt: skip
            assert User.by_username(session, "flood1\U00016fe4") is not None
        downgrade(revision="0007")
        upgrade()


def test_lotteries_get_a_first_day_and_those_who_won_lately_can_claim(empty_url: str) -> None:
    """And of what was won, or changed, before that nothing is made up."""
    newest = date(2026, 12, 25)
    long_ago, just_in, too_old = (newest - timedelta(days=n) for n in (60, 29, 30))

    with running(settings_for(empty_url)) as app, app.app_context():
        upgrade(revision="0002")
        with Session(db.engine) as session, session.begin():
            play_before_the_log(session)
        upgrade(revision="0008")
        drawn_at = datetime(2026, 12, 26, tzinfo=UTC)
        at = bindparam("at", drawn_at, UTCDateTime())
        with Session(db.engine) as session, session.begin():
            session.execute(text("UPDATE lotteries SET closes_on = '2026-11-18'"))  # withdrawn
            session.execute(
                text(
                    "INSERT INTO lotteries (id, name, prize, closes_on, created_at, changed_at)"
                    " VALUES (2, 'Later', '', '2027-01-01', :at, :at)"
                ).bindparams(at)
            )
            for day in (long_ago, too_old, just_in, newest):
                session.execute(
                    text(
                        "INSERT INTO draws (day, status, ballot_count, frontier, seed, places,"
                        " closed_at, drawn_at) SELECT :day, 'drawn', 3, frontier, seed, 2, :at, :at"
                        " FROM draws WHERE status = 'drawn' AND day = '2026-11-19'"
                    ).bindparams(at, bindparam("day", day, Date()))
                )
                session.execute(
                    text(
                        "INSERT INTO ballots SELECT :day, number, lottery_id, user_id, submitted_at"
                        " FROM ballots WHERE day = '2026-11-19'"
                    ).bindparams(bindparam("day", day, Date()))
                )
                session.execute(
                    text("INSERT INTO winners VALUES (:day, 1, 2), (:day, 2, 1)").bindparams(
                        bindparam("day", day, Date())
                    )
                )

        upgrade()

        with Session(db.engine) as session, session.begin():
            assert [
                (each.opens_on, each.claim, each.most_a_day, each.winnable)
                for each in session.scalars(select(Lottery).order_by(Lottery.id))
            ] == [(date(2026, 11, 18), "", None, None), (date(2026, 12, 26), "", None, None)]
            assert {each.opens_on for each in session.scalars(select(LotteryChange))} == {None}
            events = session.scalars(select(ClaimEvent).order_by(ClaimEvent.day)).all()
            assert [
                (each.day, each.place, each.kind, each.lottery_id, each.holder_id, each.at,
                 each.claim_until)
                for each in events
            ] == [
                (day, 1, "offered", 1, 1, drawn_at, None) for day in (just_in, newest)
            ]  # fmt: skip
        with Session(db.engine) as session, session.begin():
            claim(session, newest, 1, 1, now=datetime(2027, 6, 1, tzinfo=UTC))
            session.get_one(Lottery, 2).claim = "At the desk"
        with Session(db.engine) as session, session.begin():
            changes = session.scalars(select(LotteryChange).order_by(LotteryChange.id)).all()
            assert [(each.opens_on, each.claim) for each in changes[-2:]] == [
                (None, None), (date(2026, 12, 26), "At the desk"),
            ]  # fmt: skip


def test_accounts_and_log_ins_from_before_their_history_go_on(empty_url: str) -> None:
    """Browser and last use of a log-in are not known then, and nobody is told of anything."""
    token, at = "a token", datetime(2026, 11, 19, 12, tzinfo=UTC)
    with running(settings_for(empty_url)) as app, app.app_context():
        upgrade(revision="0011")
        with Session(db.engine) as session, session.begin():
            session.execute(
                text(
                    "INSERT INTO users (id, username, username_key, look_alike_key, password_hash,"
                    " is_organiser, created_at) VALUES (1, 'bob', 'bob', 'bob', 'x', false, :at)"
                ).bindparams(bindparam("at", at, UTCDateTime()))
            )
            session.execute(
                text(
                    "INSERT INTO login_sessions (token_hash, user_id, created_at, expires_at)"
                    " VALUES (:hash, 1, :at, :until)"
                ).bindparams(
                    bindparam("hash", sha256(token.encode()).digest()),
                    bindparam("at", at, UTCDateTime()),
                    bindparam("until", at + timedelta(days=30), UTCDateTime()),
                )
            )

        upgrade()

        with db.engine.connect() as connection:
            viewer = LoginSession.viewers(connection, [token], at)[token]
            assert (viewer.username, viewer.seen_at) == ("bob", None)
        with Session(db.engine) as session, session.begin():
            (log_in,) = LoginSession.of_user(session, 1, token, at)
            assert log_in[1:] == (None, at, None, True)
            bob = session.get_one(User, 1)
            assert AccountEvent.untold(session.connection(), bob) == []
        downgrade(revision="0011")
        upgrade()


def test_accounts_from_before_mails_have_no_address_and_get_none_sent(empty_url: str) -> None:
    at = datetime(2026, 11, 19, 12, tzinfo=UTC)
    with running(settings_for(empty_url)) as app, app.app_context():
        upgrade(revision="0012")
        with Session(db.engine) as session, session.begin():
            session.execute(
                text(
                    "INSERT INTO users (id, username, username_key, look_alike_key, password_hash,"
                    " is_organiser, created_at) VALUES (1, 'bob', 'bob', 'bob', 'x', false, :at)"
                ).bindparams(bindparam("at", at, UTCDateTime()))
            )

        upgrade()

        with Session(db.engine) as session, session.begin():
            Mail.add_password_changed(session, 1, at)
            assert MailAddress.of(session, 1) is None
            assert Mail.counts(session.connection()) == (0, 0)
        downgrade(revision="0012")
        upgrade()
        with Session(db.engine) as session, session.begin():
            assert session.get_one(User, 1).username == "bob"
            session.add(
                MailAddress(
                    user_id=1, address="b@x.example", address_key="b@x.example", verified_at=at,
                    language="en",
                )
            )  # fmt: skip
        with pytest.raises(DataWouldBeLost, match="mail_addresses"):
            downgrade(revision="0012")


def test_accounts_from_before_are_not_blocked_and_came_by_no_invitation(empty_url: str) -> None:
    with running(settings_for(empty_url)) as app, app.app_context():
        upgrade(revision="0013")
        with Session(db.engine) as session, session.begin():
            for number, name, is_organiser in ((1, "admin", "true"), (2, "bob", "false")):
                session.execute(
                    text(
                        "INSERT INTO users (id, username, username_key, look_alike_key,"
                        " password_hash, is_organiser, created_at) VALUES"
                        f" ({number}, '{name}', '{name}', '{name}', '', {is_organiser},"
                        " '2026-11-19 12:00:00.000000')"
                    )
                )

        upgrade()

        with Session(db.engine) as session, session.begin():
            users = session.scalars(select(User).order_by(User.id)).all()
            assert [(each.username, each.blocked_at) for each in users] == [
                ("admin", None), ("bob", None),
            ]  # fmt: skip
            assert Invitation.latest(session.connection(), 1) == []
        with pytest.raises(DatabaseError, match="there must be an organiser"):  # noqa: SIM117
            with Session(db.engine) as session, session.begin():
                session.execute(text("UPDATE users SET is_organiser = false"))
        downgrade(revision="0013")
        upgrade()
        with Session(db.engine) as session, session.begin():
            session.get_one(User, 2).blocked_at = datetime(2026, 11, 20, tzinfo=UTC)
        with pytest.raises(DataWouldBeLost, match=r"users\.blocked_at"):
            downgrade(revision="0013")


def test_log_ins_from_before_second_factors_go_on_by_password_alone(empty_url: str) -> None:
    token, at = "a token", datetime(2026, 11, 19, 12, tzinfo=UTC)
    with running(settings_for(empty_url)) as app, app.app_context():
        upgrade(revision="0014")
        with Session(db.engine) as session, session.begin():
            session.execute(
                text(
                    "INSERT INTO users (id, username, username_key, look_alike_key, password_hash,"
                    " is_organiser, created_at, blocked_at) VALUES"
                    " (1, 'bob', 'bob', 'bob', '', false, :at, NULL),"
                    " (2, 'eve', 'eve', 'eve', '', false, :at, :at)"
                ).bindparams(bindparam("at", at, UTCDateTime()))
            )
            add = text(
                "INSERT INTO login_sessions (token_hash, user_id, created_at, expires_at)"
                " VALUES (:hash, :user_id, :at, :at)"
            ).bindparams(
                bindparam("hash", sha256(token.encode()).digest()),
                bindparam("at", at + timedelta(days=30), UTCDateTime()),
            )
            session.execute(add, {"user_id": 1})

        upgrade()

        with db.engine.connect() as connection:
            viewer = LoginSession.viewers(connection, [token], at)[token]
            assert (viewer.username, viewer.has_second_factor) == ("bob", False)
        with Session(db.engine) as session, session.begin():
            assert LoginSession.proven(session, token) is None
        # its trigger is still there
        with pytest.raises(DatabaseError, match="a blocked account"):  # noqa: SIM117
            with Session(db.engine) as session, session.begin():
                session.execute(add, {"user_id": 2, "hash": b"x" * 32})
        downgrade(revision="0014")
        upgrade()
        with Session(db.engine) as session, session.begin():
            session.add(
                Passkey(
                    user_id=1, credential_id=b"1", public_key=b"1", user_handle=b"1", sign_count=0,
                    name="Key", created_at=at,
                )
            )  # fmt: skip
        with pytest.raises(DataWouldBeLost, match="passkeys"):
            downgrade(revision="0014")


def test_lotteries_get_their_keys_and_names_that_are_one_both_stay(empty_url: str) -> None:
    names = ["Straße", "Österreich", "O\u0308sterreich", "ﬁnale", "finale"]
    at = datetime(2026, 11, 19, 12, tzinfo=UTC)
    with running(settings_for(empty_url)) as app, app.app_context():
        upgrade(revision="0015")
        with Session(db.engine) as session, session.begin():
            for number, name in enumerate(names, 1):
                session.execute(
                    text(
                        "INSERT INTO lotteries (id, name, prize, claim, opens_on, closes_on,"
                        " created_at, changed_at)"
                        " VALUES (:id, :name, '', '', '2026-11-19', '2026-12-19', :at, :at)"
                    ).bindparams(bindparam("at", at, UTCDateTime())),
                    {"id": number, "name": name},
                )

        upgrade()

        with Session(db.engine) as session, session.begin():
            found = session.scalars(select(Lottery).order_by(Lottery.id)).all()
            assert [each.name for each in found] == names
            assert [each.search_key for each in found] == [
                "strasse", "osterreich", "osterreich", "finale", "finale",
            ]  # fmt: skip
            assert len({each.name_key for each in found}) == len(names)
            assert len(session.scalars(select(LotteryChange)).all()) == len(names)
        for number, name in enumerate(names, 1):  # as a form sends it
            with Session(db.engine) as session, session.begin():
                edited = edit_lottery(
                    session, number, at, name=name, prize="Tea", closes_on=date(2026, 12, 19)
                )
                assert edited.name == name
        with pytest.raises(IntegrityError), Session(db.engine) as session, session.begin():
            session.add(Lottery.create("Ｓtraße", "", date(2026, 12, 19), at))
        downgrade(revision="0015")  # keys follow from the names, so nothing is lost
        upgrade()


def test_accounts_from_before_time_zones_have_none_and_one_is_not_lost(empty_url: str) -> None:
    at = datetime(2026, 11, 19, 12, tzinfo=UTC)
    with running(settings_for(empty_url)) as app, app.app_context():
        upgrade(revision="0016")
        with Session(db.engine) as session, session.begin():
            session.execute(
                text(
                    "INSERT INTO users (id, username, username_key, look_alike_key, password_hash,"
                    " is_organiser, created_at) VALUES (1, 'bob', 'bob', 'bob', 'x', true, :at)"
                ).bindparams(bindparam("at", at, UTCDateTime()))
            )

        upgrade()

        with Session(db.engine) as session, session.begin():
            assert session.get_one(User, 1).time_zone is None
        with pytest.raises(DatabaseError, match="there must be an organiser"):  # noqa: SIM117
            with Session(db.engine) as session, session.begin():  # its triggers are still there
                session.execute(text("UPDATE users SET is_organiser = false"))
        downgrade(revision="0016")
        upgrade()
        with Session(db.engine) as session, session.begin():
            session.get_one(User, 1).time_zone = "Europe/Berlin"
        with pytest.raises(DataWouldBeLost, match=r"users\.time_zone"):
            downgrade(revision="0016")
