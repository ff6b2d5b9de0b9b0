"""Transactions on both databases: who waits for whom, what is committed, what is refused."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from time import monotonic

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.orm import Session

from app.db import Database, after_commit
from app.models.message import DailySent, Worker
from app.models.shop import Service
from app.rows import change_rows, hold, insert, read_rows, table_of, update_held
from app.sql import constant
from tests import factories

AT = datetime(2026, 7, 1, 12, 30, 15, 250000, tzinfo=timezone(timedelta(hours=5, minutes=30)))


def worker(id: str = "w", seen_at: datetime = AT) -> Worker:
    return Worker(id=id, host="h", pid=1, threads=1, started_at=AT, seen_at=seen_at)


def count_workers(db: Database) -> int:
    with db.read() as session:
        return session.scalar(select(func.count()).select_from(Worker)) or 0


def add_only(session: Session, callback: Callable[[], None]) -> None:
    after_commit(session, callback)
    session.add(worker())


def add_and_fail(session: Session, callback: Callable[[], None] = lambda: None) -> None:
    add_only(session, callback)
    session.flush()
    raise ZeroDivisionError


def test_a_time_comes_back_aware_in_utc_to_the_microsecond(db: Database) -> None:
    with db.write() as session:
        session.add(worker())
    with db.read() as session:
        seen_at = session.get_one(Worker, "w").seen_at
    assert seen_at == AT
    assert seen_at.tzinfo is UTC


def test_times_compare_in_sql_whatever_zone_they_are_given_in(db: Database) -> None:
    with db.write() as session:
        session.add(worker())
    with db.read() as session:
        before = select(Worker.id).where(Worker.seen_at < AT.astimezone(UTC))
        until = select(Worker.id).where(Worker.seen_at <= AT.astimezone(UTC))
        assert session.scalars(before).all() == []
        assert session.scalars(until).all() == ["w"]


def test_a_naive_time_is_refused_and_nothing_is_stored(db: Database) -> None:
    naive = datetime(2026, 7, 1)  # noqa: DTZ001
    with pytest.raises(StatementError, match="naive datetime"), db.write() as session:
        session.add(worker(seen_at=naive))
    assert count_workers(db) == 0


def test_an_error_in_the_block_undoes_the_whole_transaction(db: Database) -> None:
    with pytest.raises(ZeroDivisionError), db.write() as session:
        add_and_fail(session)
    assert count_workers(db) == 0


def test_a_foreign_key_to_nothing_is_refused(db: Database) -> None:
    statement = "INSERT INTO idempotency_key VALUES ('nobody', 'k', 'd', 200, '{}', :at)"
    with pytest.raises(IntegrityError), db.write() as session:
        session.execute(text(statement), {"at": "2026-07-01 00:00:00"})


def test_callbacks_run_in_order_after_the_commit_and_once(db: Database) -> None:
    seen: list[tuple[str, int]] = []
    with db.write() as session:
        session.add(worker())
        after_commit(session, lambda: seen.append(("first", count_workers(db))))
        after_commit(session, lambda: seen.append(("second", count_workers(db))))
        session.flush()
        assert seen == []
    assert seen == [("first", 1), ("second", 1)]
    with db.write() as session:
        session.add(worker("other"))
    assert len(seen) == 2


def test_a_callback_may_write_itself(db: Database) -> None:
    def write_more() -> None:
        with db.write() as inner:
            inner.add(worker("from the callback"))

    with db.write() as session:
        after_commit(session, write_more)
    assert count_workers(db) == 1


def test_no_callback_runs_when_the_block_fails(db: Database) -> None:
    seen: list[str] = []
    with pytest.raises(ZeroDivisionError), db.write() as session:
        add_and_fail(session, lambda: seen.append("ran"))
    assert seen == []


def test_no_callback_runs_when_the_commit_itself_fails(db: Database) -> None:
    seen: list[str] = []
    with db.write() as session:
        session.add(worker())
    with pytest.raises(IntegrityError), db.write() as session:
        add_only(session, lambda: seen.append("ran"))
    assert seen == []


def test_an_insert_on_conflict_does_the_same_on_both_databases(db: Database) -> None:
    def sent(session: Session) -> None:
        statement = insert(session, DailySent).values(day=AT.date(), messages=1)
        more = {"messages": DailySent.messages + 1}
        session.execute(statement.on_conflict_do_update(index_elements=["day"], set_=more))

    for _ in range(3):
        with db.write() as session:
            sent(session)
    with db.read() as session:
        assert session.get_one(DailySent, AT.date()).messages == 3


def test_a_reader_keeps_its_snapshot_while_somebody_writes(sqlite_db: Database) -> None:
    count = select(func.count()).select_from(Worker)
    with sqlite_db.read() as reader:
        assert reader.scalar(count) == 0
        with sqlite_db.write() as session:
            session.add(worker())
        assert reader.scalar(count) == 0
    assert count_workers(sqlite_db) == 1


def test_writers_in_threads_wait_for_each_other_and_no_update_is_lost(db: Database) -> None:
    with db.write() as session:
        session.add(DailySent(day=AT.date(), messages=0))
    start = threading.Barrier(16)

    def add_some(_: int) -> None:
        start.wait()
        for _ in range(10):
            with db.write() as session:
                session.execute(update(DailySent).values(messages=DailySent.messages + 1))

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(add_some, range(16)))
    with db.read() as session:
        assert session.get_one(DailySent, AT.date()).messages == 160


def test_reading_before_writing_never_meets_a_locked_sqlite_even_across_processes(
    sqlite_db: Database,
) -> None:
    """Two Database objects share no lock of ours, as two processes do not: SQLite's own decides."""
    path = Path(str(sqlite_db.engine.url.database))
    with sqlite_db.write() as session:
        session.add(DailySent(day=AT.date(), messages=0))
    others = [Database(f"sqlite:///{path}") for _ in range(4)]
    start = threading.Barrier(len(others))

    def read_then_write(db: Database) -> None:
        start.wait()
        for _ in range(10):
            with db.write() as session:
                session.get_one(DailySent, AT.date()).messages += 1

    with ThreadPoolExecutor(len(others)) as pool:
        list(pool.map(read_then_write, others))
    with sqlite_db.read() as session:
        assert session.get_one(DailySent, AT.date()).messages == 40
    for other in others:
        other.close()


