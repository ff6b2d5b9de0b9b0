"""Rows from before a person was one, on both databases: nothing is lost, and no STOP."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import text

from app.db import Database
from app.run.migrate import alembic_config, alone
from tests.support.postgres import Postgres

BEFORE = "0012"
BOOKED, AT_WHATSAPP = "+525587654321", "+5215587654321"
DAYS = [f"2026-11-{day:02} 10:00:00.000000+00:00" for day in range(1, 10)]


@pytest.fixture(scope="module")
def sqlite_before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a database of that revision."""
    path = tmp_path_factory.mktemp("before") / "before.db"
    made_before(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="module")
def postgres_before(postgres_cluster: Postgres) -> str:
    """The name of a database of that revision."""
    name = postgres_cluster.create()
    made_before(of_psycopg(postgres_cluster.url(name)))
    return name


def made_before(url: str) -> None:
    database = Database(url)
    up(database, BEFORE)
    database.close()


def of_psycopg(url: str) -> str:
    return url.replace("postgresql:", "postgresql+psycopg:")


@pytest.fixture(params=["sqlite", "postgres"])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database as it was before, with a booking for each spelling."""
    before = request.getfixturevalue(f"{request.param}_before")
    if request.param == "sqlite":
        database = Database(f"sqlite:///{shutil.copyfile(before, tmp_path / 'old.db')}")
    else:
        cluster: Postgres = request.getfixturevalue("postgres_cluster")
        database = Database(of_psycopg(cluster.url(cluster.create(before))))
    for number, phone in enumerate((BOOKED, AT_WHATSAPP), start=1):
        add(database, "booking", **booking(number, phone))
        add(database, "message", **in_flight(number, phone))
    yield database
    database.close()


def up(database: Database, revision: str = "head") -> None:
    with alone(database) as connection:
        command.upgrade(alembic_config(connection), revision)


def down(database: Database) -> None:
    with alone(database) as connection:
        command.downgrade(alembic_config(connection), BEFORE)


def add(database: Database, table: str, **values: Any) -> None:
    names = ", ".join(values)
    marks = ", ".join(f":{name}" for name in values)
    with database.write() as session:
        session.execute(text(f"INSERT INTO {table} ({names}) VALUES ({marks})"), values)


def rows(database: Database, query: str) -> list[Any]:
    with database.read() as session:
        return [tuple(row) for row in session.execute(text(query))]


def booking(number: int, phone: str) -> dict[str, Any]:
    return {
        "id": f"booking_{number}",
        "customer_name": "Zoë Straße",
        "customer_phone": phone,
        "service_id": "haircut",
        "barber_id": "barber_1",
        "starts_at": DAYS[0],
        "ends_at": DAYS[1],
        "status": "confirmed",
        "created_at": DAYS[0],
        "updated_at": DAYS[0],
    }


def in_flight(number: int, phone: str) -> dict[str, Any]:
    return {
        "id": f"booking_{number}-answer-1",
        "booking_id": f"booking_{number}",
        "kind": "answer",
        "number": 1,
        "state": "sending",
        "planned_for": DAYS[0],
        "due_at": DAYS[0],
        "asked_for": False,
        "text": "Hello",
        "attempts": 1,
        "tries": 0,
        "attempt_id": f"a{number}",
        "sending_to": phone,
        "lease_until": DAYS[1],
        "checks": 0,
        "verify_first": False,
        "delivery_rank": 0,
        "doubled": False,
        "asks": 0,
        "updated_at": DAYS[0],
    }


def test_bookings_keep_their_number_and_get_one_person(old: Database) -> None:
    up(old)
    assert rows(old, "SELECT customer_phone, person, spellings, name_folded FROM booking") == [
        (phone, BOOKED, f"{BOOKED} {AT_WHATSAPP}", "zoe strasse") for phone in (BOOKED, AT_WHATSAPP)
    ]
    assert set(rows(old, "SELECT sending_to FROM message")) == {(BOOKED,), (AT_WHATSAPP,)}
    down(old)
    assert rows(old, "SELECT count(*) FROM booking") == [(2,)]


@pytest.mark.parametrize("stopped", [BOOKED, AT_WHATSAPP])
def test_a_stop_and_a_no_of_either_number_hold_for_the_person(old: Database, stopped: str) -> None:
    [other] = {BOOKED, AT_WHATSAPP} - {stopped}
    add(
        old,
        "customer",
        address=stopped,
        opted_out_at=DAYS[2],
        opted_out_how="reply",
        consent=False,
        consent_at=DAYS[2],
        consent_how="form",
    )
    add(
        old,
        "customer",
        address=other,
        consent=True,
        consent_at=DAYS[5],
        consent_how="reply",
        written_at=DAYS[5],
        profile_name="Zoë",
    )
    up(old)
    columns = "person, whatsapp, opted_out_how, consent, consent_how, profile_name"
    assert rows(old, f"SELECT {columns} FROM customer") == [
        (BOOKED, other, "reply", False, "form", "Zoë")
    ]
    down(old)
    assert rows(old, "SELECT address, opted_out_how FROM customer") == [(other, "reply")]


def test_twilios_own_block_wins_over_an_earlier_stop(old: Database) -> None:
    said = ((BOOKED, "staff", DAYS[1]), (AT_WHATSAPP, "twilio", DAYS[3]))
    for address, how, at in said:
        add(old, "customer", address=address, opted_out_at=at, opted_out_how=how)
    up(old)
    assert rows(old, "SELECT person, opted_out_how FROM customer") == [(BOOKED, "twilio")]


def test_what_was_sent_this_month_is_added_up(old: Database) -> None:
    for address, messages in ((BOOKED, 2), (AT_WHATSAPP, 3), ("+447700900123", 5)):
        add(old, "monthly_sent", month="2026-11-01", address=address, messages=messages)
    up(old)
    sent = rows(old, "SELECT person, messages FROM monthly_sent ORDER BY messages")
    assert sorted(sent) == [("+447700900123", 5), (BOOKED, 5)]


def test_replies_get_their_person(old: Database) -> None:
    add(
        old,
        "reply",
        sid="SM1",
        sender=AT_WHATSAPP,
        body="Hello",
        kind="text",
        media=0,
        received_at=DAYS[0],
        effect="for_staff",
        needs_attention=True,
        updated_at=DAYS[0],
    )
    up(old)
    assert rows(old, "SELECT sender, person FROM reply") == [(AT_WHATSAPP, BOOKED)]
