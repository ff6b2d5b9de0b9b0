"""The page of the queue, and pausing: who sees what, and what it says."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.dashboard.queue.page import in_words
from app.db import Database
from app.messages import gate
from app.messages.statistics import Lateness
from app.models.booking import Booking
from app.models.message import DailySent, Sending, Worker
from app.models.shop import Shop
from app.models.staff import AuditEvent
from app.queue import failing
from app.settings import settings
from tests import factories
from tests.integration.conftest import Client
from tests.integration.dashboard.test_failed_pages import fail, said, text_of
from tests.support.frozen import FrozenClock
from tests.support.lifecycle import book, sending
from tests.support.staff import HTMX, sign_in
from tests.support.statements import counted
from tests.support.valkey import Valkey
from tests.support.web import web_client


@pytest.fixture
def db(sqlite_db: Database) -> Database:
    """SQLite alone: what is behind these pages runs on both in the tests of its services."""
    return sqlite_db


@pytest.fixture
def client(shop: Database, valkey: Valkey) -> Iterator[Client]:
    """A browser in which an owner is signed in."""
    with web_client() as browser:
        sign_in(browser, shop, "owner")
        yield browser


def add_worker(db: Database, host: str = "shop-1", pid: int = 812, seconds_ago: float = 1) -> None:
    now = factories.clock.now()
    seen = now - timedelta(seconds=seconds_ago)
    with db.write() as session:
        row = Worker(id=f"{host}{pid}", host=host, pid=pid, threads=8, started_at=now, seen_at=seen)
        session.add(row)


def test_the_five_counters_have_our_words_and_the_apis(client: Client, shop: Database) -> None:
    book(shop)
    fail(shop)
    text = text_of(client.get("/queue"))
    for shown in ("Planned 4 delayed", "Due 0 waiting", "Sending 0 active", "Sent 0 completed"):
        assert shown in text
    assert "Failed 1 failed" in text


def test_each_worker_is_shown_and_how_many_there_are(client: Client, shop: Database) -> None:
    add_worker(shop)
    add_worker(shop, "shop-2", 97, seconds_ago=2)
    text = text_of(client.get("/queue"))
    assert "2 workers on 2 hosts · nothing was sent in the last hour" in text
    assert "shop-1 · pid 812 8 threads · seen 1 second ago" in text
    assert "shop-2 · pid 97" in text


def test_no_worker_is_a_clear_warning_with_what_to_do(client: Client, shop: Database) -> None:
    add_worker(shop, seconds_ago=61)
    text = text_of(client.get("/queue"))
    assert "No workers · " in text
    assert "No worker was seen in the last minute. Nothing is sent until one runs." in text
    assert "chairtime worker" in text


def test_the_chart_says_in_words_what_it_shows(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    clock.move(minutes=5)
    with shop.write() as session:
        of = factories.booking(session)
        factories.message(session, of, "sent", due_at=clock.now() - timedelta(seconds=2))
        factories.message(session, of, "sent", due_at=clock.now() - timedelta(seconds=1))
        factories.message(session, of, "failed")
    page = client.get("/queue").text
    [svg] = re.findall(r"<svg viewBox.*?</svg>", page, re.DOTALL)
    words = " ".join(re.sub(r"<[^>]+>", " ", svg).split())
    assert 'role="img" aria-labelledby="chart-title chart-words"' in " ".join(svg.split())
    assert "Messages sent and failed in each of the last 60 minutes" in words
    assert "2 sent, 1 failed. The most in one minute were 2, at 12:05" in words
    assert svg.count("<rect") == 2
    assert "style=" not in page
    assert "On time: typically 2.0 s late, 1 in 100 over 2.0 s" in text_of_page(page)


def text_of_page(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", "", page).split())


def test_the_ten_that_are_due_next_lead_to_their_bookings(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    first = book(shop, customer_name="Luis Ortega")
    for _ in range(3):
        book(shop, customer_phone=factories.phone())
    page = client.get("/queue").text
    due = page[page.index('id="due-title"') :]
    assert due.count("<li>") == 10
    assert f'<a href="/bookings/{first}">Luis Ortega</a>' in due
    clock.move(hours=2, minutes=1)
    add_worker(shop)
    assert "due now" in client.get("/queue").text


def test_what_failed_last_leads_to_its_fix(client: Client, shop: Database) -> None:
    job_ids = [fail(shop) for _ in range(6)]
    page = client.get("/queue").text
    assert "See all 6" in page
    assert page.count("/failed?code=63003#") == 5
    assert "No WhatsApp on this number" in page
    assert sum(f"#{job_id}" in page for job_id in job_ids) == 5


def test_an_owner_pauses_and_resumes_and_every_page_says_so(client: Client, shop: Database) -> None:
    add_worker(shop)
    answer = client.post("/queue/pause")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/queue")
    assert said(answer) == "Sending is paused. Nothing goes out."
    assert sending(shop).paused_at is not None
    for address in ("/queue", "/failed", "/bookings"):
        text = text_of(client.get(address))
        assert "Sending is paused by Ann Lee" in text, address
        assert "Resume sending" in text, address
    assert "Pause sending" not in client.get("/queue", headers=HTMX).text
    assert client.post("/queue/resume").status_code == 303
    assert sending(shop).paused_at is None
    assert "Sending is paused" not in client.get("/queue").text
    with shop.read() as session:
        events = select(AuditEvent).where(AuditEvent.subject == "sending")
        rows = session.scalars(events.order_by(AuditEvent.id))
        assert [row.action for row in rows] == ["sending.paused", "sending.resumed"]


def test_pausing_asks_first_and_says_what_it_means(client: Client) -> None:
    page = client.get("/queue").text
    [dialog] = re.findall(r"<dialog.*?</dialog>", page, re.DOTALL)
    assert 'action="/queue/pause"' in dialog
    assert "No message goes out until somebody resumes." in dialog
    assert f'href="#{re.search("id=.(.*?)[^a-z]", dialog)[1]}"' in page  # type: ignore[index]


@pytest.mark.parametrize("role", ["staff", "viewer"])
def test_others_see_that_it_is_paused_and_cannot_change_it(
    client: Client, shop: Database, role: str
) -> None:
    sign_in(client, shop, role)
    assert "/queue/pause" not in client.get("/queue").text
    assert client.post("/queue/pause").status_code == 403
    assert sending(shop).paused_at is None
    with shop.write() as session:
        gate.pause(session, "system")
    page = client.get("/queue").text
    assert "Sending is paused" in page
    assert "/queue/resume" not in page
    assert client.post("/queue/resume").status_code == 403
    assert sending(shop).paused_at is not None


def test_pausing_needs_a_session_and_a_page_of_ours(client: Client, shop: Database) -> None:
    site = client.headers.pop("Sec-Fetch-Site")
    for address in ("/queue/pause", "/queue/resume"):
        assert client.post(address).status_code == 403
    client.headers["Sec-Fetch-Site"] = site
    client.cookies.delete("chairtime")
    assert client.get("/queue").headers["Location"] == "/login?next=%2Fqueue"
    for address in ("/queue/pause", "/queue/resume"):
        assert client.post(address).status_code == 401
    assert sending(shop).paused_at is None


def test_htmx_gets_the_part_that_changes_and_it_is_small(client: Client, shop: Database) -> None:
    book(shop)
    part = client.get("/queue", headers=HTMX).text
    assert part.lstrip().startswith('<div id="queue"')
    assert "<html" not in part
    assert len(part.encode()) < 30_000


def test_names_are_shown_as_text(client: Client, shop: Database) -> None:
    evil = "<script>alert(1)</script>"
    book(shop, customer_name=evil)
    fail(shop, customer_name=evil)
    add_worker(shop, host=evil)
    assert evil not in client.get("/queue").text


def test_the_page_takes_as_many_statements_for_much_as_for_little(
    client: Client, shop: Database
) -> None:
    def statements() -> int:
        with counted(shop) as executed:
            assert client.get("/queue").status_code == 200
        return len(executed)

    book(shop)
    fail(shop)
    statements()
    few = statements()
    for number in range(8):
        book(shop, customer_phone=factories.phone())
        fail(shop, "63049")
        add_worker(shop, pid=number)
    assert statements() == few <= 22


@pytest.mark.parametrize(
    ("lateness", "expected"),
    [
        (Lateness(None, None), "nothing was sent in the last hour"),
        (Lateness(0.0, 2.14), "On time: typically 0.1 s late, 1 in 100 over 2.1 s"),
        (Lateness(31.2, 1800), "Behind: typically 31 s late, 1 in 100 over 30 min"),
    ],
)
def test_lateness_in_words(lateness: Lateness, expected: str) -> None:
    assert in_words(lateness) == expected


def held_pages(client: Client, booking: str) -> list[str]:
    """What the board's side, the queue and the booking's timeline say of the next reminder."""
    return [
        text_of_page(client.get(address).text.split(mark)[1].split("</section>")[0])
        for address, mark in (
            ("/today", 'id="next-title"'),
            ("/queue", 'id="due-title"'),
            (f"/bookings/{booking}", 'id="timeline-title"'),
        )
    ]


def set_sending(db: Database, **values: Any) -> None:
    """Change the state of sending, or of the one worker; a number is seconds from now."""
    with db.write() as session:
        for name, value in values.items():
            is_time = isinstance(value, int)
            at = factories.clock.now() + timedelta(seconds=value) if is_time else value
            holder = Worker if hasattr(Worker, name) else Sending
            setattr(session.scalars(select(holder)).one(), name, at)


@pytest.mark.parametrize(
    ("held", "word", "clause"),
    [
        ({"paused_at": 0}, "Paused", "Will wait as sending is paused"),
        ({"breaker_code": "20003", "probe_at": 300}, "Stopped", "Will wait as sending has stopped"),
        ({"slow_until": 50}, "Slowed until", "Will wait as a limit is reached, until"),
        ({"slow_until": 7200}, "Slowed until", "Will wait as a limit is reached, until"),
        (None, "No worker", "Will wait for a worker"),
        ({"queue_away_since": -5}, "Queue away", "Will wait for the queue"),
    ],
)
def test_nothing_counts_down_to_a_message_that_is_held(
    client: Client,
    shop: Database,
    clock: FrozenClock,
    held: dict[str, Any] | None,
    word: str,
    clause: str,
) -> None:
    booking = book(shop)
    clock.move(hours=1, minutes=59, seconds=12)
    if held is not None:
        add_worker(shop)
        assert all("in 48 seconds" in each for each in held_pages(client, booking))
        set_sending(shop, **held)
    side, due, timeline = pages = held_pages(client, booking)
    assert not any("in 48 seconds" in each for each in pages)
    for each in (side, due):
        assert word in each
        assert "today 2:00" in each
    assert clause in timeline
    assert "data-held" in client.get("/queue").text


def test_nothing_counts_down_to_a_reminder_that_the_budget_will_skip(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    booking = book(shop)
    clock.move(hours=1, minutes=59, seconds=12)
    add_worker(shop)
    with shop.write() as session:
        session.scalars(select(Shop)).one().budget_per_month = 5
        session.add(DailySent(day=clock.now().date(), messages=5))
    side, due, timeline = pages = held_pages(client, booking)
    assert not any("in 48 seconds" in each for each in pages)
    for each in (side, due):
        assert "Used up until" in each
        assert "today 2:00" in each
    assert "Will be skipped as this month’s messages are used up, until" in timeline
    with shop.write() as session:
        of = session.get_one(Booking, booking)
        at = clock.now() + timedelta(seconds=30)
        factories.message(session, of, kind="cancellation", due_at=at)  # goes out all the same
    assert any("in 30 seconds" in each for each in held_pages(client, booking))


def test_nothing_counts_down_while_the_worker_does_not_stay_up(
    client: Client, shop: Database
) -> None:
    booking = book(shop)
    add_worker(shop)
    with failing.telling(settings().state_dir) as note:
        note.tell(failing.FAILING)
        side, due, timeline = held_pages(client, booking)
        assert "No worker" in side
        assert "No worker" in due
        assert "Will wait for the worker to stay up" in timeline
        assert "waits for the worker to stay up" in text_of(client.get("/queue"))
    assert "Goes out in 2 hours" in held_pages(client, booking)[2]


def test_a_short_wait_holds_only_what_is_due_in_it(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    booking = book(shop)
    add_worker(shop)
    set_sending(shop, slow_until=30)
    side, due, timeline = held_pages(client, booking)
    assert all("in 2 hours" in each for each in (side, due))
    assert "Goes out in 2 hours" in timeline
