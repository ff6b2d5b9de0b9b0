"""A booking with any barber: who gets it, and what becomes of two at once."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from app.bookings import any_barber, service
from app.bookings.need import Need
from app.db import Database
from app.errors import Conflict
from app.models.shop import Barber, ServiceBarber
from app.shop import catalogue
from tests import factories
from tests.integration.conftest import body
from tests.support.frozen import FrozenClock
from tests.support.lifecycle import at_once, book
from tests.support.web import Client

AT_TEN = datetime(2026, 11, 23, 10, tzinfo=UTC)


def anybody(db: Database, at: datetime = AT_TEN, **values: Any) -> str:
    """Book somebody new with any barber; returns whom they got."""
    new = {
        "customer_name": "Ana",
        "customer_phone": factories.phone(),
        "service_id": "haircut",
        "barber_id": "any",
        "scheduled_time": at,
    }
    with db.write() as session:
        return service.create(session, new | values, "system")[0].barber_id


def test_who_has_least_that_day_gets_it_and_of_equals_the_first(sqlite_shop: Database) -> None:
    assert [anybody(sqlite_shop) for _ in range(3)] == ["barber_1", "barber_2", "barber_3"]
    book(sqlite_shop, hours=15, barber_id="barber_1")
    book(sqlite_shop, hours=40, barber_id="barber_2")  # of another day
    assert anybody(sqlite_shop, AT_TEN + timedelta(hours=2)) == "barber_2"


def test_only_who_does_it_and_is_there_gets_it(sqlite_shop: Database) -> None:
    with sqlite_shop.write() as session:
        for barber in ("barber_2", "barber_3"):
            session.add(ServiceBarber(service_id="haircut", barber_id=barber))
        factories.absence(session, AT_TEN, timedelta(hours=1), barber_id="barber_2")
    assert anybody(sqlite_shop, AT_TEN + timedelta(minutes=45)) == "barber_3"
    with pytest.raises(Conflict, match=r"The next free time is 2026-11-23T11:00:00Z with Alex\."):
        anybody(sqlite_shop, AT_TEN + timedelta(minutes=40))


def test_the_next_free_time_is_the_first_of_all_within_four_weeks(
    sqlite_shop: Database, clock: FrozenClock
) -> None:
    with sqlite_shop.write() as session:
        factories.closure(session, date(2026, 11, 23), last_day=date(2027, 6, 1))
        who = any_barber.doers(session, "haircut")
        assert any_barber.next_free(session, who, Need(timedelta(minutes=30)), AT_TEN) is None
    with pytest.raises(Conflict, match="nor in the four weeks after"):
        anybody(sqlite_shop)


def test_no_barber_has_the_id_that_stands_for_any(sqlite_shop: Database) -> None:
    with sqlite_shop.write() as session:
        assert catalogue.add(session, Barber, {"name": "Any"}, "system").id == "any-2"


def test_two_at_once_get_two_barbers_and_who_comes_too_late_is_told_the_next_free_time(
    api: Client, shop: Database
) -> None:
    def post(number: int) -> tuple[int, dict[str, Any]]:
        given = body(barberId="any", customerPhone=f"+4420794609{number:02}")
        answer = api.post("/api/bookings", json=given)
        return answer.status_code, answer.json()

    answers = at_once(*(lambda number=number: post(number) for number in range(4)))
    made = sorted(answer["barberId"] for status, answer in answers if status == 201)
    assert made == ["barber_1", "barber_2", "barber_3"]
    [refused] = [answer for status, answer in answers if status == 409]
    assert refused["reason"] == "nobody_free"
    assert refused["instead"] == {
        "barberId": "barber_1",
        "startsAt": "2026-11-23T10:30:00Z",
        "endsAt": "2026-11-23T11:00:00Z",
    }


def test_the_same_booking_with_any_barber_again_is_the_first_one(sqlite_api: Client) -> None:
    first = sqlite_api.post("/api/bookings", json=body(barberId="any"))
    again = sqlite_api.post("/api/bookings", json=body(barberId="any"))
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()


@pytest.mark.parametrize(
    ("fields", "field", "says"),
    [
        ({"barberId": ...}, "barberId", "This is missing."),
        ({"serviceId": "magic"}, "serviceId", "There is no service 'magic'."),
    ],
)
def test_any_barber_has_to_be_asked_for_and_for_a_service_that_there_is(
    sqlite_api: Client, fields: dict[str, Any], field: str, says: str
) -> None:
    answer = sqlite_api.post("/api/bookings", json=body(**{"barberId": "any", **fields}))
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": field, "message": says}]
