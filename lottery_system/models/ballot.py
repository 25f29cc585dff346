"""Ballot: one entry of one participant into one lottery on one day."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Connection, Insert, bindparam, select
from sqlalchemy.orm import Mapped, mapped_column

from lottery_system.models.base import Base, table_of
from lottery_system.models.submission import Submission


class Ballot(Base):
    """A ballot; its key is day and number.

    The key begins with the day, so that a day's work touches that day alone. Whose ballots are
    whose is answered by `submissions` and `holdings`, so that this table, by far the largest,
    needs no second index. Ballots are only ever copied out of `submissions` by the database itself,
    whose foreign keys therefore hold for them too: checking three of them again for each ballot
    made PostgreSQL four times slower.
    """

    __tablename__ = "ballots"
    __table_args__ = (
        CheckConstraint("number >= 1", "number"),
        {"sqlite_with_rowid": False},  # one tree to write to instead of two
    )

    day: Mapped[date] = mapped_column(primary_key=True)
    #: 1, 2, 3, ... within the day, over all lotteries, without a gap
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    lottery_id: Mapped[int]
    user_id: Mapped[int]
    submitted_at: Mapped[datetime]

    @classmethod
    def unfold(cls, connection: Connection, day: date, first_number: int) -> None:
        """Store a ballot for each number of a day's submissions, from a number on."""
        connection.execute(_UNFOLD, {"day": day, "first_number": first_number})


def _unfolding() -> Insert:
    """Write one ballot a number: the first of each run, then, again and again, the next."""
    submission = table_of(Submission).c
    of_submission = (submission.lottery_id, submission.user_id, submission.submitted_at)
    first = select(
        submission.day,
        submission.first_number.label("number"),
        (submission.first_number + submission.ballot_count).label("end"),
        *of_submission,
    ).where(
        submission.day == bindparam("day"), submission.first_number >= bindparam("first_number")
    )
    run = first.cte("run", recursive=True)
    following = select(
        run.c.day, run.c.number + 1, run.c.end, run.c.lottery_id, run.c.user_id, run.c.submitted_at
    ).where(run.c.number + 1 < run.c.end)
    run = run.union_all(following)
    columns = ["day", "number", "lottery_id", "user_id", "submitted_at"]
    return (
        table_of(Ballot).insert().from_select(columns, select(*(run.c[name] for name in columns)))
    )


_UNFOLD = _unfolding()
