"""How often a token may call, over all processes, whatever becomes of Redis; and other sites."""

import time

import pytest
from litestar.testing import TestClient

from app.asgi import create_app
from app.db import Database
from tests import factories
from tests.conftest import Configure
from tests.integration.conftest import SECRET, Client
from tests.support.frozen import FrozenClock
from tests.support.valkey import Valkey

OTHER = {"Authorization": f"Bearer {'o' * 40}"}
SITE = {"Origin": "https://www.example.com"}


@pytest.fixture
def limited(
    sqlite_shop: Database, valkey: Valkey, configure: Configure, clock: FrozenClock
) -> Client:
    """A web process in which each token may make three calls a minute; not started yet."""
    with sqlite_shop.write() as session:
        factories.api_token(session, "o" * 40)
    configure(API_RATE_LIMIT="3/minute", CORS_ORIGINS=SITE["Origin"])
    return process()


def process() -> Client:
    client = TestClient(create_app(), raise_server_exceptions=False)
    client.headers["Authorization"] = f"Bearer {SECRET}"
    return client


def test_a_token_has_so_many_calls_a_minute_in_all_processes_together(
    limited: Client, clock: FrozenClock
) -> None:
    clock.move(seconds=10)
    with limited as one, process() as other:
        answers = [each.get("/api/barbers") for each in (one, other, one, other)]
        assert [each.status_code for each in answers] == [200, 200, 200, 429]
        assert [each.headers["RateLimit"] for each in answers] == [
            f'"token";r={left};t=50' for left in (2, 1, 0, 0)
        ]
        assert {each.headers["RateLimit-Policy"] for each in answers} == {'"token";q=3;w=60'}
        assert answers[3].headers["Retry-After"] == "50"
        assert answers[3].headers["Content-Type"] == "application/problem+json"
        assert answers[3].json()["detail"] == "This token may make 3 calls a minute: wait 50 s."
        assert one.get("/api/barbers", headers=OTHER).status_code == 200, "each has its own"
        assert "RateLimit" not in one.get("/health").headers
        for _ in range(5):
            assert one.get("/metrics").status_code == 200, "what watches is not turned away"
        clock.move(seconds=50)
        assert other.get("/api/barbers").headers["RateLimit"] == '"token";r=2;t=60'


def test_no_request_waits_for_a_hung_redis_nor_is_turned_away_by_it(
    limited: Client, valkey: Valkey, clock: FrozenClock
) -> None:
    with limited as api:
        assert api.get("/api/barbers").status_code == 200
        valkey.hang()
        try:
            begun = time.monotonic()
            statuses = [api.get("/api/barbers").status_code for _ in range(4)]
            assert time.monotonic() - begun < 5, "one waits a tenth of a second, and no other"
            assert statuses == [200, 200, 200, 429], "this process counts by itself meanwhile"
        finally:
            valkey.resume()
        deadline = time.monotonic() + 30
        with process() as other:
            while other.get("/api/barbers").headers["RateLimit"] != '"token";r=1;t=60':
                assert time.monotonic() < deadline, "Redis answers, and is not asked"
                time.sleep(0.1)
                clock.move(minutes=1)
                api.get("/api/barbers")


def test_a_script_of_a_site_that_is_named_may_call_the_api_and_no_other(
    limited: Client, configure: Configure
) -> None:
    asks = {"Access-Control-Request-Method": "POST"}
    asks["Access-Control-Request-Headers"] = "authorization,content-type,idempotency-key"
    with limited as api:
        allowed = api.options("/api/bookings", headers=SITE | asks)
        assert allowed.headers["Access-Control-Allow-Origin"] == SITE["Origin"]
        assert "idempotency-key" in allowed.headers["Access-Control-Allow-Headers"].lower()
        answer = api.get("/api/bookings", headers=SITE)
        assert answer.headers["Access-Control-Allow-Origin"] == SITE["Origin"]
        assert "ETag" in answer.headers["Access-Control-Expose-Headers"]
        assert "Access-Control-Allow-Credentials" not in answer.headers
        stranger = {"Origin": "https://evil.example"}
        for refused in (
            api.options("/api/bookings", headers=stranger | asks),
            api.get("/api/bookings", headers=stranger),
        ):
            assert "Access-Control-Allow-Origin" not in refused.headers
    configure(CORS_ORIGINS=None)
    with process() as api:
        assert "Access-Control-Allow-Origin" not in api.get("/api/bookings", headers=SITE).headers
