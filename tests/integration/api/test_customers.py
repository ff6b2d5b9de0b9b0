"""Customers over JSON: each once, by whatever spelling of their number they booked."""

from datetime import timedelta

import pytest

from app.customers import service as customers
from app.db import Database
from tests import factories
from tests.integration.conftest import Client
from tests.support.frozen import FrozenClock


@pytest.fixture
def known(shop: Database, clock: FrozenClock) -> Database:
    """Ana came twice and missed once, Ben is to come, and somebody walked in."""
    now = clock.now()
    with shop.write() as session:
        ana = {"customer_phone": "+447700900001", "customer_email": "ana@example.com"}
        for number, (days, status) in enumerate(
            [(-3, "completed"), (-2, "no_show"), (-1, "confirmed"), (2, "confirmed")]
        ):
            name = "Ana Silva" if days > 0 else "Ana"
            at = now + timedelta(days=days)
            of = {"id": f"booking_A{number}", "customer_name": name, "status": status, **ana}
            factories.booking(session, at, **of)
        factories.booking(
            session, id="booking_B0", customer_name="Ben", customer_phone="+447700900002"
        )
        factories.booking(session, id="booking_W0", customer_name="Walk-in", customer_phone=None)
        customers.note_consent(session, "+447700900001", True, "form")
        customers.put_notes(session, "+447700900001", "Allergic to latex")
        customers.opt_out(session, "+447700900002", "reply")
    return shop


ANA = {
    "id": "customer_A0",
    "name": "Ana Silva",
    "phone": "+447700900001",
    "email": "ana@example.com",
    "notes": "Allergic to latex",
    "consent": True,
    "optedOut": False,
    "visits": 2,
    "noShows": 1,
}
BEN = {
    "id": "customer_B0",
    "name": "Ben",
    "phone": "+447700900002",
    "email": None,
    "notes": None,
    "consent": None,
    "optedOut": True,
    "visits": 0,
    "noShows": 0,
}


def test_each_is_listed_once_with_what_is_known_of_them(api: Client, known: Database) -> None:
    assert api.get("/api/customers").json() == {"items": [ANA, BEN], "nextCursor": None}
    first = api.get("/api/customers?limit=1").json()
    assert first == {"items": [ANA], "nextCursor": "customer_A0"}
    rest = api.get(f"/api/customers?limit=1&cursor={first['nextCursor']}").json()
    assert rest == {"items": [BEN], "nextCursor": None}
    for text in ("silva", "+44 7700 900001", "booking_A2"):
        assert api.get("/api/customers", params={"q": text}).json()["items"] == [ANA], text
    assert api.get("/api/customers?q=walk").json()["items"] == []


def test_one_is_found_by_their_id_and_by_that_of_no_walk_in(api: Client, known: Database) -> None:
    answer = api.get("/api/customers/customer_A0")
    assert answer.json() == ANA
    seen = {"If-None-Match": answer.headers["ETag"]}
    assert api.get("/api/customers/customer_A0", headers=seen).status_code == 304
    assert api.get("/api/customers/customer_A3").json() == ANA, "an id of theirs leads to them"
    for path in ("customer_W0", "customer_none"):
        assert api.get(f"/api/customers/{path}").status_code == 404


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("cursor=customer_none", "cursor"),
        ("cursor=%00", "cursor"),
        (f"q={'x' * 101}", "q"),
        ("name=Ana", "name"),
    ],
)
def test_what_is_wrong_with_a_query_is_said_by_field(api: Client, query: str, field: str) -> None:
    answer = api.get(f"/api/customers?{query}")
    assert answer.status_code == 422, answer.text
    assert [each["field"] for each in answer.json()["errors"]] == [field]
