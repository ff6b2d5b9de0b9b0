"""The form of a booking: to make one, to change one, and what it shows while one types."""

import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from html import unescape

import pytest
from sqlalchemy import func, select

from app.bookings import draft, service
from app.bookings.day_choices import SHOWN
from app.bookings.draft import Draft
from app.db import Database
from app.errors import Invalid
from app.models.booking import Booking
from app.models.shop import Barber, Service, ServiceBarber
from app.models.staff import AuditEvent
from app.models.week import every_day
from tests import factories
from tests.integration.conftest import Client
from tests.support import lifecycle
from tests.support.frozen import FrozenClock
from tests.support.lifecycle import at_once
from tests.support.staff import HTMX, sign_in
from tests.support.statements import counted

NASTY = "<script>alert(1)</script>\"'&"
PHONE = "+447700900123"


@pytest.fixture
def db(sqlite_db: Database) -> Database:
    """SQLite alone: what is behind these pages runs on both in the tests of its services."""
    return sqlite_db


def typed(**fields: str) -> dict[str, str]:
    """What the form sends for a haircut today at ten."""
    return {
        "phone": "+44 7700 900123",
        "name": "Luis Ortega",
        "email": "",
        "service": "haircut",
        "barber": "barber_1",
        "day": "2026-11-23",
        "time": "10:00",
        "other_time": "",
        **fields,
    }


def preview(client: Client, **fields: str) -> str:
    """What htmx gets while somebody types, as one reads it."""
    answer = client.post("/bookings/preview", data=typed(**fields), headers=HTMX)
    assert answer.status_code == 200, answer.text
    return text_of(answer.text)


def text_of(html: str) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html)))


def only_booking(db: Database) -> Booking:
    with db.read() as session:
        return session.scalars(select(Booking)).one()


def count(db: Database) -> int:
    with db.read() as session:
        return session.scalar(select(func.count()).select_from(Booking)) or 0


def value_of(html: str, field: str) -> str:
    match = re.search(rf'<input[^>]*\bid="{field}"[^>]*\bvalue="([^"]*)"', html)
    assert match, field
    return unescape(match[1])


def problem_of(html: str, field: str) -> str:
    """What stands beside a field as wrong, if the field points to it."""
    if field == "time":
        match = re.search(r'id="time-problem">(.*?)</p>', html, re.DOTALL)
    else:
        described = re.search(rf'\bid="{field}"[^>]*aria-describedby="([^"]*)"', html)
        assert described, field
        assert f"{field}-problem" in described[1].split()
        match = re.search(rf'id="{field}-problem">(.*?)</p>', html, re.DOTALL)
    assert match, field
    return text_of(match[1]).strip()


def ticked(html: str, name: str) -> str:
    """The value of a tick that the form shows."""
    match = re.search(
        rf'<input type="checkbox"\s+name="{name}"\s+form="booking-form"\s+value="([^"]*)"', html
    )
    assert match, name
    return match[1]


def edit_form(client: Client, booking_id: str) -> dict[str, str]:
    """The fields of a booking's form as they stand there."""
    html = client.get(f"/bookings/{booking_id}/edit").text
    fields = {
        name: value_of(html, name) for name in ("phone", "name", "email", "other_day", "other_time")
    }
    seen = re.search(r'name="seen" value="([^"]*)"', html)
    assert seen
    for name in ("service", "barber"):
        select_ = (
            html.partition(f'<select class="input" id="{name}"')[2]
            or html.partition(f'id="{name}"')[2]
        )
        chosen = re.search(r'<option value="([^"]*)" selected', select_.partition("</select>")[0])
        assert chosen, name
        fields[name] = chosen[1]
    time = re.search(r'name="time"\s+value="([^"]*)"\s+required\s+checked', html)
    assert time
    return {**fields, "seen": unescape(seen[1]), "time": time[1]}


def warned(client: Client, **fields: str) -> dict[str, str]:
    """What the form sends once it has said that its time is outside of hours."""
    data = typed(**fields)
    html = client.post("/bookings/preview", data=data, headers=HTMX).text
    said = re.search(r'name="outside"\s+value="([^"]+)"', html)
    assert said
    return {**data, "outside": unescape(said[1])}


# --- a new booking ---


def test_the_form_books_plans_the_reminders_and_leads_to_the_booking(
    client: Client, shop: Database
) -> None:
    answer = client.post("/bookings", data=typed(email="luis@example.com"))
    assert answer.status_code == 303, answer.text
    booking = only_booking(shop)
    assert answer.headers["Location"] == f"/bookings/{booking.id}"
    assert (booking.customer_phone, booking.customer_name) == (PHONE, "Luis Ortega")
    assert booking.customer_email == "luis@example.com"
    assert booking.starts_at == datetime(2026, 11, 23, 10, tzinfo=UTC)
    assert len(lifecycle.messages(shop, booking.id)) == 4
    page = client.get(answer.headers["Location"]).text
    assert "Luis Ortega is booked." in page
    with shop.read() as session:
        event = session.scalars(select(AuditEvent).where(AuditEvent.subject == booking.id)).one()
    assert event.actor.startswith("user:")


def test_the_same_booking_again_leads_to_the_first_one_and_says_so(
    client: Client, shop: Database
) -> None:
    first = client.post("/bookings", data=typed())
    again = client.post("/bookings", data=typed(name="Somebody Else"))
    assert again.headers["Location"] == first.headers["Location"]
    assert count(shop) == 1
    assert "This booking was there already." in client.get(again.headers["Location"]).text


def test_two_posts_at_the_same_moment_make_one_booking(client: Client, shop: Database) -> None:
    def post() -> str:
        return str(client.post("/bookings", data=typed()).headers["Location"])

    first, second = at_once(post, post)
    assert first == second
    assert count(shop) == 1
    assert len(lifecycle.messages(shop, only_booking(shop).id)) == 4


def test_any_minute_can_be_typed_beside_the_free_times(desk: Client, sqlite_db: Database) -> None:
    desk.post("/bookings", data=typed(time="other", other_time="10:07"))
    assert only_booking(sqlite_db).starts_at == datetime(2026, 11, 23, 10, 7, tzinfo=UTC)


def test_the_link_of_a_free_place_on_the_board_fills_in_its_barber_day_and_time(
    desk: Client, sqlite_db: Database
) -> None:
    with sqlite_db.write() as session:
        factories.shop(session, time_zone="America/New_York")
    html = desk.get("/bookings/new?barber=barber_2&at=2026-11-24T15:00:00Z").text
    assert value_of(html, "other_day") == "2026-11-24"
    assert value_of(html, "other_time") == "10:00"
    assert re.search(r'<option value="barber_2" selected', html)
    with_service = preview(desk, barber="barber_2", day="2026-11-24")
    assert "Alex is free on Tuesday, November 24 at" in with_service
    assert "On the shop’s clock: America/New York." in text_of(html)


