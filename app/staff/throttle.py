"""How often one may try to sign in: per account, and per address that the tries come from; or
per browser, if somebody has signed in with it before.

Each try is a row that is committed before the password is looked at, so tries at the same time
count each other. The address is the peer's own: X-Forwarded-For is whatever its sender likes.
"""

import ipaddress
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app import clock
from app.models.staff import LoginAttempt
from app.staff.digests import digest

WINDOW = timedelta(hours=1)
PER_ACCOUNT = 10
PER_ADDRESS = 20

_LONGEST_ADDRESS = 60


def buckets(account: str, address: str, device: str | None = None) -> dict[str, int]:
    """The buckets that a try counts in, each with how many it holds in an hour.

    `account` is what was typed; only its hash is kept, as it may be anything. `device` is the
    browser of an earlier login (`app.staff.devices`), which others cannot use up.
    """
    if device:
        return {f"device:{device}": PER_ACCOUNT}
    return {f"account:{digest(account)}": PER_ACCOUNT, f"address:{_network(address)}": PER_ADDRESS}


def note(session: Session, buckets: dict[str, int]) -> list[LoginAttempt]:
    """Count a try in each bucket, and forget those that are too old to count."""
    now = clock.now()
    session.execute(delete(LoginAttempt).where(LoginAttempt.at <= now - WINDOW))
    tries = [LoginAttempt(bucket=bucket, at=now) for bucket in buckets]
    session.add_all(tries)
    return tries


def wait(session: Session, buckets: dict[str, int]) -> timedelta | None:
    """How long until one may try again, if the try that was just noted was one too many."""
    waits = [_wait_for(session, bucket, limit) for bucket, limit in buckets.items()]
    return max((each for each in waits if each), default=None)


def take_back(session: Session, tries: list[LoginAttempt]) -> None:
    """Do not count these: they succeeded, or were refused unread. So nobody is locked for ever."""
    ids = [each.id for each in tries]
    session.execute(delete(LoginAttempt).where(LoginAttempt.id.in_(ids)))


def _wait_for(session: Session, bucket: str, limit: int) -> timedelta | None:
    now = clock.now()
    is_counted = LoginAttempt.bucket == bucket, LoginAttempt.at > now - WINDOW
    count = session.scalar(select(func.count()).select_from(LoginAttempt).where(*is_counted)) or 0
    if count <= limit:
        return None
    oldest: datetime | None = session.scalar(select(func.min(LoginAttempt.at)).where(*is_counted))
    return (oldest or now) + WINDOW - now


def _network(address: str) -> str:
    """Whoever has one IPv6 address has its whole /64."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:_LONGEST_ADDRESS]
    if parsed.version == 6:
        mapped = parsed.ipv4_mapped
        return str(mapped or ipaddress.ip_network((parsed.packed, 64), strict=False))
    return str(parsed)
