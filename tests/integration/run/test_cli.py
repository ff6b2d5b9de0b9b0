"""The `chairtime` command: what it does, and the one line that it says when it cannot."""

import os
import re
import shlex
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import func, select

from app.cli import main
from app.db import Database, database
from app.models.booking import Booking
from app.models.message import DailySent, Message
from app.models.staff import User
from app.run import migrate
from app.settings import settings
from app.staff import tokens
from tests.conftest import Configure
from tests.support.frozen import FrozenClock
from tests.support.ports import free_port
from tests.support.postgres import Postgres
from tests.support.processes import program

PASSWORD = "correct horse battery\n"
README_LINE = (
    "TZ=UTC huey_consumer app.worker.huey -k thread -w 16 -m 1 -c 2 -g TERM -t 55"  # design.md §6
)


def run(*arguments: str, input: str | None = None) -> Result:
    """Run `chairtime` in this process; an exception that is nobody's mistake fails the test."""
    umask = os.umask(0o022)
    try:
        return CliRunner().invoke(main, arguments, input=input, catch_exceptions=False)
    finally:
        os.umask(umask)


def line_of(*arguments: str, status: int = 1) -> str:
    """The single line on stderr with which `chairtime` ends in an environment that is wrong."""
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (status, ""), result.output
    assert result.stderr.count("\n") == 1, result.stderr
    assert result.stderr.startswith("chairtime: ")
    return result.stderr.removeprefix("chairtime: ")


# --- users and tokens ---


def test_a_user_is_added_with_the_first_line_of_stdin_as_password(db: Database) -> None:
    options = ["--name", "Ann", "--role", "owner", "--password-stdin"]
    result = run("user", "add", "Ann@example.com", *options, input=PASSWORD + "more\n")

    assert (result.exit_code, result.output) == (0, "Added ann@example.com as owner.\n")
    with db.read() as session:
        assert session.scalars(select(User.role)).all() == ["owner"]


def test_each_wrong_value_of_a_user_is_a_line(sqlite_db: Database) -> None:
    result = run("user", "add", "ann", "--name", "Ann", "--password-stdin", input="short\n")

    assert result.exit_code == 1
    lines = result.stderr.splitlines()
    assert lines[0].startswith("chairtime: email: This is not an email address")
    assert lines[1].startswith("chairtime: password: This has 5 characters")


def test_a_password_is_not_asked_for_where_there_is_no_terminal(sqlite_db: Database) -> None:
    result = run("user", "add", "ann@example.com", "--name", "Ann")

    assert result.exit_code == 2
    assert "use --password-stdin" in result.stderr


def test_a_token_is_made_listed_and_revoked(db: Database) -> None:
    secret = run("token", "create", "shop window", "--scope", "read").stdout.strip()
    with db.read() as session:
        token = tokens.authenticate(session, secret)
    assert token is not None
    assert token.scope == "read"

    listed = run("token", "list").stdout
    assert token.id in listed
    assert "shop window" in listed
    assert secret not in listed

    assert run("token", "revoke", token.id).exit_code == 0
    assert "revoked" in run("token", "list").stdout
    with db.read() as session:
        assert tokens.authenticate(session, secret) is None


def test_an_empty_list_of_tokens_says_how_to_make_one(sqlite_db: Database) -> None:
    assert "chairtime token create" in run("token", "list").stderr


def test_revoking_a_token_that_is_not_there_is_one_line(sqlite_db: Database) -> None:
    result = run("token", "revoke", "token_0")

    assert (result.exit_code, result.stderr) == (1, "chairtime: There is no such token.\n")


# --- migrate ---


