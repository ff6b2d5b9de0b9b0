"""Migrations run up and down on both databases, and end where the models are."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import (
    JSON,
    CheckConstraint,
    Connection,
    column,
    inspect,
    select,
    table,
    text,
)

from app.db import Base, Database
from tests.support.postgres import Postgres

BEFORE_HOURS_PAST_MIDNIGHT, BEFORE_WEEKLY_HOURS = "0006", "0015"
ROOT = Path(__file__).parents[3]


@pytest.fixture(params=["sqlite", "postgres"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database without tables."""
    if request.param == "sqlite":
        database = Database(f"sqlite:///{tmp_path / 'empty.db'}")
        yield database
        database.close()
    else:
        cluster: Postgres = request.getfixturevalue("postgres_cluster")
        name = cluster.create()
        database = Database(cluster.url(name).replace("postgresql:", "postgresql+psycopg:"))
        yield database
        database.close()
        cluster.drop(name)


def config(connection: Connection | None) -> Config:
    """Alembic's configuration as its own command reads it, on a connection that is open."""
    made = Config(str(ROOT / "alembic.ini"))
    made.attributes["connection"] = connection
    return made


def tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names()) - {"alembic_version"}


def differences(connection: Connection) -> list[object]:
    def is_of_this_database(item: Any, *_: object) -> bool:
        return item.info.get("dialect") in {None, connection.dialect.name}

    options = {"compare_server_default": True, "include_object": is_of_this_database}
    context = MigrationContext.configure(connection, opts=options)
    return list(compare_metadata(context, Base.metadata))


def test_all_migrations_run_up_down_and_up_again(empty: Database) -> None:
    with empty.engine.begin() as connection:
        command.upgrade(config(connection), "head")
        assert tables(connection) == set(Base.metadata.tables)
    with empty.engine.begin() as connection:
        command.downgrade(config(connection), "base")
        assert tables(connection) == set()
    with empty.engine.begin() as connection:
        command.upgrade(config(connection), "head")
        assert differences(connection) == []


def test_each_migration_can_be_undone_and_done_again_alone(empty: Database) -> None:
    with empty.engine.begin() as connection:
        alembic = config(connection)
        steps = [step.revision for step in ScriptDirectory.from_config(alembic).walk_revisions()]
        for revision in reversed(steps):
            command.upgrade(alembic, revision)
            command.downgrade(alembic, "-1")
            command.upgrade(alembic, revision)
        assert differences(connection) == []


@pytest.mark.parametrize(("opens", "closes"), [("18:00", "02:00"), ("00:00", "00:00")])
def test_hours_past_midnight_end_before_it_where_the_database_knew_no_such(
    empty: Database, opens: str, closes: str
) -> None:
    with empty.engine.begin() as connection:
        command.upgrade(config(connection), BEFORE_WEEKLY_HOURS)
        hours = f"opens_at = '{opens}:00.000000', closes_at = '{closes}:00.000000'"
        connection.exec_driver_sql(f"UPDATE shop SET {hours}")
        command.downgrade(config(connection), BEFORE_HOURS_PAST_MIDNIGHT)
        kept = connection.exec_driver_sql("SELECT opens_at, closes_at FROM shop").one()
        assert [str(each)[:5] for each in kept] == [opens, "23:59"]


@pytest.mark.parametrize(
    ("week", "kept"),
    [
        ([[["18:00", "02:00"]]] * 7, ["18:00", "02:00"]),
        ([[], [["09:30", "13:00"], ["14:00", "19:00"]], *[[]] * 5], ["09:30", "19:00"]),
        ([[]] * 7, ["09:00", "19:00"]),
    ],
)
def test_a_week_of_hours_goes_back_to_those_of_its_first_day_and_comes_again_on_each(
    empty: Database, week: object, kept: list[str]
) -> None:
    with empty.engine.begin() as connection:
        command.upgrade(config(connection), "0016")
        connection.execute(text("UPDATE shop SET weekly_hours = :week"), {"week": json.dumps(week)})
        command.downgrade(config(connection), BEFORE_WEEKLY_HOURS)
        times = connection.exec_driver_sql("SELECT opens_at, closes_at FROM shop").one()
        assert [str(each)[:5] for each in times] == kept
        command.upgrade(config(connection), "0016")
        [again] = connection.execute(
            select(column("weekly_hours", JSON)).select_from(table("shop"))
        ).one()
        assert again == [[kept]] * 7


def test_the_migrated_database_and_the_models_agree(empty: Database) -> None:
    with empty.engine.begin() as connection:
        command.upgrade(config(connection), "head")
    with empty.engine.connect() as connection:
        assert differences(connection) == []
        assert checks(connection) == model_checks()


def test_a_database_made_from_the_models_differs_in_nothing(empty: Database) -> None:
    """So that the test above means something: what it compares is all that the models say."""
    with empty.engine.begin() as connection:
        if not empty.is_sqlite:
            connection.exec_driver_sql("CREATE EXTENSION pg_trgm")
        Base.metadata.create_all(connection)
        assert differences(connection) == []
        assert checks(connection) == model_checks()


def test_migrations_are_one_line_without_branches() -> None:
    scripts = ScriptDirectory.from_config(config(None))
    assert len(scripts.get_heads()) == 1
    assert len(scripts.get_bases()) == 1


def checks(connection: Connection) -> set[tuple[str, str | None]]:
    """The named CHECK constraints, which Alembic does not compare."""
    inspector = inspect(connection)
    return {
        (table, check["name"])
        for table in tables(connection)
        for check in inspector.get_check_constraints(table)
    }


def model_checks() -> set[tuple[str, str | None]]:
    return {
        (table.name, str(constraint.name))
        for table in Base.metadata.tables.values()
        for constraint in table.constraints
        if isinstance(constraint, CheckConstraint)
    }
