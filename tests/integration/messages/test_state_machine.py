"""The whole life of messages as a state machine: anything may happen at any time, in any order.

Real services on SQLite, a real Valkey, the fake Twilio over HTTP, and a clock that only moves when
told to. With `STATE_MACHINE_EXAMPLES=500` it runs longer.
"""

import itertools
import os
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import delete, select, update

from app.bookings import send_now
from app.channel import StatusReport
from app.db import Database
from app.errors import Conflict
from app.messages import gate, planned, receipts, service
from app.messages.lifecycle.compare_and_set import booking_of
from app.messages.receipt_ranks import NOT_DELIVERED, rank_of
from app.messages.statistics import stats
from app.messages.tick import Process, tick
from app.models.booking import Booking
from app.models.message import Attempt, DailySent, Message, Receipt, Sending
from app.models.plan import Plan
from app.models.staff import AuditEvent
from tests.conftest import Configure
from tests.fake_twilio import Accepted, FakeTwilio, Fault
from tests.support import lifecycle
from tests.support.frozen import FrozenClock
from tests.support.lifecycle import book, cancel, move, work
from tests.support.valkey import Valkey

EXAMPLES = int(os.environ.get("STATE_MACHINE_EXAMPLES", "8"))
STEPS = 30
START = datetime(2026, 11, 23, tzinfo=UTC)
SERIAL = itertools.count(100_000)
FAULTS = {
    "transient": Fault.error(400, 63012),
    "permanent": Fault.error(400, 63024),
    "configuration": Fault.error(400, 21212),
    "rate": Fault.error(429, 20429, 3),
    "verify": Fault.error(503, 20503),
    "verify, but accepted": Fault.error(503, 20503, after_accept=True),
    "lost answer": Fault("lost_answer"),
    "garbage": Fault("garbage_201"),
    "reset": Fault("reset_before"),
}
FAILED = [("failed", "30008"), ("undelivered", "63024"), ("failed", "63016"), ("failed", "63018")]
RECEIPTS = st.sampled_from([*[(name, "") for name in ("queued", "sent", "delivered")], *FAILED])
SCRIPTS = st.lists(st.sampled_from(sorted(FAULTS)), max_size=3)
ENDED = {"sent", "failed", "cancelled", "skipped"}
PICK = st.integers(0, 1000)
PHONE = st.integers(0, 1)


