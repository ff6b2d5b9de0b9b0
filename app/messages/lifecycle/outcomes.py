"""What came of an attempt: the answer, what the look-ups show, and what a receipt says later."""

from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Integer, bindparam, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app import clock, outbox
from app.channel import Kind
from app.customers import service as customers
from app.db import dialect
from app.messages import gate
from app.messages.channels import channel
from app.messages.lifecycle.compare_and_set import (
    OUT_OF_FLIGHT,
    booking_of,
    is_held_for,
    leave,
    lock_booking,
    locked_attempt,
    pending_or_cancelled,
    read_message,
    set_if,
    skip_reason_now,
)
from app.messages.receipt_ranks import (
    AT_WHATSAPP,
    DELIVERED,
    NOT_DELIVERED,
    next_ask,
    rank_of,
)
from app.models.booking import Booking
from app.models.message import Attempt, DailySent, Message, Sending
from app.rows import past_orm, table_of
from app.settings import settings
from app.sql import constant

UNRESOLVED = "unresolved"

_attempt, _message = table_of(Attempt), table_of(Message)
# Made once, as every message needs them.
_ANSWER = (
    update(_attempt)
    .where(
        _attempt.c.id == bindparam("attempt"),
        _attempt.c.sid.is_distinct_from(bindparam("new_sid"))
        | _attempt.c.outcome.is_distinct_from(constant("accepted"))
        & (bindparam("rank", type_=Integer) > NOT_DELIVERED),
    )
    .values(sid=bindparam("new_sid"), outcome=constant("accepted"), ended_at=bindparam("now"))
    .returning(
        _attempt.c.message_id,
        _attempt.c.sent_to,
        select(table_of(Sending).c.breaker_code).scalar_subquery().label("breaker_code"),
    )
)
"""Of no attempt whose SID is known; what Twilio has called undelivered is so until a receipt says
that it was delivered after all.
"""
_SENT = (
    update(_message)
    .where(
        _message.c.id == bindparam("job_id"),
        _message.c.state.in_([constant("pending"), constant("sending"), constant("uncertain")]),
    )
    .values(
        state=constant("sent"),
        reason=None,
        error_code=None,
        updated_at=bindparam("now"),
        **OUT_OF_FLIGHT,
        **{each: bindparam(each) for each in ("sid", "sent_at", "ask_at", "delivery_status")},
        delivery_rank=bindparam("delivery_rank"),
    )
)


def accept(
    session: Session,
    attempt_id: str,
    sid: str,
    status: str | None,
    code: str | None = None,
    *,
    is_answer: bool = False,
) -> datetime | None:
    """Twilio has the message, as its answer, its list or a receipt shows; `status` is its latest.

    `is_answer`: it has just taken it. If `status` says "not delivered" (with `code`), returns when
    the next try is, if there is one.
    """
    is_news = mark_sent(session, attempt_id, sid, status, is_answer=is_answer)
    is_news = is_news or raise_status(session, attempt_id, sid, status)
    if not is_news or rank_of(status) < AT_WHATSAPP:
        return None
    if rank_of(status) == NOT_DELIVERED:
        return _mark_undelivered(session, attempt_id, code or "no code")
    gate.note_arrival(session, session.get_one(Attempt, attempt_id).started_at)
    return None


def mark_sent(
    session: Session, attempt_id: str, sid: str, status: str | None, *, is_answer: bool = False
) -> bool:
    """From whatever it was to sent, also if another try was due or began: Twilio has it.

    What Twilio has called undelivered stays so until a receipt says that it was delivered after
    all. A second SID for one message is a doubled one.
    """
    now, rank = clock.now(), rank_of(status)
    answer = {"attempt": attempt_id, "new_sid": sid, "rank": rank, "now": now}
    attempt = past_orm(session).execute(_ANSWER, answer).first()
    if is_answer and (attempt is None or attempt.breaker_code):
        gate.go(session)  # Twilio knows us; locked later than the attempt, as receipts do
    if attempt is None:
        return False
    sent = {
        "sid": sid,
        "sent_at": now,
        "delivery_status": status,
        "delivery_rank": rank,
        "ask_at": next_ask(now, 0) if rank < DELIVERED else None,
    }
    won = _set_sent(session, attempt.message_id, sent)
    if won and rank >= DELIVERED:
        _note_delivered(session, attempt.message_id)
    if won:
        count_sent(session, attempt.sent_to, now, 1)
    else:
        set_if(session, attempt.message_id, Message.sid != sid, doubled=True)
    return won


