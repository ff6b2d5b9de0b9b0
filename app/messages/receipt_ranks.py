"""The order of Twilio's delivery statuses, and when we ask for one: a message only moves up in it.

Receipts come late, twice, in any order or not at all; the highest rank is the truth.
"""

from datetime import datetime, timedelta

RANKS = {
    "accepted": 10,
    "scheduled": 10,
    "queued": 10,
    "sending": 20,
    "sent": 30,
    "undelivered": 35,
    "failed": 35,
    "delivered": 40,
    "read": 50,
}
AT_WHATSAPP = RANKS["sent"]
NOT_DELIVERED = RANKS["failed"]
DELIVERED = RANKS["delivered"]

ASK_AFTER = (
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(hours=1),
    timedelta(hours=6),
    timedelta(hours=24),
)
"""How long after it was sent a message without a final status is asked for at Twilio."""


def rank_of(status: str | None) -> int:
    """The rank of a status, 0 for one that says nothing."""
    return RANKS.get(status or "", 0)


def asks_by(sent_at: datetime, now: datetime) -> int:
    """How many times of ASK_AFTER have come by now."""
    return sum(sent_at + after <= now for after in ASK_AFTER)


def next_ask(sent_at: datetime, asks: int) -> datetime | None:
    """When to ask after so many times; None after the last."""
    return sent_at + ASK_AFTER[asks] if asks < len(ASK_AFTER) else None
