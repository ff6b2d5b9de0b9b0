"""Customers over JSON: each once, by whatever spelling of their number they booked."""

from datetime import timedelta

import pytest

from app.customers import service as customers
from app.db import Database
from app.models.booking import Booking
from app.models.customer import Customer
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
    "language": None,
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
    "language": None,
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
        ("updatedSince=2026-11-23T00:00:00", "updatedSince"),
    ],
)
def test_what_is_wrong_with_a_query_is_said_by_field(api: Client, query: str, field: str) -> None:
    answer = api.get(f"/api/customers?{query}")
    assert answer.status_code == 422, answer.text
    assert [each["field"] for each in answer.json()["errors"]] == [field]


def test_a_change_of_a_customer_is_one_of_all_their_bookings(api: Client, known: Database) -> None:
    seen = api.get("/api/customers/customer_A0").headers["ETag"]
    told = {"notes": "Latex\r\nNuts", "optedOut": True, "language": "pt"}
    changes = {"name": " Ana  Sousa ", "email": None, **told}
    changed = api.patch("/api/customers/customer_A0", json=changes, headers={"If-Match": seen})
    assert changed.status_code == 200, changed.text
    expected = {"name": "Ana Sousa", "email": None, **told, "notes": "Latex\nNuts"}
    assert changed.json() == {**ANA, **expected}
    stale = api.patch("/api/customers/customer_A0", json={"name": "A"}, headers={"If-Match": seen})
    assert (stale.status_code, stale.headers["ETag"]) == (412, changed.headers["ETag"])
    names = {each["id"]: each["customerName"] for each in api.get("/api/bookings").json()["items"]}
    assert names["booking_A3"] == "Ana Sousa"
    assert names["booking_A0"] == "Ana", "that was another name of the number's"
    back = api.patch("/api/customers/customer_A0", json={"optedOut": False, "consent": False})
    assert (back.json()["optedOut"], back.json()["consent"]) == (False, False)


def test_another_number_takes_all_along_and_makes_one_of_two(api: Client, known: Database) -> None:
    change = {"phone": "+44 7700 900003", "language": "de"}
    moved = api.patch("/api/customers/customer_A1", json=change).json()
    assert moved == {**ANA, "phone": "+447700900003", "language": "de"}
    to_bens = {"phone": BEN["phone"], "mergeWith": None}
    for named in (None, "customer_A0"):  # not who has it
        refused = api.patch("/api/customers/customer_A0", json={**to_bens, "mergeWith": named})
        assert (refused.status_code, refused.json()["reason"]) == (409, "number_taken")
        assert refused.json()["instead"] == {"mergeWith": "customer_B0"}
    assert api.get("/api/customers/customer_B0").json() == BEN
    merged = {**to_bens, **refused.json()["instead"]}
    both = api.patch("/api/customers/customer_A0", json=merged).json()
    assert (both["phone"], both["optedOut"], both["visits"]) == (BEN["phone"], True, 2)
    assert both["language"] == "de", "Ben had none"
    assert len(api.get("/api/customers").json()["items"]) == 1


def test_what_is_wrong_with_a_change_is_said_by_field(api: Client, known: Database) -> None:
    wrong = {
        "name": " ",
        "phone": "12",
        "email": "x",
        "notes": "n" * 501,
        "consent": None,
        "language": "xx",
        "visits": 1,
    }
    answer = api.patch("/api/customers/customer_A0", json=wrong)
    assert answer.status_code == 422
    assert {each["field"] for each in answer.json()["errors"]} == wrong.keys()
    assert api.get("/api/customers/customer_A0").json() == ANA
    assert api.patch("/api/customers/customer_W0", json={"name": "X"}).status_code == 404


def import_cem(db: Database, phone: str) -> None:
    with db.write() as session:
        cem = {"id": "customer_C0", "name": "Cem", "name_folded": "cem", "email": "cem@example.com"}
        session.add(Customer(person=phone, phone=phone, **cem))


def test_who_was_imported_and_never_booked_is_listed_between_the_others(
    api: Client, known: Database
) -> None:
    import_cem(known, "+4477009000015")
    first = api.get("/api/customers?limit=2").json()
    assert [each["id"] for each in first["items"]] == ["customer_A0", "customer_C0"]
    rest = api.get(f"/api/customers?limit=2&cursor={first['nextCursor']}").json()
    assert rest == {"items": [BEN], "nextCursor": None}
    [found] = api.get("/api/customers?q=cem").json()["items"]
    assert (found["email"], found["visits"]) == ("cem@example.com", 0)
    assert api.get("/api/customers/customer_C0").json() == found
    changes = {"name": "Can", "notes": "Beard oil", "consent": True, "optedOut": True}
    changes |= {"language": "tr"}
    changed = api.patch("/api/customers/customer_C0", json=changes)
    assert changed.json() == {**found, **changes}
    assert api.get("/api/customers?q=can").json()["items"] == [changed.json()]
    with known.write() as session:
        phone = {"customer_phone": "+4477009000015", "customer_name": "Cem"}
        factories.booking(session, id="booking_C1", **phone)
    for id in ("customer_C1", "customer_C0"):
        assert api.get(f"/api/customers/{id}").json()["id"] == "customer_C1"