def raise_status(session: Session, attempt_id: str, sid: str, status: str | None) -> bool:
    """Note a delivery status of the message's SID, unless it has come as far or farther."""
    rank = rank_of(status)
    message_id = session.get_one(Attempt, attempt_id).message_id
    is_higher = (Message.sid == sid) & (Message.delivery_rank < rank)
    values = {"delivery_status": status, "delivery_rank": rank}
    if rank < DELIVERED:
        return set_if(session, message_id, is_higher, **values)
    is_first = is_higher & (Message.delivery_rank < DELIVERED)
    if set_if(session, message_id, is_first, **values, ask_at=None):
        _note_delivered(session, message_id)
        return True
    return set_if(session, message_id, is_higher, **values)  # read, after it was delivered


def _note_delivered(session: Session, message_id: str) -> None:
    booking_id = booking_of(message_id)
    outbox.note(session, "message.delivered", booking_id=booking_id, message_id=message_id)


def mark_uncertain(session: Session, attempt_id: str, code: str, detail: str | None = None) -> bool:
    """Nobody knows whether it was sent: it is looked up before anything else happens."""
    now = clock.now()
    attempt = _end_attempt(session, attempt_id, None, code, detail)
    return set_if(
        session,
        attempt.message_id,
        (Message.state == "sending") & (Message.attempt_id == attempt_id),
        state="uncertain",
        lease_until=None,
        check_at=now + timedelta(seconds=settings().uncertain_quiet),
        checks=0,
        tries=Message.tries + 1,
        error_code=code,
    )


def mark_for_retry(
    session: Session, attempt_id: str, code: str, detail: str | None, *, verify: bool = False
) -> datetime | None:
    """It was not sent, and another try may help; returns when, or None if there is none.

    `verify`: that is only probable, so the next try looks it up first.
    """
    attempt = _end_attempt(session, attempt_id, "not_sent", code, detail)
    message = read_message(session, attempt.message_id)
    if not _holds(message, attempt_id):
        return None
    tries = message.tries + (message.state == "sending")  # an uncertain one has been counted
    return try_again(session, message, tries, code, verify=verify)


def try_again(
    session: Session, message: Message, tries: int, code: str, *, verify: bool = False
) -> datetime | None:
    """From in flight (or sent, but not delivered) to the next try, `tries` having counted."""
    if message.cancel_reason is not None:
        leave(session, message, state="cancelled", reason=message.cancel_reason)
        return None
    delays = settings().retry_delays
    if tries > len(delays):
        _fail(session, message, "gave_up", code)
        return None
    now = clock.now()
    due = now + timedelta(seconds=delays[tries - 1])
    if due >= _useful_until(session, message):
        _fail(session, message, "no_time_left", code)
        return None
    won = leave(
        session,
        message,
        **pending_or_cancelled(due, now),
        tries=tries,
        verify_first=verify,
        error_code=code,
    )
    return due if won else None


def mark_waiting(
    session: Session, attempt_id: str, code: str, detail: str | None, until: datetime
) -> datetime | None:
    """It was not sent, and through no fault of its own: it waits and costs no try."""
    attempt = _end_attempt(session, attempt_id, "not_sent", code, detail)
    message = read_message(session, attempt.message_id)
    if not _holds(message, attempt_id):
        return None
    tries = message.tries - (message.state == "uncertain")  # which has been counted
    return _wait(session, message, tries, code, until)


def mark_failed(session: Session, attempt_id: str, code: str, detail: str | None = None) -> bool:
    """Twilio refused it for good."""
    attempt = _end_attempt(session, attempt_id, "refused", code, detail)
    _note_opt_out(session, attempt, code)
    return set_if(
        session,
        attempt.message_id,
        is_held_for(attempt_id),
        **OUT_OF_FLIGHT,
        state="failed",
        reason="refused",
        error_code=code,
    )


def settle_not_sent(session: Session, message_id: str) -> datetime | None:
    """The look-ups agree that an uncertain message was not sent; returns when it is tried again.

    Twilio's list may lag by more than they waited, so it is looked up once more before that POST.
    """
    now = clock.now()
    lock_booking(session, booking_of(message_id))
    message = read_message(session, message_id)
    if message.state != "uncertain":
        set_if(session, message_id, Message.state == "skipped", check_at=None)
        return None
    attempt = locked_attempt(session, str(message.attempt_id))
    if attempt.sid is not None:
        return None
    attempt.outcome = "not_sent"
    reason = skip_reason_now(session, message_id, now)
    if reason and message.cancel_reason is None:
        leave(session, message, state="skipped", reason=reason)
        return None
    code = message.error_code or "no_answer"
    return try_again(session, message, message.tries, code, verify=True)


def check_again(session: Session, message_id: str, at: datetime, checks: int) -> bool:
    """Look an unsettled message up again at `at`, after `checks` look-ups in vain."""
    return set_if(session, message_id, Message.check_at.is_not(None), check_at=at, checks=checks)


