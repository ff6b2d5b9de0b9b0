"""A booking's messages of every kind over JSON, and whether its customer came."""

from datetime import timedelta

import pytest

from app.db import Database
from app.models.message import Attempt
from tests import factories
from tests.integration.conftest import Client
from tests.support.frozen import FrozenClock
from tests.support.lifecycle import book


def test_all_kinds_come_by_time_with_their_attempts_and_receipts(
    api: Client, shop: Database, clock: FrozenClock
) -> None:
    now = clock.now()
    with shop.write() as session:
        booking = factories.booking(session)
        later = now + timedelta(hours=2)
        factories.message(session, booking, due_at=later, planned_for=later)
        sent = factories.message(
            session, booking, "sent", kind="confirmation", planned_for=now, delivery_status="read"
        )
        last = session.get_one(Attempt, sent.attempt_id)
        last.number = 2
        session.flush()
        lost = factories.attempt(
            session, sent, number=1, outcome="refused", error_code="20503", ended_at=now
        )
        for status in ("delivered", "read"):
            factories.receipt(session, last, status)
        factories.receipt(session, lost, "failed", error_code="63024")
    items = api.get(f"/api/bookings/{booking.id}/messages").json()["items"]
    assert [(each["jobId"], each["kind"], each["number"], each["state"]) for each in items] == [
        (f"{booking.id}-confirmation-1", "confirmation", 1, "completed"),
        (f"{booking.id}-reminder-1", "reminder", 1, "delayed"),
    ]
    assert items[1]["attempts"] == []
    assert items[0]["deliveryStatus"] == "read"
    first, second = items[0]["attempts"]
    assert (first["number"], first["outcome"], first["errorCode"]) == (1, "refused", "20503")
    assert [each["errorCode"] for each in first["receipts"]] == ["63024"]
    assert second == {
        "number": 2,
        "sentTo": booking.customer_phone,
        "body": "Hello!",
        "startedAt": "2026-11-23T00:00:00Z",
        "endedAt": "2026-11-23T00:00:00Z",
        "outcome": "accepted",
        "sid": sent.sid,
        "errorCode": None,
        "receipts": [
            {"status": status, "errorCode": None, "receivedAt": "2026-11-23T00:00:00Z"}
            for status in ("delivered", "read")
        ],
    }


def test_reminders_that_are_still_arithmetic_are_among_them(
    sqlite_api: Client, sqlite_shop: Database, clock: FrozenClock
) -> None:
    booking_id = book(sqlite_shop, 100)
    items = sqlite_api.get(f"/api/bookings/{booking_id}/messages").json()["items"]
    reminders = sqlite_api.get(f"/api/bookings/{booking_id}/reminders").json()
    assert [each["jobId"] for each in items] == [each["jobId"] for each in reminders]
    assert len(items) == 49
    assert sqlite_api.get("/api/bookings/booking_none/messages").status_code == 404


def came(api: Client, booking_id: str, said: object) -> tuple[int, object]:
    """The answer's status code, and the booking's status or the reason why not."""
    answer = api.post(f"/api/bookings/{booking_id}/attendance", json={"came": said})
    told = answer.json()
    return answer.status_code, told["reason"] if answer.status_code == 409 else told["status"]


def test_whether_a_customer_came_is_said_and_taken_back(
    api: Client, shop: Database, clock: FrozenClock
) -> None:
    booking_id = book(shop, 1)
    assert came(api, booking_id, True) == (409, "not_begun")
    clock.move(minutes=70)
    assert came(api, booking_id, True) == (200, "completed")
    assert came(api, booking_id, True) == (200, "completed"), "again"
    assert came(api, booking_id, False) == (409, "marked_meanwhile")
    assert came(api, booking_id, None) == (200, "confirmed")
    assert came(api, booking_id, False) == (200, "no_show")
    booking = api.get(f"/api/bookings/{booking_id}")
    assert booking.json()["status"] == "no_show"
    again = api.post(f"/api/bookings/{booking_id}/attendance", json={"came": False})
    assert again.headers["ETag"] == booking.headers["ETag"]


@pytest.mark.parametrize("body", [{}, {"came": "yes"}, {"came": True, "paid": True}])
def test_anything_else_is_a_422_that_names_the_field(sqlite_api: Client, body: object) -> None:
    answer = sqlite_api.post("/api/bookings/booking_1/attendance", json=body)
    assert answer.status_code == 422
    assert [each["field"] for each in answer.json()["errors"]] in (["came"], ["paid"])


def test_messages_of_all_bookings_are_walked_by_when_they_changed(
    api: Client, shop: Database, clock: FrozenClock
) -> None:
    ids = []
    with shop.write() as session:
        for state in ("sent", "failed", "pending", "uncertain", "sent"):
            clock.move(minutes=1)
            message = factories.message(session, factories.booking(session), state)
            message.updated_at = clock.now()
            ids.append(message.id)

    def walked(query: str) -> list[str]:
        found, cursor = [], ""
        while True:
            page = api.get(f"/api/messages?limit=2&{query}{cursor}").json()
            found += [each["jobId"] for each in page["items"]]
            if page["nextCursor"] is None:
                return found
            cursor = f"&cursor={page['nextCursor']}"

    assert walked("") == ids
    assert walked("sort=-updatedAt") == ids[::-1]
    assert walked("state=completed") == [ids[0], ids[4]]
    assert (walked("state=waiting"), walked("state=delayed")) == ([ids[2]], [])
    assert walked("state=active&kind=reminder") == [ids[3]]
    assert walked("updatedSince=2026-11-23T00:04:00Z") == ids[3:]
    one = api.get(f"/api/messages/{ids[0]}").json()
    assert one["bookingId"] == ids[0].rpartition("-reminder-")[0]
    assert api.get("/api/messages?state=failed").json()["items"][0] == (
        api.get(f"/api/messages/{ids[1]}").json()
    )


def test_a_failed_message_of_any_kind_is_sent_once_more(
    sqlite_api: Client, sqlite_shop: Database
) -> None:
    with sqlite_shop.write() as session:
        failed = factories.message(
            session, factories.booking(session), "failed", kind="confirmation"
        )
    retried = sqlite_api.post(f"/api/messages/{failed.id}/retry")
    assert (retried.status_code, retried.json()["state"]) == (202, "waiting")
    again = sqlite_api.post(f"/api/messages/{failed.id}/retry")
    assert (again.status_code, again.json()["reason"]) == (409, "not_failed")
    assert sqlite_api.get("/api/messages/booking_1-reminder-1").status_code == 404


@pytest.mark.parametrize(
    "query",
    ["state=lost", "kind=letter", "sort=number", "limit=101", "cursor=x",
     "updatedSince=2026-11-23T00:00:00"],
)  # fmt: skip
def test_what_is_wrong_with_a_walk_is_said_by_field(sqlite_api: Client, query: str) -> None:
    answer = sqlite_api.get(f"/api/messages?{query}")
    assert answer.status_code == 422
    assert [each["field"] for each in answer.json()["errors"]] == [query.partition("=")[0]]
