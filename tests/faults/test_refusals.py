"""Hundreds of reminders at a Twilio that goes wrong with one in five: each ends as its class says.

In this process, with a few threads for a worker and a clock that jumps to what is next. `make
storm` runs it with 600; `REFUSALS_SEED=…` repeats a run that failed.
"""

import os
import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import func, select

from app import clock as app_clock
from app.channel import Kind, StatusReport
from app.db import Database
from app.messages import receipts
from app.messages.tick import Process, tick
from app.models.customer import Customer
from app.models.message import Attempt, Message, Sending
from app.queue.huey import huey
from app.whatsapp.errors import explain
from tests import factories
from tests.conftest import Configure
from tests.fake_twilio import Accepted, FakeTwilio, Fault, Post
from tests.support.frozen import FrozenClock
from tests.support.lifecycle import ready

SEED = int(os.environ.get("REFUSALS_SEED", "1"))
THREADS = 4
ODDS: dict[Any, float] = {
    Fault.error(400, 63012): 0.02,  # transient
    "reset_before": 0.01,  # uncertain, and not sent
    "html_503": 0.01,
    "lost_answer": 0.02,  # uncertain, and sent
    "garbage_201": 0.01,
    Fault.error(503, 20503): 0.01,  # to be verified
    Fault.error(503, 20503, after_accept=True): 0.01,
    Fault.error(429, 20429, 2): 0.02,  # rate
    Fault.error(401, 20003): 0.01,  # configuration
    Fault.error(400, 63024): 0.01,  # permanent
    Fault.error(400, 21610): 0.01,
    Fault.error(400, 21999): 0.01,  # a code that nobody knows
}
RECEIPTS: dict[str, float] = {  # of what was accepted
    "30008": 0.02,  # transient
    "64999": 0.01,  # one that nobody knows
    "63018": 0.005,  # rate
    "63016": 0.005,  # configuration
    "63003": 0.005,  # permanent
    "63014": 0.005,
}
NEVER_AGAIN = {"63024", "21610", "21999", "63003", "63014"}
OPTED_OUT = {"21610", "63014"}


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("sqlite", 80),
        ("postgres", 40),
        pytest.param("sqlite", 600, marks=pytest.mark.storm),
        pytest.param("postgres", 600, marks=pytest.mark.storm),
    ],
)
def test_each_reminder_ends_as_the_class_of_its_faults_demands_and_none_is_sent_twice(
    name: str,
    count: int,
    request: pytest.FixtureRequest,
    clock: FrozenClock,
    valkey: object,
    twilio: FakeTwilio,
    configure: Configure,
) -> None:
    configure(WHATSAPP_MAX_PER_SECOND="400")
    db: Database = request.getfixturevalue(f"{name}_db")
    phones = [f"+1212558{turn:04d}" for turn in range(count)]
    remind(db, phones)
    twilio.chaos(SEED, ODDS)

    failures = send_all(db, clock, twilio)

    posts, accepted = defaultdict(list), Counter[str]()
    for post in twilio.posts():
        posts[post.to].append(post)
        accepted[post.to] += post.sid is not None
    for phone, row in rows(db):
        story = f"{phone}: {row.state} {row.reason} {row.error_code} after {posts[phone]}"
        check(row, posts[phone], failures[phone], story)
        assert accepted[phone] <= 1 + len(failures[phone]), story
    assert opted_out(db) == {
        phone for phone in phones if codes(posts[phone], failures[phone]) & OPTED_OUT
    }
    if count > len(ODDS) * 20:
        seen = set().union(*(codes(posts[phone], failures[phone]) for phone in phones))
        assert {fault.code for fault in ODDS if isinstance(fault, Fault)} <= set(map(int, seen))
        assert set(RECEIPTS) <= seen

    # What was wrong for all may be told by the very last receipt: the next that arrives ends it.
    twilio.chaos(SEED, {})
    remind(db, ["+12125590000"])
    send_all(db, clock, twilio, odds={})
    with db.read() as session:
        assert session.get_one(Sending, 1).breaker_code is None


