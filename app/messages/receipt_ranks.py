"""The order of Twilio's delivery statuses: a message only ever moves up in it.

Receipts come late, twice and in any order; the highest rank is the truth.
"""

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
NOT_DELIVERED = RANKS["failed"]


def rank_of(status: str | None) -> int:
    """The rank of a status, 0 for one that says nothing."""
    return RANKS.get(status or "", 0)