class Lifecycle(RuleBasedStateMachine):
    """Bookings of two customers, and all that can happen to their messages."""

    db: Database
    clock: FrozenClock
    valkey: Valkey
    twilio: FakeTwilio

    def __init__(self) -> None:
        super().__init__()
        self.phones = [f"+447911{next(SERIAL)}" for _ in range(2)]  # new ones: Twilio forgets none
        self.bookings: list[str] = []
        self.times: dict[str, Any] = {}  # what each number was first planned for
        self.frozen: dict[str, int] = {}  # attempts of what was cancelled or moved away, by then
        self.failures: Counter[str] = Counter()  # receipts of failures, by message
        self.posts_seen = len(self.twilio.posts())
        self.process = Process()
        self._empty()

    def _empty(self) -> None:
        self.clock.set(START)
        self.valkey.flush()
        self.twilio.lists_down = False
        with self.db.write() as session:
            for table in (Receipt, Attempt, Message, Plan, Booking, AuditEvent, DailySent):
                session.execute(delete(table))
            nothing = dict.fromkeys(
                ("paused_at", "paused_by", "breaker_code", "breaker_at", "probe_at", "slow_until")
            )
            session.execute(update(Sending).values(probes=0, slowed=0, **nothing))

    # --- what people do ---

    @rule(hours=st.sampled_from([0.3, 0.6, 1, 2]), phone=PHONE)
    def create(self, hours: float, phone: int) -> None:
        self.bookings.append(book(self.db, hours, customer_phone=self.phones[phone]))

    @precondition(lambda self: self.bookings)
    @rule(pick=PICK, hours=st.sampled_from([0.4, 1.5]))
    def move(self, pick: int, hours: float) -> None:
        self._stop(pick, lambda booking_id: move(self.db, booking_id, hours))

    @precondition(lambda self: self.bookings)
    @rule(pick=PICK)
    def cancel(self, pick: int) -> None:
        self._stop(pick, lambda booking_id: cancel(self.db, booking_id))

    def _stop(self, pick: int, act: Callable[[str], None]) -> None:
        """Cancel or move: what there was before must not begin any more."""
        in_flight = [row.booking_id for row in self._messages() if row.sending_to is not None]
        choices = in_flight if in_flight and pick % 4 else self.bookings  # where it is hardest
        booking_id = choices[pick % len(choices)]
        before = self._find(Booking, booking_id)
        old = [row.id for row in self._messages() if row.booking_id == booking_id]
        try:
            act(booking_id)
        except Conflict:
            return
        after = self._find(Booking, booking_id)
        if (before.status, before.starts_at) == (after.status, after.starts_at):
            return  # it was the same again
        for job_id in old:
            if (row := lifecycle.message(self.db, job_id)).kind == "reminder":
                self.frozen.setdefault(job_id, row.attempts)

    @precondition(lambda self: self.bookings)
    @rule(pick=PICK)
    def remind_now(self, pick: int) -> None:
        self._try(send_now.remind_now, self.bookings[pick % len(self.bookings)], "user:1")

    @rule(pick=PICK)
    def retry(self, pick: int) -> None:
        if failed := [row for row in self._messages() if row.state == "failed"]:
            self._try(service.retry, failed[pick % len(failed)].id, "user:1")

    @rule(is_pause=st.booleans())
    def pause_or_resume(self, is_pause: bool) -> None:
        self._try(gate.pause if is_pause else gate.resume, "user:1")

    # --- what time and machines do ---

    @rule(seconds=st.sampled_from([1, 5, 30, 61, 130, 600, 1800]))
    def wait(self, seconds: int) -> None:
        self.clock.move(seconds=seconds)

    @rule()
    def tick(self) -> None:
        tick(self.process)

    @rule()
    def work(self) -> None:
        work()

    @rule(name=st.sampled_from([*sorted(FAULTS), *["reset"] * 3]))  # the hardest to be sure of
    def send_the_next_and_let_it_go_wrong(self, name: str) -> None:
        if message := self._next():
            phone = self._find(Booking, message.booking_id).customer_phone
            self.twilio.script(phone, [FAULTS[name]])
            self.clock.set(max(self.clock.now(), message.due_at))
            tick(self.process)
            work()

    @rule(seconds=st.sampled_from([0, 600, 1800]))
    def be_away_while_the_next_waits_in_the_queue(self, seconds: int) -> None:
        if message := self._next():
            self.clock.set(max(self.clock.now(), message.due_at - timedelta(seconds=1)))
            tick(self.process)
            self.clock.move(seconds=seconds)
            work()

    @rule()
    def work_for_a_while(self) -> None:
        for _ in range(6):
            tick(self.process)
            work()
            self.clock.move(seconds=40)

    @rule()
    def flush_the_queue(self) -> None:
        self.valkey.flush()

    # --- what Twilio does ---

    @rule(phone=PHONE, names=SCRIPTS)
    def go_wrong(self, phone: int, names: list[str]) -> None:
        self.twilio.script(self.phones[phone], [FAULTS[name] for name in names])

    @rule(is_down=st.booleans())
    def lists(self, is_down: bool) -> None:
        self.twilio.lists_down = is_down

    @rule(pick=PICK, receipt=RECEIPTS)
    def call_back(self, pick: int, receipt: tuple[str, str]) -> None:
        accepted = self._accepted()
        if not accepted:
            return
        message = accepted[pick % len(accepted)]
        status, code = receipt
        attempt_id = _attempt_id(message)
        with self.db.write() as session:
            receipts.record(session, attempt_id, StatusReport(message.sid, status, code))
        if rank_of(status) == NOT_DELIVERED:
            self.failures[self._find(Attempt, attempt_id).message_id] += 1

    @rule(pick=PICK, receipt=RECEIPTS)
    def lose_a_callback(self, pick: int, receipt: tuple[str, str]) -> None:
        """Only the message itself, when it is asked for, tells what became of it."""
        accepted = self._accepted()
        if accepted:
            message = accepted[pick % len(accepted)]
            status, code = receipt
            self.twilio.set_status(message, status, int(code) if code else None)
            if rank_of(status) == NOT_DELIVERED:
                self.failures[self._message_of(message)] += 1

    # --- what must always be true ---

    @invariant()
    def nobody_gets_a_message_twice_unless_one_was_not_delivered(self) -> None:
        sent = Counter(self._message_of(message) for message in self._accepted())
        for job_id, times in sent.items():
            assert times <= 1 + self.failures[job_id], f"{job_id} was accepted {times} times"

    @invariant()
    def nothing_is_posted_at_or_after_its_appointment(self) -> None:
        for post in self.twilio.posts()[self.posts_seen :]:
            attempt_id = post.form["StatusCallback"].rpartition("/")[2].partition("#")[0]
            message = self._find(Attempt, attempt_id).message_id
            starts_at = self._find(Booking, booking_of(message)).starts_at
            assert post.at < starts_at
        self.posts_seen = len(self.twilio.posts())

    @invariant()
    def what_was_cancelled_or_moved_away_begins_no_more(self) -> None:
        for message in self._messages():
            if message.id in self.frozen:
                assert message.attempts == self.frozen[message.id], message.id
                assert message.state != "pending", message.id

    @invariant()
    def a_number_means_the_same_message_for_ever(self) -> None:
        for message in self._messages():
            assert self.times.setdefault(message.id, message.planned_for) == message.planned_for

    @invariant()
    def the_counters_agree_with_the_rows(self) -> None:
        now = self.clock.now()
        rows = Counter(service.api_state(message, now) for message in self._messages())
        due = [each.due_at for each in self._messages() if each.state == "pending"]
        with self.db.read() as session:
            counted = dict(vars(stats(session)))
        oldest = counted.pop("oldest_due_at")
        assert counted == {name: rows[name] for name in counted}
        assert oldest == min((at for at in due if at <= now), default=None)

    def teardown(self) -> None:
        """In the end, with everything repaired, nothing is left waiting or unexplained."""
        self.twilio.lists_down = False
        self._try(gate.resume, "user:1")
        for pause in [
            *[timedelta(minutes=5)] * 60,
            timedelta(hours=24),
            *[timedelta(minutes=5)] * 4,
        ]:
            if all(_is_settled(message) for message in self._messages()):
                break
            self.clock.set(self.clock.now() + pause)
            tick(self.process)
            work()
        for message in self._messages():
            assert message.state in ENDED, (message.id, message.state)
            assert message.state == "sent" or message.reason
        for check in (
            self.nobody_gets_a_message_twice_unless_one_was_not_delivered,
            self.nothing_is_posted_at_or_after_its_appointment,
            self.what_was_cancelled_or_moved_away_begins_no_more,
            self.the_counters_agree_with_the_rows,
        ):
            check()
        self._every_accepted_message_is_known()

    def _every_accepted_message_is_known(self) -> None:
        """What Twilio has and did not fail is shown as sent.

        Except when Twilio called it a failure of its own (5xx), sent no receipt, and another try
        was not wanted any more, so that nobody looked.
        """
        for accepted in self._accepted():
            attempt = self._find(Attempt, _attempt_id(accepted))
            message = self._find(Message, attempt.message_id)
            is_excused = self.failures[message.id] or attempt.error_code == "20503"
            assert message.state == "sent" or is_excused, (message.id, message.state)

    # --- helpers ---

    def _next(self) -> Message | None:
        """What is due next."""
        pending = [message for message in self._messages() if message.state == "pending"]
        return min(pending, key=lambda message: message.due_at, default=None)

    def _messages(self) -> list[Message]:
        """Those of plans too, that have no row yet."""
        with self.db.read() as session:
            booked = session.scalars(select(Booking.id)).all()
            return [each for one in booked for each in planned.messages_of(session, one)]

    def _find(self, table: Any, key: str) -> Any:
        with self.db.read() as session:
            return session.get_one(table, key)

    def _accepted(self) -> list[Accepted]:
        """This example's messages at Twilio."""
        with self.db.read() as session:
            known = set(session.scalars(select(Attempt.id)))
        return [message for message in self.twilio.messages() if _attempt_id(message) in known]

    def _message_of(self, accepted: Accepted) -> str:
        ids: str = self._find(Attempt, _attempt_id(accepted)).message_id
        return ids

    def _try(self, act: Callable[..., Any], *args: str) -> None:
        try:
            with self.db.write() as session:
                act(session, *args)
        except Conflict:
            pass


def _is_settled(message: Message) -> bool:
    """What is skipped while Twilio cannot be asked about it is looked up later all the same."""
    return message.state in ENDED and message.check_at is None


def _attempt_id(message: Accepted) -> str:
    return str(message.status_callback).rpartition("/")[2].partition("#")[0]


@pytest.mark.usefixtures("clock")
def test_whatever_happens_no_message_is_lost_doubled_late_or_sent_after_a_cancel(
    sqlite_db: Database,
    clock: FrozenClock,
    valkey: Valkey,
    twilio: FakeTwilio,
    configure: Configure,
) -> None:
    configure(WHATSAPP_MAX_PER_SECOND="400", REMINDER_EVERY="10m")
    Lifecycle.db, Lifecycle.clock = sqlite_db, clock
    Lifecycle.valkey, Lifecycle.twilio = valkey, twilio

    run_state_machine_as_test(
        Lifecycle,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            suppress_health_check=list(HealthCheck),
        ),
    )
