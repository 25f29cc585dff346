"""Base class of all tables, names of constraints, and datetimes with time zone."""

from datetime import UTC, datetime

from sqlalchemy import DateTime, Dialect, MetaData, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, registry
from sqlalchemy.types import TypeDecorator

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class UTCDateTime(TypeDecorator[datetime]):
    """An instant. Refuses naive values; whatever the database keeps comes back in UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store in UTC.

        Raises:
            ValueError: the value is naive.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give back in UTC; SQLite keeps no zone, but only UTC comes in."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """The base of all models."""

    registry = registry(
        metadata=MetaData(naming_convention=NAMING_CONVENTION),
        type_annotation_map={datetime: UTCDateTime},
    )


def table_of(model: type[Base]) -> Table:
    """Return the table of a model, for statements that deal in plain rows."""
    table = model.__table__
    assert isinstance(table, Table)
    return table


def insert_into(dialect: Dialect, model: type[Base]) -> "postgresql.Insert | sqlite.Insert":
    """Start an INSERT that can say what to do `ON CONFLICT`, in the words of the database in use.

    SQLite and PostgreSQL share this sentence; SQLAlchemy spells it once for each.
    """
    table = table_of(model)
    if dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)
