"""The shop's staff, as its owner looks after them: roles, passwords, sessions, who may sign in.

A session reads role and `disabled_at` at each request, so whatever is changed here holds at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import clock
from app.errors import Conflict, NotFound
from app.models.shop import Shop
from app.models.staff import AuditEvent, User
from app.staff import accounts, audit, second_factor, sessions


@dataclass(frozen=True)
class Member:
    """A member of staff; `seen_at` is None for who never signed in, `sessions` counts open ones."""

    id: str
    name: str
    email: str
    role: str
    is_disabled: bool
    seen_at: datetime | None
    sessions: int
    has_second_factor: bool


def listed(session: Session) -> list[Member]:
    """All of them: who may sign in before who may not, owners first, then by name."""
    users = session.scalars(select(User)).all()
    open_sessions = sessions.open_of_all(session)
    signed_in = _last_events(session)
    guarded = second_factor.whose(session)
    members = [
        _member(user, open_sessions.get(user.id, ()), signed_in, user.id in guarded)
        for user in users
    ]
    return sorted(members, key=_place)


def change(session: Session, user_id: str, name: str, role: str, actor: str) -> bool:
    """Change name and role; False if that is how they are.

    Raises NotFound, Invalid, and Conflict `last_owner`.
    """
    wanted = accounts.UserForm({"name": name, "role": role}).checked()
    user = _locked(session, user_id)
    if wanted["role"] != "owner":
        _check_another_owner(session, user)
    old = {field: getattr(user, field) for field in wanted}
    changes = {field: [old[field], new] for field, new in wanted.items() if new != old[field]}
    for field in changes:
        setattr(user, field, wanted[field])
    if changes:
        audit.record(session, actor, "user.changed", user_id, **changes)
    return bool(changes)


def disable(session: Session, user_id: str, actor: str) -> User:
    """They can sign in no more, and what they had open ends.

    Raises NotFound, and Conflict `last_owner`.
    """
    user = _locked(session, user_id)
    if user.disabled_at is None:
        _check_another_owner(session, user)
        user.disabled_at = clock.now()
        sessions.end_all(session, user_id)
        audit.record(session, actor, "user.disabled", user_id)
    return user


def enable(session: Session, user_id: str, actor: str) -> User:
    """They may sign in again, with the password that they had. Raises NotFound."""
    user = _locked(session, user_id)
    if user.disabled_at is not None:
        user.disabled_at = None
        audit.record(session, actor, "user.enabled", user_id)
    return user


def set_password(session: Session, user_id: str, password: str, actor: str) -> User:
    """Give them another password; what they had open ends.

    Raises NotFound, Invalid, and Conflict `own_password`: for that the old one is asked.
    """
    user = _locked(session, user_id)
    if actor == f"user:{user_id}":
        raise Conflict("own_password", "Your own password is changed in “Your account”.")
    accounts.NewUserForm({"password": password, "email": user.email}).checked(["password"])
    user.password_hash = accounts.hash_of(password)
    sessions.end_all(session, user_id)
    audit.record(session, actor, "user.password_reset", user_id)
    return user


def reset_second_factor(session: Session, user_id: str, actor: str) -> User:
    """Let somebody sign in by their password alone, who has lost the rest; what they had open ends.

    Raises NotFound, and Conflict `own_second_factor`.
    """
    user = _locked(session, user_id)
    if actor == f"user:{user_id}":
        raise Conflict("own_second_factor", "Your own is changed in “Your account”.")
    if second_factor.forget(session, user_id):
        sessions.end_all(session, user_id)
        audit.record(session, actor, "user.second_factor_reset", user_id)
    return user


def end_sessions(session: Session, user_id: str, actor: str) -> int:
    """End all that they have open; returns how many. Raises NotFound."""
    _locked(session, user_id)
    number = sessions.end_all(session, user_id)
    if number:
        audit.record(session, actor, "user.sessions_ended", user_id, number=number)
    return number


def _locked(session: Session, user_id: str) -> User:
    """The user; the shop's row is locked, so that two owners at once leave one. Raises NotFound."""
    session.get_one(Shop, 1, with_for_update=True)
    user = session.get(User, user_id)
    if user is None:
        raise NotFound("There is no such member of staff.")
    return user


def _check_another_owner(session: Session, user: User) -> None:
    """Raise Conflict if nobody else could do what an owner does."""
    if user.role != "owner" or user.disabled_at is not None:
        return
    is_another = (User.role == "owner") & User.disabled_at.is_(None) & (User.id != user.id)
    if session.scalar(select(User.id).where(is_another).limit(1)) is None:
        raise Conflict(
            "last_owner",
            f"{user.name} is the only owner who can sign in. Make somebody else an owner first.",
        )


def _last_events(session: Session) -> dict[str, datetime]:
    """When each user last signed in or out, by id."""
    rows = session.execute(
        select(AuditEvent.subject, func.max(AuditEvent.at))
        .where(
            AuditEvent.subject.in_(select(User.id)),
            AuditEvent.action.in_(("session.started", "session.ended")),
        )
        .group_by(AuditEvent.subject)
    )
    return dict(rows.all())


def _member(
    user: User, seen: Sequence[datetime], signed_in: dict[str, datetime], has_second_factor: bool
) -> Member:
    known = [*seen, *filter(None, [signed_in.get(user.id)])]
    return Member(
        id=user.id,
        name=user.name,
        email=user.email,
        role=user.role,
        is_disabled=user.disabled_at is not None,
        seen_at=max(known, default=None),
        sessions=len(seen),
        has_second_factor=has_second_factor,
    )


def _place(member: Member) -> tuple[bool, int, str]:
    return member.is_disabled, accounts.ROLES.index(member.role), member.name.casefold()