@pytest.mark.parametrize("at", ["soon", "2026-11-24T15:00:00", "9999-12-31T23:59:00-12:00"])
def test_a_link_with_a_time_that_is_none_shows_the_form_and_says_so(desk: Client, at: str) -> None:
    answer = desk.get("/bookings/new", params={"at": at})
    assert answer.status_code == 422
    assert "no time that can be read" in problem_of(answer.text, "time")


def test_after_closing_time_a_new_booking_is_for_tomorrow(
    desk: Client, sqlite_db: Database, clock: FrozenClock
) -> None:
    assert value_of(desk.get("/bookings/new").text, "other_day") == "2026-11-23"
    clock.move(hours=23)
    sign_in(desk, sqlite_db)
    assert value_of(desk.get("/bookings/new").text, "other_day") == "2026-11-24"


def days_of(html: str) -> dict[str, str]:
    """What the form says of each day that it offers."""
    shown = re.findall(r'id="free-([-\d]+)">(.*?)</label>', html, re.DOTALL)
    return {day: text_of(said).strip() for day, said in shown}


def test_the_form_says_what_is_free_on_each_of_the_next_days(
    desk: Client, sqlite_db: Database, clock: FrozenClock
) -> None:
    with sqlite_db.write() as session:
        opens, closes = time(9), time(10)
        week = every_day(opens, closes)
        factories.shop(session, weekly_hours=[*week[:6], []])
        barber = session.get_one(Barber, "barber_2")
        barber.weekly_hours = [*week[:3], [], *week[4:6], []]
        nine = clock.now() + timedelta(days=1, hours=9)
        factories.booking(session, nine, ends_at=nine + timedelta(hours=1))
    clock.move(hours=11)
    sign_in(desk, sqlite_db)
    unknown = days_of(desk.get("/bookings/new").text)
    assert list(unknown.values()) == ["over", "", "", "", "", "", "closed"]
    assert next(iter(unknown)) == "2026-11-23"
    look = {"look": "1", "service": "haircut"}
    shown = days_of(desk.post("/bookings", data=typed(**look)).text)
    assert list(shown.values()) == ["over", "full", *["3 free"] * 4, "closed"]
    other = days_of(desk.post("/bookings", data=typed(**look, barber="barber_2")).text)
    assert list(other.values()) == ["over", "3 free", "3 free", "off", "3 free", "3 free", "closed"]
    either = days_of(desk.post("/bookings", data=typed(**look, barber="any")).text)
    assert either["2026-11-24"] == "3 free"


def test_a_day_farther_away_stands_amid_its_days_and_the_form_keeps_those_it_began_with(
    desk: Client,
) -> None:
    html = desk.get("/bookings/new?at=2026-12-20T10:00:00Z").text
    days = list(days_of(html))
    assert (days[0], days[3]) == ("2026-12-17", "2026-12-20")
    assert re.search(r'value="2026-12-20"\s+required\s+checked', html)
    sent = typed(day="other", other_day="2027-01-05", days_from=days[0])
    html = desk.post("/bookings", data=sent | {"look": "1"}).text
    assert list(days_of(html)) == days
    assert re.search(r'value="other"\s+required\s+checked', html)
    assert value_of(html, "other_day") == "2027-01-05"
    for nonsense in ("0001-01-01", "soon"):
        html = desk.post("/bookings", data=sent | {"look": "1", "days_from": nonsense}).text
        assert "2027-01-05" in days_of(html)


def test_the_summary_says_what_is_chosen_and_what_it_comes_to(
    desk: Client, sqlite_db: Database
) -> None:
    with sqlite_db.write() as session:
        factories.shop(session, prices_in="GBP")
        session.get_one(Service, "haircut").price = Decimal(22)
    off = {"discount": "10%", "discount_reason": "Student"}
    said = preview(desk, **off)
    for words in ("today 10:00 AM to 10:30 AM", "Luis Ortega with Sam", "Haircut 30 min £22"):
        assert words in said
    assert "Discount: Student −£2.20 30 min £19.80" in said
    assert "Price of this booking £30" in preview(desk, price="30")
    assert "No time yet" in preview(desk, time="", day="")


# --- what is wrong ---


@pytest.mark.parametrize(
    ("fields", "field", "problem"),
    [
        ({"phone": ""}, "phone", "Enter the customer’s phone number."),
        ({"phone": "later"}, "phone", "This is not a phone number, such as +442079460958."),
        ({"phone": "07700 900123"}, "phone", "This needs its country code"),
        ({"phone": "+44 123456"}, "phone", "This needs its area code too."),
        ({"name": " "}, "name", "Enter the customer’s name."),
        ({"name": "x" * 101}, "name", "This has 101 characters: 100 at the most."),
        ({"name": "a\x07b"}, "name", "This must not contain control characters."),
        ({"email": "luis@"}, "email", "This is not an email address"),
        ({"service": ""}, "service", "Choose a service."),
        ({"service": "magic"}, "service", "There is no service 'magic'."),
        ({"service": "a b"}, "service", "There is no such service."),
        ({"barber": ""}, "barber", "Choose a barber."),
        ({"barber": "barber_9"}, "barber", "There is no barber 'barber_9'."),
        ({"day": ""}, "day", "Choose a day, such as 2026-11-23."),
        ({"day": "2026-02-30"}, "day", "Choose a day, such as 2026-11-23."),
        ({"day": "20261123"}, "day", "Choose a day, such as 2026-11-23."),
        ({"time": ""}, "time", "Choose a time of the day."),
        ({"time": "other", "other_time": "25:00"}, "time", "Choose a time of the day."),
        ({"time": "noon"}, "time", "Choose a time of the day."),
        ({"day": "2026-11-21"}, "time", "This is more than a day ago."),
        ({"day": "2028-01-01"}, "time", "This is more than 400 days ahead."),
        ({"day": "9999-12-31", "time": "23:59"}, "time", "This is more than 400 days ahead."),
        ({"day": "0001-01-01"}, "time", "This is more than a day ago."),
    ],
)
def test_what_is_wrong_is_said_beside_its_field_and_what_was_typed_stays(
    desk: Client, sqlite_db: Database, fields: dict[str, str], field: str, problem: str
) -> None:
    answer = desk.post("/bookings", data=typed(**fields))
    assert answer.status_code == 422, answer.text
    assert problem_of(answer.text, field).startswith(problem)
    assert count(sqlite_db) == 0
    expected = typed(**fields)
    for name in ("phone", "name", "email"):
        assert value_of(answer.text, name) == expected[name].strip()
    assert answer.text.count("autofocus") >= (1 if field != "time" else 0)


def test_all_that_is_wrong_is_listed_with_a_way_to_each_field(desk: Client) -> None:
    empty = dict.fromkeys(typed(), "")
    html = desk.post("/bookings", data=empty).text
    summary = html.partition('id="problems"')[2].partition("</ul>")[0]
    assert re.findall(r'<a href="#(\w+)">', summary) == [
        *("service", "barber", "day", "phone", "name"),
    ]
    assert "5 things are not right" in summary


