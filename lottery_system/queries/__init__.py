"""Read queries of the busy pages: plain rows, few statements, one connection.

Rules are in the models; this package only reads. Statements are built once, since building one
costs as much as running it.
"""

from typing import Any

from sqlalchemy import Row

#: a row that stays within this program; those that pages show have types of their own
AnyRow = Row[*tuple[Any, ...]]
