"""Whether messages may go out at all: paused by staff, stopped by an error, or asked to be slower.

A configuration error would fail every message alike, so it opens a breaker for all of them; one
probe at growing intervals finds out whether it is repaired, and no try is burnt meanwhile. What
WhatsApp refuses, Twilio accepts first: then only a probe that reached WhatsApp closes the breaker.
"""

import logging
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session

from app import clock, outbox
from app.channel import Advice, Kind
from app.messages.channels import channel
from app.models.message import Sending
from app.rows import set_if
from app.staff import audit

_log = logging.getLogger(__name__)

_PROBE_AFTER = (60.0, 300.0, 900.0)
"""Seconds until the first probe, the second, the third and all later ones."""
_PATIENCE = 3
"""Times in a row that a limit is met before all sending waits for the longer of its pauses."""
_LONGEST_PLAIN = timedelta(minutes=1)
_NEW_DAY = timedelta(minutes=5)
"""After midnight (UTC) until a daily limit counts as lifted: Twilio's clock is not ours."""
_REPLIES_EVERY = timedelta(minutes=5)
_CLOSED: dict[str, Any] = {"breaker_code": None, "breaker_at": None, "probe_at": None, "probes": 0}


class State(Protocol):
    """What decides whether messages may go out: of the row, or read along with something else."""

    @property
    def paused_at(self) -> datetime | None: ...
    @property
    def slow_until(self) -> datetime | None: ...
    @property
    def probe_at(self) -> datetime | None: ...
    @property
    def probes(self) -> int: ...


def state(session: Session) -> Sending:
    """The single row, which the first migration makes."""
    return session.get_one(Sending, 1, populate_existing=True)


def is_stopped(sending: State, now: datetime) -> bool:
    """Whether nothing at all may start, not even a probe."""
    waits_for_probe = sending.probe_at is not None and sending.probe_at > now
    return sending.paused_at is not None or waits_for_probe or is_slowed(sending, now)


def is_slowed(sending: State, now: datetime) -> bool:
    """Whether all messages wait for a while, because Twilio or WhatsApp asked for it."""
    return sending.slow_until is not None and sending.slow_until > now


def is_limited(sending: Sending) -> bool:
    """Whether a limit of WhatsApp's or the account's holds everything, of which staff are told.

    Pauses of up to a minute have other reasons, and are over before anybody could act.
    """
    return sending.slow_until is not None and sending.slow_until > clock.now() + _LONGEST_PLAIN


def may_start(session: Session, sending: State, now: datetime) -> bool:
    """Whether the caller may start one message now; while the breaker is open, that is a probe."""
    if is_stopped(sending, now):
        return False
    if sending.probe_at is None:
        return True
    next_probe = _next_probe(now, sending.probes)
    is_mine = Sending.probe_at == sending.probe_at
    return _set_if(session, is_mine, probe_at=next_probe, probes=sending.probes + 1)


def stop(session: Session, code: str) -> datetime:
    """Open the breaker for a configuration error, if it is not; returns when the next probe is."""
    now = clock.now()
    is_new = _set_if(
        session,
        Sending.breaker_code.is_(None),
        breaker_code=code,
        breaker_at=now,
        probe_at=_next_probe(now, 0),
        probes=1,
    )
    if is_new:
        outbox.note(session, "sending.stopped")
        why = channel().explain(code)
        _log.warning("sending has stopped: %s (%s). %s", why.words, why.code, why.advice)
    return state(session).probe_at or now


def go(session: Session) -> None:
    """Close the breaker: Twilio took a message, or refused it for a reason of that message alone.

    What WhatsApp refuses later is not repaired by that: see `note_arrival`.
    """
    code = state(session).breaker_code
    if code is not None and not channel().explain(code).comes_later:
        _close(session, Sending.breaker_code == code)


def note_arrival(session: Session, started_at: datetime) -> None:
    """A message that was begun at `started_at` has reached WhatsApp.

    If that was after the breaker opened, or after the last pause for a limit, all is well again.
    Receipts of earlier messages come late, and prove nothing.
    """
    sending = state(session)
    if sending.breaker_at is not None and sending.breaker_at < started_at:
        _close(session, Sending.breaker_at == sending.breaker_at)
    if sending.slowed and sending.slow_until is not None and sending.slow_until <= started_at:
        _set_if(session, Sending.slow_until == sending.slow_until, slowed=0)