def test_migrate_says_what_it_did(tmp_path: Path, configure: Configure) -> None:
    configure(DATABASE_URL=f"sqlite:///{tmp_path / 'new' / 'chairtime.db'}")

    assert run("migrate").stdout.startswith("Migrated from an empty database to ")
    assert run("migrate").stdout.endswith(" already: nothing to do.\n")


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_of_two_that_migrate_at_once_one_does_and_both_succeed(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{tmp_path / 'chairtime.db'}"
    if kind == "postgres":
        cluster: Postgres = request.getfixturevalue("postgres_cluster")
        url = cluster.url(cluster.create())
    processes = [
        subprocess.Popen(
            [program("chairtime"), "migrate"],
            env={**os.environ, "DATABASE_URL": url},
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=60)[0] for process in processes]

    assert [process.returncode for process in processes] == [0] * 2, outputs
    assert sum("Migrated" in output for output in outputs) == 1
    assert sum("nothing to do" in output for output in outputs) == 1


def test_a_database_of_a_later_chairtime_is_not_touched_by_migrate(sqlite_db: Database) -> None:
    with sqlite_db.write() as session:
        session.connection().exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    result = run("migrate")

    assert result.exit_code == 1
    assert "later than this Chairtime knows" in result.stderr
    assert "update Chairtime" in result.stderr
    assert not migrate.revisions(sqlite_db).is_pending


def test_a_migration_that_fails_leaves_nothing_behind(
    tmp_path: Path, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(f"sqlite:///{tmp_path / 'chairtime.db'}")

    def fail(config: Any, _revision: str) -> None:
        connection = config.attributes["connection"]
        connection.exec_driver_sql("CREATE TABLE half (id INTEGER PRIMARY KEY)")
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr("app.run.migrate.command.upgrade", fail)
        with pytest.raises(RuntimeError):
            migrate.upgrade(database)

    with database.engine.connect() as connection:
        tables = connection.exec_driver_sql("SELECT name FROM sqlite_master").all()
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    assert tables == []
    database.close()


# --- demo ---


def test_demo_makes_a_database_fills_a_shop_in_every_state_and_adds_to_it_only_when_told(
    clock: FrozenClock, tmp_path: Path, configure: Configure
) -> None:
    configure(STATE_DIR=str(tmp_path / "fresh"), DATABASE_URL=None)

    fills_a_shop_in_every_state_with_nothing_overdue(clock)

    refused = run("demo")
    assert (refused.exit_code, "use --add" in refused.stderr) == (1, True)
    assert run("demo", "--add").exit_code == 0


def test_demo_fills_a_shop_on_postgresql_even_with_the_short_intervals_of_tests(
    postgres_db: Database, clock: FrozenClock, configure: Configure
) -> None:
    configure(REMINDER_EVERY="1s")

    fills_a_shop_in_every_state_with_nothing_overdue(clock)


def fills_a_shop_in_every_state_with_nothing_overdue(clock: FrozenClock) -> None:
    result = run("demo")

    added = re.search(r"Added (\d+) bookings", result.output)
    assert result.exit_code == 0
    assert added, result.output
    assert int(added[1]) > 40
    with database().read() as session:
        states = set(session.execute(select(Message.state, Message.delivery_status)))
        statuses = set(session.scalars(select(Booking.status)))
        is_overdue = (Message.state == "pending", Message.due_at <= clock.now())
        overdue = select(func.count()).where(*is_overdue)
        assert session.scalar(overdue) == 0
        sent = session.scalar(select(func.count()).where(Message.state == "sent"))
        assert session.scalar(select(func.sum(DailySent.messages))) == sent
    assert {state for state, _ in states} == {
        "pending",
        "uncertain",
        "sent",
        "failed",
        "cancelled",
        "skipped",
    }
    assert {"sent", "delivered", "read"} < {status for _, status in states}
    assert statuses == {"confirmed", "cancelled", "completed", "no_show"}


def test_demo_is_refused_where_messages_would_reach_real_phones(
    sqlite_db: Database, configure: Configure
) -> None:
    configure(
        WHATSAPP_ACCOUNT_SID="AC" + "0" * 32,
        WHATSAPP_AUTH_TOKEN="t" * 32,
        WHATSAPP_FROM_NUMBER="+14155238886",
    )
    result = run("demo")

    assert result.exit_code == 1
    assert "demo works with the simulator only" in result.stderr


def test_demo_migrates_nothing_where_it_is_refused(tmp_path: Path, configure: Configure) -> None:
    configure(
        STATE_DIR=str(tmp_path),
        DATABASE_URL=None,
        WHATSAPP_ACCOUNT_SID="AC" + "0" * 32,
        WHATSAPP_AUTH_TOKEN="t" * 32,
        WHATSAPP_FROM_NUMBER="+14155238886",
    )
    assert "demo works with the simulator only" in line_of("demo")
    assert list(tmp_path.glob("*.db")) == []


# --- serve and worker ---


def test_the_worker_becomes_the_consumer_of_the_readme(
    sqlite_db: Database, valkey: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    became: list[str] = []

    def note(path: Path, arguments: list[str], environment: dict[str, str]) -> None:
        assert path.exists()
        command = shlex.join([Path(arguments[0]).name, *arguments[1:]])
        became.append(f"TZ={environment['TZ']} {command}")

    monkeypatch.setattr("app.cli.os.execve", note)
    run("worker")

    assert became == [README_LINE]


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_a_database_without_tables_is_one_line(
    command: str, tmp_path: Path, configure: Configure
) -> None:
    configure(DATABASE_URL=f"sqlite:///{tmp_path}/new.db", PORT=str(free_port()))

    line = line_of(command)
    assert line.startswith("The database is empty, ")
    assert "run `chairtime migrate`" in line


def test_a_worker_without_a_queue_is_one_line(
    sqlite_db: Database, tmp_path: Path, configure: Configure
) -> None:
    configure(REDIS_URL="redis://127.0.0.1:1/0")
    assert line_of("worker").startswith("REDIS_URL: the queue cannot be reached: ")

    url = settings().database_url
    configure(REDIS_URL=None, STATE_DIR=str(tmp_path), DATABASE_URL=url)
    assert line_of("worker").startswith("The queue is not running: `chairtime up` starts one")


@pytest.mark.parametrize("command", ["up", "serve", "worker", "migrate", "demo", "token list"])
def test_every_wrong_variable_is_a_line_and_the_status_is_two(
    command: str, configure: Configure
) -> None:
    configure(PORT="x", FEED_EVERY="0", RETRY_DELAYS="soon")
    result = run(*command.split())

    assert (result.exit_code, result.stdout) == (2, "")
    names = [line.split()[1] for line in result.stderr.splitlines()]
    assert names == ["PORT", "FEED_EVERY", "RETRY_DELAYS"]


@pytest.mark.parametrize("command", ["serve", "worker", "migrate", "demo", "token list"])
def test_an_unreachable_database_is_one_line_without_its_password(
    command: str, configure: Configure
) -> None:
    url = "postgresql://shop:hunter2@127.0.0.1:1/shop"
    configure(DATABASE_URL=url, PORT=str(free_port()))

    line = line_of(*command.split())
    assert line.startswith("DATABASE_URL: postgresql+psycopg://shop:***@127.0.0.1:1/shop cannot be")
    assert "hunter2" not in line


def test_a_database_file_that_is_none_is_one_line(tmp_path: Path, configure: Configure) -> None:
    (tmp_path / "notes.txt").write_text("Dear diary, " * 100)
    configure(DATABASE_URL=f"sqlite:///{tmp_path / 'notes.txt'}")

    assert "file is not a database" in line_of("migrate")


def test_a_state_folder_that_cannot_be_written_is_one_line(
    tmp_path: Path, configure: Configure
) -> None:
    (tmp_path / "file").write_text("")
    where = str(tmp_path / "file" / "var")
    configure(STATE_DIR=where, REDIS_URL=None)
    assert line_of("migrate", status=2).startswith(f"STATE_DIR {where} cannot be written: ")

    configure(SECRET_KEY="s" * 32)
    assert line_of("migrate").startswith("DATABASE_URL: ")


def test_a_port_in_use_is_one_line(sqlite_db: Database, configure: Configure) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        configure(PORT=str(port))

        assert line_of("serve").startswith(f"PORT {port} is in use by another program (`lsof -i :")


@pytest.mark.parametrize("host", ["x" * 70, "192.0.2.1"])
def test_a_host_that_is_not_ours_is_one_line(
    sqlite_db: Database, configure: Configure, host: str
) -> None:
    configure(HOST=host, PORT=str(free_port()))

    assert line_of("serve").startswith("HOST ")
