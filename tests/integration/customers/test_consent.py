"""What customers say about getting messages: asked in the form and the API, noted by staff."""

import re
from datetime import UTC, datetime, time
from html import unescape

import pytest
from sqlalchemy import select

from app.customers import service as customers
from app.db import Database
from app.models.customer import Customer
from app.models.staff import AuditEvent
from tests import factories
from tests.fake_twilio import FakeTwilio
from tests.integration.conftest import Client, body, fill
from tests.support import lifecycle
from tests.support.frozen import FrozenClock
from tests.support.staff import HTMX, sign_in
from tests.support.valkey import Valkey

PHONE = "+442079460958"
TWILIO_PHONE = "+447700900123"


def typed(**fields: str) -> dict[str, str]:
    """What the form sends for a haircut today at ten."""
    return {
        "phone": PHONE,
        "name": "Ana Silva",
        "service": "haircut",
        "barber": "barber_1",
        "day": "2026-11-23",
        "time": "10:00",
        **fields,
    }


def text_of(html: str) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html)))


def known(db: Database, phone: str = PHONE) -> Customer | None:
    with db.read() as session:
        return customers.find(session, phone)


def consent(db: Database, phone: str = PHONE) -> tuple[bool | None, str | None]:
    customer = known(db, phone)
    return (customer.consent, customer.consent_how) if customer else (None, None)


def actions(db: Database, booking_id: str) -> list[str]:
    with db.read() as session:
        rows = select(AuditEvent.action).where(AuditEvent.subject == booking_id)
        return list(session.scalars(rows.order_by(AuditEvent.id)))


def preview(desk: Client, **fields: str) -> str:
    answer = desk.post("/bookings/preview", data=typed(**fields), headers=HTMX)
    assert answer.status_code == 200, answer.text
    return text_of(answer.text)


# --- the API ---


@pytest.mark.parametrize(
    ("given", "kept"),
    [(True, (True, "api")), (False, (False, "api")), (None, (None, None)), (..., (None, None))],
)
def test_what_a_customer_said_is_kept_for_their_number(
    api: Client, shop: Database, given: object, kept: tuple[object, object]
) -> None:
    answer = api.post("/api/bookings", json=body(whatsappConsent=given))
    assert answer.status_code == 201
    assert consent(shop) == kept
    assert ("customer.agreed" in actions(shop, answer.json()["id"])) is (given is True)


def test_consent_is_changed_with_a_booking_and_null_leaves_it_as_it_is(
    api: Client, shop: Database, clock: FrozenClock
) -> None:
    booking = api.post("/api/bookings", json=body(whatsappConsent=False)).json()
    here = f"/api/bookings/{booking['id']}"
    for given, kept in ((None, False), (True, True), (None, True)):
        assert api.patch(here, json={"whatsappConsent": given}).status_code == 200
        assert consent(shop) == (kept, "api")
    assert api.get(here).json()["updatedAt"] == booking["updatedAt"]
    other = {"customerPhone": "+44 7700 900999", "whatsappConsent": False}
    assert api.patch(here, json=other).status_code == 200
    assert consent(shop, "+447700900999") == (False, "api")
    assert consent(shop) == (True, "api")


def test_who_says_the_same_again_has_said_it_when_they_first_did(
    api: Client, shop: Database, clock: FrozenClock
) -> None:
    for _ in range(2):  # the second time it is the same booking again
        api.post("/api/bookings", json=body(whatsappConsent=True))
        clock.move(hours=1)
    customer = known(shop)
    assert customer
    assert customer.consent_at == datetime(2026, 11, 23, tzinfo=UTC)


def test_the_same_booking_again_still_tells_what_the_customer_said(
    sqlite_api: Client, sqlite_db: Database
) -> None:
    sqlite_api.post("/api/bookings", json=body())
    answer = sqlite_api.post("/api/bookings", json=body(whatsappConsent=False))
    assert answer.status_code == 200
    assert consent(sqlite_db) == (False, "api")


@pytest.mark.parametrize("wrong", ["true", "yes", 1, 0, [], {}])
@pytest.mark.parametrize("method", ["post", "patch"])
def test_what_is_neither_true_nor_false_nor_null_is_refused(
    sqlite_api: Client, sqlite_db: Database, method: str, wrong: object
) -> None:
    booking = sqlite_api.post("/api/bookings", json=body()).json()
    if method == "post":
        later = body(scheduledTime="2026-11-23T14:00:00Z", whatsappConsent=wrong)
        answer = sqlite_api.post("/api/bookings", json=later)
    else:
        here = f"/api/bookings/{booking['id']}"
        answer = sqlite_api.patch(here, json={"whatsappConsent": wrong})
    assert answer.status_code == 422
    problem = {"field": "whatsappConsent", "message": "This must be true, false or null."}
    assert answer.json()["errors"] == [problem]
    assert consent(sqlite_db) == (None, None)


