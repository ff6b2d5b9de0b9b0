"""Whether a customer came: said by staff once the appointment has begun, and taken back."""

import re
from datetime import time, timedelta

import pytest
from sqlalchemy import select

from app import clock as clocks
from app.bookings import attendance, availability, send_now, service, undo
from app.bookings.need import Need
from app.channel import Incoming
from app.conversations import inbound
from app.db import Database
from app.errors import Conflict, NotFound
from app.models.booking import Booking
from app.models.conversation import Reply
from app.models.message import Message
from app.models.staff import AuditEvent
from app.models.week import every_day
from tests import factories
from tests.fake_twilio import FakeTwilio
from tests.integration.conftest import Client
from tests.support.frozen import FrozenClock
from tests.support.lifecycle import HOME, at_once, book, deliver
from tests.support.staff import HTMX, sign_in

pytestmark = pytest.mark.usefixtures("valkey")


@pytest.fixture
def begun(shop: Database, clock: FrozenClock) -> str:
    """A booking that began ten minutes ago, and takes twenty more."""
    booking_id = book(shop, 1, customer_name="Luis Ortega")
    clock.move(minutes=70)
    return booking_id


def mark(db: Database, booking_id: str, status: attendance.Mark, actor: str = "user:1") -> Booking:
    with db.write() as session:
        return attendance.mark(session, booking_id, status, actor)


def refused(db: Database, booking_id: str, status: attendance.Mark) -> str:
    with pytest.raises(Conflict) as caught:
        mark(db, booking_id, status)
    return caught.value.reason


def status_of(db: Database, booking_id: str) -> str:
    with db.read() as session:
        return session.get_one(Booking, booking_id).status


def said(db: Database, booking_id: str) -> list[tuple[str, str]]:
    """Who marked it as what, in the audit log."""
    marks = ("booking.completed", "booking.no_show", "booking.reopened")
    with db.read() as session:
        rows = session.scalars(
            select(AuditEvent)
            .where(AuditEvent.subject == booking_id, AuditEvent.action.in_(marks))
            .order_by(AuditEvent.id)
        )
        return [(row.actor, row.action) for row in rows]


def states(db: Database, booking_id: str) -> list[tuple[str, str, str | None]]:
    with db.read() as session:
        rows = session.scalars(select(Message).where(Message.booking_id == booking_id))
        return sorted((row.state, row.reason or "", row.cancel_reason) for row in rows)


# --- what it means ---


@pytest.mark.parametrize("status", ["completed", "no_show"])
def test_a_mark_is_audited_once_however_often_it_is_made_and_can_be_taken_back(
    shop: Database, begun: str, status: attendance.Mark
) -> None:
    for actor in ("user:1", "user:2"):
        assert mark(shop, begun, status, actor).status == status
    for actor in ("user:3", "user:4"):
        assert mark(shop, begun, "confirmed", actor).status == "confirmed"

    assert said(shop, begun) == [("user:1", f"booking.{status}"), ("user:3", "booking.reopened")]


def test_nobody_has_come_or_stayed_away_before_the_appointment_begins(
    shop: Database, clock: FrozenClock
) -> None:
    booking_id = book(shop, 1)
    clock.move(minutes=59, seconds=59)
    assert refused(shop, booking_id, "completed") == "not_begun"
    assert refused(shop, booking_id, "no_show") == "not_begun"
    clock.move(seconds=1)
    assert mark(shop, booking_id, "no_show").status == "no_show"


@pytest.mark.parametrize("status", ["completed", "no_show", "confirmed"])
def test_a_cancelled_booking_has_no_such_end_and_one_that_is_not_there_neither(
    shop: Database, clock: FrozenClock, status: attendance.Mark
) -> None:
    booking_id = book(shop, 1)
    with shop.write() as session:
        service.cancel(session, booking_id, "user:1")
    clock.move(hours=2)

    assert refused(shop, booking_id, status) == "not_confirmed"
    with pytest.raises(NotFound):
        mark(shop, "booking_none", status)


def test_the_opposite_of_what_somebody_said_is_refused_until_it_is_taken_back(
    shop: Database, begun: str
) -> None:
    mark(shop, begun, "completed")
    assert refused(shop, begun, "no_show") == "marked_meanwhile"
    mark(shop, begun, "confirmed")
    mark(shop, begun, "no_show")
    assert refused(shop, begun, "completed") == "marked_meanwhile"


def test_of_two_people_who_say_the_opposite_at_once_one_is_heard(
    shop: Database, begun: str
) -> None:
    def say(status: attendance.Mark) -> str:
        try:
            return mark(shop, begun, status).status
        except Conflict as conflict:
            return conflict.reason

    answers = at_once(*[lambda: say("completed"), lambda: say("no_show")] * 5)

    status = status_of(shop, begun)
    assert sorted(answers) == sorted([status] * 5 + ["marked_meanwhile"] * 5)
    assert said(shop, begun) == [("user:1", f"booking.{status}")]