def test_a_form_without_a_field_is_no_error_of_ours(desk: Client) -> None:
    assert desk.post("/bookings", data={"nothing": "1"}).status_code == 422
    assert desk.post("/bookings").status_code == 422
    assert desk.post("/bookings/preview", headers=HTMX).status_code == 200


def test_what_was_typed_is_text_wherever_it_is_shown(desk: Client, sqlite_db: Database) -> None:
    with sqlite_db.write() as session:
        factories.booking(
            session,
            datetime(2026, 11, 23, 10, tzinfo=UTC),
            customer_phone=PHONE,
            customer_name=NASTY,
        )
    shown = [
        desk.post("/bookings", data=dict.fromkeys(typed(), NASTY)).text,
        desk.post("/bookings/preview", data=typed(name=NASTY), headers=HTMX).text,
        desk.post("/bookings/preview", data=typed(name="", barber="barber_2"), headers=HTMX).text,
        desk.post("/bookings/preview", data=dict.fromkeys(typed(), NASTY), headers=HTMX).text,
        desk.get("/bookings/new", params={"barber": NASTY, "at": NASTY}).text,
    ]
    for html in shown:
        assert "<script>alert" not in html
        assert "'&\"" not in html


# --- any barber ---


def anybody(client: Client, **fields: str) -> dict[str, str]:
    """What the form sends for any barber, once it has said whom that would be."""
    data = typed(barber="any", **fields)
    html = client.post("/bookings/preview", data=data, headers=HTMX).text
    said = re.search(r'name="would"\s+value="([^"]+)"', html)
    return {**data, "would": unescape(said[1])} if said else data


def test_a_new_booking_is_with_any_barber_unless_there_is_one_alone(
    desk: Client, sqlite_db: Database
) -> None:
    html = desk.get("/bookings/new").text
    assert re.search(r'<option value="any" selected>Any barber', html)
    booking_id = lifecycle.book(sqlite_db)
    assert "Any barber" not in desk.get(f"/bookings/{booking_id}/edit").text
    with sqlite_db.write() as session:
        for other in ("barber_2", "barber_3"):
            factories.barber(session, other).active = False
    html = desk.get("/bookings/new").text
    assert "Any barber" not in html
    assert re.search(r'<option value="barber_1" selected', html)


def test_the_form_offers_the_times_of_all_by_the_parts_of_the_day_and_says_who_it_would_be(
    desk: Client, sqlite_db: Database
) -> None:
    lifecycle.book(sqlite_db, hours=10)
    lifecycle.book(sqlite_db, hours=13, barber_id="barber_3")
    html = desk.post("/bookings/preview", data=typed(barber="any"), headers=HTMX).text
    assert 'value="10:00"' in html
    parts = re.findall(r'role="group"\s+aria-label="(\w+)"', html)
    assert parts == ["Morning", "Afternoon", "Evening"]
    for part, first in (("morning", "09:00"), ("afternoon", "12:00"), ("evening", "17:00")):
        times = html.partition(f'id="part-{part}"')[2]
        assert re.findall(r'name="time"\s+value="([\d:]+)"', times)[0] == first
    assert "That would be Alex: free then, with least booked that day." in text_of(html)
    assert "Sam has" not in text_of(html)


def test_it_is_booked_with_whom_the_form_has_named_though_another_has_less_to_do_by_now(
    desk: Client, sqlite_db: Database
) -> None:
    sent = anybody(desk)
    lifecycle.book(sqlite_db, hours=14, customer_phone="+447700900777")  # with the one it named
    assert desk.post("/bookings", data=sent).status_code == 303
    with sqlite_db.read() as session:
        made = session.scalars(select(Booking).where(Booking.customer_phone == PHONE)).one()
    assert made.barber_id == "barber_1"


def test_who_was_named_and_is_taken_meanwhile_gives_way_to_the_next_who_is_free(
    desk: Client, sqlite_db: Database
) -> None:
    sent = anybody(desk)
    lifecycle.book(sqlite_db, customer_phone="+447700900777")
    refused = desk.post("/bookings", data=sent)
    assert refused.status_code == 409
    assert "It would be Alex now. Save again if that is fine." in text_of(refused.text)
    [would] = re.findall(r'name="would"\s+value="([^"]+)"', refused.text)
    assert desk.post("/bookings", data={**sent, "would": unescape(would)}).status_code == 303
    assert count(sqlite_db) == 2


def test_when_nobody_is_free_the_form_offers_the_next_time_at_a_press(
    desk: Client, sqlite_db: Database
) -> None:
    sent = anybody(desk)
    for number in (1, 2, 3):
        lifecycle.book(sqlite_db, barber_id=f"barber_{number}", customer_phone="+447700900777")
    refused = desk.post("/bookings", data=sent)
    assert refused.status_code == 409
    assert "Nobody else is free then" in text_of(refused.text)
    assert "Take the next free time: today 10:30 AM with Sam" in text_of(refused.text)
    [at] = re.findall(r'name="look"\s+value="(2026[^"]+)"', refused.text)
    again = desk.post("/bookings", data={**sent, "look": at})
    assert again.status_code == 200
    assert re.search(r'value="10:30"\s+required\s+checked', again.text)
    assert "That would be Sam" in text_of(again.text)
    refused = desk.post("/bookings", data=typed(barber="any"))  # of a form without its preview
    assert refused.status_code == 409
    assert "Not saved yet: nobody is free then." in text_of(refused.text)


def test_a_day_without_a_free_time_offers_the_next_one_whoever_is_asked_for(
    desk: Client, sqlite_db: Database
) -> None:
    with sqlite_db.write() as session:
        factories.closure(session, date(2026, 11, 24))
    for barber, name in (("any", "Sam"), ("barber_2", "Alex")):
        shown = preview(desk, barber=barber, day="2026-11-24", time="")
        assert "The shop is closed on Tuesday, November 24" in shown
        assert f"Take the next free time: Wed, Nov 25 9:00 AM with {name}" in shown


def test_a_service_that_nobody_does_says_so(desk: Client, sqlite_db: Database) -> None:
    with sqlite_db.write() as session:
        factories.barber(session, "barber_3").active = False
        session.add(ServiceBarber(service_id="haircut", barber_id="barber_3"))
    assert "Nobody does Haircut at the moment" in preview(desk, barber="any")
    assert desk.post("/bookings", data=typed(barber="any")).status_code == 409


# --- who may ---


