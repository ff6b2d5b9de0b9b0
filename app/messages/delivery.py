"""Sending one message: claim it, look once more, POST it with no transaction open, record it."""

import logging
import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from babel import UnknownLocaleError
from sqlalchemy.exc import IntegrityError, OperationalError, TimeoutError
from sqlalchemy.orm import Session

from app import clock
from app.channel import Kind, LookupFailed, Outcome, OutgoingMessage, SentMessage
from app.db import database
from app.messages import gate, rate_limit, templates
from app.messages.channels import channel
from app.messages.compose import Content, content_of, content_sids
from app.messages.lifecycle import claims, outcomes
from app.messages.lifecycle.claims import Claim, Found
from app.messages.lifecycle.compare_and_set import kind_of, locked_attempt
from app.messages.lifecycle.facts import Facts
from app.messages.reconciliation.lookup import find_sent
from app.messages.templates import NotUsable
from app.settings import settings
from app.shop.service import names_of

_log = logging.getLogger(__name__)

_UNWRITABLE = (UnknownLocaleError, LookupError, ValueError)
_SOON = timedelta(seconds=5)
_NO_TURN = "no_turn"
_HOLDS_FOR = 0.5
"""Seconds for which what was read when an attempt began is taken as it was; after a longer wait for
its turn it is read again, so that a cancel stops it."""
_RECORD_AGAIN = (0.5, 1.0, 2.0, 3.0, 4.0)
"""Seconds between tries to record an answer while the database is away."""


def deliver(job_id: str) -> datetime | None:
    """Send the message `job_id` if it is due and wanted; returns when to come back, if ever.

    Safe to call any number of times, by any number of workers.
    """
    with rate_limit.line(_longest()) as is_near:
        came = _begin_at_once(job_id) if is_near else clock.now() + _SOON
        if isinstance(came, _Begun):
            came = _wait(came)
    if isinstance(came, Claim):
        came = _begin_after_asking(came)
    return _post(came) if isinstance(came, _Begun) else came


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
        content = _content(session, facts)
    except _UNWRITABLE:
        _log.exception("the text of %s could not be made", taken.job_id)
        claims.mark_unsendable(session, taken, "render_error")
        return None
    return content if claims.start_attempt(session, taken, facts, content.body) else None


def note(session: Session, attempt_id: str, outcome: Outcome) -> datetime | None:
    """What `record` writes down, in the caller's transaction."""
    code = outcome.code or "bad_answer"
    if outcome.kind == "accepted":
        sid = str(outcome.sid)
        return outcomes.accept(session, attempt_id, sid, outcome.status, is_answer=True)
    locked_attempt(session, attempt_id)  # before the row of all sending, as receipts do
    if outcome.kind in {Kind.PERMANENT, Kind.RATE}:
        gate.go(session)  # Twilio knows us
    match outcome.kind:
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


@dataclass(frozen=True)
class _Begun:
    """An attempt whose POST must follow; `since` is before its row was written, in seconds."""

    taken: Claim
    content: Content
    since: float


def _longest() -> float:
    """Seconds after which an attempt that has begun is not posted any more."""
    return settings().send_lease / 2


def _begin_at_once(job_id: str) -> _Begun | Claim | datetime | None:
    """Claim a message and begin its attempt in one transaction; only the claim if Twilio is to be
    asked before, or something is wrong with the message.
    """
    try:
        return _take(job_id)
    except IntegrityError:  # another message to the same person was taken at the same moment
        return _take(job_id)


def _take(job_id: str) -> _Begun | Claim | datetime | None:
    since = time.monotonic()
    with database().write() as session:
        found = claims.find(session, job_id)
        if not isinstance(found, Found):
            return found
        content = _content_at_once(session, found)
        if content is None:
            return found.claim if claims.take(session, found) else None
        won = claims.take_and_start(session, found, content.body)
    return _Begun(found.claim, content, since) if won else None


def _content_at_once(session: Session, found: Found) -> Content | None:
    facts = found.facts
    if facts.verify_first or templates.is_missing(facts.kind, facts.written_at):
        return None
    try:
        content = _content(session, facts)
    except _UNWRITABLE:
        return None
    return None if templates.variables(channel(), content.content_sid) is None else content


def _content(session: Session, facts: Facts) -> Content:
    subject = facts.subject
    if facts.parts is not None:
        subject = subject._replace(services=names_of(session, facts.parts))
    return content_of(facts.shop, facts.kind, facts.text, subject, clock.now())


def _begin_after_asking(taken: Claim) -> _Begun | datetime | None:
    """Ask Twilio for what is not known before a POST, and then begin the attempt."""
    try:
        match = find_sent(channel(), taken.job_id) if taken.verify_first else None
    except LookupFailed:
        return _release(taken, clock.now() + _SOON)
    if match is not None:
        return _accept(*match)
    unsent = None
    try:
        templates.ask(channel(), content_sids(kind_of(taken.job_id)).values())
    except LookupFailed as failed:
        unsent = _unsent(failed.outcome)
    except NotUsable as error:
        with database().write() as session:
            return _hold_back(session, taken, error.code)
    return _begin(taken, unsent)


def _begin(taken: Claim, unsent: Outcome | None) -> _Begun | datetime | None:
    """`unsent`: the attempt has no template to be sent by, and so ends as it begins."""
    with rate_limit.line(_longest()) as is_near:
        if not is_near:
            return _release(taken, clock.now() + _SOON)
        since = time.monotonic()
        with database().write() as session:
            content = begin(session, taken)
        if not isinstance(content, Content):
            return content
        if unsent is not None:
            return record(taken.attempt_id, unsent)
        return _wait(_Begun(taken, content, since))


def _wait(begun: _Begun) -> _Begun | datetime | None:
    """Wait for the turn of an attempt that has begun, in the line."""
    if not rate_limit.wait(_longest()):
        return _give_up(begun, clock.now() + _SOON)
    waited = time.monotonic() - begun.since
    if waited > _longest():
        # This process stood still, and its lease may be over: it must not send any more.
        return record(begun.taken.attempt_id, Outcome(kind=Kind.TRANSIENT, code="unreachable"))
    if waited > _HOLDS_FOR and not _is_still_wanted(begun.taken):
        return _give_up(begun, clock.now())
    return begun


def _is_still_wanted(taken: Claim) -> bool:
    with database().read() as session:
        return claims.is_still_wanted(session, taken)


def _give_up(begun: _Begun, until: datetime) -> datetime | None:
    """Its POST never began: it is due again then, if it is still wanted."""
    with database().write() as session:
        return outcomes.mark_waiting(session, begun.taken.attempt_id, _NO_TURN, None, until)


def _post(begun: _Begun) -> datetime | None:
    outgoing = _outgoing(begun.taken, begun.content)
    return record(begun.taken.attempt_id, channel().send(outgoing))


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


def _outgoing(taken: Claim, content: Content) -> OutgoingMessage:
    env = settings()
    variables = templates.variables(channel(), content.content_sid) or ()
    callback = f"{env.public_url}{channel().webhooks}/status/{taken.attempt_id}"
    return OutgoingMessage(
        to=taken.to,
        body=content.body,
        status_callback=callback if env.twilio_can_call_back else None,
        content_sid=content.content_sid,
        content_variables={name: content.variables[name] for name in sorted(variables)},
    )