def test_a_marked_booking_is_neither_changed_nor_cancelled_nor_reminded_of(
    shop: Database, begun: str
) -> None:
    mark(shop, begun, "completed")
    with shop.write() as session:
        for act in (
            lambda: service.change(session, begun, {"customer_name": "Ana"}, "user:1"),
            lambda: service.cancel(session, begun, "user:1"),
            lambda: send_now.remind_now(session, begun, "user:1"),
            lambda: undo.undo_cancel(session, begun, "user:1"),
        ):
            with pytest.raises(Conflict) as caught:
                act()
            assert caught.value.reason in {"not_confirmed", "told"}
    assert status_of(shop, begun) == "completed"


def test_a_mark_leaves_every_message_as_it_is(
    shop: Database, clock: FrozenClock, twilio: FakeTwilio
) -> None:
    with shop.write() as session:
        booking = factories.booking(session, clock.now() + timedelta(hours=1))
        for state in ("sent", "failed", "uncertain", "skipped"):
            factories.message(session, booking, state)
        late = factories.message(session, booking).id
    clock.move(hours=1)
    before = states(shop, booking.id)

    mark(shop, booking.id, "no_show")
    assert states(shop, booking.id) == before
    mark(shop, booking.id, "confirmed")
    deliver(late)

    assert twilio.posts() == []
    assert ("skipped", "appointment_passed", None) in states(shop, booking.id)


def test_who_came_has_the_chair_until_the_end_and_who_did_not_leaves_it_free(
    shop: Database, clock: FrozenClock, begun: str
) -> None:
    def is_free() -> bool:
        with shop.read() as session:
            at = clock.now() + timedelta(minutes=5)
            day = clock.now().date()
            return at in availability.free_times(
                session, "barber_1", Need(timedelta(minutes=30)), day
            )

    with shop.write() as session:  # it is ten past one
        factories.shop(
            session, weekly_hours=every_day(clock.now().time().replace(minute=0), time(19))
        )
    mark(shop, begun, "completed")
    assert not is_free()
    with pytest.raises(Conflict, match="another booking"):
        book(shop, 1 / 12, customer_phone="+447700900124", allow_overlap=False)
    mark(shop, begun, "confirmed")
    mark(shop, begun, "no_show")
    assert is_free()
    book(shop, 1 / 12, customer_phone="+447700900124", allow_overlap=False)


def test_what_would_be_a_second_booking_of_the_same_is_not_confirmed_again(
    shop: Database, clock: FrozenClock
) -> None:
    with shop.write() as session:
        began = clock.now() - timedelta(hours=1)
        marked = factories.booking(session, began, customer_phone=HOME, status="completed").id
        factories.booking(session, began, customer_phone=HOME)

    assert refused(shop, marked, "confirmed") == "same_booking"


@pytest.mark.parametrize("status", ["completed", "no_show"])
def test_a_customer_who_cancels_after_the_mark_is_told_that_it_is_too_late(
    shop: Database, begun: str, status: attendance.Mark
) -> None:
    mark(shop, begun, status)
    with shop.write() as session:
        inbound.receive(session, Incoming("SM1", HOME, "CANCEL"))

    with shop.read() as session:
        reply = session.get_one(Reply, "SM1")
        assert (reply.effect, reply.booking_id, reply.needs_attention) == ("too_late", begun, True)
    assert status_of(shop, begun) == status


# --- the page ---


def content(client: Client, booking_id: str) -> str:
    """The booking's part of its page."""
    answer = client.get(f"/bookings/{booking_id}", headers=HTMX)
    assert answer.status_code == 200
    return answer.text


def actions(client: Client, booking_id: str) -> dict[str, str]:
    """Where each button of the page's head leads."""
    head = content(client, booking_id).partition('id="timeline"')[0]
    forms = re.findall(r'<form[^>]*action="([^"]+)".*?<button[^>]*>(.*?)</button>', head, re.DOTALL)
    return {re.sub(r"<[^>]+>", "", label).strip(): address for address, label in forms}


