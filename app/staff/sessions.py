"""Sessions of staff who signed in: rows in the database, found by the SHA-256 of a cookie's secret.

Not Litestar's sessions: those keep an id that somebody planted before the login (docs/adr).
"""

import secrets
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, bindparam, delete, func, or_, select, update
from sqlalchemy.orm import Session

from app import clock
from app.db import Database, UtcDateTime
from app.kept import Kept
from app.models.staff import LoginStep, StaffSession, User
from app.rows import read_rows
from app.staff import audit
from app.staff.accounts import ROLES
from app.staff.digests import digest

IDLE = timedelta(hours=8)
LONGEST = timedelta(hours=20)
CONFIRMED_FOR = timedelta(minutes=15)
"""How long a password that was typed will do for what changes the way in."""
NOTED_EVERY = timedelta(minutes=1)
"""How exact the last use is."""

_SIGNED_IN = (
    select(StaffSession.id.label("session_id"), User.id, User.name, User.role, StaffSession.seen_at)
    .join(User, StaffSession.user_id == User.id)
    .where(
        StaffSession.id.in_(bindparam("ids", expanding=True)),
        StaffSession.seen_at > bindparam("not_before", type_=UtcDateTime),
        StaffSession.created_at > bindparam("begun_after", type_=UtcDateTime),
        User.disabled_at.is_(None),
    )
)
"""Made once, as every page needs it; the times are those of `_is_open`."""


@dataclass(frozen=True)
class SignedIn:
    """Who is signed in, as pages and guards see it. `role` is owner, staff or viewer."""

    id: str
    name: str
    role: str
    session_id: str
    seen_at: datetime

    @property
    def actor(self) -> str:
        """As the audit log writes it."""
        return f"user:{self.id}"

    @property
    def is_noted(self) -> bool:
        """Whether this use needs no noting."""
        return clock.now() - self.seen_at < NOTED_EVERY

    def may(self, role: str) -> bool:
        """Whether they may do what `role` may: an owner may do all, a viewer only look."""
        return ROLES.index(self.role) <= ROLES.index(role)


def start(session: Session, user: User) -> str:
    """Begin a session; returns its secret, 256 random bits, which is not kept."""
    now = clock.now()
    secret = secrets.token_urlsafe(32)
    begun = {"created_at": now, "seen_at": now, "confirmed_at": now}
    session.add(StaffSession(id=digest(secret), user_id=user.id, **begun))
    audit.record(session, f"user:{user.id}", "session.started", user.id)
    _forget_old(session, now)
    return secret


def find(session: Session, secret: str) -> SignedIn | None:
    """Whose session this is, unless it ended, was idle or lasted too long, or they left."""
    return _KEPT.of(session, digest(secret))


def known(database: Database, secret: str) -> SignedIn | None:
    """The same without a look into the database; None also if it was not looked for lately."""
    return _KEPT.known(database, digest(secret))


def find_all(session: Session, secrets: Iterable[str]) -> dict[str, SignedIn]:
    """That of each of them, by its secret; what `find` finds for none is not there."""
    by_id = {digest(secret): secret for secret in secrets}
    return {by_id[each.session_id]: each for each in _open_ones(session, by_id)}


def note_use(session: Session, session_id: str) -> None:
    """Note that it is used now."""
    session.execute(
        update(StaffSession).where(StaffSession.id == session_id).values(seen_at=clock.now())
    )


def confirm(session: Session, session_id: str) -> None:
    """Note that the password was typed in it now."""
    mine = StaffSession.id == session_id
    session.execute(update(StaffSession).where(mine).values(confirmed_at=clock.now()))


def is_confirmed(session: Session, session_id: str) -> bool:
    """Whether the password was typed in it a short time ago."""
    at = session.scalar(select(StaffSession.confirmed_at).where(StaffSession.id == session_id))
    return at is not None and at > clock.now() - CONFIRMED_FOR


def end(session: Session, secret: str) -> None:
    """End the session, if it is one."""
    row = session.get(StaffSession, digest(secret))
    if row is not None:
        session.delete(row)
        audit.record(session, f"user:{row.user_id}", "session.ended", row.user_id)


def of_user(session: Session, user_id: str) -> Sequence[StaffSession]:
    """A user's open sessions, the one that was used last first."""
    query = select(StaffSession).where(StaffSession.user_id == user_id, *_is_open(clock.now()))
    return session.scalars(query.order_by(StaffSession.seen_at.desc())).all()


def end_own(session: Session, user_id: str, session_ids: Collection[str]) -> int:
    """End these sessions of a user, who may be the one that asks; returns how many there were."""
    own = StaffSession.user_id == user_id, StaffSession.id.in_(session_ids)
    ended = session.execute(delete(StaffSession).where(*own).returning(StaffSession.id)).all()
    if ended:
        audit.record(session, f"user:{user_id}", "user.sessions_ended", user_id)
    return len(ended)


def end_all(session: Session, user_id: str) -> int:
    """End whatever the user has open, and any login that is under way; returns how many sessions
    that were.
    """
    open_ones = select(func.count()).where(StaffSession.user_id == user_id, *_is_open(clock.now()))
    number = session.scalar(open_ones) or 0
    for table in (StaffSession, LoginStep):
        session.execute(delete(table).where(table.user_id == user_id))
    return number


def open_of_all(session: Session) -> dict[str, list[datetime]]:
    """When each open session was last used, by the id of its user."""
    seen: dict[str, list[datetime]] = defaultdict(list)
    query = select(StaffSession.user_id, StaffSession.seen_at).where(*_is_open(clock.now()))
    for user_id, seen_at in session.execute(query):
        seen[user_id].append(seen_at)
    return seen


def _is_open(now: datetime) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return StaffSession.seen_at > now - IDLE, StaffSession.created_at > now - LONGEST


def _forget_old(session: Session, now: datetime) -> None:
    is_idle = StaffSession.seen_at <= now - IDLE
    is_old = StaffSession.created_at <= now - LONGEST
    session.execute(delete(StaffSession).where(or_(is_idle, is_old)))


def _open_ones(session: Session, ids: Iterable[str]) -> list[SignedIn]:
    now = clock.now()
    given = {"ids": list(ids), "not_before": now - IDLE, "begun_after": now - LONGEST}
    return [
        SignedIn(row.id, row.name, row.role, row.session_id, row.seen_at)
        for row in read_rows(session, _SIGNED_IN, given)
    ]


def _read(session: Session, session_id: str) -> SignedIn | None:
    return next(iter(_open_ones(session, [session_id])), None)


_KEPT = Kept(_read, StaffSession, User)
