"""Signing in: an email, a password, and a session for them."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db import Database
from app.staff import sessions, throttle
from app.staff.accounts import LONGEST_PASSWORD
from app.staff.models import LoginAttempt, User

_LONGEST_EMAIL = 254

_log = logging.getLogger(__name__)


class TooManyTries(Exception):
    """No more for now: `wait` says for how long."""

    def __init__(self, wait: timedelta) -> None:
        super().__init__(f"too many tries: wait {wait}")
        self.wait = wait


def log_in(
    database: Database, email: str, password: str, address: str, old_secret: str | None
) -> str | None:
    """The secret of a new session, or None if email or password is wrong. Raises TooManyTries.

    Takes as long for somebody who is not there. `old_secret`, of the session that the browser
    came with, ends.
    """
    email = email.strip().lower()
    with throttled(database, email, address) as tries:
        with database.read() as session:
            user = _user(session, email)
        if not _is_right(user, password) or user is None:
            _log.warning("a login from %s failed", address)
            return None
        with database.write() as session:
            throttle.take_back(session, tries)
            return begin(session, user, old_secret)


def begin(session: Session, user: User, old_secret: str | None) -> str:
    """A new session in place of the one that the browser came with; returns its secret."""
    if old_secret:
        sessions.end(session, old_secret)
    return sessions.start(session, user)


@contextmanager
def throttled(database: Database, account: str, address: str) -> Iterator[list[LoginAttempt]]:
    """Count a try, which the block may take back. Raises TooManyTries."""
    found = throttle.buckets(account, address)
    with database.write() as session:
        tries = throttle.note(session, found)
    with database.read() as session:
        wait = throttle.wait(session, found)
    if wait is not None:
        with database.write() as session:
            throttle.take_back(session, tries)
        raise TooManyTries(wait)
    yield tries


def _user(session: Session, email: str) -> User | None:
    if len(email) > _LONGEST_EMAIL or not email.isprintable():
        return None
    return session.scalar(select(User).where(User.email == email, User.disabled_at.is_(None)))


def _is_right(user: User | None, password: str) -> bool:
    """Hashes once, whoever it is; but nothing that is too long to be a password."""
    if len(password) > LONGEST_PASSWORD:
        return False
    hashed = user.password_hash if user else _nobodys_hash()
    try:
        return PasswordHasher().verify(hashed, password)
    except (VerificationError, UnicodeEncodeError):
        return False


@cache
def _nobodys_hash() -> str:
    return PasswordHasher().hash("nobody has this one")
