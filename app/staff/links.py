"""A link by which somebody chooses their password: an invitation, or instead of a forgotten one.

Mail brings it to them, or the owner gives it to them. It is used up by the first password, holds
for some days, and a new one takes the place of the one before. Only its SHA-256 is kept.
"""

import secrets
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app import clock
from app.errors import Conflict, NotFound
from app.mail import service as mails
from app.models.shop import Shop
from app.models.staff import PasswordLink, User
from app.settings import settings
from app.staff import accounts, audit, sessions
from app.staff.digests import digest

HOLDS_FOR = timedelta(days=3)

_MAIL = """\
Hello {name},

by this link you choose a password for Chairtime at {shop}, and are signed in:

{address}

It works once, and holds for {days} days.
If you have not asked for it, do nothing: your password stays as it is.
"""


def invite(session: Session, email: str, name: str, role: str, actor: str) -> User:
    """Add somebody of whose password nobody knows: a link lets them choose one. Raises Invalid."""
    return accounts.add(session, email, name, role, secrets.token_urlsafe(32), actor)


def make(session: Session, user_id: str, actor: str) -> str:
    """A new link's secret for somebody else; their password holds until they choose another.

    Raises NotFound, and Conflict: `own_password`, `disabled`.
    """
    user = session.get(User, user_id)
    if user is None:
        raise NotFound("There is no such member of staff.")
    if actor == f"user:{user_id}":
        raise Conflict("own_password", "Your own password is changed in “Your account”.")
    if user.disabled_at is not None:
        raise Conflict("disabled", f"{user.name} is disabled: enable them first.")
    secret = secrets.token_urlsafe(32)
    session.execute(delete(PasswordLink).where(PasswordLink.user_id == user_id))
    session.add(
        PasswordLink(
            id=digest(secret),
            shop_id=session.get_one(Shop, 1).id,
            user_id=user_id,
            ends_at=clock.now() + HOLDS_FOR,
        )
    )
    audit.record(session, actor, "user.link_made", user_id)
    return secret


def mail(session: Session, user: User, secret: str) -> bool:
    """Have their link sent to them; False where mail is not set up."""
    shop = session.get_one(Shop, 1).name
    address = f"{settings().public_url}/join/{secret}"
    text = _MAIL.format(name=user.name, shop=shop, address=address, days=HOLDS_FOR.days)
    return mails.send(session, user.email, f"Choose a password for {shop}", text)


def mail_if_known(session: Session, email: str) -> None:
    """Have a link sent to whoever signs in with this address, and has forgotten their password."""
    known = select(User).where(User.email == email.strip().lower(), User.disabled_at.is_(None))
    user = session.scalar(known)
    if user is not None:
        mail(session, user, make(session, user.id, "system"))


def user_of(session: Session, secret: str) -> User:
    """Whose password the link is for. Raises NotFound for one that does not hold."""
    return session.get_one(User, _link(session, secret).user_id)


def use(session: Session, secret: str, password: str) -> User:
    """Set the password, which uses the link up; what they had open ends.

    Raises NotFound, and Invalid for a password that cannot be.
    """
    link = _link(session, secret)
    user = session.get_one(User, link.user_id)
    accounts.NewUserForm({"password": password, "email": user.email}).checked(["password"])
    user.password_hash = accounts.hash_of(password)
    session.delete(link)
    sessions.end_all(session, user.id)
    audit.record(session, f"user:{user.id}", "user.password_changed", user.id)
    return user


def _link(session: Session, secret: str) -> PasswordLink:
    link = session.get(PasswordLink, digest(secret), with_for_update=True)
    user = session.get(User, link.user_id) if link else None
    if link is None or user is None or user.disabled_at or link.ends_at <= clock.now():
        raise NotFound("This link does not work any more. Ask the shop’s owner for another one.")
    return link
