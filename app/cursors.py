"""Where a page of a list ended: a time, or a text, and an id, as what a caller gives back."""

import base64
import re
from datetime import UTC, datetime

HINT = "This link is too old or incomplete: start from the first page."

_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")


def write(at: datetime, id: str, mark: str = "") -> str:
    """`mark` says of which order it is a place; it is nothing else's then. `at` is in UTC."""
    return write_text(at.replace(tzinfo=None).isoformat(), id, mark)


def write_text(text: str, id: str, mark: str = "") -> str:
    """The same of a place in the order of texts."""
    return base64.urlsafe_b64encode(f"{mark}{text} {id}".encode()).decode().rstrip("=")


def read(cursor: str, mark: str = "") -> tuple[datetime, str] | None:
    """The place, or None if `cursor` was not made by `write` with this mark."""
    found = read_text(cursor, mark)
    if found is None:
        return None
    try:
        time = datetime.fromisoformat(found[0])
    except ValueError:
        return None
    return (time.replace(tzinfo=UTC), found[1]) if time.tzinfo is None else None


def read_text(cursor: str, mark: str = "") -> tuple[str, str] | None:
    """The same of what `write_text` made."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        place = base64.b64decode(padded, b"-_", validate=True).decode()
    except ValueError:
        return None
    text, _, id = place.removeprefix(mark).rpartition(" ")
    is_ours = place.startswith(mark) and "\0" not in text and _ID.fullmatch(id)
    return (text, id) if is_ours else None
