"""Limits of queries: written into the statement, so that SQLite does not prepare it each time."""

import pkgutil
from collections.abc import Iterator
from importlib import import_module

from sqlalchemy import BindParameter, ClauseElement, Select
from sqlalchemy.sql import visitors

from lottery_system import queries


def statements() -> Iterator[tuple[str, ClauseElement]]:
    """Yield the statements that are made when a module is imported, each with its name."""
    for module in pkgutil.iter_modules(queries.__path__):
        for name, value in vars(import_module(f"{queries.__name__}.{module.name}")).items():
            for each in value.values() if isinstance(value, dict) else [value]:
                if isinstance(each, ClauseElement):
                    yield f"{module.name}.{name}", each


def limits(statement: ClauseElement) -> Iterator[object]:
    for part in visitors.iterate(statement):
        if isinstance(part, Select) and part._limit_clause is not None:
            yield part._limit_clause


def is_bound(limit: object) -> bool:
    # a limit of 1 is of one row by an index, where nothing is sorted
    return isinstance(limit, BindParameter) and not limit.literal_execute and limit.value != 1


def test_no_statement_has_a_bound_limit() -> None:
    found = [(name, limit) for name, statement in statements() for limit in limits(statement)]

    assert len(found) > 20
    assert [name for name, limit in found if is_bound(limit)] == []
