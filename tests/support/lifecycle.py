"""What tests of the message lifecycle do over and over: book, look, work off the queue."""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from huey.exceptions import RetryTask
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock
from app.bookings import service
from app.db import Database, database
from app.messages import delivery, planned, tasks
from app.messages.lifecycle import claims, materialize
from app.messages.lifecycle.claims import Claim
from app.models.booking import Booking
from app.models.message import Attempt, Message, Sending
from app.queue import hand_over
from app.queue.huey import huey
from tests import factories

T = TypeVar("T")

HOME = "+447700900123"


def book(db: Database, hours: float = 10, **values: Any) -> str:
    """Book `hours` ahead and return the booking's id; at 10 it has four reminders."""
    given = {
        "customer_name": "Zoë Ångström",
        "customer_phone": HOME,
        "service_id": "haircut",
        "barber_id": "barber_1",
        "scheduled_time": clock.now() + timedelta(hours=hours),
        "allow_overlap": True,
    }
    with db.write() as session:
        booking_id = service.create(session, given | values, "system")[0].id
    hand_over.finish()
    return booking_id


def move(db: Database, booking_id: str, hours: float) -> None:
    """Move a booking to `hours` from now."""
    at = clock.now() + timedelta(hours=hours)
    with db.write() as session:
        service.change(session, booking_id, {"scheduled_time": at, "allow_overlap": True}, "system")
    hand_over.finish()


def cancel(db: Database, booking_id: str) -> None:
    with db.write() as session:
        service.cancel(session, booking_id, "system")
    hand_over.finish()


def due_message(db: Database, state: str = "pending", **values: Any) -> str:
    """A booking of ten hours ahead with one reminder that is due; returns the job id."""
    with db.write() as session:
        return factories.message(session, factories.booking(session), state, **values).id


def start(session: Session, taken: Claim) -> bool:
    """Begin the POST of a claimed message, if it is still to be sent."""
    facts = claims.check(session, taken)
    return facts is not None and claims.start_attempt(session, taken, facts, "Hello!")


def booking(db: Database, booking_id: str) -> Booking:
    with db.read() as session:
        return session.get_one(Booking, booking_id)


def message(db: Database, job_id: str) -> Message:
    """A message, or the reminder of a plan that is to be one."""
    with db.read() as session:
        return planned.find(session, job_id) or session.get_one(Message, job_id)


def messages(db: Database, booking_id: str, kind: str = "reminder") -> Sequence[Message]:
    """A booking's messages of one kind, those of its plans too, by number."""
    where = (Message.booking_id == booking_id) & (Message.kind == kind)
    with db.read() as session:
        stored = session.scalars(select(Message).where(where)).all()
        ids = [each.id for each in planned.messages_of(session, booking_id, kind)]
        to_come = [each for name in ids if (each := planned.find(session, name))]
    return sorted([*stored, *to_come], key=lambda each: each.number)


def states(db: Database, booking_id: str) -> list[tuple[str, str | None]]:
    """State and reason of a booking's reminders, by number."""
    return [(row.state, row.reason) for row in messages(db, booking_id)]


def attempts(db: Database, job_id: str) -> Sequence[Attempt]:
    """The POSTs of a message, by number."""
    where = Attempt.message_id == job_id
    with db.read() as session:
        return session.scalars(select(Attempt).where(where).order_by(Attempt.number)).all()


def sending(db: Database) -> Sending:
    """The row that says whether anything may go out."""
    with db.read() as session:
        return session.get_one(Sending, 1)


def revocations() -> list[bytes]:
    """Huey's keys of revoked tasks."""
    hand_over.finish()
    return [key for key in huey.storage.conn.keys("*") if b"r:" in key]


def enqueued() -> list[str]:
    """Job ids that wait in Huey, in its list or its schedule, each as often as it does."""
    hand_over.finish()
    return [task.args[0] for task in [*huey.pending(), *huey.scheduled()]]


def work() -> int:
    """Do what a consumer would do by now, on the test's clock; returns how many tasks it ran."""
    ran = 0
    while tasks_now := ready():
        for task in tasks_now:
            huey.execute(task, clock.now().replace(tzinfo=None))
        ran += len(tasks_now)
        assert ran < 1_000, "a task that comes back at once for ever"
    return ran


def materialize_due() -> None:
    """Make messages of the reminders that are due, as a worker's tick does first."""
    with database().write() as session:
        while materialize.materialize_due(session):
            pass


def deliver(job_id: str) -> datetime | None:
    """Send a message as a worker does that has ticked; returns when to come back, if ever."""
    materialize_due()
    return delivery.deliver(job_id)


def ready() -> list[Any]:
    """Everything that is due, out of the list and the schedule; what is not due is put off."""
    hand_over.finish()
    huey.move_due(clock.now().replace(tzinfo=None))
    return [huey.dequeue() for _ in range(huey.pending_count())]


def run(job_id: str) -> datetime | None:
    """Run a message's task after a tick; returns when Huey is to run it again."""
    materialize_due()
    try:
        tasks.send_message.call_local(job_id)
    except RetryTask as again:
        return again.eta
    return None


def at_once(*calls: Callable[[], T]) -> list[T]:
    """Call each in a thread of its own, all at the same moment; returns what they returned."""
    start = threading.Barrier(len(calls))
    results: list[Any] = [None] * len(calls)

    def call(turn: int) -> None:
        start.wait()
        try:
            results[turn] = calls[turn]()
        except BaseException as error:  # raised again below, in the test's own thread
            results[turn] = error

    threads = [threading.Thread(target=call, args=(turn,)) for turn in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results