@pytest.mark.parametrize(
    ("said", "end"),
    [
        ("agreed", ("sent", None)),
        ("not asked", ("sent", None)),
        ("declined", ("skipped", "no_consent")),
        ("stop", ("skipped", "opted_out")),
    ],
)
def test_messages_to_who_wants_none_are_skipped_at_their_time(
    shop: Database,
    clock: FrozenClock,
    valkey: Valkey,
    twilio: FakeTwilio,
    said: str,
    end: tuple[str, str | None],
) -> None:
    given = {"agreed": True, "declined": False}.get(said)
    booking_id = lifecycle.book(shop, hours=3, whatsapp_consent=given)
    if said == "stop":
        with shop.write() as session:
            customers.opt_out(session, lifecycle.HOME, "reply")
    clock.move(hours=2)
    assert lifecycle.run(f"{booking_id}-reminder-1") is None
    assert lifecycle.states(shop, booking_id) == [end]


# --- the form ---


@pytest.mark.parametrize(
    ("chosen", "kept"), [("yes", True), ("no", False), ("", None), ("what?", None)]
)
def test_the_form_asks_and_not_asked_is_what_it_says_at_first(
    desk: Client, sqlite_db: Database, chosen: str, kept: bool | None
) -> None:
    html = desk.get("/bookings/new").text
    assert re.search(r'name="consent"\s+value=""\s+checked', html)
    answer = desk.post("/bookings", data=typed(consent=chosen))
    assert answer.status_code == 303
    assert consent(sqlite_db) == (kept, None if kept is None else "form")


def test_a_form_that_is_shown_again_keeps_what_was_chosen(desk: Client) -> None:
    answer = desk.post("/bookings", data=typed(name="", consent="no"))
    assert answer.status_code == 422
    assert re.search(r'name="consent"\s+value="no"\s+checked', answer.text)


def test_what_is_known_of_the_number_is_shown_while_one_types(
    desk: Client, sqlite_db: Database
) -> None:
    assert "Agreed" not in preview(desk)
    with sqlite_db.write() as session:
        customers.note_consent(session, PHONE, True, "reply")
    assert "Agreed to messages by writing to the shop, today 12:00 AM." in preview(desk)
    assert "No message will go out" not in preview(desk)
    with sqlite_db.write() as session:
        customers.opt_out(session, PHONE, "reply")
    shown = preview(desk, consent="yes")
    assert "Wants no messages since today 12:00 AM: wrote STOP." in shown
    assert "No message will go out. The customer wants no messages, so each reminder is" in shown
    assert not re.search(r"\d+ reminder", shown)
    assert "As it will read" not in shown


def test_the_choice_that_says_nothing_new_tells_what_is_known(
    desk: Client, sqlite_db: Database
) -> None:
    booking_id = desk.post("/bookings", data=typed()).headers["location"].rpartition("/")[2]
    change = f"/bookings/{booking_id}/edit"
    assert "Not asked Agrees No messages" in text_of(desk.get(change).text)
    for given, words in (
        (True, "Leave unchanged: agreed"),
        (False, "Leave unchanged: no messages"),
    ):
        with sqlite_db.write() as session:
            customers.note_consent(session, PHONE, given, "reply")
        assert f"{words} Agrees No messages" in text_of(desk.get(change).text)
        assert words in preview(desk)
        assert "Not asked" not in preview(desk)
    with sqlite_db.write() as session:
        customers.note_consent(session, PHONE, True, "reply")
        customers.opt_out(session, PHONE, "reply")
    assert "Leave unchanged: no messages" in preview(desk)


def test_the_page_of_a_booking_promises_nothing_to_who_wants_none(
    desk: Client, sqlite_db: Database
) -> None:
    booking_id = desk.post("/bookings", data=typed()).headers["location"].rpartition("/")[2]
    here = f"/bookings/{booking_id}"
    assert "gets:" in text_of(desk.get(here).text)
    with sqlite_db.write() as session:
        customers.opt_out(session, PHONE, "reply")
    page = text_of(desk.get(here).text)
    assert "gets:" not in page
    assert "Nothing is sent: the customer wants no messages." in page
    assert "Send a reminder now?" not in page


def test_who_chooses_none_is_told_what_that_means_before_saving(
    desk: Client, sqlite_db: Database
) -> None:
    assert "No message will go out. The customer has not agreed" in preview(desk, consent="no")
    with sqlite_db.write() as session:
        customers.note_consent(session, PHONE, False, "api")
    assert "Wants no messages: said through the API, today" in preview(desk)
    assert "No message will go out" in preview(desk)
    assert "No message will go out" not in preview(desk, consent="yes")


def test_consent_alone_is_a_change_of_a_booking_unless_it_is_known(
    desk: Client, sqlite_db: Database
) -> None:
    booking_id = desk.post("/bookings", data=typed()).headers["location"].rpartition("/")[2]
    form = desk.get(f"/bookings/{booking_id}/edit").text
    seen = re.search(r'name="seen" value="([^"]*)"', form)
    assert seen
    change = typed(consent="yes", id=booking_id, seen=unescape(seen[1]))
    assert "Nothing is changed yet" not in preview(desk, **change)
    desk.post(f"/bookings/{booking_id}", data=change)
    assert consent(sqlite_db) == (True, "form")
    assert "Nothing is changed yet" in preview(desk, **change)
    assert actions(sqlite_db, booking_id) == ["booking.created", "customer.agreed"]


