"""Bookings over JSON: made, read, changed and cancelled."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from app.db import Database
from app.models.booking import Booking
from app.models.message import Message
from app.models.plan import Plan
from app.models.staff import AuditEvent
from tests import factories
from tests.integration.conftest import Client, body
from tests.support.frozen import FrozenClock


def count(db: Database, table: type = Booking) -> int:
    with db.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_a_booking_is_answered_with_201_its_address_and_all_its_fields(
    api: Client, shop: Database
) -> None:
    answer = api.post("/api/bookings", json=body(customerEmail="ana@example.com"))
    assert answer.status_code == 201
    booking = answer.json()
    assert re.fullmatch(r"booking_[0-9A-Z]{26}", booking["id"])
    assert answer.headers["Location"] == f"/api/bookings/{booking['id']}"
    assert booking == {
        "id": booking["id"],
        "customerName": "Ana Silva",
        "customerEmail": "ana@example.com",
        "customerPhone": "+442079460958",
        "serviceId": "haircut",
        "barberId": "barber_1",
        "scheduledTime": "2026-11-23T10:00:00Z",
        "endsAt": "2026-11-23T10:30:00Z",
        "status": "confirmed",
        "notes": None,
        "price": None,
        "discount": None,
        "discountReason": None,
        "createdAt": "2026-11-23T00:00:00Z",
        "updatedAt": "2026-11-23T00:00:00Z",
    }
    assert api.get(answer.headers["Location"]).json() == booking
    with shop.read() as session:
        assert session.scalars(select(AuditEvent.actor)).all()[-1].startswith("token:token_")


def test_any_offset_is_taken_and_the_answer_is_in_utc(api: Client) -> None:
    answer = api.post("/api/bookings", json=body(scheduledTime="2026-11-23T12:00:00.5+02:00"))
    assert answer.json()["scheduledTime"] == "2026-11-23T10:00:00.500000Z"


def test_the_same_booking_again_is_answered_with_200_and_the_first_one(
    api: Client, shop: Database
) -> None:
    first = api.post("/api/bookings", json=body())
    again = api.post("/api/bookings", json=body(customerPhone="+442079460958"))
    assert (again.status_code, again.json()) == (200, first.json())
    assert again.headers["Location"] == first.headers["Location"]
    assert count(shop) == 1


def test_a_taken_barber_is_a_409_with_its_reason_unless_overlap_is_allowed(
    api: Client, shop: Database
) -> None:
    api.post("/api/bookings", json=body())
    rival = body(customerPhone="+442079460959", scheduledTime="2026-11-23T10:15:00Z")
    refused = api.post("/api/bookings", json=rival)
    assert refused.status_code == 409
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.json()["reason"] == "barber_taken"
    assert refused.json()["detail"].endswith(" Alex is free then.")
    place = {"startsAt": "2026-11-23T10:15:00Z", "endsAt": "2026-11-23T10:45:00Z"}
    assert refused.json()["instead"] == {"barberId": "barber_2", **place}
    assert count(shop) == 1
    assert api.post("/api/bookings", json={**rival, "allowOverlap": True}).status_code == 201


def test_a_name_is_stored_as_it_is_written_whatever_it_looks_like(api: Client) -> None:
    for minute, name in enumerate(
        ["<script>alert(1)</script>", "=HYPERLINK(1)", "💈", "{customerName}", "José"]
    ):
        time = f"2026-11-23T{10 + minute}:00:00Z"
        answer = api.post("/api/bookings", json=body(customerName=name, scheduledTime=time))
        assert (answer.status_code, answer.json()["customerName"]) == (201, name)
    turned = body(customerName="  \u202eAna\u200b  Silva ", scheduledTime="2026-11-23T20:00:00Z")
    assert api.post("/api/bookings", json=turned).json()["customerName"] == "Ana Silva"


def test_changes_are_kept_and_what_is_left_out_stays(api: Client, clock: FrozenClock) -> None:
    booking = api.post("/api/bookings", json=body(customerEmail="ana@example.com")).json()
    clock.move(minutes=5)
    changed = api.patch(f"/api/bookings/{booking['id']}", json={"customerEmail": None})
    assert changed.status_code == 200
    assert changed.json() == {
        **booking,
        "customerEmail": None,
        "updatedAt": "2026-11-23T00:05:00Z",
    }
    moved = api.patch(
        f"/api/bookings/{booking['id']}",
        json={"scheduledTime": "2026-11-23T13:00:00+01:00", "barberId": "barber_2"},
    )
    assert moved.json()["scheduledTime"] == "2026-11-23T12:00:00Z"
    assert moved.json()["barberId"] == "barber_2"


def test_a_change_of_nothing_answers_with_the_booking_and_plans_nothing_anew(
    api: Client, shop: Database, clock: FrozenClock
) -> None:
    booking = api.post("/api/bookings", json=body()).json()
    plans = count(shop, Plan)
    clock.move(minutes=5)
    for nothing in ({}, {"customerName": "Ana Silva"}, {"allowOverlap": True}):
        answer = api.patch(f"/api/bookings/{booking['id']}", json=nothing)
        assert (answer.status_code, answer.json()) == (200, booking)
    assert count(shop, Plan) == plans


def test_a_booking_that_is_cancelled_or_has_passed_cannot_be_changed(
    api: Client, shop: Database, clock: FrozenClock
) -> None:
    cancelled = api.post("/api/bookings", json=body()).json()["id"]
    past = api.post("/api/bookings", json=body(barberId="barber_2")).json()["id"]
    api.delete(f"/api/bookings/{cancelled}")
    clock.move(hours=11)
    for booking_id, reason in ((cancelled, "not_confirmed"), (past, "appointment_passed")):
        answer = api.patch(f"/api/bookings/{booking_id}", json={"customerName": "Bo"})
        assert (answer.status_code, answer.json()["reason"]) == (409, reason)


def test_cancelling_answers_with_the_cancelled_booking_each_time(
    api: Client, shop: Database
) -> None:
    booking = api.post("/api/bookings", json=body()).json()
    first = api.delete(f"/api/bookings/{booking['id']}")
    assert first.status_code == 200
    assert first.json() == {**booking, "status": "cancelled"}
    messages = count(shop, Message)
    assert api.delete(f"/api/bookings/{booking['id']}").json() == first.json()
    assert count(shop, Message) == messages == 1


@pytest.mark.parametrize(
    "booking_id",
    ["booking_01JDBV5W3NXJ0V4M0F4Z1T7Q8K", "1", "%00", "booking_%00", "..%2F", "é", "x" * 3000],
)
def test_a_booking_that_there_is_not_is_a_404_for_every_call(api: Client, booking_id: str) -> None:
    path = f"/api/bookings/{booking_id}"
    answers = [
        api.get(path),
        api.patch(path, json={}),
        api.delete(path),
        api.get(f"{path}/reminders"),
        api.post(f"{path}/reminders/1/retry"),
    ]
    assert [answer.status_code for answer in answers] == [404] * 5
    assert {answer.headers["Content-Type"] for answer in answers} == {"application/problem+json"}


def test_reminders_are_listed_by_number_in_the_words_of_the_api(
    api: Client, shop: Database
) -> None:
    booking_id = api.post("/api/bookings", json=body()).json()["id"]
    reminders = api.get(f"/api/bookings/{booking_id}/reminders").json()
    assert [reminder["number"] for reminder in reminders] == [1, 2, 3, 4]
    assert reminders[0] == {
        "jobId": f"{booking_id}-reminder-1",
        "number": 1,
        "state": "delayed",
        "scheduledFor": "2026-11-23T02:00:00Z",
        "attempts": 0,
        "sentAt": None,
        "deliveryStatus": None,
        "error": None,
    }


def test_a_failed_reminder_is_retried_and_any_other_is_a_409_with_the_reason(
    api: Client, shop: Database, clock: FrozenClock
) -> None:
    with shop.write() as session:
        booking = factories.booking(session, clock.now() + timedelta(hours=10))
        factories.message(session, booking, "failed")
        factories.message(session, booking, due_at=clock.now() + timedelta(hours=1))
        path = f"/api/bookings/{booking.id}/reminders"
    retried = api.post(f"{path}/1/retry")
    assert retried.status_code == 202
    assert (retried.json()["number"], retried.json()["state"]) == (1, "waiting")
    assert api.get(path).json()[0] == retried.json()
    again = api.post(f"{path}/2/retry")
    assert (again.status_code, again.json()["reason"]) == (409, "not_failed")


@pytest.mark.parametrize("number", ["0", "-1", "99", "9" * 30, "1e3", "x"])
def test_a_reminder_that_there_is_not_is_a_404(api: Client, number: str) -> None:
    booking_id = api.post("/api/bookings", json=body()).json()["id"]
    answer = api.post(f"/api/bookings/{booking_id}/reminders/{number}/retry")
    assert answer.status_code == 404


def test_the_queue_is_counted(api: Client) -> None:
    api.post("/api/bookings", json=body())
    assert api.get("/api/queue/stats").json() == {
        "waiting": 0,
        "active": 0,
        "completed": 0,
        "failed": 0,
        "delayed": 4,
        "oldestDueSeconds": 0,
    }
