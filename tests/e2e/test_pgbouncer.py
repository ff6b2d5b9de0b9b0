"""The product behind a PgBouncer in transaction mode: no connection is the same as a moment ago."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sqlalchemy import text

from app.db import Database
from app.run import migrate
from tests.fake_twilio import FakeTwilio
from tests.support.lifecycle import at_once
from tests.support.pgbouncer import PgBouncer
from tests.support.postgres import Postgres
from tests.support.processes import wait_until
from tests.support.running import RunningShop
from tests.support.valkey import Valkey

BOOKINGS = 40


def test_bookings_are_made_and_every_message_is_sent_at_the_first_try(
    tmp_path: Path, postgres_cluster: Postgres, valkey: Valkey
) -> None:
    with (
        PgBouncer(postgres_cluster) as bouncer,
        FakeTwilio() as twilio,
        RunningShop(
            tmp_path,
            twilio,
            valkey,
            bouncer.url(postgres_cluster.create()),
            LOG_FORMAT="json",
            SEND_LEASE="60",  # what is only sent after a lease has ended was not sent at first
        ) as shop,
    ):
        shop.start_worker()
        with ThreadPoolExecutor(2) as people:
            list(people.map(lambda _: book_and_cancel(shop), range(BOOKINGS)))
        wait_until(
            lambda: shop.api.get("/api/queue/stats").json()["completed"] == BOOKINGS, 60, "sending"
        )
        said = shop.output()

    assert len(twilio.posts()) == BOOKINGS
    assert "psycopg.errors" not in said
    lines = [json.loads(line) for line in said.splitlines()]
    assert {"time", "level", "logger", "message"} <= set.intersection(*map(set, lines))
    assert {"_granian", "huey.consumer"} <= {line["logger"] for line in lines}


def book_and_cancel(shop: RunningShop) -> None:
    booking = shop.book(seconds=86_400)
    assert shop.reminders(booking)
    assert shop.api.delete(f"/api/bookings/{booking['id']}").status_code == 200


def test_what_two_processes_run_often_is_prepared_by_neither(postgres_cluster: Postgres) -> None:
    with PgBouncer(postgres_cluster, connections=1) as bouncer:
        databases = [Database(bouncer.url("postgres")) for _ in range(2)]
        for one in databases * 10:  # psycopg would prepare what it runs for the sixth time
            with one.write() as session:
                session.execute(text("SELECT :number"), {"number": 1})
        for one in databases:
            one.close()


def test_migrations_that_run_at_once_still_wait_for_each_other(postgres_cluster: Postgres) -> None:
    callers = 3
    name = postgres_cluster.create()
    with PgBouncer(postgres_cluster) as bouncer:
        databases = [Database(bouncer.url(name)) for _ in range(callers)]
        stood = at_once(*[lambda one=one: migrate.upgrade(one) for one in databases])
        for one in databases:
            one.close()

    assert sorted(str(one.current) for one in stood)[:-1] == [stood[0].newest] * (callers - 1)
    assert [one.is_pending for one in stood].count(True) == 1
