"""Behind a reverse proxy: whose address counts when somebody tries to log in."""

from pathlib import Path

import httpx
import pytest

from tests.fake_twilio import FakeTwilio
from tests.support.processes import PATIENCE
from tests.support.running import RunningShop
from tests.support.valkey import Valkey


@pytest.mark.parametrize(
    ("trusted", "last"), [("127.0.0.1", 401), ("10.0.0.1", 429)], ids=["trusted", "forged"]
)
def test_only_a_trusted_proxy_says_where_a_login_comes_from(
    tmp_path: Path, valkey: Valkey, trusted: str, last: int
) -> None:
    environment = {
        "TRUSTED_PROXIES": trusted,
        "CHAIRTIME_OWNER_EMAIL": "owner@example.com",
        "CHAIRTIME_OWNER_PASSWORD": "seven small green combs",
    }
    with (
        FakeTwilio() as twilio,
        RunningShop(tmp_path, twilio, valkey, with_worker=False, **environment) as shop,
        httpx.Client(base_url=shop.api.base_url, timeout=PATIENCE) as browser,
    ):
        statuses = [
            browser.post(
                "/login",
                data={
                    "email": f"nobody{turn}@example.com",
                    "password": "x" * 201,  # too long to be one, so it is not even tried
                },
                headers={"X-Forwarded-For": f"203.0.113.{turn}", "Sec-Fetch-Site": "same-origin"},
            ).status_code
            for turn in range(21)
        ]

    assert statuses == [401] * 20 + [last]
