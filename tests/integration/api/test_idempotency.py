"""Idempotency-Key: a repeated request gets the first one's answer."""

import hashlib

import pytest

from app.db import Database
from app.models.staff import IdempotencyKey
from app.staff import idempotency
from tests import factories
from tests.integration.api.test_bookings import count
from tests.integration.conftest import Client, body
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