def mark_unresolved(session: Session, message_id: str, check_at: datetime | None) -> bool:
    """Nobody can say whether it was sent, and it is no longer wanted: stop waiting for it.

    The look-ups go on at `check_at`; what they or a receipt show still corrects it.
    """
    out = {**OUT_OF_FLIGHT, "check_at": check_at}
    is_unsettled = (Message.state == "uncertain") | (Message.reason == UNRESOLVED)
    return set_if(session, message_id, is_unsettled, **out, state="skipped", reason=UNRESOLVED)


def ask_again(
    session: Session, message_id: str, lease: datetime, at: datetime | None, asks: int
) -> bool:
    """Ask at `at` (None: not any more) what became of a sent message, which was asked `asks` times.

    Unless a receipt, or another's question, came before the answer to the one until `lease`.
    """
    return set_if(session, message_id, Message.ask_at == lease, ask_at=at, asks=asks)


def count_sent(session: Session, address: str, at: datetime, change: int) -> None:
    """Count messages that were sent at `at` (aware), or `change` of them less than nothing."""
    customers.count_sent(session, address, at, change)
    values = {"day": at.date(), "messages": change}
    session.connection().execute(_counting(dialect(session)), values)


@cache
def _counting(dialect: Any) -> Any:
    table = table_of(DailySent)
    statement = dialect.insert(table)
    more = table.c.messages + statement.excluded.messages
    return statement.on_conflict_do_update(index_elements=["day"], set_={"messages": more})


def _set_sent(session: Session, message_id: str, sent: dict[str, Any]) -> bool:
    """False also for one that was given up, and whose time another reminder has by now."""
    values = {"job_id": message_id, "now": clock.now(), **sent}
    if session.connection().execute(_SENT, values).rowcount:
        outbox.note_messages(session, "sent", [message_id])
        return True
    out = {**OUT_OF_FLIGHT, "state": "sent", "reason": None, "error_code": None}
    try:
        with session.begin_nested():
            return set_if(session, message_id, Message.state != "sent", **out, **sent)
    except IntegrityError:
        return False


def _mark_undelivered(session: Session, attempt_id: str, code: str) -> datetime | None:
    """Twilio finished without delivering it, so another try cannot double it."""
    attempt = locked_attempt(session, attempt_id)
    message = read_message(session, attempt.message_id)
    if message.state != "sent" or message.sid != attempt.sid:
        return None
    attempt.outcome, attempt.error_code = "undelivered", code
    _note_opt_out(session, attempt, code)
    if message.sent_at is not None:
        count_sent(session, attempt.sent_to, message.sent_at, -1)
    advice = channel().explain(code, asynchronous=True)
    until = gate.pause_for(session, advice)
    is_unwanted = message.cancel_reason or skip_reason_now(session, message.id, clock.now())
    if advice.kind is Kind.PERMANENT or is_unwanted:
        _fail(session, message, "undelivered", code)
        return None
    if until is not None:
        return _wait(session, message, message.tries, code, until)
    return try_again(session, message, message.tries + 1, code)


def _note_opt_out(session: Session, attempt: Attempt, code: str) -> None:
    if channel().explain(code).opted_out:
        customers.opt_out(session, attempt.sent_to, "twilio")


def _useful_until(session: Session, message: Message) -> datetime:
    """No try starts then or later: at the appointment; of an answer, when the free text's time
    (Twilio error 63016) ends.
    """
    booking = session.get_one(Booking, message.booking_id)
    if message.kind != "answer":
        return booking.starts_at
    closes_at = customers.window_closes(customers.find(session, booking.customer_phone))
    return closes_at or message.planned_for + customers.WINDOW


def _wait(
    session: Session, message: Message, tries: int, code: str, until: datetime
) -> datetime | None:
    due = min(until, _useful_until(session, message))  # and at that time it is skipped
    values = pending_or_cancelled(due, clock.now())
    won = leave(session, message, **values, tries=tries, error_code=code)
    return due if won else None


def _holds(message: Message, attempt_id: str) -> bool:
    return message.state in {"sending", "uncertain"} and message.attempt_id == attempt_id


def _end_attempt(
    session: Session, attempt_id: str, outcome: str | None, code: str, detail: str | None
) -> Attempt:
    attempt = locked_attempt(session, attempt_id)
    attempt.ended_at = clock.now()
    attempt.outcome = attempt.outcome or outcome
    attempt.error_code, attempt.error_detail = code, detail
    session.flush()
    return attempt


def _fail(session: Session, message: Message, reason: str, code: str) -> None:
    leave(session, message, state="failed", reason=reason, error_code=code)