@pytest.mark.parametrize("role", ["viewer", "staff", "owner"])
def test_only_staff_get_at_the_form_and_at_what_is_known_of_a_customer(
    desk: Client, sqlite_db: Database, role: str
) -> None:
    with sqlite_db.write() as session:
        booking = factories.booking(session, customer_phone=PHONE, customer_name="Known Ken")
    sign_in(desk, sqlite_db, role)
    for address in ("/bookings/new", f"/bookings/{booking.id}/edit"):
        assert desk.get(address).status_code == (403 if role == "viewer" else 200), address
    for headers in (HTMX, {"Accept": "text/html"}):
        answer = desk.post("/bookings/preview", data=typed(name=""), headers=headers)
        assert answer.status_code == (403 if role == "viewer" else 200)
        assert ("Known Ken" in answer.text) == (role != "viewer")
    for address in ("/bookings", f"/bookings/{booking.id}"):
        answer = desk.post(address, data=typed(look="1", id=booking.id))
        assert answer.status_code == (403 if role == "viewer" else 200)


def test_nothing_is_booked_or_changed_but_from_a_page_of_ours(
    desk: Client, sqlite_db: Database
) -> None:
    booking_id = lifecycle.book(sqlite_db)
    del desk.headers["Sec-Fetch-Site"]
    for address in ("/bookings", f"/bookings/{booking_id}"):
        assert desk.post(address, data=typed()).status_code == 403
    ours = {"Origin": "http://testserver.local"}
    answer = desk.post("/bookings", data=typed(barber="barber_2"), headers=ours)
    assert answer.status_code == 303


# --- the known customer ---


def test_a_known_number_fills_in_name_and_email_where_nothing_was_typed(
    desk: Client, sqlite_db: Database, clock: FrozenClock
) -> None:
    with sqlite_db.write() as session:
        for hours, name in ((-50, "Old Name"), (-2, "Kim Known")):
            factories.booking(
                session,
                clock.now() + timedelta(hours=hours),
                customer_phone=PHONE,
                customer_name=name,
                customer_email="kim@example.com",
            )
    html = desk.post("/bookings/preview", data=typed(name=""), headers=HTMX).text
    assert 'data-name="Kim Known"' in html
    assert 'data-email="kim@example.com"' in html
    assert "Hello Kim!" in text_of(html)
    without_script = desk.post("/bookings", data=typed(name="", email="a@b.example", look="1"))
    assert without_script.status_code == 200
    assert value_of(without_script.text, "name") == "Kim Known"
    assert value_of(without_script.text, "email") == "a@b.example"
    assert "data-name" not in desk.post("/bookings/preview", data=typed(phone="+447700900999")).text


def test_a_number_without_country_code_is_the_shops_countrys(
    desk: Client, sqlite_db: Database
) -> None:
    with sqlite_db.write() as session:
        factories.shop(session, country="GB")
        factories.booking(session, customer_phone=PHONE, customer_name="Kim Known")
    assert "Kim Known" in preview(desk, phone="07700 900123", name="")
    form = text_of(desk.get("/bookings/new").text)
    assert "United Kingdom number, or start with + and the country code." in form


# --- free times, conflicts ---


def test_the_free_times_are_those_of_that_barber_and_day_for_that_service(
    desk: Client, sqlite_db: Database
) -> None:
    with sqlite_db.write() as session:
        factories.shop(session, locale="en_GB")
        factories.booking(session, datetime(2026, 11, 23, 10, tzinfo=UTC))
    html = desk.post("/bookings/preview", data=typed(), headers=HTMX).text
    times = re.findall(r'name="time"\s+value="([\d:]+)"', html)
    assert "09:30" in times
    assert not {"09:45", "10:00", "10:15"} & set(times)
    assert "10:30" in times
    other = desk.post("/bookings/preview", data=typed(barber="barber_2"), headers=HTMX).text
    assert "10:00" in re.findall(r'name="time"\s+value="([\d:]+)"', other)
    assert "Free times show here" in preview(desk, service="")
    assert "Free times show here" in preview(desk, day="0001-01-01")


def test_a_day_without_a_free_time_says_so(
    desk: Client, sqlite_db: Database, clock: FrozenClock
) -> None:
    clock.move(hours=23, minutes=30)
    sign_in(desk, sqlite_db)
    assert "Sam has no 30 free minutes on Monday, November 23." in preview(desk, time="")


def test_a_conflict_names_the_other_booking_and_is_booked_only_when_ticked(
    client: Client, shop: Database
) -> None:
    lifecycle.book(shop, customer_name="Ana Silva", customer_phone="+447700900456")
    with shop.write() as session:
        factories.shop(session, locale="en_GB")
    assert "Sam has Ana Silva 10:00–10:30." in preview(client, time="other", other_time="10:15")
    assert "Sam has Ana Silva 10:00–10:30. Alex is free then." in preview(client, phone="")
    refused = client.post("/bookings", data=typed())
    assert refused.status_code == 409
    assert count(shop) == 1
    assert value_of(refused.text, "name") == "Luis Ortega"
    assert "Not saved: tick this, or choose another time." in text_of(refused.text)
    tick = ticked(refused.text, "overlap")
    assert client.post("/bookings", data=typed(overlap=tick)).status_code == 303
    assert count(shop) == 2


def test_the_tick_is_for_the_bookings_it_was_shown_with_and_for_no_later_one(
    client: Client, shop: Database
) -> None:
    lifecycle.book(shop, customer_name="Ana Silva", customer_phone="+447700900456")
    tick = ticked(client.post("/bookings", data=typed()).text, "overlap")
    lifecycle.book(shop, customer_name="Late Lou", customer_phone="+447700900789")
    refused = client.post("/bookings", data=typed(overlap=tick))
    assert refused.status_code == 409
    assert count(shop) == 2
    assert "Late Lou" in refused.text
    assert not re.search(r'name="overlap"[^>]*\bchecked', refused.text)


def test_the_very_booking_that_is_typed_again_is_no_conflict(
    desk: Client, sqlite_db: Database
) -> None:
    desk.post("/bookings", data=typed())
    shown = preview(desk)
    assert "This booking is there already: Luis Ortega" in shown
    assert "Book anyway" not in shown


def test_a_time_outside_opening_hours_is_booked_once_the_form_has_said_so(
    client: Client, shop: Database
) -> None:
    late = typed(time="other", other_time="23:00")
    assert "Outside opening hours" in preview(client, **late)
    assert "Outside opening hours" not in preview(client)
    refused = client.post("/bookings", data=late)
    assert refused.status_code == 409
    assert "Not saved yet: look at the time." in text_of(refused.text)
    assert "Outside opening hours" in text_of(refused.text)
    other = {**warned(client, **late), "other_time": "23:15"}
    assert client.post("/bookings", data=other).status_code == 409, "that was said of another time"
    assert count(shop) == 0
    assert client.post("/bookings", data=warned(client, **late)).status_code == 303


def test_a_change_to_outside_of_hours_is_kept_once_the_form_has_said_so(
    client: Client, shop: Database
) -> None:
    booking_id = lifecycle.book(shop)
    address = f"/bookings/{booking_id}"
    fields = {**edit_form(client, booking_id), "time": "other", "other_time": "23:00"}
    assert client.post(address, data=fields).status_code == 409
    kept = client.post(address, data=warned(client, **fields, id=booking_id))
    assert kept.status_code == 303
    renamed = {**edit_form(client, booking_id), "name": "Anna Silva"}
    assert client.post(address, data=renamed).status_code == 303, "its time was settled before"