@pytest.mark.parametrize(
    ("button", "status", "toast", "words"),
    [
        ("Came", "completed", "Noted: Luis Ortega came.", "Marked as came"),
        ("Did not come", "no_show", "Noted: Luis Ortega did not come.", "Marked as no-show"),
    ],
)
def test_the_page_asks_once_it_has_begun_says_who_answered_and_takes_it_back_by_plain_forms(
    client: Client, shop: Database, begun: str, button: str, status: str, toast: str, words: str
) -> None:
    address = actions(client, begun)[button]

    answer = client.post(address)

    assert (answer.status_code, answer.headers["Location"]) == (303, f"/bookings/{begun}")
    page = client.get(f"/bookings/{begun}").text
    assert toast in page
    assert f'action="/bookings/{begun}/reopen"' in page.partition('id="toasts"')[2]
    assert re.search(rf"<b>{words}</b> by\s+Ann Lee", page)
    assert status_of(shop, begun) == status
    assert list(actions(client, begun)) == ["Undo"]

    client.post(actions(client, begun)["Undo"])

    page = client.get(f"/bookings/{begun}").text
    assert "The booking of Luis Ortega is confirmed again." in page
    assert re.search(r"<b>Attendance undone</b> by\s+Ann Lee", page)
    assert list(actions(client, begun)) == ["Came", "Came and paid", "Did not come"]


def test_the_page_does_not_ask_before_the_appointment_nor_of_a_cancelled_booking(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    booking_id = book(shop, 1)
    assert not {"Came", "Did not come"} & actions(client, booking_id).keys()
    with shop.write() as session:
        service.cancel(session, booking_id, "user:1")
    clock.move(hours=2)
    assert not {"Came", "Did not come", "Undo"} & actions(client, booking_id).keys()


def test_who_says_the_opposite_too_late_reads_what_was_said(
    client: Client, shop: Database, begun: str
) -> None:
    mark(shop, begun, "completed")
    assert client.post(f"/bookings/{begun}/no-show").status_code == 303
    page = client.get(f"/bookings/{begun}").text
    assert "toast is-bad" in page
    assert "Somebody has noted already that the customer came." in page


def test_a_completed_booking_cannot_be_edited_and_its_page_says_why(
    client: Client, shop: Database, begun: str
) -> None:
    mark(shop, begun, "completed")
    answer = client.get(f"/bookings/{begun}/edit")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/bookings/{begun}")


def test_viewers_see_the_mark_and_cannot_make_or_take_it(
    client: Client, shop: Database, begun: str
) -> None:
    sign_in(client, shop, "viewer")
    assert actions(client, begun) == {}
    for verb in ("completed", "no-show", "reopen"):
        assert client.post(f"/bookings/{begun}/{verb}").status_code == 403
    mark(shop, begun, "no_show")
    assert "No-show" in content(client, begun)
    assert actions(client, begun) == {}


# --- paid, and the menu on the board ---


def test_paid_means_that_they_came_too_and_taking_it_back_takes_both(
    sqlite_api: Client, sqlite_shop: Database
) -> None:
    sign_in(sqlite_api, sqlite_shop, "staff")
    with sqlite_shop.write() as session:
        booking = factories.booking(session, starts_at=clocks.now() - timedelta(hours=1)).id
    day = f"?day={clocks.now().date()}"
    for action, status, is_paid in (
        ("completed", "completed", False),
        ("paid", "completed", True),
        ("paid", "completed", True),
        ("reopen", "confirmed", False),
        ("paid", "completed", True),
        ("reopen", "confirmed", False),
        ("no-show", "no_show", False),
    ):
        answer = sqlite_api.post(f"/bookings/{booking}/{action}{day}")
        assert answer.headers["Location"] == f"/today?date={clocks.now().date()}"
        with sqlite_shop.read() as session:
            row = session.get_one(Booking, booking)
            assert (row.status, row.paid_at is not None) == (status, is_paid), action
    refused = sqlite_api.post(f"/bookings/{booking}/paid?day=nonsense")
    assert refused.headers["Location"] == f"/bookings/{booking}"
    with sqlite_shop.read() as session:
        assert session.get_one(Booking, booking).paid_at is None


def test_the_board_asks_of_what_has_begun_and_says_what_became_of_it(
    sqlite_api: Client, sqlite_shop: Database
) -> None:
    with sqlite_shop.write() as session:
        booking = factories.booking(session, starts_at=clocks.now()).id
        coming = factories.booking(session, starts_at=clocks.now() + timedelta(hours=2)).id
    sign_in(sqlite_api, sqlite_shop, "viewer")
    assert f"menu-{booking}" not in sqlite_api.get("/today").text
    sign_in(sqlite_api, sqlite_shop, "staff")
    page = sqlite_api.get("/today").text
    assert f"menu-{booking}" in page
    assert f"menu-{coming}" not in page
    assert "Came?" in page
    sqlite_api.post(f"/bookings/{booking}/completed")
    page = sqlite_api.get("/today").text
    assert "Came · Haircut" in page
    assert f"/bookings/{booking}/paid?day=" in page
    sqlite_api.post(f"/bookings/{booking}/paid")
    assert "Paid · Haircut" in sqlite_api.get("/today").text
    assert "Marked as paid" in sqlite_api.get(f"/bookings/{booking}").text
