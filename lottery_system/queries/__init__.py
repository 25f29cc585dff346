"""What busy pages show, in as few statements as can be: plain rows over one connection.

Rules live in the models; here is nothing but reading. Statements are made once, since building one
costs as much as running it.
"""

from typing import Any

from sqlalchemy import Row

#: a row that stays within this program; those that pages show have types of their own
AnyRow = Row[*tuple[Any, ...]]
