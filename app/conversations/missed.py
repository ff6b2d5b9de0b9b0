"""Customers' messages that we missed: the webhook did not answer, so they are fetched from Twilio.

Twilio tries a webhook for a few seconds and then gives up.
"""

import logging
from datetime import datetime, timedelta

from sqlalchemy import select, update

from app import clock
from app.channel import Incoming, LookupFailed
from app.conversations import inbound
from app.db import database
from app.messages import gate
from app.messages.channels import channel
from app.models.conversation import Reply

_log = logging.getLogger(__name__)

_ON_ITS_WAY = timedelta(minutes=1)
"""A younger one may still come by the webhook, which can answer it at once."""
_KEPT = timedelta(days=7)
_OURS = timedelta(days=1)
"""What is older when we look for the first time was written to whatever had the number before us:
it is kept, and a STOP holds, but staff need not look after it."""


def fetch_due() -> int:
    """Fetch what we missed, if it is time, and handle it; returns how many there were."""
    with database().read() as session:
        sending = gate.state(session)
    if not gate.are_replies_due(sending):
        return 0
    with database().write() as session:
        if not gate.may_fetch_replies(session, sending):
            return 0
    is_first = sending.replies_at is None
    try:
        listed = channel().list_received()
    except LookupFailed as failed:
        _log.warning("missed replies could not be fetched: %s", failed.outcome.code)
        return 0
    now = clock.now()
    settled = [row for row in listed if now - _KEPT <= row.received_at <= now - _ON_ITS_WAY]
    missed = _unseen(settled)
    for row in missed:
        _receive(row, ours_since=now - _OURS if is_first else now - _KEPT)
    return len(missed)


def _unseen(listed: list[Incoming]) -> list[Incoming]:
    with database().read() as session:
        sids = [row.sid for row in listed]
        seen = set(session.scalars(select(Reply.sid).where(Reply.sid.in_(sids))))
    return [row for row in listed if row.sid not in seen]


def _receive(row: Incoming, ours_since: datetime) -> None:
    """As the webhook would have. One that cannot be handled must not keep the others away."""
    try:
        with database().write() as session:
            inbound.receive(session, row, late=True)
            if row.received_at < ours_since:
                session.execute(
                    update(Reply).where(Reply.sid == row.sid).values(needs_attention=False)
                )
    except Exception:
        _log.exception("the missed reply %s could not be handled", row.sid)
