"""Idempotency-Key: a repeated request gets the first one's answer."""

import hashlib
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from app.customers import service as customers
from app.db import Database
from app.models.integration import WebhookDelivery
from app.models.staff import ApiToken, AuditEvent, IdempotencyKey
from app.staff import idempotency
from tests import factories
from tests.integration.api.test_bookings import count
from tests.integration.conftest import Client, body
from tests.integration.staff.test_access import routes
from tests.support.frozen import FrozenClock

KEY = {"Idempotency-Key": "order-17"}


def test_the_same_key_and_body_get_the_same_answer_even_after_a_change(
    api: Client, shop: Database
) -> None:
    first = api.post("/api/bookings", json=body(), headers=KEY)
    api.patch(first.headers["Location"], json={"customerName": "Bo"})
    again = api.post("/api/bookings", json=dict(reversed(body().items())), headers=KEY)
    assert first.status_code == again.status_code == 201
    assert first.content == again.content
    assert first.headers["Location"] == again.headers["Location"]
    assert count(shop) == 1


def test_a_repeated_key_books_nothing_although_the_booking_was_cancelled(
    api: Client, shop: Database
) -> None:
    first = api.post("/api/bookings", json=body(), headers=KEY)
    api.delete(first.headers["Location"])
    assert api.post("/api/bookings", json=body(), headers=KEY).json() == first.json()
    assert count(shop) == 1


def test_a_key_of_another_body_is_a_422_that_names_it(api: Client, shop: Database) -> None:
    api.post("/api/bookings", json=body(), headers=KEY)
    other = api.post("/api/bookings", json=body(barberId="barber_2"), headers=KEY)
    assert other.status_code == 422
    assert other.json()["errors"][0]["field"] == "Idempotency-Key"
    assert count(shop) == 1


def test_a_refused_request_leaves_its_key_free(api: Client, shop: Database) -> None:
    assert api.post("/api/bookings", json=body(serviceId="x"), headers=KEY).status_code == 422
    assert count(shop, IdempotencyKey) == 0
    assert api.post("/api/bookings", json=body(), headers=KEY).status_code == 201


def test_two_tokens_may_use_the_same_key(api: Client, shop: Database) -> None:
    with shop.write() as session:
        factories.api_token(session, "o" * 40)
    other = {**KEY, "Authorization": f"Bearer {'o' * 40}"}
    first = api.post("/api/bookings", json=body(), headers=KEY)
    second = api.post("/api/bookings", json=body(barberId="barber_2"), headers=other)
    assert (first.status_code, second.status_code) == (201, 201)


def test_keys_are_forgotten_after_a_day_and_not_before(shop: Database, clock: FrozenClock) -> None:
    with shop.write() as session:
        token = factories.api_token(session, "o" * 40)
        digest = hashlib.sha256(b"").hexdigest()
        idempotency.answer_once(session, token.id, "old", digest, lambda: (201, {"n": 1}))
    clock.move(hours=23)
    with shop.write() as session:
        idempotency.answer_once(session, token.id, "new", digest, lambda: (201, {"n": 2}))
        assert idempotency.forget_old(session) == 0
    clock.move(hours=2)
    with shop.write() as session:
        assert idempotency.forget_old(session) == 1
    with shop.write() as session:
        again = idempotency.answer_once(session, token.id, "new", digest, lambda: (500, {}))
        assert again == (201, {"n": 2})
        anew = idempotency.answer_once(session, token.id, "old", digest, lambda: (201, {"n": 3}))
        assert anew == (201, {"n": 3})


def test_a_key_whose_act_fails_is_not_kept(shop: Database) -> None:
    def fail() -> idempotency.Answer:
        raise RuntimeError

    with shop.write() as session:
        token = factories.api_token(session, "o" * 40)
    with pytest.raises(RuntimeError), shop.write() as session:
        idempotency.answer_once(session, token.id, "k", "d" * 64, fail)
    assert count(shop, IdempotencyKey) == 0


