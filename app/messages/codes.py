"""What names a booking to its customer: a short code to type, and what the cancel button sends.

Both follow from the booking's id and SECRET_KEY, so there is nothing to keep and nothing to guess.
A code is too short to prove anything: it only chooses among the bookings of one number.
"""

import hashlib
import hmac

from app.settings import settings

ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""32 characters: no I, O, 0 and 1, which are taken for one another."""
CODE_LENGTH = 6

_CANCEL = "cancel"


def code(booking_id: str) -> str:
    """The six characters that customers write behind CANCEL, of ALPHABET."""
    digest = _digest("code", booking_id)
    return "".join(ALPHABET[byte % len(ALPHABET)] for byte in digest[:CODE_LENGTH])


def cancel_payload(booking_id: str) -> str:
    """What the button "Cancel appointment" sends back, below 128 characters."""
    return f"{_CANCEL}:{booking_id}:{_digest(_CANCEL, booking_id).hex()[:32]}"


def booking_of_payload(text: str) -> str | None:
    """The id of the booking that a `cancel_payload` is of; None if we never made it."""
    booking_id = text.removeprefix(f"{_CANCEL}:").partition(":")[0]
    is_ours = hmac.compare_digest(
        text.encode("utf-8", "replace"), cancel_payload(booking_id).encode()
    )
    return booking_id if is_ours else None


def _digest(purpose: str, booking_id: str) -> bytes:
    message = f"{purpose}:{booking_id}".encode("utf-8", "replace")
    return hmac.digest(settings().secret_key.encode(), message, hashlib.sha256)
