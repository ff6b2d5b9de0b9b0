"""Several services in one visit: one block, one text, one price, whichever door it came by."""

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from app import clock
from app.bookings import again, service, waiting_list
from app.db import Database
from app.errors import Invalid
from app.imports import export
from app.messages import compose
from app.models.booking import Booking
from app.models.message import Message
from app.models.shop import Service, ServiceBarber
from app.shop import catalogue, several
from tests import factories
from tests.integration.conftest import body
from tests.support.lifecycle import book, booking
from tests.support.staff import HTMX, sign_in
from tests.support.web import Client

BOTH = "haircut+beard-trim"
CUT = {"name": "Haircut", "minutes": "30", "price": "22", "buffer_minutes_before": "5"}
BEARD = {"name": "Beard trim", "minutes": "20", "price": "14", "buffer_minutes": "10"}


@pytest.fixture
def cuts(sqlite_shop: Database, valkey: object) -> Database:
    """A haircut is £22 and needs 5 minutes before it, a beard £14 and 10 after it."""
    set_up(sqlite_shop)
    return sqlite_shop


def set_up(db: Database) -> None:
    with db.write() as session:
        factories.shop(session, country="GB", locale="en_GB")
        catalogue.change(session, Service, "haircut", {**CUT, "buffer_minutes": "40"}, "system")
        catalogue.change(session, Service, "beard-trim", BEARD, "system")


def facts(db: Database, booking_id: str) -> tuple[str, str, Decimal | None]:
    """What it is called, when it is and keeps free, and its price."""
    with db.read() as session:
        row = session.get_one(Booking, booking_id)
        times = (row.busy_from, row.starts_at, row.ends_at, row.busy_until)
        named = session.get_one(Service, row.service_id).name
        return named, " ".join(f"{at:%H:%M}" for at in times), row.price


def test_times_and_prices_add_up_and_it_is_kept_free_before_the_first_and_after_the_last(
    cuts: Database,
) -> None:
    made = book(cuts, service_id=BOTH)
    assert facts(cuts, made) == (
        "Haircut and Beard trim",
        "09:55 10:00 10:50 11:00",
        Decimal(36),
    )
    turned = book(cuts, service_id="beard-trim+haircut", hours=12)
    assert facts(cuts, turned)[:2] == ("Beard trim and Haircut", "12:00 12:00 12:50 13:30")
    with cuts.read() as session:
        row = session.get_one(Booking, made)
        text = compose.compose(session, Message(kind="reminder"), row, clock.now()).body
    assert "Service: Haircut and Beard trim" in text


def test_the_same_services_are_one_thing_in_no_list_and_follow_their_parts(cuts: Database) -> None:
    first, second = book(cuts, service_id=BOTH), book(cuts, service_id=BOTH, hours=14)
    assert booking(cuts, first).service_id == booking(cuts, second).service_id
    with cuts.write() as session:
        assert (
            len(catalogue.listed(session, Service)) == len(catalogue.booked(session, Service)) - 1
        )
        catalogue.change(
            session, Service, "haircut", {**CUT, "name": "Cut", "price": "30"}, "system"
        )
    assert facts(cuts, first) == ("Cut and Beard trim", "09:55 10:00 10:50 11:00", Decimal(36))
    assert facts(cuts, book(cuts, service_id=BOTH, hours=18))[2] == Decimal(44)
    with cuts.write() as session:
        catalogue.add(session, Service, {"name": "Cut and Beard trim", "minutes": "45"}, "system")
        assert catalogue.remove(session, Service, "beard-trim", "system") is not None
    with pytest.raises(Invalid, match="cannot be booked any more"):
        book(cuts, service_id=BOTH, hours=19)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("haircut+haircut", "Each service can be there once."),
        ("haircut+magic", "There is no service 'magic'."),
        ("haircut+", "There is no such service."),
        ("+".join(f"s{number}" for number in range(6)), "This must have 1 to 5 services."),
        ("haircut+long", "Together these take 730 minutes: 720 at the most."),
    ],
)
def test_what_cannot_be_together_is_refused_and_nothing_is_kept(
    cuts: Database, given: str, says: str
) -> None:
    with cuts.write() as session:
        factories.service(session, "long", name="Long", minutes=700)
    with pytest.raises(Invalid, match=re.escape(says)):
        book(cuts, service_id=given)
    with cuts.read() as session:
        assert session.scalars(select(Service).where(Service.parts.is_not(None))).all() == []