def test_each_call_that_makes_something_does_so_once_for_a_key(
    sqlite_api: Client, sqlite_shop: Database, clock: FrozenClock
) -> None:
    with sqlite_shop.write() as session:
        session.execute(update(ApiToken).values(scope="manage"))
    posts = {
        path
        for path, handler in routes(sqlite_api.app)
        if "POST" in handler.http_methods and path.startswith("/api")
    }
    bodies = _bodies(sqlite_api, sqlite_shop, clock)
    assert posts == bodies.keys(), "each call that posts is looked at here"
    for number, (path, (address, given)) in enumerate(bodies.items()):
        key = {"Idempotency-Key": f"walk-{number}"}
        first = sqlite_api.post(address, json=given, headers=key)
        assert first.status_code in (200, 201, 202), (path, first.text)
        before = count(sqlite_shop, AuditEvent), count(sqlite_shop, WebhookDelivery)
        again = sqlite_api.post(address, json=given, headers=key)
        answers = [{**each.json(), "secret": None} for each in (first, again)]
        assert answers[0] == answers[1], path
        assert "secret" not in first.json() or first.json()["secret"], path
        for name in ("Location", "ETag"):
            assert first.headers.get(name) == again.headers.get(name), path
        assert first.status_code == again.status_code, path
        assert (count(sqlite_shop, AuditEvent), count(sqlite_shop, WebhookDelivery)) == before, path
        elsewhere = sqlite_api.post("/api/barbers", json={"name": f"N {number}"}, headers=key)
        assert elsewhere.status_code == 422, "a key is of one call"


def _bodies(
    api: Client, shop: Database, clock: FrozenClock
) -> dict[str, tuple[str, dict[str, Any] | None]]:
    """Of each route that takes a POST, an address and a body that it can do something with."""
    with shop.write() as session:
        begun = factories.booking(session, clock.now() - timedelta(hours=1))
        customers.note_written(session, str(begun.customer_phone), None, clock.now())
        failed = factories.message(session, factories.booking(session), "failed")
        other = factories.message(session, factories.booking(session), "failed")
    hook = api.post("/api/webhooks", json={"url": "https://example.com/hook"}).json()["id"]
    sent = api.post(f"/api/webhooks/{hook}/example", json={"type": "booking.created"}).json()["id"]
    with shop.write() as session:
        session.execute(update(WebhookDelivery).values(state="delivered"))
    wish = {"customerName": "Nadia", "customerPhone": "+447700900555", "firstDay": "2026-11-24"}
    waits = api.post("/api/waiting-list", json={**wish, "serviceId": "haircut"}).json()["id"]
    place = {"barberId": "barber_1", "scheduledTime": "2026-11-24T12:00:00Z"}
    other_wish = {**wish, "serviceId": "haircut", "customerPhone": "+447700900556"}
    waiting = "/api/waiting-list/{waiting_id:str}"
    away = {"name": "Lunch", "from": "2026-11-23T13:00:00Z", "to": "2026-11-23T14:00:00Z"}
    hooks = "/api/webhooks/{webhook_id:str}"
    bookings = "/api/bookings/{booking_id:str}"
    return {
        "/api/bookings": ("/api/bookings", body(barberId="barber_2")),
        f"{bookings}/attendance": (f"/api/bookings/{begun.id}/attendance", {"came": True}),
        f"{bookings}/conversation": (f"/api/bookings/{begun.id}/conversation", {"text": "Hi"}),
        f"{bookings}/reminders/{{number:int}}/retry": (
            f"/api/bookings/{failed.booking_id}/reminders/{failed.number}/retry",
            None,
        ),
        "/api/messages/{job_id:str}/retry": (f"/api/messages/{other.id}/retry", None),
        "/api/services": ("/api/services", {"name": "Shave", "minutes": 20}),
        "/api/barbers": ("/api/barbers", {"name": "Jo"}),
        "/api/barbers/{barber_id:str}/absences": ("/api/barbers/barber_1/absences", away),
        "/api/settings/preview": ("/api/settings/preview", {"remindEvery": 10_800}),
        "/api/waiting-list": ("/api/waiting-list", other_wish),
        f"{waiting}/book": (f"/api/waiting-list/{waits}/book", place),
        f"{waiting}/reopen": (f"/api/waiting-list/{waits}/reopen", None),
        "/api/closures": ("/api/closures", {"name": "Christmas", "from": "2026-12-25"}),
        "/api/tokens": ("/api/tokens", {"name": "Till", "scope": "read"}),
        "/api/webhooks": ("/api/webhooks", {"url": "https://example.com/other"}),
        f"{hooks}/secret": (f"/api/webhooks/{hook}/secret", None),
        f"{hooks}/example": (f"/api/webhooks/{hook}/example", {"type": "booking.created"}),
        f"{hooks}/deliveries/{{delivery_id:int}}/resend": (
            f"/api/webhooks/{hook}/deliveries/{sent}/resend",
            None,
        ),
    }