def slow_down(session: Session, until: datetime) -> datetime:
    """Start nothing until then; returns until when nothing starts, which may be later."""
    is_sooner = Sending.slow_until.is_(None) | (Sending.slow_until < until)
    if _set_if(session, is_sooner, slow_until=until) and until > clock.now() + _LONGEST_PLAIN:
        _warn_of_limit(until)
    return state(session).slow_until or until


def pause_for(
    session: Session, advice: Advice, retry_after: float | None = None
) -> datetime | None:
    """Stop or slow down all sending if an error asks for it; returns until when, else None.

    `retry_after` is how many seconds Twilio itself said.
    """
    if advice.kind is Kind.CONFIGURATION:
        return stop(session, advice.code)
    if advice.kind is not Kind.RATE:
        return None
    if advice.until_next_day:
        return slow_down(session, _next_day(clock.now()))
    if advice.pause_if_repeated:
        return _slow_down_more(session, advice)
    seconds = advice.pause if retry_after is None else retry_after
    return slow_down(session, clock.now() + timedelta(seconds=seconds))


def are_replies_due(sending: Sending) -> bool:
    """Whether it is time to fetch the replies that we missed, as it is every 5 minutes."""
    now, at = clock.now(), sending.replies_at
    return at is None or at <= now or at > now + _REPLIES_EVERY  # the clock was set back


def may_fetch_replies(session: Session, sending: Sending) -> bool:
    """Whether it is the caller who is to fetch them: one process of those that saw them due."""
    is_as_seen = Sending.replies_at.is_not_distinct_from(sending.replies_at)
    return _set_if(session, is_as_seen, replies_at=clock.now() + _REPLIES_EVERY)


def pause(session: Session, actor: str) -> None:
    """Send nothing until `resume`; bookings go on, and what gets too late meanwhile is skipped."""
    if _set_if(session, Sending.paused_at.is_(None), paused_at=clock.now(), paused_by=actor):
        audit.record(session, actor, "sending.paused", "sending")
        outbox.note(session, "sending.stopped")


def resume(session: Session, actor: str) -> None:
    """Send again; harmless when nothing is paused."""
    if _set_if(session, Sending.paused_at.is_not(None), paused_at=None, paused_by=None):
        audit.record(session, actor, "sending.resumed", "sending")
        outbox.note(session, "sending.resumed")


def _close(session: Session, is_as_read: ColumnElement[bool]) -> None:
    if _set_if(session, is_as_read, **_CLOSED):
        outbox.note(session, "sending.resumed")


def _slow_down_more(session: Session, advice: Advice) -> datetime:
    """A limit met during the pause for it is the same one again, and counts once."""
    sending = state(session)
    pause = advice.pause if sending.slowed + 1 < _PATIENCE else advice.pause_if_repeated
    until = clock.now() + timedelta(seconds=pause)
    if not is_limited(sending):
        is_as_read = Sending.slowed == sending.slowed
        if _set_if(session, is_as_read, slow_until=until, slowed=sending.slowed + 1):
            _warn_of_limit(until)
    return state(session).slow_until or until


def _warn_of_limit(until: datetime) -> None:
    _log.warning("sending waits until %s: a limit of WhatsApp or Twilio", f"{until:%F %H:%M} UTC")


def _next_day(now: datetime) -> datetime:
    today = (now - _NEW_DAY).replace(hour=0, minute=0, second=0, microsecond=0)
    return today + timedelta(days=1) + _NEW_DAY


def _set_if(session: Session, condition: ColumnElement[bool], **values: Any) -> bool:
    return set_if(session, Sending, Sending.id == 1, condition, **values)


def _next_probe(now: datetime, probes: int) -> datetime:
    return now + timedelta(seconds=_PROBE_AFTER[min(probes, len(_PROBE_AFTER) - 1)])
