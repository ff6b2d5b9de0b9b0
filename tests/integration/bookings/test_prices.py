"""What services cost, and what bookings keep of it; who does what."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from app import clock
from app.bookings import service, walk_in
from app.db import Database
from app.errors import Invalid
from app.imports import export
from app.models.booking import Booking
from app.models.shop import Service, Shop
from app.shop import catalogue
from tests import factories
from tests.integration.conftest import body as booking_body
from tests.support.lifecycle import book
from tests.support.staff import HTMX, sign_in
from tests.support.web import Client

TYPED = {"name": "Haircut", "minutes": "30", "price": "22", "colour": "blue"}


@pytest.fixture
def priced(sqlite_shop: Database, valkey: object) -> Database:
    """A haircut is £22."""
    with sqlite_shop.write() as session:
        factories.shop(session, country="GB", locale="en_GB")
        catalogue.change(session, Service, "haircut", TYPED, "system")
    return sqlite_shop


def price_of(db: Database, booking_id: str) -> tuple[Decimal | None, str | None]:
    with db.read() as session:
        row = session.get_one(Booking, booking_id)
        return row.price, row.currency


def change(db: Database, booking_id: str, **changes: Any) -> None:
    with db.write() as session:
        service.change(session, booking_id, changes, "system")


def test_a_booking_keeps_the_price_it_was_made_at(priced: Database) -> None:
    booking = book(priced)
    with priced.write() as session:
        catalogue.change(session, Service, "haircut", {**TYPED, "price": "25"}, "system")
    assert price_of(priced, booking) == (Decimal(22), "GBP")
    change(priced, booking, customer_name="Ana", allow_overlap=True)
    assert price_of(priced, booking) == (Decimal(22), "GBP")
    assert price_of(priced, book(priced, hours=20)) == (Decimal(25), "GBP")


def test_a_booking_may_have_another_price_and_gets_that_of_another_service(
    priced: Database,
) -> None:
    booking = book(priced, price="18.50")
    assert price_of(priced, booking) == (Decimal("18.5"), "GBP")
    change(priced, booking, price="0")
    assert price_of(priced, booking) == (Decimal(0), "GBP")
    change(priced, booking, price=None)
    assert price_of(priced, booking) == (Decimal(22), "GBP")
    change(priced, booking, service_id="beard-trim")
    assert price_of(priced, booking) == (None, None)
    change(priced, booking, service_id="haircut", price="20")
    assert price_of(priced, booking) == (Decimal(20), "GBP")


def test_the_price_is_changed_when_the_visit_is_over(priced: Database, sqlite_api: Client) -> None:
    sign_in(sqlite_api, priced, "staff")
    with priced.write() as session:
        booking, _ = walk_in.book(
            session, walk_in.new_id(), {"service": "haircut", "barber": "barber_1"}, "system"
        )
    assert price_of(priced, booking.id) == (Decimal(22), "GBP")
    address = f"/bookings/{booking.id}/notes"
    assert 'value="22"' in sqlite_api.get(address).text
    assert sqlite_api.post(address, data={"price": "30", "notes": "Beard too"}).status_code == 303
    assert price_of(priced, booking.id) == (Decimal(30), "GBP")
    refused = sqlite_api.post(address, data={"price": "-1", "notes": "x" * 501})
    assert refused.status_code == 422
    assert "This must not be less than 0." in refused.text
    assert "501 characters" in refused.text
    assert 'value="-1"' in refused.text


def test_the_first_price_sets_the_currency_whatever_country_is_chosen_later(
    priced: Database,
) -> None:
    with priced.write() as session:
        assert session.get_one(Shop, 1).prices_in == "GBP"
        factories.shop(session, country="DE")
    assert price_of(priced, book(priced)) == (Decimal(22), "GBP")


def test_a_barber_is_booked_for_what_they_do(priced: Database, sqlite_api: Client) -> None:
    there = book(priced, barber_id="barber_2")
    with priced.write() as session:
        given = {**TYPED, "barber_ids": "barber_1,barber_3"}
        catalogue.change(session, Service, "haircut", given, "system")
    with pytest.raises(Invalid, match="Alex does not do Haircut"):
        book(priced, barber_id="barber_2", hours=20)
    book(priced, barber_id="barber_3", hours=20)
    sign_in(sqlite_api, priced, "staff")
    typed = {"service": "haircut", "barber": "barber_2", "day": "2026-11-24"}
    shown = sqlite_api.post("/bookings/preview", data=typed, headers=HTMX).text
    assert "Alex does not do Haircut: choose another barber." in shown
    change(priced, there, customer_name="Ana")  # what is booked stays
    with priced.write() as session:
        every = {**TYPED, "barber_ids": "barber_1,barber_2,barber_3"}
        catalogue.change(session, Service, "haircut", every, "system")
    book(priced, barber_id="barber_2", hours=20)


def test_owners_see_what_the_day_comes_to_and_others_the_prices_alone(
    priced: Database, sqlite_api: Client
) -> None:
    for hours, barber, price in (
        (1, "barber_1", None),
        (2, "barber_2", "30.5"),
        (3, "barber_1", "9"),
    ):
        book(priced, hours=hours, barber_id=barber, price=price)
    with priced.write() as session:
        missed = factories.booking(
            session, starts_at=clock.now(), price=Decimal(99), currency="GBP"
        )
        missed.status = "no_show"
        factories.booking(
            session, starts_at=clock.now() + timedelta(hours=5), price=Decimal(99), currency="EUR"
        )
        day = missed.starts_at.date()
    sign_in(sqlite_api, priced, "owner")
    page = sqlite_api.get(f"/today?date={day}").text
    assert "£61.50 booked" in page
    assert "£31<" in page
    sign_in(sqlite_api, priced, "staff")
    page = sqlite_api.get(f"/today?date={day}").text
    assert "booked</strong>" not in page
    assert "Haircut · £22" in page


def test_the_form_keeps_a_wrong_price_and_says_what_is_wrong(
    priced: Database, sqlite_api: Client
) -> None:
    sign_in(sqlite_api, priced, "staff")
    answer = sqlite_api.post("/bookings", data={"price": "25.005", "phone": "", "name": ""})
    assert answer.status_code == 422
    assert "This must have at most 2 decimals" in answer.text
    assert 'value="25.005"' in answer.text


def test_an_owner_keeps_prices_colours_and_who_does_what(
    sqlite_shop: Database, sqlite_api: Client
) -> None:
    sign_in(sqlite_api, sqlite_shop)
    typed: dict[str, Any] = {**TYPED, "barber_ids": ["", "barber_1"]}
    assert sqlite_api.post("/settings/services/haircut", data=typed).status_code == 303
    with sqlite_shop.read() as session:
        row = session.get_one(Service, "haircut")
        assert (row.price, row.colour) == (Decimal(22), "blue")
        assert catalogue.doers(session, "haircut") == ["barber_1"]
    wrong = {**TYPED, "price": "1000000000", "colour": "plaid", "barber_ids": ""}
    answer = sqlite_api.post("/settings/services/haircut", data=wrong)
    assert answer.status_code == 422
    for says in ("at most 10,000,000", "one of the list", "Choose at least one barber."):
        assert says in answer.text
    assert 'value="1000000000"' in answer.text


# --- over the API ---


def test_a_price_over_the_api_is_an_amount_with_its_currency(
    priced: Database, sqlite_api: Client
) -> None:
    new = {
        "customerName": "Ana",
        "customerPhone": factories.phone(),
        "serviceId": "haircut",
        "barberId": "barber_1",
        "scheduledTime": (clock.now() + timedelta(hours=3)).isoformat(),
    }
    made = sqlite_api.post("/api/bookings", json=new).json()
    assert made["price"] == {"amount": "22.00", "currency": "GBP"}
    address = f"/api/bookings/{made['id']}"
    changed = sqlite_api.patch(address, json={"price": {"amount": "18.5", "currency": "GBP"}})
    assert changed.json()["price"] == {"amount": "18.50", "currency": "GBP"}
    for wrong, says in (
        ({"amount": "18.5", "currency": "EUR"}, "This must be in GBP, the shop’s currency."),
        ({"amount": "-1", "currency": "GBP"}, "This must not be less than 0."),
        ({"amount": "1.005", "currency": "GBP"}, "This must have at most 2 decimals"),
        ({"amount": 25, "currency": "GBP"}, "This must be text"),
        ("25.00", "This must be such as"),
        (25, "This must be such as"),
    ):
        answer = sqlite_api.patch(address, json={"price": wrong})
        assert answer.status_code == 422, wrong
        [error] = answer.json()["errors"]
        assert error["field"] == "price"
        assert says in error["message"]


def test_services_are_added_changed_and_deleted_over_the_api(
    priced: Database, sqlite_api: Client
) -> None:
    new = {
        "name": "Hot towel",
        "minutes": 15,
        "price": {"amount": "9", "currency": "GBP"},
        "barberIds": ["barber_2"],
    }
    answer = sqlite_api.post("/api/services", json=new)
    assert (answer.status_code, answer.headers["Location"]) == (201, "/api/services/hot-towel")
    assert answer.json() == {
        "id": "hot-towel",
        "name": "Hot towel",
        "minutes": 15,
        "price": {"amount": "9.00", "currency": "GBP"},
        "bufferMinutes": 0,
        "bufferMinutesBefore": 0,
        "colour": None,
        "barberIds": ["barber_2"],
        "active": True,
    }
    assert sqlite_api.get("/api/services/hot-towel").json() == answer.json()
    changes = {"colour": "teal", "price": None, "active": False}
    changed = sqlite_api.patch("/api/services/hot-towel", json=changes).json()
    assert (changed["colour"], changed["price"], changed["active"]) == ("teal", None, False)
    assert changed["barberIds"] == ["barber_2"]
    items = sqlite_api.get("/api/services").json()["items"]
    assert [each["id"] for each in items][-1] == "hot-towel"
    assert sqlite_api.delete("/api/services/hot-towel").status_code == 204
    assert sqlite_api.get("/api/services/hot-towel").status_code == 404


def test_what_was_booked_is_switched_off_and_the_last_one_stays(
    priced: Database, sqlite_api: Client
) -> None:
    book(priced)
    answer = sqlite_api.delete("/api/services/haircut")
    assert (answer.status_code, answer.json()["active"]) == (200, False)
    answer = sqlite_api.delete("/api/barbers/barber_1")
    assert (answer.status_code, answer.json()["active"]) == (200, False)
    assert sqlite_api.delete("/api/barbers/barber_2").status_code == 204
    last = sqlite_api.delete("/api/barbers/barber_3")
    assert (last.status_code, last.json()["reason"]) == (409, "last_one")
    with priced.read() as session:
        assert session.scalars(select(Service.id).where(Service.active)).all()


def test_barbers_are_added_and_renamed_over_the_api(
    sqlite_shop: Database, sqlite_api: Client
) -> None:
    made = sqlite_api.post("/api/barbers", json={"name": "Jo"}).json()
    assert made == {"id": "jo", "name": "Jo", "active": True}
    tag = sqlite_api.get("/api/barbers/jo").headers["ETag"]
    answer = sqlite_api.patch("/api/barbers/jo", json={"name": "Jo B"}, headers={"If-Match": tag})
    assert answer.json()["name"] == "Jo B"
    stale = sqlite_api.delete("/api/barbers/jo", headers={"If-Match": tag})
    assert stale.status_code == 412
    assert [each["id"] for each in sqlite_api.get("/api/barbers").json()["items"]][-1] == "jo"


def test_all_that_is_wrong_with_a_service_is_said_at_once(
    sqlite_shop: Database, sqlite_api: Client
) -> None:
    new = {
        "name": "Haircut",
        "minutes": 4,
        "price": {"amount": "-1", "currency": "USD"},
        "barberIds": ["nobody"],
        "colour": "plaid",
        "size": 3,
    }
    answer = sqlite_api.post("/api/services", json=new)
    assert answer.status_code == 422
    fields = {each["field"] for each in answer.json()["errors"]}
    assert fields == {"name", "minutes", "price", "barberIds", "colour", "size"}
    for body in (None, [], "x", {"name": None}, {"minutes": 1.5}, {"barberIds": [1]}):
        assert sqlite_api.post("/api/services", json=body).status_code == 422
        assert sqlite_api.patch("/api/services/haircut", json=body).status_code == 422
    assert sqlite_api.patch("/api/services/nothing", json={"minutes": 30}).status_code == 404


def test_a_discount_has_a_reason_and_is_at_most_the_price(
    priced: Database, sqlite_api: Client
) -> None:
    pounds = {"currency": "GBP"}
    five, fifty = ({"amount": amount, **pounds} for amount in ("5.00", "50.00"))
    given = booking_body(discount=five, discountReason=" Student ")
    made = sqlite_api.post("/api/bookings", json=given).json()
    assert (made["price"]["amount"], made["discount"], made["discountReason"]) == (
        *("22.00", five, "Student"),
    )
    address = f"/api/bookings/{made['id']}"
    for wrong, field, says in (
        ({"discount": fifty}, "discount", "This is more than the price."),
        ({"price": {"amount": "4", **pounds}}, "discount", "This is more than the price."),
        ({"serviceId": "beard-trim"}, "discount", "There is no price to take it from."),
        ({"discountReason": None}, "discountReason", "Say why, such as “student”."),
        ({"discount": {"amount": "-1", **pounds}}, "discount", "This must not be less than 0."),
        ({"discountReason": "x" * 101}, "discountReason", "101 characters"),
    ):
        refused = sqlite_api.patch(address, json=wrong)
        assert refused.status_code == 422, wrong
        [error] = refused.json()["errors"]
        assert error["field"] == field
        assert says in error["message"]
    assert sqlite_api.get(address).json()["discount"] == five
    without = sqlite_api.patch(address, json={"discount": None}).json()
    assert (without["discount"], without["discountReason"]) == (None, None)


def test_a_discount_is_given_when_the_visit_is_over_and_the_day_comes_to_less(
    priced: Database, sqlite_api: Client
) -> None:
    sign_in(sqlite_api, priced, "owner")
    with priced.write() as session:
        typed = {"service": "haircut", "barber": "barber_1"}
        booking, _ = walk_in.book(session, walk_in.new_id(), typed, "system")
    sent = {"price": "22", "discount": "4.50", "discount_reason": "Third visit", "notes": ""}
    address = f"/bookings/{booking.id}"
    refused = sqlite_api.post(f"{address}/notes", data={**sent, "discount_reason": ""})
    assert refused.status_code == 422
    assert "Say why, such as" in refused.text
    assert 'value="4.50"' in refused.text
    assert sqlite_api.post(f"{address}/notes", data=sent).status_code == 303
    page = sqlite_api.get(address).text
    assert "£17.50" in page
    assert "£22 less £4.50: Third visit" in page
    for place in ("/today", "/today/week", "/today/month"):
        assert "£17.50" in sqlite_api.get(place).text, place
    with priced.read() as session:
        assert "22.00,GBP,4.50,Third visit" in "".join(export.bookings_csv(session))
    assert sqlite_api.post(f"{address}/notes", data={**sent, "discount": "25 %"}).status_code == 303
    assert "£22 less £5.50: Third visit" in sqlite_api.get(address).text