# --- the reminders ---


def test_the_plan_shows_before_it_is_saved(desk: Client, sqlite_db: Database) -> None:
    with sqlite_db.write() as session:
        factories.shop(session, locale="en_GB")
    assert "4 reminders: today 02:00, 04:00, 06:00, 08:00." in preview(desk)
    far = preview(desk, day="2026-11-24")
    assert "16 reminders: today 02:00, 04:00, 06:00, 08:00 … tomorrow 08:00." in far
    soon = preview(desk, time="01:45")
    assert "No reminder: the appointment is in less than 2 hours." in soon
    assert "⏰ Your appointment is in 8 hours" in preview(desk)


def test_reminders_left_out_for_quiet_hours_are_told(desk: Client, sqlite_db: Database) -> None:
    hours = datetime(2026, 1, 1, 22, tzinfo=UTC), datetime(2026, 1, 1, 7, tzinfo=UTC)
    quiet = {"quiet_from": hours[0].time(), "quiet_until": hours[1].time()}
    with sqlite_db.write() as session:
        factories.shop(session, locale="en_GB", **quiet)
    shown = preview(desk)
    assert "1 reminder: today 08:00." in shown
    assert "3 more would be in quiet hours, and are left out." in shown
    assert "No reminder: all would be in quiet hours." in preview(desk, time="06:00")


def test_many_reminders_need_a_yes_for_as_many(desk: Client, sqlite_db: Database) -> None:
    far = typed(day="2026-12-23", time="00:00")
    html = desk.post("/bookings/preview", data=far, headers=HTMX).text
    assert "359 reminders: today 2:00 AM" in text_of(html)
    assert ticked(html, "sure") == "359"
    for sure in ("", "358", "yes", "9" * 5000):
        refused = desk.post("/bookings", data={**far, "sure": sure})
        assert refused.status_code == 422
        assert "These are 359 reminders to one customer." in text_of(refused.text)
    assert count(sqlite_db) == 0
    sure = warned(desk, **far, sure="359")
    assert desk.post("/bookings", data=sure).status_code == 303


def test_a_text_of_the_shops_that_cannot_be_filled_in_shows_no_message(
    desk: Client, sqlite_db: Database
) -> None:
    with sqlite_db.write() as session:
        factories.shop(session, reminder_text="Hello {nobody}")
    shown = preview(desk)
    assert "4 reminders" in shown
    assert "as it will read" not in shown


def test_more_reminders_than_there_can_be_are_an_error_beside_the_time(
    desk: Client, sqlite_db: Database
) -> None:
    with sqlite_db.write() as session:
        factories.shop(session, reminder_every=1)
    assert "one booking can have 5000" in preview(desk)
    refused = desk.post("/bookings", data=typed())
    assert refused.status_code == 422
    assert "one booking can have 5000" in problem_of(refused.text, "time")


# --- the clock's leaps ---

LEAPS = [
    # zone, day, time that is leapt over, next that there is
    ("Europe/London", "2027-03-28", "01:30", "02:00"),
    ("America/New_York", "2027-03-14", "02:30", "03:00"),
    ("America/New_York", "2027-03-14", "02:00", "03:00"),
]


@pytest.mark.parametrize(("zone", "day", "time", "next_time"), LEAPS)
def test_a_time_that_the_clock_leaps_over_is_refused_with_the_next_that_there_is(
    desk: Client, sqlite_db: Database, zone: str, day: str, time: str, next_time: str
) -> None:
    with sqlite_db.write() as session:
        factories.shop(session, time_zone=zone, at_most=4)
    problem = f"There is no {time} on that day, as the clocks go forward. The next time is "
    assert f"{problem}{next_time}." in preview(desk, day=day, time=time)
    refused = desk.post("/bookings", data=typed(day=day, time=time))
    assert refused.status_code == 422
    assert problem_of(refused.text, "time") == f"{problem}{next_time}."
    assert desk.post("/bookings", data=warned(desk, day=day, time=next_time)).status_code == 303


TWICE = [
    # zone, day, time that comes twice, its first and second moment in UTC
    ("Europe/London", "2027-10-31", "01:30", "00:30", "01:30", "BST", "GMT"),
    ("America/New_York", "2027-11-07", "01:30", "05:30", "06:30", "EDT", "EST"),
]


@pytest.mark.parametrize(("zone", "day", "time", "first", "second", "one", "other"), TWICE)
def test_of_a_time_that_comes_twice_one_chooses_the_first_unless_one_says_the_second(
    desk: Client,
    sqlite_db: Database,
    zone: str,
    day: str,
    time: str,
    first: str,
    second: str,
    one: str,
    other: str,
) -> None:
    with sqlite_db.write() as session:
        factories.shop(session, time_zone=zone, at_most=4)
    shown = preview(desk, day=day, time=time)
    assert "The clocks go back that night: 1:30 AM comes twice." in shown
    assert f"the first ({one})" in shown
    assert f"the second ({other})" in shown
    for turn, at in (("", first), ("1", first), ("2", second)):
        who = f"+4477009001{at[:2]}"
        desk.post("/bookings", data=warned(desk, day=day, time=time, turn=turn, phone=who))
        with sqlite_db.read() as session:
            starts = session.scalars(select(Booking.starts_at)).all()
        assert datetime.fromisoformat(f"{day}T{at}:00+00:00") in starts
    assert count(sqlite_db) == 2


def test_the_second_of_two_same_times_stays_the_second_in_the_change_form(
    desk: Client, sqlite_db: Database
) -> None:
    with sqlite_db.write() as session:
        factories.shop(session, time_zone="Europe/London", at_most=4)
    data = warned(desk, day="2027-10-31", time="01:30", turn="2")
    address = desk.post("/bookings", data=data).headers["Location"]
    html = desk.get(f"{address}/edit").text
    assert re.search(r'id="turn-2"[^>]*\bchecked', html)
    assert "Nothing is changed yet." in text_of(html)


def chips(html: str) -> dict[str, str]:
    """The free times that the form offers: what each sends, and how it reads."""
    pairs = re.findall(r'name="time"\s+value="([\d:-]+)"[^>]*>(.*?)</label>', html, re.DOTALL)
    return {value: text_of(words).strip() for value, words in pairs}


NIGHT = "2026-10-25"
"""In Berlin the clock shows 02:00 to 03:00 twice, from 00:00 and from 01:00 UTC."""


@pytest.fixture
def night(desk: Client, sqlite_db: Database, clock: FrozenClock) -> Client:
    """Staff of a shop in Berlin that is open all night, on the evening before the clocks change."""
    clock.set(datetime(2026, 10, 24, 20, tzinfo=UTC))
    sign_in(desk, sqlite_db)
    with sqlite_db.write() as session:
        factories.shop(
            session,
            time_zone="Europe/Berlin",
            locale="en_GB",
            weekly_hours=every_day(time(18), time(5)),
        )
    return desk