def check(row: Message, posts: list[Post], failures: list[str], story: str) -> None:
    """A refusal for good is the end; all else is tried again until it was sent, or six times."""
    final = codes(posts, failures) & NEVER_AGAIN
    if final:
        assert row.state == "failed", story
        assert {row.error_code} == final, story
        assert explain(row.error_code).kind is Kind.PERMANENT, story
    elif row.state == "failed":
        assert (row.reason, row.tries) == ("gave_up", 5), story
    else:
        assert row.state == "sent", story
        assert (row.delivery_status, row.doubled) == ("delivered", False), story
    costly = sum(costs_a_try(post) for post in posts)
    costly += sum(explain(code, asynchronous=True).kind is Kind.TRANSIENT for code in failures)
    assert row.tries <= costly, story  # what a look-up finds accepted costs none in the end
    assert row.attempts == len(posts), story


def costs_a_try(post: Post) -> bool:
    code = explain(post.code) if post.code else None
    if code is None:
        return post.fault is not None
    return code.kind in {Kind.TRANSIENT, Kind.VERIFY}


def codes(posts: list[Post], failures: list[str]) -> set[str]:
    return {str(post.code) for post in posts if post.code} | set(failures)


# --- the shop ---


def remind(db: Database, phones: list[str]) -> None:
    """A booking in two months for each phone, with one reminder, due now."""
    with db.write() as session:
        for phone in phones:
            starts_at = app_clock.now() + timedelta(days=60)
            of = factories.booking(session, starts_at, customer_phone=phone)
            factories.message(session, of)


def rows(db: Database) -> list[tuple[str, Message]]:
    with db.read() as session:
        messages = session.scalars(select(Message)).all()
        attempts = session.scalars(select(Attempt)).all()
        sent_to = {attempt.message_id: attempt.sent_to for attempt in attempts}
    return [(sent_to[row.id], row) for row in messages]


def opted_out(db: Database) -> set[str]:
    with db.read() as session:
        people = select(Customer.person).where(Customer.opted_out_at.is_not(None))
        return set(session.scalars(people))


# --- time, a worker, and Twilio's receipts ---


def send_all(
    db: Database,
    clock: FrozenClock,
    twilio: FakeTwilio,
    odds: Mapping[str, float] = RECEIPTS,
) -> dict[str, list[str]]:
    """Until nothing is open; returns the codes of the receipts of failures, by phone."""
    failures: dict[str, list[str]] = defaultdict(list)
    told = {message.sid for message in twilio.messages()}
    process = Process()
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in range(2_000):
            tick(process)
            while tasks := ready():
                run = partial(huey.execute, timestamp=clock.now().replace(tzinfo=None))
                list(pool.map(run, tasks))
            for message in known(db, twilio, told):
                told.add(message.sid)
                if code := report(db, message, odds):
                    failures[message.to].append(code)
            if is_over(db):
                return failures
            clock.set(next_time(db, clock.now()))
    raise AssertionError("it never ends")


def known(db: Database, twilio: FakeTwilio, told: set[str]) -> Iterator[Accepted]:
    """What Twilio has newly accepted and we know of: an answer that was lost is found by its
    look-up, so that those are tried too.
    """
    with db.read() as session:
        sids = set(session.scalars(select(Attempt.sid)))
    return (each for each in twilio.messages() if each.sid in sids and each.sid not in told)


def report(db: Database, message: Accepted, odds: Mapping[str, float]) -> str | None:
    """Send a message's receipts; returns the code if it was not delivered."""
    attempt_id = str(message.status_callback).rpartition("/")[2].partition("#")[0]
    chance = random.Random(f"{SEED} {message.to} {message.body}")
    code = drawn(chance.random(), odds)
    told = [("failed", code)] if code else [("delivered", ""), ("sent", "")]
    for status, error_code in told:
        with db.write() as session:
            receipts.record(session, attempt_id, StatusReport(message.sid, status, error_code))
    return code


def drawn(number: float, odds: Mapping[str, float]) -> str | None:
    for code, probability in odds.items():
        number -= probability
        if number < 0:
            return code
    return None


def is_over(db: Database) -> bool:
    with db.read() as session:
        unsettled = Message.state.in_(("pending", "sending", "uncertain"))
        return session.scalar(select(func.count()).where(unsettled)) == 0


def next_time(db: Database, now: datetime) -> datetime:
    """When something happens next."""
    with db.read() as session:
        times = [
            session.scalar(select(func.min(column)).where(column > now))
            for column in (Message.due_at, Message.check_at, Sending.probe_at, Sending.slow_until)
        ]
    return min((at for at in times if at is not None), default=now + timedelta(seconds=10))
