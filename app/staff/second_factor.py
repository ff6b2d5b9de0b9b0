"""The second factor of an account: an authenticator app, passkeys, and recovery codes for both.

It is asked for once there is an app that was confirmed, or a passkey. Recovery codes come with the
first of them and go with the last.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, exists, or_, select, union
from sqlalchemy.orm import Session

from app.models.staff import Authenticator, Passkey, RecoveryCode
from app.staff import codes, passkeys


@dataclass(frozen=True)
class Factors:
    """What somebody has."""

    authenticator: Authenticator | None
    passkeys: Sequence[Passkey]
    recovery_codes: int

    @property
    def is_on(self) -> bool:
        """Whether a login asks for it."""
        return self.has_app or bool(self.passkeys)

    @property
    def has_app(self) -> bool:
        """Whether their app counts."""
        return self.authenticator is not None and self.authenticator.confirmed_at is not None


def of_user(session: Session, user_id: str) -> Factors:
    """Of one member of staff."""
    return Factors(
        codes.authenticator(session, user_id),
        passkeys.of_user(session, user_id),
        codes.recovery_codes_left(session, user_id),
    )


def is_on(session: Session, user_id: str) -> bool:
    """Whether a login of theirs asks for it."""
    app = exists().where(Authenticator.user_id == user_id, Authenticator.confirmed_at.is_not(None))
    return bool(session.scalar(select(or_(app, exists().where(Passkey.user_id == user_id)))))


def whose(session: Session) -> frozenset[str]:
    """The ids of all whose login asks for it."""
    apps = select(Authenticator.user_id).where(Authenticator.confirmed_at.is_not(None))
    return frozenset(session.scalars(union(apps, select(Passkey.user_id))))


def adding(session: Session, user_id: str, add: Callable[[], object]) -> Sequence[str]:
    """Do what adds a factor; returns recovery codes if it is the first."""
    was_on = is_on(session, user_id)
    add()
    session.flush()
    return () if was_on else codes.make_recovery_codes(session, user_id)


def removing(session: Session, user_id: str, remove: Callable[[], bool]) -> bool:
    """Do what removes a factor; with the last one the recovery codes go."""
    is_removed = remove()
    session.flush()
    if not is_on(session, user_id):
        session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    return is_removed


def forget(session: Session, user_id: str) -> bool:
    """Remove all of it; False if a login did not ask for it."""
    was_on = is_on(session, user_id)
    for table in (Authenticator, Passkey, RecoveryCode):
        session.execute(delete(table).where(table.user_id == user_id))
    return was_on
