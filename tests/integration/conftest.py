"""The web app as its callers see it."""

from collections.abc import Iterator
from typing import Any

import pytest

from app.db import Database
from tests import factories
from tests.support.frozen import FrozenClock
from tests.support.staff import sign_in
from tests.support.valkey import Valkey
from tests.support.web import Client, web_client

SECRET = "s" * 40


@pytest.fixture
def shop(db: Database, clock: FrozenClock) -> Database:
    """A database with a shop in it, its services and barbers, and the token `SECRET`."""
    fill(db)
    return db


@pytest.fixture
def sqlite_shop(sqlite_db: Database, clock: FrozenClock) -> Database:
    """The same on SQLite alone."""
    fill(sqlite_db)
    return sqlite_db


def fill(db: Database) -> None:
    """A token that may write: shop, services and barbers are in a new database already."""
    with db.write() as session:
        factories.api_token(session, SECRET)


@pytest.fixture
def api(shop: Database, valkey: Valkey) -> Iterator[Client]:
    """A client of the app that sends the token `SECRET`, once on SQLite, once on PostgreSQL."""
    with web_client() as client:
        client.headers["Authorization"] = f"Bearer {SECRET}"
        yield client


@pytest.fixture
def sqlite_api(sqlite_shop: Database, valkey: Valkey) -> Iterator[Client]:
    """The same on SQLite alone, for what no database decides."""
    with web_client() as client:
        client.headers["Authorization"] = f"Bearer {SECRET}"
        yield client


@pytest.fixture
def client(shop: Database, valkey: Valkey) -> Iterator[Client]:
    """The browser of somebody of the staff, once on SQLite, once on PostgreSQL."""
    with web_client() as browser:
        sign_in(browser, shop, "staff")
        yield browser


@pytest.fixture
def desk(sqlite_shop: Database, valkey: Valkey) -> Iterator[Client]:
    """The same on SQLite alone, for what no database decides."""
    with web_client() as browser:
        sign_in(browser, sqlite_shop, "staff")
        yield browser


@pytest.fixture
def owner(sqlite_shop: Database, valkey: Valkey) -> Iterator[Client]:
    """The owner's browser, on SQLite alone."""
    with web_client() as browser:
        sign_in(browser, sqlite_shop, "owner")
        yield browser


def body(**fields: Any) -> dict[str, Any]:
    """What books ten hours ahead of the `clock` fixture's start; `...` leaves a field out."""
    given = {
        "customerName": "Ana Silva",
        "customerPhone": "+44 20 7946 0958",
        "serviceId": "haircut",
        "barberId": "barber_1",
        "scheduledTime": "2026-11-23T10:00:00Z",
        **fields,
    }
    return {name: value for name, value in given.items() if value is not ...}
