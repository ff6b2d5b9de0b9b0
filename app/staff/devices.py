"""Browsers that somebody has logged in with before: a signed cookie for each account.

Tries from such a browser are counted apart, so that whoever guesses elsewhere shuts nobody out
(docs/adr/0032). The cookie lets nobody in: it is worth ten tries in an hour of its own.
"""

import hashlib
import hmac
import re
import secrets

from app.settings import settings
from app.staff.digests import digest

_VALUE = re.compile(r"([0-9a-f]{32})\.([0-9a-f]{64})")


def cookie_name(email: str) -> str:
    """The cookie that an account's browsers have; it does not show whose account it is."""
    return f"chairtime-device-{digest(email.strip().lower())[:12]}"


def made(email: str) -> str:
    """The value of the cookie for a browser that has just logged in."""
    device = secrets.token_hex(16)
    return f"{device}.{_signature(device, email)}"


def known(email: str, value: str | None) -> str | None:
    """The id of the browser that has this value, if we made it for this account."""
    match = _VALUE.fullmatch(value or "")
    is_ours = match and hmac.compare_digest(match[2], _signature(match[1], email))
    return match[1] if match and is_ours else None


def _signature(device: str, email: str) -> str:
    text = f"device:{device}:{digest(email.strip().lower())}"
    return hmac.new(settings().secret_key.encode(), text.encode(), hashlib.sha256).hexdigest()
