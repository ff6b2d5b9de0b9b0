"""Sending one message: claim it, look once more, POST it with no transaction open, record it."""

import logging
import time
from dataclasses import replace
from datetime import datetime, timedelta

from babel import UnknownLocaleError
from sqlalchemy.exc import IntegrityError, OperationalError, TimeoutError
from sqlalchemy.orm import Session

from app import clock
from app.channel import Kind, LookupFailed, Outcome, OutgoingMessage, SentMessage
from app.db import database
from app.messages import gate, rate_limit, templates
from app.messages.channels import channel
from app.messages.compose import Content, content_of
from app.messages.lifecycle import claims, outcomes
from app.messages.lifecycle.claims import Claim
from app.messages.lifecycle.compare_and_set import hold_attempt, kind_of
from app.messages.reconciliation.lookup import find_sent
from app.messages.templates import NotUsable
from app.settings import settings

_log = logging.getLogger(__name__)

_SOON = timedelta(seconds=5)
_RECORD_AGAIN = (0.5, 1.0, 2.0, 3.0, 4.0)
"""Seconds between tries to record an answer while the database is away."""


def deliver(job_id: str) -> datetime | None:
    """Send the message `job_id` if it is due and wanted; returns when to come back, if ever.

    Safe to call any number of times, by any number of workers.
    """
    try:
        taken = _claim(job_id)
    except IntegrityError:  # another message to the same person was taken at the same moment
        taken = _claim(job_id)
    return _send(taken) if isinstance(taken, Claim) else taken


def record(attempt_id: str, outcome: Outcome) -> datetime | None:
    """Write down what came of an attempt; returns when the next one is due, if ever.

    While the database is away it tries for ten seconds; after that the lease ends by itself, and
    the look-up finds out what this answer said.
    """
    for pause in (*_RECORD_AGAIN, None):
        try:
            with database().write() as session:
                return note(session, attempt_id, outcome)
        except (OperationalError, TimeoutError):
            if pause is None:
                raise
            time.sleep(pause)
    return None


def begin(session: Session, taken: Claim) -> Content | datetime | None:
    """The content of the attempt that begins with the end of this transaction; None if it must not
    be sent after all, or when to come back.
    """
    facts = claims.check(session, taken)
    if facts is None:
        return None
    if templates.is_missing(facts.kind, facts.written_at):
        return _hold_back(session, taken, templates.NO_TEMPLATE)
    try:
        content = content_of(facts.shop, facts.kind, facts.text, facts.subject, clock.now())
    except (UnknownLocaleError, LookupError, ValueError):
        _log.exception("the text of %s could not be made", taken.job_id)
        claims.mark_unsendable(session, taken, "render_error")
        return None
    return content if claims.start_attempt(session, taken, facts, content.body) else None


def note(session: Session, attempt_id: str, outcome: Outcome) -> datetime | None:
    """What `record` writes down, in the caller's transaction."""
    code = outcome.code or "bad_answer"
    hold_attempt(session, attempt_id)  # before the row of all sending, as receipts do
    if outcome.kind in {"accepted", Kind.PERMANENT, Kind.RATE}:
        gate.go(session)  # Twilio knows us
    match outcome.kind:
        case "accepted":
            return outcomes.accept(session, attempt_id, str(outcome.sid), outcome.status)
        case Kind.PERMANENT:
            outcomes.mark_failed(session, attempt_id, code, outcome.detail)
        case Kind.UNCERTAIN:
            outcomes.mark_uncertain(session, attempt_id, code, outcome.detail)
        case Kind.CONFIGURATION | Kind.RATE:
            advice = channel().explain(outcome.code)
            until = gate.pause_for(session, advice, outcome.retry_after) or clock.now()
            return outcomes.mark_waiting(session, attempt_id, code, outcome.detail, until)
        case Kind.TRANSIENT | Kind.VERIFY:
            verify = outcome.kind == Kind.VERIFY
            return outcomes.mark_for_retry(session, attempt_id, code, outcome.detail, verify=verify)
    return None


def _claim(job_id: str) -> Claim | datetime | None:
    with database().write() as session:
        return claims.claim(session, job_id)


def _send(taken: Claim) -> datetime | None:
    if taken.verify_first:
        try:
            match = find_sent(channel(), taken.job_id)
        except LookupFailed:
            return _release(taken, clock.now() + _SOON)
        if match is not None:
            return _accept(*match)
    if not rate_limit.wait(settings().send_lease / 2):
        return _release(taken, clock.now() + _SOON)
    try:
        template: frozenset[str] | Outcome = templates.variables(channel(), kind_of(taken.job_id))
    except LookupFailed as failed:
        template = failed.outcome
    except NotUsable as error:
        with database().write() as session:
            return _hold_back(session, taken, error.code)
    return _post(taken, template)


def _post(taken: Claim, template: frozenset[str] | Outcome) -> datetime | None:
    """`template`: the variables it has, or why Twilio could not be asked, and then it gets none."""
    started = time.monotonic()
    with database().write() as session:
        content = begin(session, taken)
    if not isinstance(content, Content):
        return content
    if isinstance(template, Outcome):
        return record(taken.attempt_id, _unsent(template))
    if time.monotonic() - started > settings().send_lease / 2:
        # This process stood still, and its lease may be over: it must not send any more.
        return record(taken.attempt_id, Outcome(kind=Kind.TRANSIENT, code="unreachable"))
    return record(taken.attempt_id, channel().send(_outgoing(taken, content, template)))


def _unsent(asked: Outcome) -> Outcome:
    """What came of a message whose POST did not begin, as the GET before it failed."""
    if asked.kind in {Kind.CONFIGURATION, Kind.RATE}:
        return asked
    code = "unreachable" if asked.kind is Kind.UNCERTAIN else asked.code
    return replace(asked, kind=Kind.TRANSIENT, code=code)


def _hold_back(session: Session, taken: Claim, code: str) -> datetime | None:
    """Nothing was sent, nor will be before somebody has set up the template.

    Without the reminders' all else is of little use, so that stops everything; a template that
    only few messages need stops those alone.
    """
    if kind_of(taken.job_id) != "reminder":
        claims.mark_unsendable(session, taken, code)
        return None
    until = gate.stop(session, code)
    return until if claims.release(session, taken, until) else None


def _accept(attempt_id: str, sent: SentMessage) -> datetime | None:
    with database().write() as session:
        return outcomes.accept(session, attempt_id, sent.sid, sent.status, sent.error_code)


def _release(taken: Claim, until: datetime) -> datetime | None:
    with database().write() as session:
        return until if claims.release(session, taken, until) else None


def _outgoing(taken: Claim, content: Content, variables: frozenset[str]) -> OutgoingMessage:
    env = settings()
    callback = f"{env.public_url}{channel().webhooks}/status/{taken.attempt_id}"
    return OutgoingMessage(
        to=taken.to,
        body=content.body,
        status_callback=callback if env.twilio_can_call_back else None,
        content_sid=content.content_sid,
        content_variables={name: content.variables[name] for name in sorted(variables)},
    )
