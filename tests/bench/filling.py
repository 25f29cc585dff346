"""Test data: days full of ballots, admitted a hundred thousand at a time."""

from collections.abc import Callable
from datetime import date, datetime
from uuid import uuid4

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from lottery_system.admission import admit
from lottery_system.clock import ONE_DAY, day_of, utcnow
from lottery_system.errors import LotteryError
from lottery_system.models import AskedBallots, Draw, Holding, Lottery, User
from tests.stand_ins.log_keys import run_due

#: ballots that one transaction adds
STEP = 100_000
#: submissions of one ballot that the first player has at most
MY_SUBMISSIONS = 30_000


def open_lottery(engine: Engine) -> int:
    """Open the lottery that all play in, since yesterday, and return its id."""
    now = utcnow() - ONE_DAY
    with Session(engine) as session, session.begin():
        lottery = Lottery.create(
            "Big Chance", "A weekend by the sea.", day_of(now) + 2 * ONE_DAY, now
        )
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
    """Let a day grow to `size` ballots: the player's own singly, a crowd's by thousands."""
    while (missing := size - _size(engine, day_of(now()))) > 0:
        with Session(engine) as session, session.begin():
            crowd = _crowd(session)
            me = session.get_one(User, user_id)
            own = _own(session, user_id, day_of(now()))
            mine = max(0, min(missing, MY_SUBMISSIONS - own, STEP))
            clicks = [_click(me, lottery_id, 1) for _ in range(mine)]
            rest = min(missing, STEP) - mine
            clicks += [
                _click(crowd[start // 1000 % len(crowd)], lottery_id, min(1000, rest - start))
                for start in range(0, rest, 1000)
            ]
            for answer in admit(session.connection(), clicks, now).answers:
                if isinstance(answer, LotteryError):  # else this would go on for ever
                    raise answer


def settle(engine: Engine) -> None:
    """Run the database's maintenance now, so that it does not run during a measurement."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if connection.dialect.name == "sqlite":
            raw = connection.connection.dbapi_connection
            assert raw is not None
            raw.execute("PRAGMA wal_checkpoint(PASSIVE)")
        else:
            for command in ("SET statement_timeout = 0", "VACUUM (ANALYZE)", "CHECKPOINT"):
                connection.exec_driver_sql(command)
            connection.invalidate()


def _click(user: User, lottery_id: int, count: int) -> AskedBallots:
    return AskedBallots.of(
        token=uuid4(),
        user_id=user.id,
        username=user.username,
        lottery_id=lottery_id,
        ballot_count=count,
    )


def _size(engine: Engine, day: date) -> int:
    with Session(engine) as session:
        return session.scalar(select(Draw.ballot_count).where(Draw.day == day)) or 0


def _own(session: Session, user_id: int, day: date) -> int:
    mine = Holding.user_id == user_id, Holding.day == day
    return session.scalar(select(func.sum(Holding.ballot_count)).where(*mine)) or 0


def _crowd(session: Session) -> list[User]:
    """Return a hundred users who only hold ballots."""
    found = session.scalars(select(User).where(User.username.like("crowd%"))).all()
    if found:
        return list(found)
    users = [User.sign_up(f"crowd{n:03}", "no password fits", utcnow()) for n in range(100)]
    session.add_all(users)
    session.flush()
    return users
