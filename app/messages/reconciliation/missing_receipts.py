"""Asking Twilio what became of sent messages whose receipts do not come.

Receipts are sent to us at best once or twice, and an outage of more than a few seconds loses them.
"""

import time
from datetime import datetime, timedelta

from sqlalchemy import select

from app import clock
from app.channel import LookupFailed, StatusReport
from app.db import database
from app.messages import receipts
from app.messages.channels import channel
from app.messages.lifecycle import outcomes
from app.messages.receipt_ranks import asks_by, next_ask
from app.messages.reconciliation import due_rows
from app.models.message import Attempt, Message
from app.settings import settings

AT_ONCE = 20
LONGEST = 10.0  # seconds
"""Questions in one tick, and their time: more would keep the tick from what else it does."""
_LATER = timedelta(minutes=10)
_GIVE_UP_AFTER = timedelta(hours=48)


def ask_due() -> int:
    """Ask for what is due to be asked for; returns for how many Twilio answered.

    If it does not answer at all, the others are left for the next tick after their lease.
    """
    now, started = clock.now(), time.monotonic()
    lease = now + timedelta(seconds=settings().send_lease)
    done = 0
    for job_id in due_rows.take(Message.ask_at, now, lease, AT_ONCE):
        if time.monotonic() - started > LONGEST or not _ask(job_id, lease):
            break
        done += 1
    return done


def _ask(job_id: str, lease: datetime) -> bool:
    """Whether Twilio answered."""
    with database().read() as session:
        message = session.get_one(Message, job_id)
        attempt_id = session.scalar(select(Attempt.id).where(Attempt.sid == message.sid))
    if message.ask_at != lease or message.sid is None or message.sent_at is None:
        return True  # a receipt came meanwhile
    now = clock.now()
    try:
        sent = channel().fetch(message.sid)
    except LookupFailed:
        at = now + _LATER if now < message.sent_at + _GIVE_UP_AFTER else None
        with database().write() as session:
            outcomes.ask_again(session, job_id, lease, at, message.asks)
        return False
    asks = asks_by(message.sent_at, now)
    with database().write() as session:
        # The receipt first: it locks the attempt before the message, as every receipt does.
        if sent and sent.status and attempt_id:
            report = StatusReport(sent.sid, sent.status, sent.error_code or "")
            receipts.record(session, attempt_id, report)
        outcomes.ask_again(session, job_id, lease, next_ask(message.sent_at, asks), asks)
    return True
