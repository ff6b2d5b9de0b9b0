"""The list of bookings: filters, pages, and the indexes under them."""

import base64
import re
from datetime import timedelta
from typing import Any

import pytest

from app.db import Database
from app.models.booking import Booking
from tests import factories
from tests.integration.conftest import Client
from tests.integration.staff.test_access import routes
from tests.support.frozen import FrozenClock


def ids(api: Client, query: str = "") -> list[str]:
    answer = api.get(f"/api/bookings?{query}")
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


@pytest.fixture
def bookings(shop: Database, clock: FrozenClock) -> list[str]:
    """Twelve bookings by time, two at each hour, made in another order."""
    with shop.write() as session:
        made = [
            factories.booking(
                session,
                clock.now() + timedelta(hours=1 + number // 2),
                id=f"booking_{number:02d}",
                barber_id=f"barber_{1 + number % 3}",
                customer_name=f"Customer {number:02d}",
                customer_phone=f"+4477009010{number:02d}",
                status="cancelled" if number % 4 == 3 else "confirmed",
            ).id
            for number in (7, 0, 3, 11, 4, 9, 1, 10, 2, 8, 6, 5)
        ]
    return sorted(made)


def test_without_filters_all_bookings_come_by_time(api: Client, bookings: list[str]) -> None:
    assert ids(api) == bookings


@pytest.mark.parametrize("limit", [1, 2, 5, 12, 200])
def test_walking_the_pages_meets_each_booking_once(
    api: Client, bookings: list[str], limit: int
) -> None:
    seen: list[str] = []
    cursor = ""
    while True:
        page = api.get(f"/api/bookings?limit={limit}{cursor}").json()
        seen += [item["id"] for item in page["items"]]
        if page["nextCursor"] is None:
            break
        assert len(page["items"]) == limit
        cursor = f"&cursor={page['nextCursor']}"
    assert seen == bookings


@pytest.mark.parametrize("limit", [1, 5, 12])
@pytest.mark.parametrize(
    ("sort", "number"),
    [
        ("scheduledTime", lambda each: each // 2),
        ("-scheduledTime", lambda each: -(each // 2)),
        ("updatedAt", lambda each: each * 5 % 12 // 2),
        ("-updatedAt", lambda each: -(each * 5 % 12 // 2)),
    ],
)
def test_each_order_meets_each_booking_once(
    api: Client, shop: Database, bookings: list[str], sort: str, number: Any, limit: int
) -> None:
    with shop.write() as session:
        for each in range(12):
            row = session.get_one(Booking, f"booking_{each:02d}")
            row.updated_at += timedelta(minutes=each * 5 % 12 // 2)  # two at each time
    seen: list[str] = []
    page = {"nextCursor": ""}
    while page["nextCursor"] is not None:
        cursor = f"&cursor={page['nextCursor']}" if page["nextCursor"] else ""
        page = api.get(f"/api/bookings?sort={sort}&limit={limit}{cursor}").json()
        seen += [item["id"] for item in page["items"]]
    assert sorted(seen) == bookings
    times = [number(int(each[-2:])) for each in seen]
    assert times == sorted(times)


def test_what_changed_since_a_time_is_found(
    api: Client, bookings: list[str], clock: FrozenClock
) -> None:
    clock.move(minutes=10)
    since = "updatedSince=2026-11-23T00:10:00Z"
    assert ids(api, since) == []
    changed = api.patch(f"/api/bookings/{bookings[5]}", json={"notes": "Fade"})
    assert changed.status_code == 200
    clock.move(minutes=1)
    assert api.patch(f"/api/bookings/{bookings[2]}", json={"notes": "Fade"}).status_code == 200
    assert ids(api, f"{since}&sort=updatedAt") == [bookings[5], bookings[2]]
    assert ids(api, f"{since}&sort=-updatedAt") == [bookings[2], bookings[5]]
    assert ids(api, "updatedSince=2026-11-23T00:11:00Z") == [bookings[2]]


def test_bookings_of_one_service_are_found(
    api: Client, shop: Database, bookings: list[str]
) -> None:
    with shop.write() as session:
        session.get_one(Booking, bookings[3]).service_id = "beard-trim"
    assert ids(api, "serviceId=beard-trim") == [bookings[3]]
    assert len(ids(api, "serviceId=haircut")) == 11
    assert ids(api, "serviceId=none") == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("sort=name", "sort"),
        ("serviceId=a%20b", "serviceId"),
        ("updatedSince=yesterday", "updatedSince"),
        ("updatedSince=2026-11-23T00:10:00", "updatedSince"),
    ],
)
def test_a_filter_that_is_wrong_is_named(sqlite_api: Client, query: str, field: str) -> None:
    answer = sqlite_api.get(f"/api/bookings?{query}")
    assert answer.status_code == 422
    assert [each["field"] for each in answer.json()["errors"]] == [field]


def test_a_cursor_is_of_its_own_order(api: Client, bookings: list[str]) -> None:
    cursor = api.get("/api/bookings?limit=1").json()["nextCursor"]
    of_changes = api.get("/api/bookings?limit=1&sort=updatedAt").json()["nextCursor"]
    for query in (f"sort=updatedAt&cursor={cursor}", f"cursor={of_changes}"):
        assert api.get(f"/api/bookings?{query}").status_code == 422


def test_a_booking_made_during_the_walk_does_not_move_the_pages(
    api: Client, shop: Database, bookings: list[str], clock: FrozenClock
) -> None:
    first = api.get("/api/bookings?limit=6").json()
    with shop.write() as session:
        factories.booking(session, clock.now() + timedelta(minutes=1))
    assert ids(api, f"limit=200&cursor={first['nextCursor']}") == bookings[6:]


def test_filters_narrow_the_list_alone_and_together(api: Client, bookings: list[str]) -> None:
    assert ids(api, "status=cancelled") == ["booking_03", "booking_07", "booking_11"]
    assert ids(api, "barberId=barber_2") == [f"booking_{n:02d}" for n in (1, 4, 7, 10)]
    assert ids(api, "status=cancelled&barberId=barber_2") == ["booking_07"]
    assert ids(api, "barberId=barber_9") == []
    between = "from=2026-11-23T02:00:00Z&to=2026-11-23T05:00:00%2B01:00"
    assert ids(api, between) == bookings[2:6]
    assert ids(api, f"{between}&limit=200&status=confirmed") == [
        "booking_02",
        "booking_04",
        "booking_05",
    ]


def test_a_cursor_goes_on_with_the_filters_that_are_given_to_it(
    api: Client, bookings: list[str]
) -> None:
    first = api.get("/api/bookings?status=confirmed&limit=4").json()
    rest = ids(api, f"status=confirmed&cursor={first['nextCursor']}")
    assert [item["id"] for item in first["items"]] + rest == [
        id for id in bookings if int(id[-2:]) % 4 != 3
    ]


@pytest.mark.parametrize(
    ("q", "names"),
    [
        ("customer 07", ["booking_07"]),
        ("07", ["booking_07"]),
        ("booking_03", ["booking_03"]),
        ("%2B447700901005", ["booking_05"]),
        ("%2B44 7700 901005", ["booking_05"]),
        ("07700 901005", ["booking_05"]),
        ("9010", None),
        ("%25", []),
        ("_ustomer", []),
        ("nobody", []),
        (" ", None),
    ],
)
def test_q_finds_by_name_phone_and_id(
    api: Client, bookings: list[str], q: str, names: list[str] | None
) -> None:
    assert ids(api, f"q={q}") == (bookings if names is None else names)


def test_q_takes_a_national_number_of_the_shops_country(
    api: Client, shop: Database, bookings: list[str]
) -> None:
    with shop.write() as session:
        factories.shop(session, country="GB")
    assert ids(api, "q=07700 901 005") == ["booking_05"]


@pytest.mark.parametrize(
    "place",
    [
        "2026-11-23T10:00:00+00:00 booking_1",
        "2026-11-23T10:00:00 ",
        "2026-11-23T10:00:00 a'b",
        "yesterday booking_1",
        "",
        "\ud800",
    ],
)
def test_a_cursor_that_no_page_gave_is_refused(sqlite_api: Client, place: str) -> None:
    cursor = base64.urlsafe_b64encode(place.encode("utf-8", "surrogatepass")).decode()
    answer = sqlite_api.get("/api/bookings", params={"cursor": cursor})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "cursor"


def test_a_misspelt_filter_is_refused_by_each_call(sqlite_api: Client) -> None:
    checked = 0
    for path, handler in routes(sqlite_api.app):
        if path.startswith("/api/") and handler.opt["access"] != "manage":
            address = re.sub("{[a-z_]+:int}", "1", re.sub("{[a-z_]+:str}", "x", path))
            for method in handler.http_methods:
                answer = sqlite_api.request(method, f"{address}?colour=red", json={})
                assert answer.status_code == 422, (method, path)
                assert [each["field"] for each in answer.json()["errors"]] == ["colour"]
                checked += 1
    assert checked > 40
