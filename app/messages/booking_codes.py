"""What names a booking to its customer: a short code to type, and what the cancel button sends.

Both follow from the booking's id and SECRET_KEY, so there is nothing to keep and nothing to guess.
A code is too short to prove anything: it only chooses among the bookings of one number.
"""

import hashlib
import hmac

from app.settings import settings

LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
DIGITS = "23456789"
"""Without I, O, 0 and 1, which are taken for one another."""
CODE_LENGTH = 6

_CANCEL = "cancel"


def code(booking_id: str) -> str:
    """The six characters that customers write behind CANCEL, of LETTERS and DIGITS.

    The last one is a digit: no word is taken for a code ("cancel please").
    """
    *start, end = _digest("code", booking_id)[:CODE_LENGTH]
    either = LETTERS + DIGITS
    return "".join(either[byte % len(either)] for byte in start) + DIGITS[end % len(DIGITS)]


def cancel_payload(booking_id: str) -> str:
    """What the button "Cancel appointment" sends back, below 128 characters."""
    return f"{_CANCEL}:{booking_id}:{_digest(_CANCEL, booking_id).hex()[:32]}"


def booking_of_payload(text: str) -> str | None:
    """The id of the booking that a `cancel_payload` is of; None if we never made it."""
    booking_id = text.removeprefix(f"{_CANCEL}:").partition(":")[0]
    ours = cancel_payload(booking_id).encode("utf-8", "replace")
    return booking_id if hmac.compare_digest(text.encode("utf-8", "replace"), ours) else None


def _digest(purpose: str, booking_id: str) -> bytes:
    message = f"{purpose}:{booking_id}".encode("utf-8", "replace")
    return hmac.digest(settings().secret_key.encode(), message, hashlib.sha256)
