"""Days full of ballots, made by the database itself in the way that admission does."""

from collections.abc import Callable
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Engine, func, insert, select
from sqlalchemy.orm import Session

from lottery_system.clock import ONE_DAY, day_of, utcnow
from lottery_system.draws import run_due
from lottery_system.models import Ballot, Draw, Holding, Lottery, Submission, User
from lottery_system.models.draw import Turn

#: ballots that one transaction adds
STEP = 100_000
#: submissions of one ballot that the first player has at the most
MY_SUBMISSIONS = 30_000


def open_lottery(engine: Engine) -> int:
    """Open the lottery that all play in, and return its id."""
    now = utcnow()
    with Session(engine) as session, session.begin():
        lottery = Lottery.create("Big Chance", "A weekend by the sea.", day_of(now) + ONE_DAY, now)
        session.add(lottery)
        session.flush()
        return lottery.id


def draw_yesterday(engine: Engine, lottery_id: int, user_id: int) -> date:
    """Have a day drawn of ten ballots, and return it."""
    yesterday = utcnow() - ONE_DAY
    fill(engine, lottery_id, user_id, 10, lambda: yesterday)
    with Session(engine) as session:
        run_due(session, utcnow(), places=1)
    return day_of(yesterday)


def fill(
    engine: Engine,
    lottery_id: int,
    user_id: int,
    size: int,
    now: Callable[[], datetime] = utcnow,
) -> None:
    """Let a day grow to `size` ballots: the player's own by ones, a crowd's by thousands."""
    while (missing := size - _size(engine, day_of(now()))) > 0:
        with Session(engine) as session, session.begin():
            connection = session.connection()
            turn = Draw.take_turn(connection, now)
            crowd = _crowd(session)
            mine = max(0, min(missing, MY_SUBMISSIONS - _own(session, user_id, turn.day), STEP))
            rows = [_row(turn, n, 1, user_id, lottery_id) for n in range(mine)]
            at = mine
            for number in range(min(missing, STEP) - mine):
                if number % 1000 == 0:
                    count = min(1000, min(missing, STEP) - at)
                    rows.append(
                        _row(turn, at, count, crowd[number // 1000 % len(crowd)], lottery_id)
                    )
                    at += count
            session.execute(insert(Submission), rows)
            Ballot.unfold(connection, turn.day, turn.ballot_count + 1)
            counts: dict[tuple[int, int], int] = {}
            for row in rows:
                key = (row["user_id"], lottery_id)
                counts[key] = counts.get(key, 0) + row["ballot_count"]
            Holding.add(connection, turn.day, counts)
            Draw.count_ballots(connection, turn, at)


def settle(engine: Engine) -> None:
    """Have the database do now what so many rows at once would have it do while it is measured."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if connection.dialect.name == "sqlite":
            raw = connection.connection.dbapi_connection
            assert raw is not None
            raw.execute("PRAGMA wal_checkpoint(PASSIVE)")
        else:
            for command in ("SET statement_timeout = 0", "VACUUM (ANALYZE)", "CHECKPOINT"):
                connection.exec_driver_sql(command)
            connection.invalidate()


def _row(turn: Turn, at: int, count: int, user_id: int, lottery_id: int) -> dict[str, int]:
    first = turn.ballot_count + at + 1
    return {
        "token": UUID(int=turn.day.toordinal() << 64 | first),  # type: ignore[dict-item]
        "user_id": user_id,
        "lottery_id": lottery_id,
        "day": turn.day,  # type: ignore[dict-item]
        "first_number": first,
        "ballot_count": count,
        "submitted_at": turn.now,  # type: ignore[dict-item]
    }


def _size(engine: Engine, day: date) -> int:
    with Session(engine) as session:
        return session.scalar(select(Draw.ballot_count).where(Draw.day == day)) or 0


def _own(session: Session, user_id: int, day: date) -> int:
    mine = Holding.user_id == user_id, Holding.day == day
    return session.scalar(select(func.sum(Holding.ballot_count)).where(*mine)) or 0


def _crowd(session: Session) -> list[int]:
    """Return a hundred users who only hold ballots."""
    found = session.scalars(select(User.id).where(User.username.like("crowd%"))).all()
    if found:
        return list(found)
    users = [User.sign_up(f"crowd{n:03}", "no password fits", utcnow()) for n in range(100)]
    session.add_all(users)
    session.flush()
    return [user.id for user in users]
