"""Every query that runs often uses an index, also when there are tens of thousands of rows.

The statements are those that the real functions execute, caught on their way to the database.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.bookings import availability, by_customer, search, service
from app.bookings.need import Need
from app.bookings.search import Filters
from app.channel import StatusReport
from app.conversations import service as conversations
from app.dashboard import live
from app.dashboard.beads import reminders_of
from app.dashboard.frame import frame
from app.dashboard.today import day, needs
from app.db import Database
from app.messages import enqueue, entries, failures, monitoring, receipts, statistics
from app.messages import search as message_search
from app.messages import service as message_service
from app.messages import tick as ticking
from app.messages.lifecycle import claims, plans
from app.messages.reconciliation import missing_receipts, uncertain
from app.models.booking import Booking, derived_of
from app.models.conversation import Reply
from app.models.message import Attempt, Message, Receipt
from app.models.plan import Plan
from app.models.staff import AuditEvent
from app.reports import no_shows, periods, weeks
from app.rows import insert_rows
from app.staff import activity
from tests.conftest import Configure
from tests.fake_twilio import FakeTwilio
from tests.support.databases import copy_migrated
from tests.support.frozen import FrozenClock
from tests.support.lifecycle import book, deliver, start
from tests.support.postgres import Postgres
from tests.support.statements import listening
from tests.support.valkey import Valkey

BOOKINGS = 10_000  # one each 50 minutes: those of the last three weeks are still to come
BIG = ("message", "plan", "booking", "attempt", "receipt", "audit_event", "reply")
HISTORY = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 23, tzinfo=UTC)

Statement = tuple[str, Any]


# --- tens of thousands of rows, made once for each database ---


def _fill(url: str) -> None:
    database = Database(url)
    with database.write() as session:
        for table, rows in _rows():
            for start in range(0, len(rows), 5_000):
                insert_rows(session, table, rows[start : start + 5_000])
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    database.close()


def _rows() -> list[tuple[Any, list[dict[str, Any]]]]:
    """A year of bookings: most are over, with two messages each; those to come have eight."""
    bookings, messages, attempts, receipts_, events, replies = [], [], [], [], [], []
    plans_ = [_plan(number, turn) for number in range(BOOKINGS) for turn in range(3)]
    for number in range(BOOKINGS):
        starts_at = HISTORY + timedelta(minutes=50 * number)
        booking_id = f"booking_{number:026d}"
        bookings.append(_booking(number, booking_id, starts_at))
        events.append(_event(booking_id, starts_at))
        replies.append(_reply(number, booking_id, starts_at))
        for turn in range(1, 9 if starts_at > NOW else 3):
            row = _message(booking_id, number, turn, starts_at)
            messages.append(row)
            if row["state"] in {"sent", "failed"}:
                attempts.append(_attempt(row, number))
            if row["state"] == "sent":
                receipts_.append(_receipt(row))
    return [
        (Booking, bookings),
        (Plan, plans_),
        (Message, messages),
        (Attempt, attempts),
        (Receipt, receipts_),
        (AuditEvent, events),
        (Reply, replies),
    ]


def _booking(number: int, booking_id: str, starts_at: datetime) -> dict[str, Any]:
    phone = f"+4477{number % 3000:08d}"
    return {
        "id": booking_id,
        "customer_name": f"Customer {number}",
        "customer_phone": phone,
        **derived_of("customer_phone", phone),
        **derived_of("customer_name", f"Customer {number}"),
        "service_id": "haircut",
        "barber_id": f"barber_{number % 3 + 1}",
        "starts_at": starts_at,
        "ends_at": starts_at + timedelta(minutes=30),
        "busy_from": starts_at,
        "busy_until": starts_at + timedelta(minutes=30),
        "status": "cancelled" if number % 10 == 0 else "confirmed",
        "created_at": starts_at - timedelta(days=1),
        "updated_at": starts_at - timedelta(days=1),
    }


def _message(booking_id: str, number: int, turn: int, starts_at: datetime) -> dict[str, Any]:
    at = starts_at - timedelta(hours=2 * turn)
    job_id = f"{booking_id}-reminder-{turn}"
    past = "sent" if turn == 1 else ("failed", "cancelled", "skipped")[number % 3]
    state = past if at < NOW else "pending"
    is_sent = state == "sent"
    return {
        "id": job_id,
        "booking_id": booking_id,
        "kind": "reminder",
        "number": turn,
        "state": state,
        "planned_for": at,
        "due_at": at,
        "updated_at": at,
        "reason": "superseded" if state in {"failed", "cancelled", "skipped"} else None,
        "attempts": int(is_sent),
        "tries": 0,
        "checks": 0,
        "verify_first": False,
        "delivery_rank": 40 if is_sent else 0,
        "doubled": False,
        "attempt_id": _attempt_id(job_id) if is_sent else None,
        "sid": f"SM{abs(hash(job_id)):032x}" if is_sent else None,
        "sent_at": at if is_sent else None,
        "delivery_status": "delivered" if is_sent else None,
        "error_code": "63024" if state == "failed" else None,
        "enqueued_at": at if state == "cancelled" and number % 300 == 1 else None,
    }


def _attempt_id(job_id: str) -> str:
    return job_id.removeprefix("booking_0000000000")[:36]


def _plan(number: int, turn: int) -> dict[str, Any]:
    """Of each booking three, reminders from number 9 on: all over but the last of those to come."""
    starts_at = HISTORY + timedelta(minutes=50 * number)
    is_open = starts_at > NOW + timedelta(days=1) and turn == 2
    first = 9 + 2 * turn
    return {
        "booking_id": f"booking_{number:026d}",
        "first_number": first,
        "first_at": starts_at - timedelta(hours=2),
        "every": 3600.0,
        "count": 2,
        "next_number": first,
        "next_at": starts_at - timedelta(hours=2) if is_open else None,
        "to_come": 2 if is_open else 0,
        "made_at": starts_at - timedelta(days=1),
        "ended_at": None,
        "reason": None,
    }


def _attempt(message: dict[str, Any], number: int) -> dict[str, Any]:
    return {
        "id": _attempt_id(message["id"]),
        "message_id": message["id"],
        "number": 1,
        "sent_to": f"+4477{number % 3000:08d}",
        "body": "Hello!",
        "started_at": message["due_at"],
        "ended_at": message["due_at"],
        "outcome": "accepted" if message["sid"] else "refused",
        "sid": message["sid"],
    }


def _receipt(message: dict[str, Any]) -> dict[str, Any]:
    return {
        "attempt_id": message["attempt_id"],
        "callback_id": message["attempt_id"],
        "sid": message["sid"],
        "status": "delivered",
        "error_code": "",
        "received_at": message["due_at"],
    }


def _event(booking_id: str, at: datetime) -> dict[str, Any]:
    return {
        "at": at,
        "actor": "system",
        "action": "booking.created",
        "subject": booking_id,
        "details": {},
    }


def _reply(number: int, booking_id: str, at: datetime) -> dict[str, Any]:
    return {
        "sid": f"SM{number:032x}",
        "sender": f"+4477{number % 3000:08d}",
        "person": f"+4477{number % 3000:08d}",
        "body": "Is there parking?",
        "media": 0,
        "received_at": at,
        "effect": "for_staff",
        "booking_id": booking_id,
        "needs_attention": number % 500 == 0,
        "updated_at": at,
    }


@pytest.fixture(scope="module")
def sqlite_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("indexes") / "big.db"
    copy_migrated(path)
    url = f"sqlite:///{path}"
    _fill(url)
    return url


@pytest.fixture(scope="module")
def postgres_url(postgres_cluster: Postgres) -> Iterator[str]:
    name = postgres_cluster.create_migrated()
    _fill(postgres_cluster.url(name))
    yield postgres_cluster.url(name)
    postgres_cluster.drop(name)


@pytest.fixture(params=["sqlite", "postgres"])
def big(request: pytest.FixtureRequest, configure: Configure, clock: FrozenClock) -> Database:
    """A database with tens of thousands of rows; what a test writes stays in it."""
    configure(DATABASE_URL=request.getfixturevalue(f"{request.param}_url"))
    from app.db import database

    return database()


# --- catching and explaining ---


@contextmanager
def caught(db: Database) -> Iterator[list[Statement]]:
    """The statements executed meanwhile that read a big table."""
    statements: list[Statement] = []

    def catch(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if _reads_big(statement):
            statements.append((statement, parameters))

    with listening(db, "before_cursor_execute", catch):
        yield statements


def _reads_big(statement: str) -> bool:
    is_query = statement.lstrip().upper().startswith(("SELECT", "UPDATE", "DELETE"))
    return is_query and any(re.search(rf"\b{table}\b", statement) for table in BIG)


def plan_of(db: Database, statement: Statement) -> str:
    sql, parameters = statement
    explain = "EXPLAIN QUERY PLAN " if db.is_sqlite else "EXPLAIN "
    with db.engine.connect() as connection:
        rows = connection.exec_driver_sql(explain + sql, parameters).all()
        return "\n".join(str(row[-1]) for row in rows)


def scans(plan: str) -> list[str]:
    """Lines of a plan that read a big table, or an index of all its rows, from end to end."""
    tables = "|".join(BIG)
    partial = (
        "ix_message_(due|lease|check|failed|revoked|sent|ask)|uq_message_in_flight|ix_reply_open"
    )
    of_all = rf"SCAN (message|reply)(_\d+)? USING (COVERING )?INDEX (?!{partial})"
    whole = rf"SCAN ({tables})(_\d+)?$|{of_all}|Seq Scan on ({tables})\b"
    return [line for line in plan.splitlines() if re.search(whole, line)]


def check(db: Database, act: Callable[[], object], at_least: int = 1) -> None:
    """Each statement of `act` on a big table goes by an index."""
    with caught(db) as statements:
        act()
    assert len(statements) >= at_least, "the function read nothing"
    for statement in statements:
        plan = plan_of(db, statement)
        assert not scans(plan), f"{statement[0]}\n\n{plan}"


def reading(db: Database, act: Callable[..., object], *args: Any) -> Callable[[], object]:
    def run() -> object:
        with db.read() as session:
            return act(session, *args)

    return run


def writing(db: Database, act: Callable[..., object], *args: Any) -> Callable[[], object]:
    def run() -> object:
        with db.write() as session:
            return act(session, *args)

    return run


SOME_BOOKING = f"booking_{9_000:026d}"
SOME_JOB = f"{SOME_BOOKING}-reminder-1"


def test_the_check_itself_sees_a_table_that_is_read_from_end_to_end(big: Database) -> None:
    for column in ("reason", "checks"):
        statement = (f"SELECT id FROM message WHERE {column} IS NULL", ())
        assert scans(plan_of(big, statement))
    assert not scans(plan_of(big, ("SELECT id FROM message WHERE id = 'x'", ())))


# --- the worker's ---


@pytest.mark.parametrize(
    "step",
    [
        ticking.expire_leases,
        ticking.materialize_due,
        ticking.skip_ineligible,
        enqueue.enqueue_due,
        uncertain.settle_due,
        enqueue.sweep_revoked,
        missing_receipts.ask_due,
    ],
    ids=lambda step: step.__name__,
)
def test_each_step_of_the_tick_goes_by_an_index(
    big: Database, clock: FrozenClock, valkey: Valkey, twilio: FakeTwilio, step: Any
) -> None:
    check(big, step)


def test_a_send_from_claim_to_record_goes_by_an_index(
    big: Database, clock: FrozenClock, valkey: Valkey, twilio: FakeTwilio
) -> None:
    booking_id = book(big, 10, customer_phone="+447700900555")
    clock.move(hours=2)

    check(big, lambda: deliver(f"{booking_id}-reminder-1"), at_least=5)

    assert len(twilio.messages()) == 1


def test_settling_goes_by_an_index(
    big: Database, clock: FrozenClock, valkey: Valkey, twilio: FakeTwilio
) -> None:
    booking_id = book(big, 10, customer_phone="+447700900556")
    job_id = f"{booking_id}-reminder-1"
    clock.move(hours=2)
    ticking.materialize_due()
    taken = writing(big, claims.claim, job_id)()
    writing(big, start, taken)()
    clock.move(seconds=61)
    ticking.expire_leases()
    clock.move(seconds=120)
    check(big, uncertain.settle_due, at_least=4)
    clock.move(seconds=60)
    check(big, uncertain.settle_due, at_least=6)


def test_asking_what_became_of_a_message_goes_by_an_index(
    big: Database, clock: FrozenClock, valkey: Valkey, twilio: FakeTwilio
) -> None:
    booking_id = book(big, 10, customer_phone="+447700900558")
    clock.move(hours=2)
    deliver(f"{booking_id}-reminder-1")
    [sent] = twilio.messages()
    twilio.set_status(sent, "delivered")
    clock.move(minutes=2)

    check(big, missing_receipts.ask_due, at_least=5)


def test_a_receipt_goes_by_an_index(big: Database, valkey: Valkey) -> None:
    with big.read() as session:
        attempt = session.get_one(Attempt, _attempt_id(SOME_JOB))
    report = StatusReport(str(attempt.sid), "read")
    check(big, writing(big, receipts.record, attempt.id, report), at_least=2)


# --- the desk's ---


def test_booking_moving_and_cancelling_go_by_an_index(
    big: Database, clock: FrozenClock, valkey: Valkey
) -> None:
    made: list[str] = []
    phone = "+447700900557"
    check(big, lambda: made.append(book(big, 650, customer_phone=phone, allow_overlap=False)))
    changes = {"scheduled_time": clock.now() + timedelta(hours=660)}
    check(big, writing(big, service.change, made[0], changes, "system"), at_least=5)
    check(big, writing(big, service.cancel, made[0], "system"), at_least=3)


@pytest.mark.parametrize(
    "filters",
    [
        Filters(),
        Filters(status="confirmed"),
        Filters(status="cancelled"),
        Filters(barber_id="barber_2"),
        Filters(status="confirmed", barber_id="barber_2"),
        Filters(starts_from=HISTORY + timedelta(days=200), starts_to=HISTORY + timedelta(days=201)),
        Filters(barber_id="barber_1", starts_from=HISTORY + timedelta(days=300)),
        Filters(status="confirmed", starts_from=HISTORY + timedelta(days=320)),
        Filters(q=SOME_BOOKING),
        Filters(q="+44 7700 900557"),
        Filters(q="customer 4"),
        Filters(has_failures=True),
        Filters(has_failures=True, starts_from=NOW),
    ],
    ids=str,
)
def test_the_list_of_bookings_goes_by_an_index_with_every_filter(
    big: Database, filters: Filters
) -> None:
    _, cursor = reading(big, search.search, filters)()
    check(big, reading(big, search.search, filters))
    if cursor is not None:
        check(big, reading(big, search.search, filters, 50, cursor))


def test_what_is_shown_of_a_booking_goes_by_an_index(big: Database, clock: FrozenClock) -> None:
    check(big, reading(big, message_service.reminders, SOME_BOOKING), at_least=2)
    check(big, reading(big, entries.timeline, SOME_BOOKING), at_least=3)
    check(big, reading(big, by_customer.known_customer, "+447700001690"))


@pytest.mark.parametrize("text", ["customer 4", "cu", "0000", "+44 7700 001690", SOME_BOOKING])
def test_customers_are_found_by_an_index(big: Database, clock: FrozenClock, text: str) -> None:
    check(big, reading(big, by_customer.find, text))


def test_a_walk_through_all_messages_goes_by_an_index(big: Database, clock: FrozenClock) -> None:
    all_of_them = message_search.Filters()
    for sort in message_search.ORDERS:
        _, cursor = reading(big, message_search.search, all_of_them, 20, None, sort)()
        check(big, reading(big, message_search.search, all_of_them, 20, cursor, sort))
    since = message_search.Filters(updated_since=NOW)
    check(big, reading(big, message_search.search, since, 20, None, "updatedAt"))


@pytest.mark.parametrize("text", [None, "customer 4", "+44 7700 001690"])
def test_a_walk_through_all_customers_goes_by_an_index(
    big: Database, clock: FrozenClock, text: str | None
) -> None:
    check(big, reading(big, by_customer.walk, text, 20, None), at_least=3)
    somebody = SOME_BOOKING.replace("booking_", "customer_")
    check(big, reading(big, by_customer.walk, text, 20, somebody), at_least=2)
    check(big, reading(big, by_customer.walk, text, 20, somebody, NOW), at_least=2)


def test_who_comes_and_what_is_known_of_a_customer_goes_by_an_index(
    big: Database, clock: FrozenClock
) -> None:
    check(big, reading(big, by_customer.coming), at_least=2)
    check(big, reading(big, by_customer.lately), at_least=2)
    with big.read() as session:
        booking = session.get_one(Booking, SOME_BOOKING)
    check(big, reading(big, by_customer.before, booking))
    phone = booking.customer_phone
    for theirs in (Filters(person=phone, starts_from=NOW), Filters(person=phone, starts_to=NOW)):
        check(big, reading(big, search.page, theirs, 20))
    check(big, reading(big, conversations.written_by, phone, 5))


def test_a_days_board_and_what_needs_attention_go_by_an_index(
    big: Database, clock: FrozenClock
) -> None:
    check(big, reading(big, day.board, clock.now().date()), at_least=2)
    check(big, reading(big, needs.needs_attention))
    bookings = [f"booking_{number:026d}" for number in range(9_000, 9_100)]
    check(big, reading(big, reminders_of, bookings))


def test_open_replies_are_listed_and_counted_by_their_index(
    big: Database, clock: FrozenClock
) -> None:
    check(big, reading(big, conversations.open_replies, 50))
    check(big, reading(big, frame), at_least=2)


@pytest.mark.parametrize(
    "asked", [("", ""), ("customer:reply", ""), ("", SOME_BOOKING), ("system", SOME_BOOKING)]
)
def test_the_audit_log_goes_by_an_index_with_every_filter(
    big: Database, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch, asked: tuple[str, str]
) -> None:
    monkeypatch.setattr(activity, "LOOK_BACK", BOOKINGS // 10)
    check(big, reading(big, activity.page, *asked, ""))
    check(big, reading(big, activity.page, *asked, f"{BOOKINGS // 2}"))


def test_a_look_of_the_live_stream_goes_by_an_index(big: Database, clock: FrozenClock) -> None:
    check(big, reading(big, live.take_snapshot), at_least=4)


def test_what_a_barber_has_free_goes_by_an_index(big: Database, clock: FrozenClock) -> None:
    def free(session: Any) -> object:
        return availability.free_times(
            session, "barber_1", Need(timedelta(minutes=30)), clock.now().date()
        )

    check(big, reading(big, free))


@pytest.mark.parametrize("length", ["week", "4weeks"])
def test_what_weeks_came_to_goes_by_an_index(
    big: Database, clock: FrozenClock, length: periods.Length
) -> None:
    def report(session: Any) -> None:
        period = periods.of(session, length)
        weeks.of(session, period, [])
        no_shows.of(session, period, "barber_1")

    check(big, reading(big, report), at_least=2)


# --- the queue's ---


def test_the_counters_go_by_an_index(big: Database, clock: FrozenClock) -> None:
    with caught(big) as statements:
        reading(big, statistics.stats)()
    [plan] = [plan_of(big, each) for each in statements]
    assert not scans(plan)
    # PostgreSQL chooses by how much of the table VACUUM has seen.
    is_direct = "ix_message_failed_of_booking" in plan
    assert is_direct or not big.is_sqlite, "the failed ones are read row by row"


def test_what_is_scraped_goes_by_an_index(big: Database, clock: FrozenClock) -> None:
    check(big, reading(big, monitoring.figures), at_least=4)


@pytest.mark.parametrize(
    "figure", [statistics.per_minute, statistics.lateness], ids=lambda it: it.__name__
)
def test_the_queues_figures_go_by_an_index(big: Database, clock: FrozenClock, figure: Any) -> None:
    check(big, reading(big, figure))


def test_what_is_next_and_what_failed_go_by_an_index(big: Database, clock: FrozenClock) -> None:
    check(big, reading(big, statistics.next_due, 20))
    check(big, reading(big, failures.groups))


def test_what_is_ineligible_is_found_by_an_index(big: Database, clock: FrozenClock) -> None:
    clock.move(days=3)
    check(big, reading(big, plans.ineligible, 1_000))
