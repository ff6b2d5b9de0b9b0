"""Two web processes on one database: what one is told, the other knows within a second."""

import time
from collections.abc import Iterator

import httpx
import pytest

from app.db import Database
from app.staff import tokens
from tests.fake_twilio import FakeTwilio
from tests.integration.conftest import body
from tests.integration.dashboard.test_settings_pages import RULE
from tests.support.dashboard import OWNER
from tests.support.ports import free_port
from tests.support.postgres import Postgres
from tests.support.processes import PATIENCE, Process, program, wait_until
from tests.support.running import RunningShop
from tests.support.valkey import Valkey

A_SECOND = 1.0


class TwoWebs(RunningShop):
    """`api` is a client of the one, `other` of the other, with the same token; so are the pages of
    an owner, `pages` and `other_pages`.
    """

    def __enter__(self) -> "TwoWebs":
        super().__enter__()
        port = str(free_port())
        environment = {**self.environment, "PORT": port}
        command = [program("chairtime"), "serve", "--workers", "2"]
        web = Process(command, environment, self.folder, "other-web")
        self._stack.enter_context(web)
        self.other = self._client(f"http://127.0.0.1:{port}")
        self.other.headers["Authorization"] = self.api.headers["Authorization"]
        wait_until(lambda: _answers(self.other), what="an answer of the other")
        self.pages = self._client(str(self.api.base_url))
        self.other_pages = self._client(str(self.other.base_url))
        typed = {
            "email": OWNER["CHAIRTIME_OWNER_EMAIL"],
            "password": OWNER["CHAIRTIME_OWNER_PASSWORD"],
        }
        assert self.pages.post("/login", data=typed).status_code == 303
        self.other_pages.cookies = self.pages.cookies
        return self

    def _client(self, url: str) -> httpx.Client:
        return self._stack.enter_context(
            httpx.Client(base_url=url, headers={"Sec-Fetch-Site": "same-origin"}, timeout=PATIENCE)
        )


@pytest.fixture(scope="module")
def webs(tmp_path_factory: pytest.TempPathFactory, postgres_cluster: Postgres) -> Iterator[TwoWebs]:
    """On PostgreSQL, for which several processes are."""
    folder = tmp_path_factory.mktemp("two-webs")
    url = postgres_cluster.url(postgres_cluster.create_migrated())
    valkey = Valkey(folder / "valkey")
    valkey.start()
    with (
        FakeTwilio() as twilio,
        TwoWebs(folder, twilio, valkey, url, with_worker=False, **OWNER) as shop,
    ):
        yield shop
    valkey.stop()


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/livez").status_code == 200
    except httpx.TransportError:
        return False


def test_a_token_that_was_revoked_elsewhere_is_refused_within_a_second(webs: TwoWebs) -> None:
    database = Database(webs.environment["DATABASE_URL"])  # this is a third process
    with database.write() as session:
        token, secret = tokens.create(session, "Website", "write")
    bearer = {"Authorization": f"Bearer {secret}"}
    for each in (webs.api, webs.other):
        assert each.get("/api/queue/stats", headers=bearer).status_code == 200
    with database.write() as session:
        tokens.revoke(session, token.id, "system")
    database.close()
    time.sleep(A_SECOND)
    for each in (webs.api, webs.other):
        assert each.get("/api/queue/stats", headers=bearer).status_code == 401


def test_a_barber_who_is_switched_off_in_one_cannot_be_booked_in_the_other_a_second_later(
    webs: TwoWebs,
) -> None:
    ahead = webs.in_seconds(3 * 86_400)
    booked = body(barberId="barber_3", scheduledTime=ahead)
    for each in (webs.api, webs.other):
        assert each.post("/api/bookings", json=booked).status_code in {200, 201}
    assert webs.pages.post("/settings/barbers/barber_3/switch-off").status_code == 303
    again = booked | {"scheduledTime": webs.in_seconds(4 * 86_400)}
    assert webs.api.post("/api/bookings", json=again).status_code == 422, "at once where it was"
    time.sleep(A_SECOND)
    assert webs.other.post("/api/bookings", json=again).status_code == 422


def test_a_rule_that_is_saved_in_one_holds_in_the_other_a_second_later(webs: TwoWebs) -> None:
    def book(each: httpx.Client, day: int) -> int:
        given = body(scheduledTime=webs.in_seconds(day * 86_400 + 60), allowOverlap=True)
        answer = each.post("/api/bookings", json=given)
        return len(each.get(f"/api/bookings/{answer.json()['id']}/reminders").json())

    assert [book(webs.api, 10), book(webs.other, 11)] == [120, 132]
    saved = webs.pages.post("/settings/reminders", data={**RULE, "every": "24"})
    assert saved.status_code == 303, saved.text
    assert book(webs.api, 12) == 12, "at once where it was"
    time.sleep(A_SECOND)
    assert book(webs.other, 13) == 13


def test_each_process_of_a_web_app_shows_what_all_of_them_have_answered(webs: TwoWebs) -> None:
    """A connection each, so that both are asked; what another `serve` has answered is its own."""
    route = 'method="GET",route="/api/services/{item_id}",status="404"'

    def ask(address: str) -> str:
        with httpx.Client(base_url=webs.other.base_url, timeout=PATIENCE) as client:
            return client.get(address, headers=webs.api.headers).text

    for number in range(20):
        ask(f"/api/services/none-{number}")
    webs.api.get("/api/services/none")
    for _ in range(5):
        assert f"chairtime_http_request_seconds_count{{{route}}} 20.0" in ask("/metrics")
