"""The database's clock as a column, and a reading of it beside the host's clock."""

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Float
from sqlalchemy.ext.compiler import compiles


class Clocks(NamedTuple):
    """What the database's clock said, and the host's before and after it was asked.

    The database's lies between the two if the clocks agree, however long the answer took.
    """

    before: datetime
    #: seconds since 1970; None on SQLite, which has no clock of its own
    database: float | None
    after: datetime


class DatabaseClock(ColumnElement[float]):
    """What the database's clock says at this instant, in seconds since 1970; NULL on SQLite."""

    inherit_cache = True
    type = Float()


@compiles(DatabaseClock)
def _none(element: DatabaseClock, compiler: Any, **_: Any) -> str:
    return "NULL"


@compiles(DatabaseClock, "postgresql")
def _clock_timestamp(element: DatabaseClock, compiler: Any, **_: Any) -> str:
    return "CAST(extract(epoch FROM clock_timestamp()) AS double precision)"