# --- a booking's page ---


def test_staff_note_an_opt_out_and_take_it_back(
    desk: Client, sqlite_db: Database, clock: FrozenClock
) -> None:
    with sqlite_db.write() as session:
        of = factories.booking(session, customer_phone=TWILIO_PHONE)
        factories.message(session, of, due_at=of.starts_at)
    here = f"/bookings/{of.id}"
    assert "Consent not recorded." in text_of(desk.get(here).text)
    assert desk.post(f"/customers/{of.id}/opt-out").headers["location"] == here
    clock.move(minutes=5)
    assert desk.post(f"/customers/{of.id}/opt-out").status_code == 303
    shown = text_of(desk.get(here).text)
    assert "Wants no messages since today 12:00 AM, as staff noted." in shown
    assert "What is planned is skipped at its time." in shown
    assert "“No messages any more” noted by Ann Lee" in shown
    assert desk.post(f"/customers/{of.id}/opt-in").status_code == 303
    customer = known(sqlite_db, TWILIO_PHONE)
    assert customer
    assert (customer.opted_out_at, customer.consent) == (None, None)


def test_who_had_said_no_agrees_by_the_same_button(desk: Client, sqlite_db: Database) -> None:
    answer = desk.post("/bookings", data=typed(consent="no"))
    booking_id = answer.headers["location"].rpartition("/")[2]
    assert "Resume messages" in desk.get(f"/bookings/{booking_id}").text
    desk.post(f"/customers/{booking_id}/opt-in")
    assert consent(sqlite_db) == (True, "form")


def test_what_twilio_blocks_only_the_customer_can_open(desk: Client, sqlite_db: Database) -> None:
    with sqlite_db.write() as session:
        of = factories.booking(session, customer_phone=TWILIO_PHONE)
        customers.opt_out(session, TWILIO_PHONE, "twilio")
    shown = desk.get(f"/bookings/{of.id}").text
    assert "They can take it back by writing START" in text_of(shown)
    assert "opt-in" not in shown
    desk.post(f"/customers/{of.id}/opt-in")
    customer = known(sqlite_db, TWILIO_PHONE)
    assert customer
    assert customer.opted_out_at is not None


def test_whoever_may_only_look_notes_nothing(desk: Client, sqlite_db: Database) -> None:
    with sqlite_db.write() as session:
        of = factories.booking(session)
    sign_in(desk, sqlite_db, "viewer")
    assert "/opt-" not in desk.get(f"/bookings/{of.id}").text
    for what in ("opt-out", "opt-in"):
        assert desk.post(f"/customers/{of.id}/{what}").status_code == 403
    sign_in(desk, sqlite_db, "staff")
    for what in ("opt-out", "opt-in"):
        assert desk.post(f"/customers/booking_none/{what}").status_code == 404


# --- quiet hours and what comes late ---


def quiet(db: Database) -> None:
    """From ten in the evening until eight, on a clock of UTC."""
    with db.write() as session:
        factories.shop(session, quiet_from=time(22), quiet_until=time(8), time_zone="UTC")


@pytest.mark.parametrize(
    ("hours", "end"), [(12, ("pending", None)), (8, ("skipped", "quiet_hours"))]
)
def test_a_reminder_that_comes_late_into_quiet_hours_waits_for_their_end_or_is_skipped(
    shop: Database,
    clock: FrozenClock,
    valkey: Valkey,
    twilio: FakeTwilio,
    hours: int,
    end: tuple[str, str | None],
) -> None:
    clock.set(datetime(2026, 11, 23, 21, 59, tzinfo=UTC))
    with shop.write() as session:
        of = factories.booking(session, starts_at=datetime(2026, 11, 24, hours, tzinfo=UTC))
        job_id = factories.message(session, of, attempts=1).id
    quiet(shop)
    clock.move(minutes=5)
    assert lifecycle.run(job_id) is None
    row = lifecycle.message(shop, job_id)
    assert (row.state, row.reason) == end
    assert not twilio.messages()
    if row.state == "pending":
        assert row.due_at == datetime(2026, 11, 24, 8, tzinfo=UTC)
        clock.set(row.due_at)
        lifecycle.run(job_id)
        assert lifecycle.message(shop, job_id).state == "sent"


@pytest.mark.parametrize("kind", ["reminder", "confirmation", "cancellation"])
def test_what_is_meant_for_the_night_goes_out_at_night(
    sqlite_db: Database, clock: FrozenClock, valkey: Valkey, twilio: FakeTwilio, kind: str
) -> None:
    fill(sqlite_db)
    quiet(sqlite_db)
    clock.set(datetime(2026, 11, 23, 23, tzinfo=UTC))
    job_id = lifecycle.due_message(sqlite_db, kind=kind, asked_for=kind == "reminder")
    lifecycle.run(job_id)
    assert lifecycle.message(sqlite_db, job_id).state == "sent"
