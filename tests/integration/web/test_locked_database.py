"""Somebody else holds SQLite's write lock: a backup, a worker, a tool of the owner's."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import httpx

from app.db import Database
from tests.integration.conftest import Client, body


def test_reads_go_on_while_more_requests_wait_to_write_than_there_are_threads(
    sqlite_api: Client, sqlite_db: Database
) -> None:
    def write(minute: int) -> httpx.Response:
        at = f"2026-11-23T10:{minute:02}:00Z"
        return sqlite_api.post("/api/bookings", json=body(scheduledTime=at, allowOverlap=True))

    there = f"/api/bookings/{write(59).json()['id']}"
    to_read = ["/api/bookings", there, f"{there}/reminders"]
    path = str(sqlite_db.engine.url.database)
    with (
        closing(sqlite3.connect(path, isolation_level=None)) as lock,
        ThreadPoolExecutor(8) as pool,
    ):
        lock.execute("BEGIN IMMEDIATE")
        writes = [pool.submit(write, minute) for minute in range(8)]
        reads = [sqlite_api.get(each).status_code for each in to_read * 10]
        assert not any(each.done() for each in writes)
        lock.rollback()
        assert {each.result().status_code for each in writes} == {201}
    assert set(reads) == {200}
