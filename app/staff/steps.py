"""Logins that have the right password and wait for a second factor: rows, as sessions are."""

import secrets
from datetime import timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session

from app import clock
from app.errors import NotFound
from app.models.shop import Shop
from app.models.staff import LoginStep, User
from app.staff.digests import digest

HOLDS_FOR = timedelta(minutes=10)


def begin(session: Session, user: User) -> str:
    """Wait for the second factor of somebody; returns the secret for their browser."""
    now = clock.now()
    session.execute(delete(LoginStep).where(LoginStep.ends_at <= now))
    secret = secrets.token_urlsafe(32)
    shop_id = session.get_one(Shop, 1).id
    step = LoginStep(id=digest(secret), shop_id=shop_id, user_id=user.id, ends_at=now + HOLDS_FOR)
    session.add(step)
    return secret


def find(session: Session, secret: str | None) -> tuple[LoginStep, User]:
    """What waits, and for whom. Raises NotFound when it is over."""
    step = session.get(LoginStep, digest(secret)) if secret else None
    user = session.get(User, step.user_id) if step else None
    if step is None or user is None or user.disabled_at or step.ends_at <= clock.now():
        raise NotFound("This login took too long. Log in again.")
    return step, user
