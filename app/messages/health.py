"""What may be wrong with this install, as /health says it: a code for each part, and words.

Whoever asks needs no token, so nothing here names a person, an address or a path.
"""

import shutil
from pathlib import Path

from sqlalchemy import make_url, update
from sqlalchemy.orm import Session

from app import clock
from app.customers import budget
from app.messages import gate, statistics
from app.messages.channels import channel
from app.models.install import Install
from app.models.message import Sending
from app.queue import failing
from app.settings import Settings

ROOM = 100 * 1024 * 1024
"""Bytes that must be free: a day's log and the database's own working space need some."""

WORDS = {
    "database": {
        "away": "The database does not answer, so no bookings can be made.",
        "busy": "The database can be read, but somebody else has been writing for seconds.",
        "read_only": "The database can be read but not written, so no bookings can be made.",
        "full": "The database's disk is full, so no bookings can be made. Make room on it.",
    },
    "queue": {
        "away": "The queue does not answer. Messages wait in the database until it does.",
    },
    "worker": {
        "missing": "No worker was seen in the last minute, so nothing is sent.",
        "failing": "The worker ends again and again right after its start: see its log.",
        "unknown": "The database does not say whether a worker runs.",
    },
    "sending": {"unknown": "The database does not say whether messages go out."},
    "disk": {
        "low": "Less than 100 MB are free on a disk that Chairtime writes to. Make room on it.",
        "full": "A disk that Chairtime writes to is full. Make room on it.",
    },
}
"""The sentence for each part and code but `ok`."""


def worker(session: Session, state_dir: Path) -> str:
    """`ok`, `missing` or `failing`."""
    if failing.failures(state_dir):
        return "failing"
    return "ok" if statistics.workers(session) else "missing"


def sending(session: Session) -> tuple[str, str]:
    """`ok`, `paused`, `stopped`, `limited` or `budget`, and why in words."""
    return sending_of(session, gate.state(session))


def sending_of(session: Session, row: Sending) -> tuple[str, str]:
    """The same, as this row says it."""
    if row.paused_at is not None:
        return "paused", "Staff have paused sending: nothing goes out until they resume it."
    if row.breaker_code is not None:
        why = channel().explain(row.breaker_code)
        return "stopped", f"Sending has stopped: {why.words} ({why.code}). {why.advice}"
    if gate.is_limited(row):
        until = f"{row.slow_until:%Y-%m-%d %H:%M} UTC"
        return "limited", f"A limit of WhatsApp or Twilio holds all messages until {until}."
    if budget.this_month(session).is_used_up:
        return "budget", "This month's messages are used up: reminders are skipped."
    return "ok", ""


def write(session: Session) -> None:
    """Show that one can write. Raises what the database raises."""
    session.execute(update(Install).values(written_at=clock.now()))


def disk(env: Settings) -> str:
    """`ok`, `low` or `full`, of the disks of STATE_DIR and of a database that is a file."""
    free = min(shutil.disk_usage(folder).free for folder in _folders(env))
    return "full" if free < ROOM // 100 else "low" if free < ROOM else "ok"


def _folders(env: Settings) -> list[Path]:
    folders = [env.state_dir.absolute()]
    url = make_url(env.database_url)
    if url.get_backend_name() == "sqlite" and url.database:
        folders.append(Path(url.database).absolute().parent)
    return [next(each for each in (folder, *folder.parents) if each.exists()) for folder in folders]
