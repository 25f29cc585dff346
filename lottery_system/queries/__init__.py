"""Read queries of the busy pages: plain rows, few statements, one connection.

Rules are in the models; this package only reads. Statements are built once, since building one
costs as much as running it.
"""

from typing import Any

from sqlalchemy import ColumnElement, Integer, Row, bindparam, literal_column

#: a row that stays within this program; those that pages show have types of their own
AnyRow = Row[*tuple[Any, ...]]

#: `LIMIT` of a query that is given the parameter `limit`, written into the statement; see `at_most`
LIMIT = bindparam("limit", type_=Integer, literal_execute=True)


def at_most(count: int) -> ColumnElement[int]:
    """Return a constant `LIMIT` that is written into the statement.

    SQLite estimates sorting by the limit, and prepares a statement anew for each bound value
    (docs/performance.md).
    """
    return literal_column(str(count), Integer)