def test_sqlite_waits_for_the_disk_and_checks_foreign_keys(sqlite_db: Database) -> None:
    with sqlite_db.read() as session:
        pragmas = {
            name: session.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")
        }
    assert pragmas == {
        "journal_mode": "wal",
        "foreign_keys": 1,
        "synchronous": 2,
        "busy_timeout": 15000,
    }


def test_connections_that_postgresql_cut_off_are_replaced_unnoticed(
    postgres_db: Database,
) -> None:
    with postgres_db.engine.connect() as kept, postgres_db.engine.connect() as cut_off:
        pid = cut_off.scalar(text("SELECT pg_backend_pid()"))
        cut_off.commit()
        kept.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
    with postgres_db.read() as one, postgres_db.read() as other:
        assert one.scalar(text("SELECT 1")) == other.scalar(text("SELECT 1")) == 1


def test_only_a_word_stands_in_the_sql_as_it_is() -> None:
    assert str(constant("pending")) == "'pending'"
    for no_word in ("", "it's", "a b", "1", "a;b"):
        with pytest.raises(ValueError, match="is not a word"):
            constant(no_word)


def test_rows_that_change_past_the_objects_are_read_again_and_known_as_changed(
    db: Database,
) -> None:
    with db.write() as session:
        service = factories.service(session, name="Cut")
    begun = monotonic()
    with db.write() as session:
        service = session.get_one(Service, service.id)
        change_rows(session, update(table_of(Service)).values(name="Trim"))
        assert service.name == "Trim"
    assert db.changed_at["service"] >= begun


def test_an_object_that_is_held_past_the_session_is_as_its_row(db: Database) -> None:
    with db.write() as session:
        id = factories.service(session, name="Cut").id
    columns = table_of(Service).c
    with db.write() as session:
        known = session.get_one(Service, id)
        session.connection().execute(update(table_of(Service)).values(name="Trim"))
        row = read_rows(session, select(*columns).where(columns.id == id)).one()
        assert hold(session, Service, row._asdict()) is known
        assert known.name == "Trim"
        update_held(session, known, name="Shave")
        assert known.name == "Shave"
        assert known not in session.dirty
    with db.write() as session:
        row = read_rows(session, select(*columns).where(columns.id == id)).one()
        held = hold(session, Service, row._asdict())
        assert session.get(Service, id) is held
        assert held.name == "Shave"
        held.name = "Cut"
    with db.read() as session:
        assert session.get_one(Service, id).name == "Cut"
