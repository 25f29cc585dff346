"""From an empty database to the newest schema and back, on both databases."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask_migrate import downgrade, upgrade
from sqlalchemy import inspect, text

from lottery_system.extensions import db
from lottery_system.models import Base
from tests.conftest import running, settings_for


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of a database with nothing in it."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/empty.db"
    url: str = request.getfixturevalue("postgres").create(f"empty_{abs(hash(tmp_path))}")
    return url


def test_the_newest_schema_is_that_of_the_models(empty_url: str) -> None:
    with running(settings_for(empty_url)) as app, app.app_context():
        upgrade()

        with db.engine.connect() as connection:
            context = MigrationContext.configure(connection)
            assert compare_metadata(context, Base.metadata) == []


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
