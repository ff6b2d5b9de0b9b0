"""Where a page of a list ended: a time and an id, as the text that a caller gives back."""

import base64
import re
from datetime import UTC, datetime

HINT = "This link is too old or incomplete: start from the first page."

_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")


def write(at: datetime, id: str, mark: str = "") -> str:
    """`mark` says of which order it is a place; it is nothing else's then. `at` is in UTC."""
    place = f"{mark}{at.replace(tzinfo=None).isoformat()} {id}"
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def read(cursor: str, mark: str = "") -> tuple[datetime, str] | None:
    """The place, or None if `cursor` was not made by `write` with this mark."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        place = base64.b64decode(padded, b"-_", validate=True).decode()
        if not place.startswith(mark):
            return None
        at, _, id = place.removeprefix(mark).partition(" ")
        time = datetime.fromisoformat(at)
    except ValueError:
        return None
    is_ours = time.tzinfo is None and _ID.fullmatch(id)
    return (time.replace(tzinfo=UTC), id) if is_ours else None