def test_only_who_does_all_of_it_is_booked(cuts: Database) -> None:
    with cuts.write() as session:
        session.add(ServiceBarber(service_id="haircut", barber_id="barber_1"))
        session.add(ServiceBarber(service_id="haircut", barber_id="barber_2"))
        session.add(ServiceBarber(service_id="beard-trim", barber_id="barber_2"))
    assert booking(cuts, book(cuts, service_id=BOTH, barber_id="any")).barber_id == "barber_2"
    with pytest.raises(Invalid, match="Sam does not do Haircut and Beard trim"):
        book(cuts, service_id=BOTH, hours=14)


def test_the_api_takes_and_gives_them_and_says_of_one_what_it_always_did(
    api: Client, shop: Database
) -> None:
    set_up(shop)
    ids = ["haircut", "beard-trim"]
    answer = api.post("/api/bookings", json=body(serviceId=..., serviceIds=ids))
    assert answer.status_code == 201
    made = answer.json()
    assert made["serviceIds"] == ids
    assert (made["endsAt"], made["price"]["amount"]) == ("2026-11-23T10:50:00Z", "36.00")
    assert api.post("/api/bookings", json=body(serviceId=..., serviceIds=ids)).status_code == 200
    its = api.get(f"/api/services/{made['serviceId']}").json()
    assert (its["name"], its["minutes"]) == ("Haircut and Beard trim", 50)
    assert len(api.get("/api/services").json()["items"]) == 4
    found = api.get("/api/bookings?serviceId=beard-trim").json()["items"]
    assert [each["id"] for each in found] == [made["id"]]
    address = f"/api/bookings/{made['id']}"
    assert api.patch(address, json={"serviceId": made["serviceId"]}).json() == made
    one = api.patch(address, json={"serviceIds": ["haircut"]}).json()
    assert one["serviceId"] == "haircut"
    assert "serviceIds" not in one


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"serviceId": ...}, "serviceId"),
        ({"serviceIds": ["haircut"]}, "serviceIds"),
        ({"serviceId": ..., "serviceIds": []}, "serviceIds"),
        ({"serviceId": ..., "serviceIds": ["haircut", "haircut"]}, "serviceIds"),
        ({"serviceId": ..., "serviceIds": ["haircut", "magic"]}, "serviceIds"),
        ({"serviceId": ..., "serviceIds": "haircut"}, "serviceIds"),
    ],
)
def test_the_api_names_the_field_that_is_wrong(
    sqlite_api: Client, fields: dict[str, Any], field: str
) -> None:
    answer = sqlite_api.post("/api/bookings", json=body(**fields))
    assert answer.status_code == 422
    assert [each["field"] for each in answer.json()["errors"]] == [field]