def test_each_free_time_of_the_hour_that_comes_twice_is_one_to_choose(
    night: Client, sqlite_db: Database
) -> None:
    html = night.post("/bookings/preview", data=typed(day=NIGHT, time=""), headers=HTMX).text
    offered = chips(html)
    assert [words for value, words in offered.items() if value.startswith("02:30")] == [
        *("02:30 CEST", "02:30 CET"),
    ]
    assert offered["03:30"] == "03:30"
    for turn, utc in (("1", 0), ("2", 1)):
        phone = f"+44770090012{turn}"
        sent = typed(day=NIGHT, time=f"02:30-{turn}", turn="1", phone=phone)
        shown = night.post("/bookings/preview", data=sent, headers=HTMX).text
        assert re.search(rf'value="02:30-{turn}"\s+required\s+checked', shown)
        assert "comes twice" not in text_of(shown)
        assert night.post("/bookings", data=sent).status_code == 303
        with sqlite_db.read() as session:
            at = session.scalars(select(Booking.starts_at).where(Booking.customer_phone == phone))
            assert at.one() == datetime(2026, 10, 25, utc, 30, tzinfo=UTC)
    taken = night.post("/bookings/preview", data=typed(day=NIGHT, time=""), headers=HTMX).text
    assert not {"02:30-1", "02:30-2"} & chips(taken).keys()


def test_when_the_first_of_two_times_is_taken_the_second_is_offered(
    night: Client, sqlite_db: Database
) -> None:
    with sqlite_db.write() as session:
        factories.booking(session, datetime(2026, 10, 25, 0, 30, tzinfo=UTC))
    html = night.post("/bookings/preview", data=typed(day=NIGHT, time=""), headers=HTMX).text
    assert "02:30-1" not in chips(html)
    assert night.post("/bookings", data=typed(day=NIGHT, time="02:30-2")).status_code == 303


def test_when_the_first_of_two_times_has_passed_the_second_is_meant(
    night: Client, sqlite_db: Database, clock: FrozenClock
) -> None:
    clock.set(datetime(2026, 10, 25, 0, 40, tzinfo=UTC))  # 02:40, for the first time
    sign_in(night, sqlite_db)
    html = night.post("/bookings/preview", data=typed(day=NIGHT, time=""), headers=HTMX).text
    assert [value for value in chips(html) if value < "02:45"] == [
        *("02:00-2", "02:15-2", "02:30-2"),
    ]
    other = {"day": NIGHT, "time": "other", "other_time": "02:20"}
    passed = text_of(preview_html(night, **other, turn="1"))
    assert "No reminder: it has begun already." in passed
    assert "the second (CET)" in passed
    assert re.search(r'id="turn-2"[^>]*\bchecked', preview_html(night, **other))
    assert night.post("/bookings", data=typed(**other)).status_code == 303
    assert only_booking(sqlite_db).starts_at == datetime(2026, 10, 25, 1, 20, tzinfo=UTC)


def preview_html(client: Client, **fields: str) -> str:
    return str(client.post("/bookings/preview", data=typed(**fields), headers=HTMX).text)


def test_an_appointment_of_the_hour_that_comes_twice_says_which_wherever_it_stands(
    night: Client, sqlite_db: Database
) -> None:
    night.post("/bookings", data=typed(day=NIGHT, time="02:30-2"))
    booking = only_booking(sqlite_db)
    page = text_of(night.get(f"/bookings/{booking.id}").text)
    assert "tomorrow 02:30 CET – 03:00" in page
    assert "02:30 CET" in text_of(night.get(f"/today?date={NIGHT}").text)
    told = preview(night, day=NIGHT, time="02:30-1", phone="+447700900456")
    assert "25 October 2026 at 02:30 CEST" in told
    edit = night.get(f"/bookings/{booking.id}/edit").text
    assert re.search(r'value="02:30-2"\s+required\s+checked', edit)
    assert "Nothing is changed yet." in text_of(edit)


def test_outside_opening_hours_is_said_of_the_night_that_goes_on(night: Client) -> None:
    assert "Outside" not in preview(night, day=NIGHT, time="04:30")
    assert "which are 18:00 to 05:00" in preview(night, day=NIGHT, time="04:45")


# --- to change a booking ---


def test_the_change_form_has_what_is_booked_and_saying_it_again_changes_nothing(
    client: Client, shop: Database
) -> None:
    booking_id = lifecycle.book(shop, customer_email="zoe@example.com")
    fields = edit_form(client, booking_id)
    assert fields["name"] == "Zoë Ångström"
    assert (fields["other_day"], fields["time"]) == ("2026-11-23", "10:00")
    html = client.get(f"/bookings/{booking_id}/edit").text
    assert "Nothing is changed yet." in text_of(html)
    assert "4 planned reminders stay as they are." in text_of(html)
    before = lifecycle.booking(shop, booking_id).updated_at
    answer = client.post(f"/bookings/{booking_id}", data=fields)
    assert answer.headers["Location"] == f"/bookings/{booking_id}"
    assert "There was nothing to change." in client.get(f"/bookings/{booking_id}").text
    assert lifecycle.booking(shop, booking_id).updated_at == before


def test_a_new_time_replaces_the_reminders_and_says_so_before(
    client: Client, shop: Database
) -> None:
    with shop.write() as session:
        factories.shop(session, locale="en_GB")
    booking_id = lifecycle.book(shop)
    fields = {**edit_form(client, booking_id), "time": "other", "other_time": "07:00"}
    shown = preview(client, **fields, id=booking_id)
    assert "4 planned reminders are replaced by 3: today 02:00, 04:00, 06:00." in shown
    assert "The customer is not told of the new time: tell them." in shown
    sent = warned(client, **fields, id=booking_id)
    answer = client.post(f"/bookings/{booking_id}", data=sent)
    assert answer.status_code == 303, answer.text
    assert "The booking is changed." in client.get(f"/bookings/{booking_id}").text
    states = [state for state, _ in lifecycle.states(shop, booking_id)]
    assert states == ["cancelled"] * 4 + ["pending"] * 3


def test_too_soon_for_a_reminder_says_that_the_planned_ones_go(
    desk: Client, sqlite_db: Database
) -> None:
    booking_id = lifecycle.book(sqlite_db)
    shown = preview(desk, **{**edit_form(desk, booking_id), "time": "01:00"}, id=booking_id)
    assert "4 planned reminders are replaced by none: the appointment is in less than" in shown


def test_a_new_number_keeps_the_reminders_and_tells_where_they_go(
    desk: Client, sqlite_db: Database
) -> None:
    booking_id = lifecycle.book(sqlite_db)
    fields = {**edit_form(desk, booking_id), "phone": "+44 7700 900456"}
    shown = preview(desk, **fields, id=booking_id)
    assert "4 planned reminders stay as they are, and go to the new number." in shown
    desk.post(f"/bookings/{booking_id}", data=fields)
    assert lifecycle.booking(sqlite_db, booking_id).customer_phone == "+447700900456"
    assert [state for state, _ in lifecycle.states(sqlite_db, booking_id)] == ["pending"] * 4


