"""Receipts: what the channel says became of a message. They come late, twice, and in any order."""

from sqlalchemy.orm import Session

from app import clock
from app.channel import StatusReport
from app.customers import service as customers
from app.messages.enqueue import enqueue_next_try
from app.messages.lifecycle import outcomes
from app.messages.receipt_ranks import RANKS
from app.models.identity import spellings
from app.models.message import Attempt, Receipt
from app.rows import add_new


def record(session: Session, callback_id: str, report: StatusReport) -> None:
    """Keep one receipt, and let it speak: once each, and only upwards in rank.

    `callback_id` is the attempt's id in the callback's URL. A receipt for an attempt that we do not
    know is kept and nothing more, so that it is not sent again.
    """
    sid, to = report.sid, report.to
    status, code = report.status.lower()[:32], report.error_code[:32]
    # Locked first: each receipt's foreign key holds it too, and two would wait for each other.
    attempt = session.get(Attempt, callback_id, with_for_update=True)
    is_new = add_new(
        session,
        Receipt,
        attempt_id=attempt.id if attempt else None,
        callback_id=callback_id,
        sid=sid,
        status=status,
        error_code=code,
        received_at=clock.now(),
    )
    if attempt is None or not is_new or status not in RANKS:
        return
    if to != attempt.sent_to and to in spellings(attempt.sent_to):  # as WhatsApp has it
        customers.note_spelling(session, to)
    due = outcomes.accept(session, attempt.id, sid, status, code)
    enqueue_next_try(session, attempt.message_id, due)
