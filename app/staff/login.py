"""Signing in: an email, a password, for some a second factor, and a session for them."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db import Database
from app.errors import FieldError, Invalid
from app.forms import Form, field
from app.models.staff import LoginAttempt, LoginStep, User
from app.staff import accounts, audit, second_factor, sessions, steps, throttle
from app.staff.accounts import LONGEST_PASSWORD

_LONGEST_EMAIL = 254

_log = logging.getLogger(__name__)


class _PasswordForm(Form):
    """The form of one's own password."""

    def __init__(self, given: Mapping[str, str], email: str, is_right: bool) -> None:
        super().__init__(given)
        self._email, self._is_right = email, is_right

    @field
    def old(self, typed: str) -> str:
        if not self._is_right:
            raise ValueError("This is not your password.")
        return typed

    @field
    def new(self, typed: str) -> str:
        if typed == self.given["old"]:
            raise ValueError("This is the one that you have: take another.")
        return accounts.clean_password(typed, self._email)


class TooManyTries(Exception):
    """No more for now: `wait` says for how long."""

    def __init__(self, wait: timedelta) -> None:
        super().__init__(f"too many tries: wait {wait}")
        self.wait = wait


@dataclass(frozen=True)
class Entry:
    """What a browser gets: the secret of a session, or of a step that waits for more."""

    secret: str
    is_waiting: bool


def log_in(
    database: Database,
    email: str,
    password: str,
    address: str,
    old_secret: str | None,
    device: str | None = None,
) -> Entry | None:
    """The way in, or None if email or password is wrong. Raises TooManyTries.

    Takes as long for somebody who is not there. `old_secret`, of the session that the browser
    came with, ends. `device` is that browser's, if this account logged in with it before.
    """
    email = email.strip().lower()
    with throttled(database, email, address, device) as tries:
        with database.read() as session:
            user = _user(session, email)
        if not _is_right(user, password) or user is None:
            _note_failure(database, user, address)
            return None
        with database.write() as session:
            throttle.take_back(session, tries)
            return begin(session, user, old_secret)


def begin(session: Session, user: User, old_secret: str | None) -> Entry:
    """A new session in place of the one that the browser came with, or a step to it."""
    if old_secret:
        sessions.end(session, old_secret)
    if second_factor.is_on(session, user.id):
        return Entry(steps.begin(session, user), is_waiting=True)
    return Entry(sessions.start(session, user), is_waiting=False)


def go_on(
    database: Database,
    secret: str | None,
    check: Callable[[Session, LoginStep], bool],
    address: str,
    device_of: Callable[[str], str | None],
) -> tuple[str, str] | None:
    """The email and the secret of a new session, if `check` finds the second factor right.

    A wrong one counts as a wrong password. `device_of` is as `device` of `log_in`, by the email.
    Raises NotFound when the step is over, and TooManyTries.
    """
    with database.read() as session:
        _, user = steps.find(session, secret)
    with throttled(database, user.email, address, device_of(user.email)) as tries:
        with database.write() as session:
            step, _ = steps.find(session, secret)
            if check(session, step):
                throttle.take_back(session, tries)
                session.delete(step)
                return user.email, sessions.start(session, user)
        _note_failure(database, user, address, is_second=True)
        return None


def confirm(
    database: Database,
    user_id: str,
    session_id: str,
    password: str,
    address: str,
    device: str | None = None,
) -> None:
    """Note that they have typed their password once more. Raises TooManyTries, and Invalid."""
    with database.read() as session:
        user = session.get_one(User, user_id)
    with throttled(database, user.email, address, device) as tries:
        if not _is_right(user, password):
            raise Invalid([FieldError("password", "This is not your password.")])
        with database.write() as session:
            throttle.take_back(session, tries)
            sessions.confirm(session, session_id)


def change_password(
    database: Database, user_id: str, old: str, new: str, address: str, device: str | None = None
) -> str:
    """Put `new` in the place of the password `old`; returns the secret of a new session.

    All others of theirs end. A wrong `old` counts as a try to log in. Raises TooManyTries, and
    Invalid for `old` and `new`.
    """
    with database.read() as session:
        user = session.get_one(User, user_id)
    with throttled(database, user.email, address, device) as tries:
        is_right = _is_right(user, old)
        if is_right:
            with database.write() as session:
                throttle.take_back(session, tries)
    _PasswordForm({"old": old, "new": new}, user.email, is_right).checked()
    with database.write() as session:
        user = session.get_one(User, user_id)
        user.password_hash = accounts.hash_of(new)
        sessions.end_all(session, user_id)
        audit.record(session, f"user:{user_id}", "user.password_changed", user_id)
        return sessions.start(session, user)


@contextmanager
def throttled(
    database: Database, account: str, address: str, device: str | None = None
) -> Iterator[list[LoginAttempt]]:
    """Count a try, which the block may take back. Raises TooManyTries."""
    buckets = throttle.buckets(account, address, device)
    with database.write() as session:
        tries = throttle.note(session, buckets)
    with database.read() as session:
        wait = throttle.wait(session, buckets)
    if wait is not None:
        with database.write() as session:
            throttle.take_back(session, tries)
        raise TooManyTries(wait)
    yield tries


def _note_failure(
    database: Database, user: User | None, address: str, *, is_second: bool = False
) -> None:
    """For the log, and for the owner; what was typed is not kept, for it may be a password."""
    _log.warning("a login from %s failed", address)
    with database.write() as session:
        subject = user.id if user else "login"
        if is_second:
            audit.record(session, "system", "session.second_refused", subject, address=address[:60])
        else:
            audit.record(session, "system", "session.refused", subject, address=address[:60])


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
    except InvalidHashError:
        _log.error(
            "the password of %s is kept as no argon2 hash: give them another", user and user.id
        )
        return False
    except (VerificationError, UnicodeEncodeError):
        return False


@cache
def _nobodys_hash() -> str:
    return PasswordHasher().hash("nobody has this one")
