"""Calendars by a private link, read back by the library and by the rules of RFC 5545."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from icalendar import Calendar, Event

from app.db import Database
from app.integrations import calendars
from tests import factories
from tests.integration.conftest import Client, body
from tests.support.frozen import FrozenClock
from tests.support.staff import sign_in
from tests.support.statements import counted
from tests.support.web import said

HERE = "/settings/calendars"


def link(shop: Database, subject: str = "barber_1") -> str:
    with shop.write() as session:
        return calendars.path(calendars.make(session, subject, "system"))


def read(api: Client, path: str) -> dict[str, Event]:
    """The events by the id of their booking."""
    answer = api.get(path, headers={"Authorization": ""})
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    lines = answer.content.split(b"\r\n")
    assert max(map(len, lines)) <= 75
    assert b"\n" not in b"".join(lines)
    calendar: Any = Calendar.from_ical(answer.content)
    return {str(each["UID"]).partition("@")[0]: each for each in calendar.walk("VEVENT")}


def made(api: Client, **fields: Any) -> dict[str, Any]:
    answer = api.post("/api/bookings", json=body(**fields))
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def test_a_booking_is_shown_with_all_that_a_barber_wants_to_know(
    api: Client, shop: Database, clock: FrozenClock
) -> None:
    booking = made(api, notes="Fade 1.5; “short”,\nno razor", customerName="Ana, the Ångström")
    event = read(api, link(shop))[booking["id"]]
    assert event["DTSTART"].dt == datetime(2026, 11, 23, 10, tzinfo=UTC)
    assert event["DTEND"].dt == datetime(2026, 11, 23, 10, 30, tzinfo=UTC)
    assert event["SUMMARY"] == "Ana, the Ångström · Haircut"
    assert event["DESCRIPTION"] == "+442079460958\nFade 1.5; “short”,\nno razor"
    assert event["STATUS"] == "CONFIRMED"
    assert event["SEQUENCE"] == 0
    assert str(event["URL"]).endswith(f"/bookings/{booking['id']}")
    first = event["DTSTAMP"].dt
    clock.move(minutes=5)
    api.patch(f"/api/bookings/{booking['id']}", json={"scheduledTime": "2026-11-23T12:00:00Z"})
    moved = read(api, link(shop))[booking["id"]]
    assert moved["DTSTART"].dt == datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert moved["SEQUENCE"] > event["SEQUENCE"]
    assert moved["DTSTAMP"].dt > first
    assert moved["UID"] == event["UID"]


def test_each_barber_sees_their_own_and_the_shop_sees_all(api: Client, shop: Database) -> None:
    one = made(api, barberId="barber_1")
    two = made(api, barberId="barber_2", customerPhone="+447700900111")
    assert set(read(api, link(shop, "barber_1"))) == {one["id"]}
    assert set(read(api, link(shop, "barber_2"))) == {two["id"]}
    events = read(api, link(shop, "shop"))
    assert set(events) == {one["id"], two["id"]}
    assert str(events[two["id"]]["SUMMARY"]).startswith("Ana Silva · Haircut · ")


def test_a_cancelled_one_is_shown_as_cancelled_for_two_weeks(
    api: Client, shop: Database, clock: FrozenClock
) -> None:
    booking = made(api, scheduledTime="2026-12-20T10:00:00Z")
    api.delete(f"/api/bookings/{booking['id']}")
    event = read(api, link(shop))[booking["id"]]
    assert (event["STATUS"], event["TRANSP"]) == ("CANCELLED", "TRANSPARENT")
    assert event["SUMMARY"] == "Cancelled: Ana Silva · Haircut"
    clock.move(days=14, minutes=1)
    assert read(api, link(shop)) == {}


@pytest.mark.parametrize(
    ("zone", "before", "after"),
    [
        ("Europe/London", "2027-03-27T10:00:00", "2027-03-28T10:00:00"),  # the clocks go forward
        ("Europe/London", "2027-10-30T10:00:00", "2027-10-31T10:00:00"),  # and back
        ("America/New_York", "2027-03-13T10:00:00", "2027-03-14T10:00:00"),
        ("Australia/Lord_Howe", "2027-04-03T10:00:00", "2027-04-04T10:00:00"),  # by half an hour
    ],
)
def test_bookings_around_a_change_of_clocks_keep_their_times_on_the_wall(
    sqlite_api: Client, sqlite_shop: Database, zone: str, before: str, after: str
) -> None:
    where = ZoneInfo(zone)
    walls = [datetime.fromisoformat(each) for each in (before, after)]
    with sqlite_shop.write() as session:
        rows = [
            factories.booking(session, starts_at=wall.replace(tzinfo=where).astimezone(UTC))
            for wall in walls
        ]
    events = read(sqlite_api, link(sqlite_shop))
    shown = [events[row.id]["DTSTART"].dt.astimezone(where).replace(tzinfo=None) for row in rows]
    assert shown == walls


def test_phones_are_told_the_name_and_how_often_to_look(api: Client, shop: Database) -> None:
    with shop.write() as session:
        factories.shop(session, name="Sam’s")
    calendar: Any = Calendar.from_ical(api.get(link(shop)).content)
    assert calendar["X-WR-CALNAME"].endswith(" · Sam’s")
    assert calendar["X-WR-TIMEZONE"] == "UTC"
    assert calendar["METHOD"] == "PUBLISH"
    assert calendar["REFRESH-INTERVAL"].dt == timedelta(minutes=15)
    assert calendar["REFRESH-INTERVAL"].params["VALUE"] == "DURATION"
    assert b"X-PUBLISHED-TTL:PT15M" in api.get(link(shop)).content


def test_who_has_it_already_is_told_so_until_something_changes(
    api: Client, shop: Database, clock: FrozenClock
) -> None:
    booking = made(api)
    path = link(shop)
    tag = api.get(path).headers["ETag"]
    assert api.get(path, headers={"If-None-Match": tag}).status_code == 304
    assert api.head(path).status_code == 200
    clock.move(seconds=1)
    api.patch(f"/api/bookings/{booking['id']}", json={"notes": "Fade"})
    assert api.get(path, headers={"If-None-Match": tag}).status_code == 200
    tag = api.get(path).headers["ETag"]
    api.patch("/api/services/haircut", json={"name": "Long haircut"})
    assert api.get(path, headers={"If-None-Match": tag}).status_code == 200


def test_its_statements_do_not_grow(sqlite_api: Client, sqlite_shop: Database) -> None:
    path = link(sqlite_shop, "shop")
    made(sqlite_api)
    sqlite_api.get(path)
    with counted(sqlite_shop) as few:
        sqlite_api.get(path)
    with sqlite_shop.write() as session:
        for number in range(20):
            factories.booking(session, customer_phone=f"+4477009007{number:02}")
    sqlite_api.get(path)
    with counted(sqlite_shop) as many:
        assert len(read(sqlite_api, path)) == 21
    assert len(many) == len(few) <= 5


@pytest.mark.parametrize("change", [lambda s: s[:-5] + "0.ics", lambda s: s.replace(".ics", "")])
def test_another_secret_opens_nothing(
    sqlite_api: Client, sqlite_shop: Database, change: Any
) -> None:
    path = link(sqlite_shop)
    wrong = change(path) if change(path) != path else path[:-5] + "1.ics"
    assert sqlite_api.get(wrong).status_code in {400, 404}
    for made_up in ("/calendar/x.ics", "/calendar/calendar_0123456789abcdef_" + "0" * 48 + ".ics"):
        assert sqlite_api.get(made_up).status_code == 404


# --- the page ---


def test_an_owner_makes_renews_and_removes_links(owner: Client, sqlite_shop: Database) -> None:
    page = owner.get(HERE).text
    assert page.count("Make a link<") == 4
    assert "calendar-code" not in page
    assert said(owner, owner.post(f"{HERE}/barber_1")) == "The link is made."
    assert said(owner, owner.post(f"{HERE}/shop")) == "The link is made."
    old = link(sqlite_shop)
    page = owner.get(HERE).text
    assert f'value="http://127.0.0.1:3000{old}"' in page
    assert f'href="webcal://127.0.0.1:3000{old}"' in page
    assert page.count('role="img"') >= 2
    assert owner.get(old).status_code == 200
    told = said(owner, owner.post(f"{HERE}/barber_1/renew"))
    assert told == "There is a new link. The old one shows nothing any more."
    assert owner.get(old).status_code == 404
    new = link(sqlite_shop)
    assert owner.get(new).status_code == 200
    told = said(owner, owner.post(f"{HERE}/barber_1/remove"))
    assert told == "The link is removed. It shows nothing any more."
    assert owner.get(new).status_code == 404
    assert owner.post(f"{HERE}/barber_1/renew").status_code == 404
    assert owner.post(f"{HERE}/nobody").status_code == 404
    activity = owner.get("/activity").text
    for words in ("made", "renewed", "removed"):
        assert f"Link of the calendar {words}" in activity
    sign_in(owner, sqlite_shop, "staff")
    assert owner.get(HERE).status_code == 403
