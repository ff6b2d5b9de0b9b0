"""What surrounds every page: its counters and banners, toasts, redirects, and errors for people."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from litestar import Response

from app.dashboard.frame import frame
from app.dashboard.shell import toast
from app.db import Database
from app.models.message import Sending, Worker
from app.queue import failing
from app.settings import settings
from tests import factories
from tests.integration.conftest import Client
from tests.support.frozen import FrozenClock
from tests.support.staff import HTMX, add_user, sign_in

HTML = {"Accept": "text/html"}
START = datetime(2026, 11, 23, tzinfo=UTC)


def styleguide(client: Client, **headers: str) -> str:
    answer = client.get("/styleguide", headers=headers)
    assert answer.status_code == 200
    return answer.text


def sending(db: Database, **values: Any) -> None:
    with db.write() as session:
        row = session.get_one(Sending, 1)
        for name, value in values.items():
            setattr(row, name, value)


def add_worker(db: Database, clock: FrozenClock) -> None:
    now = clock.now()
    with db.write() as session:
        session.add(Worker(id="w", host="h", pid=1, threads=1, started_at=now, seen_at=now))


def test_the_badge_of_failed_sends_counts_what_a_retry_would_help(
    sqlite_api: Client, sqlite_db: Database, clock: FrozenClock
) -> None:
    with sqlite_db.write() as session:
        for state in ("pending", "pending", "failed"):
            booking = factories.booking(session)
            factories.message(session, booking, state, due_at=clock.now() + timedelta(hours=1))
    page = styleguide(sqlite_api)
    assert '1<span class="visually-hidden"> to retry</span>' in page


@pytest.mark.parametrize(
    ("hours", "shown"),
    [
        ([], "Nothing booked ahead"),
        ([-1, 2, 5, 30], "2 more today, next 2:00 AM C2"),
        ([-1, 30, 40], "Nothing more today, next tomorrow 6:00 AM C30"),
    ],
)
def test_the_header_says_what_the_day_still_brings(
    sqlite_api: Client, sqlite_db: Database, clock: FrozenClock, hours: list[int], shown: str
) -> None:
    with sqlite_db.write() as session:
        for each in hours:
            at = clock.now() + timedelta(hours=each)
            factories.booking(session, at, customer_name=f"C{each}")
        factories.booking(session, clock.now() + timedelta(hours=1), status="cancelled")
    [ahead] = re.findall(r'<p class="ahead".*?</p>', styleguide(sqlite_api), re.S)
    assert re.sub(r"<[^>]*>", "", ahead).split() == shown.split()


@pytest.mark.parametrize(
    ("number", "shown"), [(0, ""), (1, "1 reply"), (2, "2 replies"), (101, "99+ replies")]
)
def test_the_badge_of_today_counts_the_replies_that_nobody_has_looked_after(
    sqlite_api: Client, sqlite_db: Database, clock: FrozenClock, number: int, shown: str
) -> None:
    with sqlite_db.write() as session:
        factories.reply(session, needs_attention=False)
        for _ in range(number):
            factories.reply(session)
    [badge] = re.findall(r'<span id="replies-badge".*?</span>\s*</a>', styleguide(sqlite_api), re.S)
    assert re.sub(r"<[^>]*>", "", badge).strip() == shown


def test_the_frame_says_who_paused_sending_and_why_it_stopped(
    db: Database, clock: FrozenClock
) -> None:
    user = add_user(db, name="Zoë")
    now = clock.now()
    sending(db, paused_at=now, paused_by=f"user:{user.id}", breaker_code="20003", breaker_at=now)
    with db.read() as session:
        shown = frame(session)
    assert (shown.paused_at, shown.paused_by) == (now, "Zoë")
    assert shown.stopped is not None
    assert shown.stopped.words
    assert not shown.has_worker


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"paused_at": START, "paused_by": "token:1"}, "Sending is paused"),
        ({"breaker_at": START, "breaker_code": "20003"}, "Sending has stopped: "),
        ({"slow_until": START + timedelta(minutes=15)}, "Sending waits until "),
    ],
)
def test_a_banner_is_on_every_page_while_nothing_is_sent(
    sqlite_api: Client, sqlite_db: Database, clock: FrozenClock, values: dict[str, Any], words: str
) -> None:
    add_worker(sqlite_db, clock)
    before = styleguide(sqlite_api)
    assert "<strong>Sending" not in before.partition("<main")[0]
    sending(sqlite_db, **values)
    assert f"<strong>{words}" in styleguide(sqlite_api).partition("<main")[0]


def test_a_short_pause_that_twilio_asks_for_is_no_matter_for_a_banner(
    sqlite_api: Client, sqlite_db: Database, clock: FrozenClock
) -> None:
    sending(sqlite_db, slow_until=clock.now() + timedelta(seconds=60))
    assert "<strong>Sending" not in styleguide(sqlite_api).partition("<main")[0]


def test_a_banner_warns_when_no_worker_is_alive(
    sqlite_api: Client, sqlite_db: Database, clock: FrozenClock
) -> None:
    def is_warned() -> bool:
        return "No worker is running" in styleguide(sqlite_api).partition("<main")[0]

    assert is_warned()
    add_worker(sqlite_db, clock)
    assert not is_warned()
    clock.move(seconds=61)
    assert is_warned()


def test_a_banner_warns_of_a_worker_that_ends_again_and_again(
    sqlite_api: Client, sqlite_db: Database, clock: FrozenClock
) -> None:
    add_worker(sqlite_db, clock)
    with failing.telling(settings().state_dir) as note:
        note.tell(failing.FAILING - 1)
        assert "does not stay up" not in styleguide(sqlite_api).partition("<main")[0]
        note.tell(7)
        banner = styleguide(sqlite_api).partition("<main")[0]
        assert "The worker does not stay up" in banner
        assert "it ended 7 times" in banner
        assert "started again at growing intervals, a minute at the most" in banner
        checks = sqlite_api.get("/health").json()["checks"]
        assert checks["worker"] == "failing"
    assert "does not stay up" not in styleguide(sqlite_api).partition("<main")[0]


# --- toasts and redirects ---


def test_a_toast_after_a_redirect_is_on_the_next_page_once(sqlite_api: Client) -> None:
    said = {"text": "Booking “<b>” cancelled.", "undo": "/bookings/1/undo", "bad": False}
    sqlite_api.cookies.set("chairtime-toast", quote(json.dumps(said)), domain="testserver.local")
    page = styleguide(sqlite_api)
    assert "Booking “&lt;b&gt;” cancelled." in page
    assert 'action="/bookings/1/undo"' in page
    assert "chairtime-toast" not in sqlite_api.cookies
    assert "Booking “" not in styleguide(sqlite_api)


@pytest.mark.parametrize(
    "cookie",
    ["x", "%7B", "[]", "null", '{"text": 1, "undo": 5}', '{"text": "a", "undo": "//evil"}'],
)
def test_a_toast_cookie_may_hold_anything(sqlite_api: Client, cookie: str) -> None:
    sqlite_api.cookies.set("chairtime-toast", quote(cookie), domain="testserver.local")
    page = styleguide(sqlite_api)
    assert 'action="//evil"' not in page


def test_a_toast_beside_a_swap_goes_by_a_header_that_any_text_fits_into() -> None:
    answer = toast(Response(""), "Gruß an Zoë\r\nX: 1", undo="/u")
    value = answer.headers["HX-Trigger"]
    assert value.isascii()
    assert "\n" not in value
    assert json.loads(value) == {
        "toast": {"text": "Gruß an Zoë\r\nX: 1", "undo": "/u", "bad": False}
    }


@pytest.mark.parametrize(
    ("here", "header"),
    [
        ("http://testserver/queue?x=1", "HX-Location"),
        ("http://testserver/today", "HX-Redirect"),
        ("http://testserver/queue/x", "HX-Redirect"),
        ("", "HX-Redirect"),
    ],
)
def test_htmx_swaps_the_page_it_is_on_and_loads_another_one_whole(
    sqlite_api: Client, sqlite_db: Database, here: str, header: str
) -> None:
    sign_in(sqlite_api, sqlite_db)
    form = {"theme": "dark", "next": "/queue?a=b"}
    answer = sqlite_api.post("/look", data=form)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/queue?a=b")
    answer = sqlite_api.post("/look", data=form, headers={**HTMX, "HX-Current-URL": here})
    assert (answer.status_code, answer.headers[header]) == (200, "/queue?a=b")


@pytest.mark.parametrize("headers", [{}, HTMX, {**HTMX, "HX-Current-URL": "http://x/queue"}])
def test_a_toast_survives_each_kind_of_redirect(
    sqlite_api: Client, sqlite_db: Database, headers: dict[str, str]
) -> None:
    sign_in(sqlite_api, sqlite_db)
    answer = sqlite_api.post("/queue/pause", headers=headers)
    assert "HX-Trigger" not in answer.headers
    assert "Sending is paused." in sqlite_api.get("/queue").text.partition('id="toasts"')[2]


def test_a_page_differs_for_htmx_and_is_kept_by_nobody(sqlite_api: Client) -> None:
    headers = sqlite_api.get("/styleguide").headers
    assert set(headers["Vary"].split(",")) == {"HX-Request", "Accept-Encoding"}
    assert headers["Cache-Control"] == "no-store"
    assert headers["Content-Type"] == "text/html; charset=utf-8"


# --- errors ---


def test_a_person_gets_a_page_and_a_program_gets_json(sqlite_api: Client) -> None:
    page = sqlite_api.get("/nothing", headers=HTML)
    assert page.status_code == 404
    assert "<h1>Not found</h1>" in page.text
    assert sqlite_api.get("/nothing").json()["status"] == 404
    answer = sqlite_api.get("/api/bookings/booking_x", headers=HTML)
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_an_error_that_htmx_meets_is_a_toast(sqlite_api: Client) -> None:
    answer = sqlite_api.get("/nothing", headers=HTMX)
    assert answer.status_code == 404
    assert json.loads(answer.headers["HX-Trigger"])["toast"] == {
        "text": "There is nothing here.",
        "undo": None,
        "bad": True,
    }


@pytest.mark.parametrize(
    ("address", "said", "onwards"),
    [
        (
            "/today?date=2026-02-30&barber=barber_1",
            "“date”: This must be a day, such as 2026-11-23.",
            'href="/today?barber=barber_1">Open the page without it</a>',
        ),
        (
            "/customers/{}?cursor=abc",
            "This link is too old or incomplete: start from the first page.",
            'href="/customers/{}">Start from the first page</a>',
        ),
    ],
)
def test_a_link_with_a_part_that_does_not_work_leads_to_the_page_without_it(
    sqlite_api: Client, sqlite_db: Database, address: str, said: str, onwards: str
) -> None:
    sign_in(sqlite_api, sqlite_db)
    with sqlite_db.write() as session:
        booking = factories.booking(session).id
    answer = sqlite_api.get(address.format(booking), headers=HTML)
    assert answer.status_code == 422
    assert said in answer.text
    assert onwards.format(booking) in answer.text


def test_an_unexpected_error_shows_its_number_in_the_log_and_nothing_else(
    sqlite_api: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    secret = "secret +447700900123"

    def fail(_session: object) -> None:
        raise RuntimeError(secret)

    monkeypatch.setattr("app.dashboard.shell.recent", fail)
    answer = sqlite_api.get("/styleguide", headers=HTML)
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert caplog.records[-1].getMessage()[:32] in answer.text
    assert "+447700900123" not in caplog.text  # not even as the error's own words