def test_a_time_left_alone_is_kept_with_its_seconds(
    desk: Client, sqlite_db: Database, clock: FrozenClock
) -> None:
    at = clock.now() + timedelta(hours=10, seconds=31)
    booking_id = lifecycle.book(sqlite_db, scheduled_time=at)
    fields = {**edit_form(desk, booking_id), "name": "Zoë Å."}
    assert desk.post(f"/bookings/{booking_id}", data=fields).status_code == 303
    booking = lifecycle.booking(sqlite_db, booking_id)
    assert (booking.customer_name, booking.starts_at) == ("Zoë Å.", at)


def test_while_something_is_wrong_the_change_form_does_not_say_that_nothing_is_changed(
    desk: Client, sqlite_db: Database
) -> None:
    booking_id = lifecycle.book(sqlite_db)
    fields = edit_form(desk, booking_id)
    assert "Nothing is changed yet." not in preview(desk, **{**fields, "name": ""}, id=booking_id)
    assert "Nothing is changed yet." in preview(desk, **fields, id=booking_id)


def test_its_own_place_is_no_conflict_for_a_booking_and_its_time_stays_on_offer(
    desk: Client, sqlite_db: Database
) -> None:
    booking_id = lifecycle.book(sqlite_db)
    fields = edit_form(desk, booking_id)
    assert fields["time"] == "10:00"
    shown = preview(desk, **{**fields, "time": "other", "other_time": "10:10"}, id=booking_id)
    assert "Sam has" not in shown


def test_a_change_over_another_booking_asks_first(client: Client, shop: Database) -> None:
    lifecycle.book(shop, hours=12, customer_name="Ana Silva", customer_phone="+447700900456")
    booking_id = lifecycle.book(shop)
    fields = {**edit_form(client, booking_id), "time": "other", "other_time": "12:15"}
    refused = client.post(f"/bookings/{booking_id}", data=fields)
    assert refused.status_code == 409
    assert "Sam has Ana Silva" in text_of(refused.text)
    assert lifecycle.booking(shop, booking_id).starts_at.hour == 10
    tick = ticked(refused.text, "overlap")
    answer = client.post(f"/bookings/{booking_id}", data={**fields, "overlap": tick})
    assert answer.status_code == 303
    assert lifecycle.booking(shop, booking_id).starts_at.hour == 12


def fields_of(html: str) -> dict[str, str]:
    """The fields of a form that is shown again, as they stand there."""
    fields = {
        name: value_of(html, name) for name in ("phone", "name", "email", "other_day", "other_time")
    }
    for name in ("service", "barber"):
        options = html.partition(f'id="{name}"')[2].partition("</select>")[0]
        [fields[name]] = re.findall(r'<option value="([^"]*)" selected', options)
    [fields["time"]] = re.findall(r'name="time"\s+value="([^"]*)"[^>]*\bchecked', html)
    [seen] = re.findall(r'name="seen" value="([^"]*)"', html)
    return {**fields, "seen": unescape(seen)}


