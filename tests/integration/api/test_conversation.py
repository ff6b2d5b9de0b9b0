"""What was said about a booking, over JSON, and what is answered."""

from datetime import timedelta

from app.customers import service as customers
from app.db import Database
from app.models.message import Message
from tests import factories
from tests.integration.conftest import Client
from tests.support.frozen import FrozenClock


def test_a_customer_is_answered_as_long_as_whatsapp_takes_it(
    sqlite_api: Client, sqlite_shop: Database, clock: FrozenClock
) -> None:
    with sqlite_shop.write() as session:
        booking = factories.booking(session, clock.now() + timedelta(days=3))
        factories.message(session, booking, "sent", kind="confirmation", delivery_status="read")
        clock.move(minutes=1)
        reply = factories.reply(session, booking, body="Is there parking?")
        customers.note_written(session, str(booking.customer_phone), "Zoë", clock.now())
    clock.move(minutes=1)
    address = f"/api/bookings/{booking.id}/conversation"
    said = sqlite_api.post(address, json={"text": " Behind the house.\r\n"})
    assert (said.status_code, said.json()["state"]) == (202, "waiting")
    answer = sqlite_api.get(address).json()
    lines = [(each["by"], each["text"], each["kind"], each["replyId"]) for each in answer["items"]]
    assert lines == [
        ("shop", "Hello!", None, None),
        ("customer", "Is there parking?", "text", reply.sid),
        ("shop", "Behind the house.", None, None),
    ]
    ids = [each["jobId"] for each in answer["items"]]
    assert ids == [f"{booking.id}-confirmation-1", None, f"{booking.id}-answer-1"]
    assert answer["items"][2]["text"] == said.json()["text"]
    assert answer["items"][0]["deliveryStatus"] == "read"
    assert (answer["canAnswer"], answer["answerUntil"]) == (True, "2026-11-23T23:56:00Z")
    with sqlite_shop.read() as session:
        assert session.get_one(Message, ids[2]).text == "Behind the house."
    clock.move(days=1)
    late = sqlite_api.post(address, json={"text": "Still there?"})
    assert (late.status_code, late.json()["reason"]) == (409, "window_closed")
    assert sqlite_api.get(address).json()["canAnswer"] is False


def test_what_cannot_be_sent_is_said_by_field(sqlite_api: Client, sqlite_shop: Database) -> None:
    with sqlite_shop.write() as session:
        booking = factories.booking(session)
        customers.note_written(session, str(booking.customer_phone), None, booking.created_at)
    address = f"/api/bookings/{booking.id}/conversation"
    for text in ("", "x" * 1601, "a\x07b", 7):
        answer = sqlite_api.post(address, json={"text": text})
        assert answer.status_code == 422, text
        assert [each["field"] for each in answer.json()["errors"]] == ["text"]
    for path in ("/api/bookings/booking_1/conversation",):
        assert sqlite_api.get(path).status_code == 404
        assert sqlite_api.post(path, json={"text": "x"}).status_code == 404