def test_who_was_imported_gets_another_number_or_is_one_with_who_has_it(
    api: Client, known: Database
) -> None:
    import_cem(known, "+447700900015")
    change = {"phone": "+44 7700 900016", "notes": "Beard oil", "optedOut": True}
    moved = api.patch("/api/customers/customer_C0", json=change).json()
    told = {"id": "customer_C0", "phone": "+447700900016", "notes": "Beard oil", "optedOut": True}
    assert {name: moved[name] for name in told} == told
    assert api.get("/api/customers?q=447700900015").json()["items"] == []
    to_anas = {"phone": ANA["phone"]}
    refused = api.patch("/api/customers/customer_C0", json=to_anas)
    assert refused.json()["instead"] == {"mergeWith": "customer_A0"}
    both = api.patch("/api/customers/customer_C0", json={**to_anas, "mergeWith": "customer_A0"})
    assert both.json() == {**ANA, "optedOut": True}, "they are who Ana is, and want no messages"
    assert api.get("/api/customers/customer_C0").status_code == 404


def test_a_copy_is_kept_by_who_has_changed_since(
    api: Client, known: Database, clock: FrozenClock
) -> None:
    clock.move(hours=1)
    since = {"updatedSince": clock.now().isoformat()}
    assert api.get("/api/customers", params=since).json()["items"] == []
    with known.write() as session:
        customers.put_notes(session, "+447700900001", "Tea, no milk")
    [ana] = api.get("/api/customers", params=since).json()["items"]
    assert ana == {**ANA, "notes": "Tea, no milk"}
    api.patch("/api/bookings/booking_B0", json={"notes": "Fade"})
    assert len(api.get("/api/customers", params=since).json()["items"]) == 2


def test_they_come_by_name_or_by_what_changed_last_page_by_page(
    api: Client, known: Database, clock: FrozenClock
) -> None:
    def walked(sort: str) -> list[str]:
        names, cursor = [], ""
        while cursor is not None:
            page = api.get(f"/api/customers?limit=1&sort={sort}{cursor}").json()
            names += [each["name"] for each in page["items"]]
            cursor = page["nextCursor"] and f"&cursor={page['nextCursor']}"
        return names

    with known.write() as session:
        cem = {"id": "customer_C0", "name": "Àbel", "name_folded": "abel"}
        session.add(Customer(person="+447700900015", phone="+447700900015", **cem))
        factories.booking(
            session, id="booking_D0", customer_name="Zoë", customer_phone="+447700900000"
        )
    assert walked("name") == ["Àbel", "Ana Silva", "Ben", "Zoë"]
    assert walked("-name") == walked("name")[::-1]
    for minute, path in enumerate(("customer_A0", "customer_D0", "customer_B0")):
        clock.move(minutes=minute + 1)
        assert api.patch(f"/api/customers/{path}", json={"notes": "Tea"}).status_code == 200
    assert walked("updatedAt") == ["Àbel", "Ana Silva", "Zoë", "Ben"]
    assert walked("-updatedAt") == walked("updatedAt")[::-1]
    cursor = api.get("/api/customers?limit=1&sort=name").json()["nextCursor"]
    for query, field in {f"sort=updatedAt&cursor={cursor}": "cursor", "sort=age": "sort"}.items():
        answer = api.get(f"/api/customers?{query}")
        assert [each["field"] for each in answer.json()["errors"]] == [field]


def test_all_that_is_kept_of_one_comes_in_one_answer_and_nothing_of_others(
    api: Client, known: Database
) -> None:
    with known.write() as session:
        theirs = session.get_one(Booking, "booking_A3")
        factories.message(session, theirs, "sent")
        factories.reply(session, theirs, body="See you")
        other = session.get_one(Booking, "booking_B0")
        factories.message(session, other, "sent")
        factories.reply(session, other, body="Not hers")
    export = api.get("/api/customers/customer_A0/export").json()
    assert export["customer"] == ANA
    assert [each["id"] for each in export["bookings"]] == [f"booking_A{n}" for n in range(4)]
    assert [each["bookingId"] for each in export["messages"]] == ["booking_A3"]
    assert export["messages"][0]["attempts"][0]["body"] == "Hello!"
    assert [each["text"] for each in export["replies"]] == ["See you"]
    assert api.get("/api/customers/customer_W0/export").status_code == 404
