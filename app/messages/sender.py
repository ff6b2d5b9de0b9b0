"""Whether messages may go out at all: paused by staff, stopped by an error, or asked to be slower.

A configuration error would fail every message alike, so it opens a breaker for all of them; one
probe at growing intervals finds out whether it is repaired, and no try is burnt meanwhile.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, update
from sqlalchemy.orm import Session

from app import clock
from app.messages.models import Sending
from app.staff import audit
from app.whatsapp.errors import Advice, Kind

_PROBE_AFTER = (60.0, 300.0, 900.0)
"""Seconds from an error to the first probe, from that to the second, and so on."""


def state(session: Session) -> Sending:
    """The single row, which the first migration makes."""
    return session.get_one(Sending, 1, populate_existing=True)


def is_stopped(found: Sending, now: datetime) -> bool:
    """Whether nothing at all may start, not even a probe."""
    waits_for_probe = found.probe_at is not None and found.probe_at > now
    is_slowed = found.slow_until is not None and found.slow_until > now
    return found.paused_at is not None or waits_for_probe or is_slowed


def may_start(session: Session, now: datetime) -> bool:
    """Whether the caller may start one message now; while the breaker is open, that is a probe."""
    found = state(session)
    if is_stopped(found, now):
        return False
    if found.probe_at is None:
        return True
    next_probe = _next_probe(now, found.probes)
    is_mine = Sending.probe_at == found.probe_at
    return _set_if(session, is_mine, probe_at=next_probe, probes=found.probes + 1)


def stop(session: Session, code: str) -> datetime:
    """Open the breaker for a configuration error, if it is not; returns when the next probe is."""
    now = clock.now()
    _set_if(
        session,
        Sending.breaker_code.is_(None),
        breaker_code=code,
        breaker_at=now,
        probe_at=_next_probe(now, 0),
        probes=1,
    )
    return state(session).probe_at or now


def go(session: Session) -> None:
    """Close the breaker: Twilio has taken a message, or refused it for its own sake."""
    is_open = Sending.breaker_code.is_not(None)
    _set_if(session, is_open, breaker_code=None, breaker_at=None, probe_at=None, probes=0)


def slow_down(session: Session, pause: timedelta) -> datetime:
    """Start nothing for so long from now on; returns until when."""
    until = clock.now() + pause
    is_sooner = Sending.slow_until.is_(None) | (Sending.slow_until < until)
    _set_if(session, is_sooner, slow_until=until)
    return until


def pause_for(
    session: Session, advice: Advice, retry_after: float | None = None
) -> datetime | None:
    """Stop or slow down all sending if an error asks for it; returns until when, else None.

    `retry_after` is how many seconds Twilio itself said.
    """
    if advice.kind is Kind.CONFIGURATION:
        return stop(session, advice.code)
    if advice.kind is Kind.RATE:
        seconds = advice.pause if retry_after is None else retry_after
        return slow_down(session, timedelta(seconds=seconds))
    return None


def pause(session: Session, actor: str) -> None:
    """Send nothing until `resume`; bookings go on, and what gets too late meanwhile is skipped."""
    if _set_if(session, Sending.paused_at.is_(None), paused_at=clock.now(), paused_by=actor):
        audit.record(session, actor, "sending.paused", "sending")


def resume(session: Session, actor: str) -> None:
    """Send again; harmless when nothing is paused."""
    if _set_if(session, Sending.paused_at.is_not(None), paused_at=None, paused_by=None):
        audit.record(session, actor, "sending.resumed", "sending")


def _set_if(session: Session, condition: ColumnElement[bool], **values: Any) -> bool:
    result = session.execute(
        update(Sending)
        .where(Sending.id == 1, condition)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    return bool(result.rowcount == 1)  # type: ignore[attr-defined]


def _next_probe(now: datetime, probes: int) -> datetime:
    return now + timedelta(seconds=_PROBE_AFTER[min(probes, len(_PROBE_AFTER) - 1)])
