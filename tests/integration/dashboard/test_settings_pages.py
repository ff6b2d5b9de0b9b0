"""Settings: the shop, its reminders, its services and its barbers, as the owner changes them."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from html import unescape

import pytest
from httpx import Response
from sqlalchemy import select

from app import clock as app_clock
from app.db import Database
from app.errors import Invalid
from app.messages import texts
from app.models.booking import Booking
from app.models.message import DailySent
from app.models.shop import Barber, Service, Shop
from app.models.staff import AuditEvent
from app.reminders.changes import PolicyForm
from app.shop import catalogue, changes
from app.web import times
from tests import factories
from tests.conftest import Configure
from tests.integration.conftest import Client, body, fill
from tests.support.frozen import FrozenClock
from tests.support.lifecycle import at_once, book, states
from tests.support.staff import HTMX, sign_in
from tests.support.valkey import Valkey
from tests.support.web import said, web_client

SHOP = {
    "name": "Salon Müller",
    "locale": "de_AT",
    "country": "AT",
    "time_zone": "Europe/Vienna",
}
RULE = {
    "every": "2",
    "unit": "hours",
    "count_from": "booking",
    "within": "",
    "at_most": "",
    "quiet_from": "",
    "quiet_until": "",
}


@pytest.fixture
def client(shop: Database, valkey: Valkey) -> Iterator[Client]:
    """The browser of the owner, once on SQLite, once on PostgreSQL."""
    with web_client() as browser:
        sign_in(browser, shop)
        yield browser


@pytest.fixture
def desk(sqlite_db: Database, clock: FrozenClock, valkey: Valkey) -> Iterator[Client]:
    """The same on SQLite alone, for what no database decides."""
    fill(sqlite_db)
    with web_client() as browser:
        sign_in(browser, sqlite_db)
        yield browser


def text_of(html: str) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html)))


def row(db: Database) -> Shop:
    with db.read() as session:
        return session.get_one(Shop, 1)


def set_shop(db: Database, **values: object) -> None:
    with db.write() as session:
        factories.shop(session, **values)


def events(db: Database, subject: str) -> list[tuple[str, dict[str, object]]]:
    with db.read() as session:
        query = select(AuditEvent).where(AuditEvent.subject == subject).order_by(AuditEvent.id)
        return [(each.action, each.details) for each in session.scalars(query)]


def problem(answer: Response, field: str) -> str:
    """What stands beside a field of a form that was not kept."""
    assert answer.status_code == 422, text_of(answer.text)
    match = re.search(rf'id="{field}-problem">(.*?)</p>', answer.text, re.DOTALL)
    assert match, f"nothing beside {field}"
    return text_of(match[1]).strip()


# --- the shop ---


def test_the_owner_changes_the_shop_and_the_audit_log_has_the_old_and_the_new(
    client: Client, shop: Database
) -> None:
    assert said(client, client.post("/settings", data=SHOP)) == "Saved."
    kept = row(shop)
    assert (kept.name, kept.locale, kept.country) == ("Salon Müller", "de_AT", "AT")
    assert kept.time_zone == "Europe/Vienna"
    [(action, details)] = events(shop, "shop")
    assert action == "shop.changed"
    assert details["name"] == ["The barbershop", "Salon Müller"]
    assert details["time_zone"] == [None, "Europe/Vienna"]
    page = client.get("/settings").text
    assert '<option value="de_AT" selected>German (Austria)</option>' in page
    assert '<option value="AT" selected>Austria (+43)</option>' in page
    assert said(client, client.post("/settings", data=SHOP)) == "There was nothing to change."
    assert len(events(shop, "shop")) == 1


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("name", " ", "This must have letters"),
        ("name", "x" * 101, "This has 101 characters"),
        ("name", "a\x01b", "no control characters"),
        ("locale", "xx_XX", "This must be one of the list."),
        ("locale", "", "This must be one of the list."),
        ("country", "Austria", "This must be one of the list."),
        ("time_zone", "Mars/Olympus", "This must be one of the list."),
        ("time_zone", "../../etc/passwd", "This must be one of the list."),
    ],
)
def test_what_is_wrong_with_the_shop_stands_beside_its_field_and_nothing_is_kept(
    desk: Client, sqlite_db: Database, field: str, value: str, words: str
) -> None:
    before = row(sqlite_db).name
    answer = desk.post("/settings", data={**SHOP, field: value})
    assert words in problem(answer, field)
    other = "time_zone" if field == "locale" else "locale"
    assert f'<option value="{SHOP[other]}" selected>' in answer.text
    assert row(sqlite_db).name == before
    assert events(sqlite_db, "shop") == []


def test_what_the_shop_has_can_be_kept_though_no_list_has_it(
    desk: Client, sqlite_db: Database
) -> None:
    set_shop(sqlite_db, locale="en", time_zone="Asia/Calcutta", country="GB")
    page = desk.get("/settings").text
    assert '<option value="en" selected>en</option>' in page
    assert '<option value="Asia/Calcutta" selected>' in page
    form = {**SHOP, "locale": "en", "time_zone": "Asia/Calcutta", "country": ""}
    assert said(desk, desk.post("/settings", data=form)) == "Saved."
    assert (row(sqlite_db).time_zone, row(sqlite_db).country) == ("Asia/Calcutta", None)


def test_another_time_zone_and_language_show_on_the_next_page(
    desk: Client, sqlite_db: Database
) -> None:
    with sqlite_db.write() as session:
        factories.booking(session, datetime(2026, 11, 23, 13, tzinfo=UTC))
    desk.post("/settings", data=SHOP)
    assert "heute 14:00" in text_of(desk.get("/bookings").text)


def test_every_language_that_is_offered_can_write_a_time(clock: FrozenClock) -> None:
    zone = times.ZoneInfo("Europe/Vienna")
    at = clock.now() + timedelta(hours=5)
    for locale in changes.locales():
        assert texts.format_date_time(at, zone, locale)
        assert texts.time_until(clock.now(), at, locale)
        with times.shown_in(zone, locale, clock.now()):
            assert times.when(at)
            assert times.day(at)


def test_only_languages_are_offered_that_fit_into_the_pages(clock: FrozenClock) -> None:
    offered = changes.locales()
    assert {"en_US", "de_AT", "pt_BR", "ja_JP"} <= offered.keys()
    assert not {"ar_EG", "ar_MA", "he_IL", "fa_IR", "bn_BD"} & offered.keys()
    for locale in offered:
        with times.shown_in(times.ZoneInfo("Europe/Vienna"), locale, clock.now()):
            digits = {char for char in times.clock_text(clock.now()) if char.isdigit()}
            assert digits <= set("0123456789"), locale


@pytest.mark.parametrize(
    ("locale", "hour", "number"),
    [
        ("en_US", "1:15 PM", "12,345"),
        ("de_DE", "13:15", "12.345"),
        ("fr_FR", "13:15", "12\u202f345"),
    ],
)
def test_examples_and_numbers_are_written_as_the_shop_writes_them(
    desk: Client, sqlite_db: Database, locale: str, hour: str, number: str
) -> None:
    with sqlite_db.write() as session:
        session.get_one(Shop, 1).locale = locale
        session.add(DailySent(day=app_clock.now().date(), messages=12_345))
    assert f"{hour} and so on." in text_of(desk.get("/settings/reminders").text)
    assert f"{number} message" in desk.get("/settings/customers").text.replace("</strong>", "")
    assert f"<b>{number}</b>" in desk.get("/queue").text


def test_every_time_zone_that_is_offered_is_one() -> None:
    zones = changes.time_zones()
    assert {"UTC", "Europe/London", "America/New_York", "Asia/Kolkata"} <= zones.keys()
    assert all(times.ZoneInfo(name) for name in zones)


# --- reminders ---


def test_the_owner_changes_the_rule_and_the_next_booking_follows_it(
    client: Client, shop: Database
) -> None:
    rule = {**RULE, "every": "90", "unit": "minutes", "count_from": "appointment", "within": "4,5"}
    rule |= {"at_most": "2", "quiet_from": "21:00", "quiet_until": "08:00"}
    assert said(client, client.post("/settings/reminders", data=rule)) == "Saved."
    kept = row(shop)
    assert (kept.reminder_every, kept.count_from, kept.within) == (5400, "appointment", 16200)
    assert (kept.at_most, kept.quiet_from, kept.quiet_until) == (2, time(21), time(8))
    [(_, details)] = events(shop, "shop")
    assert details["reminder_every"] == [None, 5400]
    assert details["quiet_from"] == [None, "21:00:00"]
    page = client.get("/settings/reminders").text
    for name, value in (("every", "90"), ("within", "4.5"), ("at_most", "2")):
        assert re.search(rf'name="{name}"[^>]*value="{value}"', page), name
    booked = client.post(
        "/api/bookings",
        json=body(scheduledTime="2026-11-23T12:00:00Z"),
        headers={"Authorization": f"Bearer {'s' * 40}"},
    ).json()
    reminders = client.get(
        f"/api/bookings/{booked['id']}/reminders", headers={"Authorization": f"Bearer {'s' * 40}"}
    ).json()
    planned = [each["scheduledFor"] for each in reminders if each["state"] != "skipped"]
    assert planned == ["2026-11-23T09:00:00Z", "2026-11-23T10:30:00Z"]


def test_the_owner_chooses_times_of_their_own_and_goes_back(
    desk: Client, sqlite_db: Database
) -> None:
    own = {**RULE, "count_from": "own", "own_times": "90 min, 3 days"}
    assert said(desk, desk.post("/settings/reminders", data=own)) == "Saved."
    assert row(sqlite_db).own_times == "3 days, 90 minutes"
    page = desk.get("/settings/reminders").text
    assert re.search(r'value="own"\s+required\s+checked', page)
    assert "2 reminders" in text_of(page)
    wrong = desk.post("/settings/reminders", data={**own, "own_times": "soon"})
    assert (wrong.status_code, "“soon” is no time" in wrong.text) == (422, True)
    desk.post("/settings/reminders", data={**own, "count_from": "booking"})
    assert row(sqlite_db).own_times is None


def test_the_rule_can_hold_for_those_already_booked_too_after_a_look_at_what_that_means(
    desk: Client, sqlite_db: Database
) -> None:
    booking_id = book(sqlite_db, 24)
    rule = {**RULE, "every": "6", "also": "1"}
    looked = desk.get("/settings/reminders", params=rule, headers=HTMX)
    assert "1 booking to come, with 11 reminders still to send." in text_of(looked.text)
    assert "By this rule it would get 3." in text_of(looked.text)
    answer = desk.post("/settings/reminders", data=rule)
    assert said(desk, answer) == "Saved, also for 1 booking to come."
    assert states(sqlite_db, booking_id)[11:] == [("pending", None)] * 3
    page = text_of(desk.get(f"/bookings/{booking_id}").text)
    assert "Reminders planned by a new rule" in page
    too_many = {**RULE, "every": "2", "unit": "seconds", "also": "1"}
    answer = desk.post("/settings/reminders", data=too_many)
    assert answer.status_code == 422
    assert "One of those already booked would get 43199 reminders." in text_of(answer.text)


def test_an_interval_that_is_left_alone_stays_the_environments(
    desk: Client, sqlite_db: Database, configure: Configure
) -> None:
    answer = desk.post("/settings/reminders", data={**RULE, "at_most": "3"})
    assert said(desk, answer) == "Saved."
    assert (row(sqlite_db).reminder_every, row(sqlite_db).at_most) == (None, 3)
    configure(REMINDER_EVERY="1.5s")
    shown = PolicyForm.shown(row(sqlite_db))
    assert (shown["every"], shown["unit"]) == ("1.5", "seconds")
    assert PolicyForm(shown, row(sqlite_db)).columns()["reminder_every"] is None


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("every", "", "This must be a number, such as 2."),
        ("every", "two", "This must be a number, such as 2."),
        ("every", "0", "This must be from 1 second to 366 days."),
        ("every", "99999", "This must be from 1 second to 366 days."),
        ("every", "-1", "This must be a number, such as 2."),
        ("unit", "years", "This must be one of the list."),
        ("count_from", "", "This must be one of the list."),
        ("within", "0", "This must be more than nothing"),
        ("within", "1e3", "This must be a number, such as 2."),
        ("at_most", "0", "This must be a whole number from 1 to 5000, or empty."),
        ("at_most", "1.5", "This must be a whole number from 1 to 5000, or empty."),
        ("quiet_from", "9", "This must be a time, such as 09:30."),
        ("quiet_until", "", "This is missing: quiet hours need both times, or none."),
        ("quiet_until", "21:00", "This must differ from when quiet hours begin."),
    ],
)
def test_what_is_wrong_with_the_rule_stands_beside_its_field_and_nothing_is_kept(
    desk: Client, sqlite_db: Database, field: str, value: str, words: str
) -> None:
    rule = {**RULE, "every": "3", "quiet_from": "21:00", "quiet_until": "08:00", field: value}
    answer = desk.post("/settings/reminders", data=rule)
    assert words in problem(answer, field)
    assert row(sqlite_db).reminder_every is None
    assert row(sqlite_db).quiet_from is None
    looked = desk.get("/settings/reminders", params=rule, headers=HTMX)
    assert looked.status_code == 200
    assert words in text_of(looked.text)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({}, "tomorrow 15:00 would get 19 reminders: today 02:00, 04:00, 06:00, 08:00 … "),
        ({}, "Mon, Nov 30 15:00 would get 91 reminders"),
        ({"at_most": "2"}, "tomorrow 15:00 would get 2 reminders: tomorrow 12:00, 14:00"),
        (
            {"count_from": "appointment", "within": "3"},
            "tomorrow 15:00 would get 1 reminder: tomorrow 13:00",
        ),
        (
            {"quiet_from": "20:00", "quiet_until": "08:00"},
            "tomorrow 15:00 would get 10 reminders: ",
        ),
        (
            {"quiet_from": "20:00", "quiet_until": "08:00"},
            "9 more would be in quiet hours, and are left out.",
        ),
        ({"every": "400"}, "tomorrow 15:00 would get no reminder"),
        ({"every": "1", "unit": "seconds"}, "one booking can have 5000"),
    ],
)
def test_the_preview_says_what_the_rule_that_is_being_typed_would_do(
    desk: Client, sqlite_db: Database, rule: dict[str, str], words: str
) -> None:
    set_shop(sqlite_db, locale="en_GB", time_zone="UTC")
    answer = desk.get("/settings/reminders", params={**RULE, **rule}, headers=HTMX)
    assert words in text_of(answer.text).replace("Mon 30 Nov", "Mon, Nov 30")
    assert "<form" not in answer.text
    assert row(sqlite_db).at_most is None


def test_without_javascript_a_button_shows_what_the_rule_would_do_and_keeps_nothing(
    desk: Client, sqlite_db: Database
) -> None:
    answer = desk.post("/settings/reminders", data={**RULE, "at_most": "2", "look": "1"})
    assert answer.status_code == 200
    assert "would get 2 reminders" in text_of(answer.text)
    assert re.search(r'name="at_most"[^>]*value="2"', answer.text)
    assert row(sqlite_db).at_most is None


# --- services and barbers ---


def listed(db: Database, kind: catalogue.Kind) -> list[tuple[str, bool]]:
    with db.read() as session:
        return [(each.id, each.active) for each in catalogue.listed(session, kind)]


def ids(db: Database, kind: catalogue.Kind = Barber) -> list[str]:
    return [id for id, _ in listed(db, kind)]


def test_a_new_service_can_be_booked_at_once_and_has_an_id_made_from_its_name(
    client: Client, shop: Database
) -> None:
    form = {"name": "  Färben &  Schnitt ", "minutes": "75"}
    answer = client.post("/settings/services", data=form)
    assert answer.headers["Location"] == "/settings/services#farben-schnitt"
    assert said(client, answer) == "Färben & Schnitt can be booked now."
    with shop.read() as session:
        new = session.get_one(Service, "farben-schnitt")
    assert (new.name, new.minutes, new.active) == ("Färben & Schnitt", 75, True)
    assert ids(shop, Service)[-1] == "farben-schnitt"
    [event] = events(shop, "service:farben-schnitt")
    assert event == ("service.added", {"name": "Färben & Schnitt", "minutes": 75})
    assert "Färben &amp; Schnitt · 75 min" in client.get("/bookings/new").text


@pytest.mark.parametrize(
    ("name", "id"),
    [
        ("Haircut!", "haircut-2"),
        ("理发", "service"),
        ("x" * 100, "x" * 34),
        ("Über-Schnitt 2", "uber-schnitt-2"),
    ],
)
def test_an_id_is_a_slug_that_nobody_has(
    desk: Client, sqlite_db: Database, name: str, id: str
) -> None:
    desk.post("/settings/services", data={"name": name, "minutes": "30"})
    assert id in ids(sqlite_db, Service)


def test_a_renamed_service_keeps_its_id_and_its_bookings_keep_their_length(
    client: Client, shop: Database
) -> None:
    with shop.write() as session:
        booking = factories.booking(session)
    answer = client.post("/settings/services/haircut", data={"name": "Cut", "minutes": "45"})
    assert said(client, answer) == "Saved."
    with shop.read() as session:
        assert session.get_one(Service, "haircut").name == "Cut"
        kept = session.get_one(Booking, booking.id)
        assert kept.ends_at - kept.starts_at == timedelta(minutes=30)
    [event] = events(shop, "service:haircut")
    assert event == ("service.changed", {"name": ["Haircut", "Cut"], "minutes": [30, 45]})
    again = client.post("/settings/services/haircut", data={"name": "Cut", "minutes": "45"})
    assert said(client, again) == "There was nothing to change."


@pytest.mark.parametrize(
    ("form", "field", "words"),
    [
        ({"name": "", "minutes": "30"}, "name", "This must have letters"),
        ({"name": "Shave", "minutes": "4"}, "minutes", "from 5 to 720"),
        ({"name": "Shave", "minutes": "721"}, "minutes", "from 5 to 720"),
        ({"name": "Shave", "minutes": "half an hour"}, "minutes", "a whole number of minutes"),
        ({"name": "HAIRCUT", "minutes": "30"}, "name", "There is a service of this name."),
    ],
)
def test_what_is_wrong_with_a_service_stands_beside_its_field(
    desk: Client, sqlite_db: Database, form: dict[str, str], field: str, words: str
) -> None:
    before = listed(sqlite_db, Service)
    for address in ("/settings/services", "/settings/services/beard-trim"):
        answer = desk.post(address, data=form)
        assert words in problem(answer, field)
        assert f'value="{form["minutes"]}"' in answer.text
    assert listed(sqlite_db, Service) == before


def test_a_barber_is_moved_up_and_down_among_those_that_are_on(
    client: Client, shop: Database
) -> None:
    answer = client.post("/settings/barbers/barber_3/move", data={"to": "up"})
    assert answer.headers["Location"] == "/settings/barbers#barber_3"
    assert said(client, answer) == "Robin is number 2 now."
    assert ids(shop) == ["barber_1", "barber_3", "barber_2"]
    client.post("/settings/barbers/barber_1/move", data={"to": "down"})
    assert ids(shop) == ["barber_3", "barber_1", "barber_2"]
    client.post("/settings/barbers/barber_2/move", data={"to": "down"})
    client.post("/settings/barbers/barber_3/move", data={"to": "up"})
    assert ids(shop) == ["barber_3", "barber_1", "barber_2"]
    assert events(shop, "barber:barber_3") == [("barber.moved", {"position": [3, 2]})]
    client.post("/settings/barbers/barber_2/switch-off")
    client.post("/settings/barbers/barber_1/move", data={"to": "down"})
    assert ids(shop) == ["barber_3", "barber_1", "barber_2"]


def test_a_barber_with_bookings_to_come_can_be_switched_off_and_the_page_says_how_many(
    client: Client, shop: Database
) -> None:
    now = app_clock.now()
    with shop.write() as session:
        for hours in (-5, 5, 6):
            factories.booking(session, now + timedelta(hours=hours), barber_id="barber_2")
        gone = {"barber_id": "barber_2", "status": "cancelled"}
        factories.booking(session, now + timedelta(hours=7), **gone)
    asked = text_of(client.get("/settings/barbers?change=barber_2").text)
    assert "Alex still has 2 bookings to come." in asked
    answer = client.post("/settings/barbers/barber_2/switch-off")
    assert said(client, answer) == "Alex is switched off. 2 bookings to come stay."
    assert listed(shop, Barber)[-1] == ("barber_2", False)
    page = client.get("/settings/barbers").text
    assert "Switched off" in page
    assert re.search(r'href="/bookings\?barber=barber_2">\s*2 bookings to come', page)
    assert 'value="barber_2"' not in client.get("/bookings/new").text
    assert said(client, client.post("/settings/barbers/barber_2/switch-on")) == (
        "Alex can be booked again."
    )
    assert ids(shop) == ["barber_1", "barber_3", "barber_2"]
    actions = [action for action, _ in events(shop, "barber:barber_2")]
    assert actions == ["barber.switched_off", "barber.switched_on"]
    client.post("/settings/barbers/barber_2/switch-on")
    assert len(events(shop, "barber:barber_2")) == 2


def test_the_last_barber_who_can_be_booked_stays_on(desk: Client, sqlite_db: Database) -> None:
    for id in ("barber_1", "barber_2"):
        desk.post(f"/settings/barbers/{id}/switch-off")
    answer = desk.post("/settings/barbers/barber_3/switch-off")
    assert said(desk, answer) == "Robin is the only barber that can be booked."
    assert [on for _, on in listed(sqlite_db, Barber)] == [True, False, False]


def test_the_name_of_somebody_who_is_switched_off_leads_to_switching_them_on(
    client: Client, shop: Database
) -> None:
    client.post("/settings/barbers/barber_3/switch-off")
    answer = client.post("/settings/barbers", data={"name": "robin"})
    assert "switched off: switch it on again" in problem(answer, "name")


def test_two_owners_who_add_the_same_name_at_once_add_one(db: Database) -> None:
    def add() -> bool:
        try:
            with db.write() as session:
                catalogue.add(session, Barber, {"name": "Kim"}, "user:somebody")
        except Invalid:
            return False
        return True

    assert sorted(at_once(add, add)) == [False, True]
    assert ids(db).count("kim") == 1


def test_there_is_nothing_to_change_of_what_is_not_there(desk: Client) -> None:
    for verb in ("", "/move", "/switch-off", "/switch-on"):
        form = {"name": "X", "minutes": "30", "to": "up"}
        assert desk.post(f"/settings/services/none{verb}", data=form).status_code == 404, verb
    assert desk.get("/settings/barbers?change=none").status_code == 200


def test_the_audit_log_says_which_owner_changed_the_shop(desk: Client, sqlite_db: Database) -> None:
    owner = sign_in(desk, sqlite_db)
    desk.post("/settings", data=SHOP)
    desk.post("/settings/barbers", data={"name": "Kim"})
    with sqlite_db.read() as session:
        query = select(AuditEvent.actor).where(AuditEvent.subject.in_(["shop", "barber:kim"]))
        assert set(session.scalars(query)) == {f"user:{owner.id}"}