def test_the_second_who_saves_is_told_what_the_first_changed_each_time(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    with shop.write() as session:
        factories.shop(session, locale="en_GB")
        factories.barber(session, "barber_2").name = "Alex"
    booking_id = lifecycle.book(shop)
    fields = {**edit_form(client, booking_id), "name": "Zoë Å."}
    told = "Somebody else has changed this booking meanwhile."
    clock.move(seconds=5)
    lifecycle.move(shop, booking_id, hours=15)
    refused = client.post(f"/bookings/{booking_id}", data=fields)
    assert refused.status_code == 409
    assert told in refused.text
    assert "Time: was today 10:00, is now today 15:00." in text_of(refused.text)
    assert "Name: was" not in text_of(refused.text)
    again = fields_of(refused.text)
    assert (again["name"], again["time"]) == ("Zoë Å.", "15:00"), "what was typed, and what is new"
    booking = lifecycle.booking(shop, booking_id)
    assert (booking.customer_name, booking.starts_at.hour) == ("Zoë Ångström", 15)

    with shop.write() as session:  # and once more, within the same moment of the clock
        changes = {"barber_id": "barber_2", "customer_phone": "+447700900777"}
        service.change(session, booking_id, changes, "user:1")
    refused = client.post(f"/bookings/{booking_id}", data={**again, "phone": "+44 7700 900888"})
    assert refused.status_code == 409
    assert told in refused.text
    said = text_of(refused.text)
    assert "Barber: was Sam, is now Alex." in said
    assert "Phone: was +44 7700 900123, is now +44 7700 900777." in said
    assert "Time: was" not in said
    again = fields_of(refused.text)
    assert (again["phone"], again["barber"]) == ("+44 7700 900888", "barber_2")
    assert client.post(f"/bookings/{booking_id}", data=again).status_code == 303
    booking = lifecycle.booking(shop, booking_id)
    assert (booking.customer_name, booking.customer_phone) == ("Zoë Å.", "+447700900888")
    assert (booking.barber_id, booking.starts_at.hour) == ("barber_2", 15)


def test_a_change_that_came_while_one_is_asked_about_another_booking_is_told_too(
    desk: Client, sqlite_db: Database, clock: FrozenClock
) -> None:
    lifecycle.book(sqlite_db, hours=12, customer_name="Ana Silva", customer_phone="+447700900456")
    booking_id = lifecycle.book(sqlite_db)
    fields = {**edit_form(desk, booking_id), "time": "other", "other_time": "12:15"}
    refused = desk.post(f"/bookings/{booking_id}", data=fields)
    assert "Sam has Ana Silva" in text_of(refused.text)
    with sqlite_db.write() as session:
        service.change(session, booking_id, {"customer_name": "Zoë Å."}, "user:1")
    tick = ticked(refused.text, "overlap")
    [seen] = re.findall(r'name="seen" value="([^"]*)"', refused.text)
    again = {**fields, "seen": unescape(seen), "overlap": tick}
    refused = desk.post(f"/bookings/{booking_id}", data=again)
    assert "Name: was Zoë Ångström, is now Zoë Å." in text_of(refused.text)


@pytest.mark.parametrize(
    "seen",
    [
        *("", "x", "[]", "{", '{"name": 1}', '{"name": "\\ud800"}', "[" * 5_000, "null"),
        '{"service": "\\u0000", "barber": "\\u0000", "when": "never ever", "name": "<hr>"}',
    ],
)
def test_a_form_that_says_nothing_readable_of_what_it_showed_is_shown_again(
    client: Client, shop: Database, seen: str
) -> None:
    booking_id = lifecycle.book(shop)
    fields = {**edit_form(client, booking_id), "name": "Zoë Å.", "seen": seen}
    refused = client.post(f"/bookings/{booking_id}", data=fields)
    assert refused.status_code == 409
    assert "<hr>" not in refused.text
    again = fields_of(refused.text)
    assert again["name"] == "Zoë Å."
    assert client.post(f"/bookings/{booking_id}", data=again).status_code == 303


def test_the_same_change_twice_at_the_same_moment_is_made_once(
    client: Client, shop: Database
) -> None:
    booking_id = lifecycle.book(shop)
    fields = {**edit_form(client, booking_id), "time": "other", "other_time": "07:00"}

    sent = warned(client, **fields, id=booking_id)

    def post() -> int:
        return client.post(f"/bookings/{booking_id}", data=sent).status_code

    assert at_once(post, post) == [303, 303]
    assert len(lifecycle.messages(shop, booking_id)) == 7


def test_a_change_that_makes_it_another_very_booking_says_which(
    desk: Client, sqlite_db: Database
) -> None:
    lifecycle.book(sqlite_db, hours=12)
    booking_id = lifecycle.book(sqlite_db)
    fields = {**edit_form(desk, booking_id), "time": "12:00"}
    refused = desk.post(f"/bookings/{booking_id}", data=fields)
    assert refused.status_code == 409
    assert "This customer has this very booking already." in refused.text
    assert "This booking is there already" in text_of(refused.text)


def test_far_away_a_moved_booking_asks_for_its_many_reminders_too(
    desk: Client, sqlite_db: Database
) -> None:
    booking_id = lifecycle.book(sqlite_db)
    fields = {**edit_form(desk, booking_id), "day": "2026-12-23"}
    assert desk.post(f"/bookings/{booking_id}", data=fields).status_code == 422
    assert desk.post(f"/bookings/{booking_id}", data={**fields, "sure": "364"}).status_code == 303


def test_what_cannot_be_changed_any_more_leads_to_its_page_which_says_why(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    cancelled, over = lifecycle.book(shop, hours=10), lifecycle.book(shop, hours=1)
    fields = edit_form(client, over)
    lifecycle.cancel(shop, cancelled)
    clock.move(hours=2)
    for booking_id, reason in (
        (cancelled, "The booking is cancelled."),
        (over, "The appointment has begun."),
    ):
        for method, address in (
            ("GET", f"/bookings/{booking_id}/edit"),
            ("POST", f"/bookings/{booking_id}"),
        ):
            answer = client.request(method, address, data=fields if method == "POST" else None)
            assert answer.status_code == 303
            assert answer.headers["Location"] == f"/bookings/{booking_id}"
            assert reason in client.get(f"/bookings/{booking_id}").text


def test_there_is_no_form_for_what_is_no_booking(desk: Client) -> None:
    assert desk.get("/bookings/booking_none/edit").status_code == 404
    assert desk.post("/bookings/booking_none", data=typed()).status_code == 404
    assert desk.post("/bookings/preview", data=typed(id="booking_none")).status_code == 404


def test_a_service_that_is_no_longer_offered_stays_with_the_booking_that_has_it(
    desk: Client, sqlite_db: Database
) -> None:
    booking_id = lifecycle.book(sqlite_db, service_id="beard-trim", barber_id="barber_2")
    with sqlite_db.write() as session:
        factories.service(session, "beard-trim").active = False
        factories.barber(session, "barber_2").active = False
    html = desk.get(f"/bookings/{booking_id}/edit").text
    assert "(no longer offered)" in html
    assert "(no longer here)" in html
    fields = {**edit_form(desk, booking_id), "name": "Zoë Å."}
    assert desk.post(f"/bookings/{booking_id}", data=fields).status_code == 303
    assert lifecycle.booking(sqlite_db, booking_id).customer_name == "Zoë Å."
    assert "no longer" not in desk.get("/bookings/new").text


def test_a_booking_that_keeps_its_length_is_in_nobodys_way_for_the_new_length_of_its_service(
    desk: Client, sqlite_db: Database
) -> None:
    booking_id = lifecycle.book(sqlite_db)
    lifecycle.book(sqlite_db, hours=10.5, customer_phone="+447700900999")
    with sqlite_db.write() as session:
        factories.service(session, "haircut").minutes = 60
    assert "Haircut · 30 min" in text_of(desk.get(f"/bookings/{booking_id}/edit").text)
    fields = {**edit_form(desk, booking_id), "time": "09:30"}
    html = desk.post("/bookings/preview", data=typed(**fields, id=booking_id), headers=HTMX).text
    times = re.findall(r'name="time"\s+value="([\d:]+)"', html)
    assert "10:00" in times
    assert "Sam has" not in text_of(html)
    assert desk.post(f"/bookings/{booking_id}", data=fields).status_code == 303


def test_of_a_barber_who_is_switched_off_the_reason_is_a_whole_sentence(
    desk: Client, sqlite_db: Database
) -> None:
    with sqlite_db.write() as session:
        factories.barber(session, "barber_2").active = False
    refused = desk.post("/bookings", data=typed(barber="barber_2"))
    assert problem_of(refused.text, "barber").endswith("cannot be booked any more: choose another.")


# --- how it is done ---


def test_htmx_gets_only_what_follows_and_any_other_the_whole_form(desk: Client) -> None:
    part = desk.post("/bookings/preview", data=typed(), headers=HTMX).text
    assert "<form" not in part
    assert part.count("<hx-partial") == 7 + SHOWN  # what is free on each of the days
    whole = desk.post("/bookings/preview", data=typed()).text
    assert "<html" in whole
    assert value_of(whole, "name") == "Luis Ortega"


def test_a_preview_writes_nothing(client: Client, shop: Database) -> None:
    booking_id = lifecycle.book(shop)
    fields = edit_form(client, booking_id)
    with counted(shop) as statements:
        preview(client, **fields, id=booking_id)
        preview(client, day="2026-12-23")
    assert [each for each in statements if not each.lstrip().startswith(("SELECT", "BEGIN"))] == []


def test_a_page_of_the_form_takes_few_statements_however_full_the_day_is(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    booking_id = lifecycle.book(shop)
    fields = {**edit_form(client, booking_id), "day": "2026-11-24"}
    counts = []
    for more in (1, 20):
        with shop.write() as session:
            for number in range(more):
                at = clock.now() + timedelta(hours=31, minutes=number + more)
                factories.booking(session, at)
        with counted(shop) as statements:
            preview(client, **fields, id=booking_id)
        counts.append(len(statements))
    assert counts[0] == counts[1]
    assert counts[0] < 22


def test_a_time_outside_of_any_calendar_is_an_error_and_no_crash() -> None:
    from zoneinfo import ZoneInfo

    for day, at, zone in (
        ("0001-01-01", "00:00", "Asia/Tokyo"),
        ("9999-12-31", "23:59", "America/New_York"),
    ):
        with pytest.raises(Invalid):
            draft.start_of(Draft(day=day, time=at), ZoneInfo(zone))
