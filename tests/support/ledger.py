"""What Twilio has beside what we say: the promises of the README, once everything is settled.

wait_until(lambda: is_calm(database))
counts = check(database, twilio)
"""

from collections import Counter

from sqlalchemy import select

from app.db import Database
from app.messages import planned
from app.models.booking import Booking
from app.models.message import Attempt, Message
from app.models.plan import Plan
from tests.fake_twilio import FakeTwilio


def is_calm(database: Database) -> bool:
    """Whether nothing is to come, under way or uncertain."""
    with database.read() as session:
        unsettled = Message.state.in_(("pending", "sending", "uncertain"))
        is_to_come = Plan.next_at.is_not(None)
        kept = (select(Message.id).where(unsettled), select(Plan.booking_id).where(is_to_come))
        return not any(session.scalars(each.limit(1)).all() for each in kept)


def check(database: Database, twilio: FakeTwilio) -> Counter[str]:
    """The promises of the README, by Twilio's ledger and the database; the counts of states."""
    with database.read() as session:
        booked = session.scalars(select(Booking.id)).all()
        messages = [each for one in booked for each in planned.messages_of(session, one)]
        attempts = {attempt.id: attempt for attempt in session.scalars(select(Attempt))}
    accepted = Counter(
        attempts[str(message.status_callback).partition("#")[0].rpartition("/")[2]].message_id
        for message in twilio.messages()
    )
    doubled = {job_id: count for job_id, count in accepted.items() if count > 1}
    assert not doubled, f"accepted more than once: {doubled}"
    states = Counter(message.state for message in messages)
    for message in messages:
        was_accepted = message.id in accepted
        assert was_accepted == (message.state == "sent"), f"{message.id} is {message.state}"
        assert message.state in {"sent", "failed", "cancelled", "skipped"}
    return states