def test_the_form_books_changes_and_shows_them(sqlite_api: Client, cuts: Database) -> None:
    sign_in(sqlite_api, cuts, "staff")
    typed = {
        "service": "haircut",
        "also": ["beard-trim", "haircut"],
        "barber": "barber_1",
        "day": "2026-11-23",
        "time": "10:00",
        "phone": "+447700900123",
        "name": "Ana",
        "price": "36",
    }
    html = sqlite_api.post("/bookings/preview", data=typed, headers=HTMX).text
    said = re.sub(r"\s+", " ", re.sub("<[^>]+>", "", html))
    assert "Haircut 30 min £22 Beard trim 20 min £14 50 min £36" in said
    assert "Service: Haircut and Beard trim" in said
    with cuts.read() as session:
        assert session.scalars(select(Service).where(Service.parts.is_not(None))).all() == []
    full = {**typed, "day": "2026-11-22"}  # it is over
    html = sqlite_api.post("/bookings/preview", data=full, headers=HTMX).text
    assert "/waiting?service=haircut%2Bbeard-trim&" in html.replace("&amp;", "&")
    answer = sqlite_api.post("/bookings", data=typed)
    assert answer.status_code == 303, answer.text
    address = answer.headers["Location"]
    assert "Haircut and Beard trim" in sqlite_api.get(address).text
    assert "Haircut and Beard trim" in sqlite_api.get("/today?date=2026-11-23").text
    form = sqlite_api.get(f"{address}/edit").text
    assert re.search(r'name="also"\s+value="beard-trim"\s+checked', form)
    [seen] = re.findall(r'name="seen" value="([^"]*)"', form)
    same = {**typed, "seen": seen.replace("&#34;", '"').replace("&quot;", '"')}
    assert (
        "Nothing is changed yet."
        in sqlite_api.post(
            "/bookings/preview", data={**same, "id": address.rpartition("/")[2]}, headers=HTMX
        ).text
    )
    answer = sqlite_api.post(address, data={**same, "also": []})
    assert answer.status_code == 303, answer.text
    with cuts.read() as session:
        assert session.scalars(select(Booking.service_id)).one() == "haircut"


def test_it_is_in_the_export_and_offered_again(cuts: Database) -> None:
    made = book(cuts, service_id=BOTH)
    with cuts.write() as session:
        row = session.get_one(Booking, made)
        assert again.draft_of(session, row, 4).typed["service"] == BOTH
        assert any("Haircut and Beard trim" in str(each) for each in export.bookings_csv(session))
        service.change(session, made, {"service_id": "beard-trim"}, "system")
    assert facts(cuts, made)[0] == "Beard trim"


def test_who_walks_in_and_who_waits_may_want_several(sqlite_api: Client, cuts: Database) -> None:
    sign_in(sqlite_api, cuts, "staff")
    typed = {"service": "haircut", "also": ["beard-trim", "haircut"], "barber": "barber_1"}
    assert sqlite_api.post("/bookings/walk-in", data=typed).status_code == 303
    with cuts.read() as session:
        made = session.scalars(select(Booking)).one()
        assert several.key_of(session, made.service_id) == BOTH
        assert (made.ends_at - made.starts_at, made.price) == (timedelta(minutes=50), 36)
    refused = sqlite_api.post("/bookings/walk-in", data=typed)
    assert refused.status_code == 409
    assert re.search(r'name="also"\s+value="beard-trim"\s+checked', refused.text)
    unknown = sqlite_api.post("/bookings/walk-in", data=typed | {"also": "nothing"})
    assert unknown.status_code == 422

    wish = {"customer_phone": "+447700900123", "customer_name": "Nadia", "first_day": "2026-11-24"}
    wish |= {"service_id": "haircut", "also": "beard-trim"}
    assert sqlite_api.post("/waiting", data=wish).status_code == 303
    assert "Haircut and Beard trim, any barber" in sqlite_api.get("/waiting").text
    with cuts.write() as session:
        [entry] = waiting_list.entries(session)
        free = entry.fits[0]
        given = waiting_list.book(session, entry.waiting.id, free.barber.id, free.at, "user:1")
        assert given.service_id == made.service_id
    unknown = sqlite_api.post("/waiting", data=wish | {"also": "nothing"})
    assert "Choose a service that somebody does." in unknown.text
    again = sqlite_api.get("/waiting?service=haircut%2Bbeard-trim").text
    assert re.search(r'name="also"\s+value="beard-trim"\s+checked', again)
