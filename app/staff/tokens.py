"""API tokens: the bearer secrets of integrations. Only their SHA-256 is kept."""

import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Literal, cast

from sqlalchemy import bindparam, or_, select, update
from sqlalchemy.orm import Session

from app import clock
from app.db import Database
from app.errors import NotFound
from app.forms import Form, field, one_of
from app.kept import Kept
from app.models.staff import ApiToken
from app.rows import insert, table_of
from app.staff import audit, digests

NOTED_EVERY = timedelta(minutes=1)
"""How exact `last_used_at` is."""

Scope = Literal["metrics", "read", "write", "manage"]

SCOPES: Mapping[Scope, str] = {
    "metrics": "read /metrics alone",
    "read": "read",
    "write": "read, book and change",
    "manage": "read, book and change, and make tokens",
}
"""What a token may, in words."""

LIFETIMES: Mapping[str, str] = {
    "30": "30 days",
    "90": "90 days",
    "365": "A year",
    "never": "No end",
}
"""How long a token that is made in the pages may hold: days, and in words."""


class TokenForm(Form):
    """The form “New token”."""

    @field
    def name(self, typed: str) -> str:
        if not typed.strip() or len(typed) > 100 or not typed.isprintable():
            raise ValueError("This must be 1 to 100 visible characters.")
        return typed.strip()

    @field
    def scope(self, typed: str) -> Scope:
        return cast(Scope, one_of(typed, SCOPES))

    @field
    def days(self, typed: str) -> timedelta | None:
        chosen = one_of(typed, LIFETIMES)
        return None if chosen == "never" else timedelta(days=int(chosen))


def create(
    session: Session,
    name: str,
    scope: Scope = "write",
    lifetime: timedelta | None = None,
    actor: str = "system",
) -> tuple[ApiToken, str]:
    """A new token and its secret, `chairtime_<id>_<random>`, which is never shown again.

    Without `lifetime` it holds until it is revoked. Raises Invalid for a bad name.
    """
    name = TokenForm({"name": name}).checked(["name"])["name"]
    key = secrets.token_hex(6)
    secret = f"chairtime_{key}_{secrets.token_hex(24)}"
    now = clock.now()
    token = ApiToken(
        id=f"token_{key}",
        name=name,
        scope=scope,
        digest=digests.digest(secret),
        created_at=now,
        expires_at=now + lifetime if lifetime else None,
    )
    session.add(token)
    audit.record(session, actor, "token.created", token.id, scope=scope)
    return token, secret


def ensure(session: Session, name: str, secret: str) -> ApiToken:
    """The token whose secret is `secret`, made if there is none; one that was revoked stays so."""
    digest = digests.digest(secret)
    values = {
        "id": f"token_{secrets.token_hex(6)}",
        "name": name,
        "scope": "write",
        "digest": digest,
        "created_at": clock.now(),
    }
    session.execute(
        insert(session, ApiToken).values(values).on_conflict_do_nothing(index_elements=["digest"])
    )
    return session.scalars(select(ApiToken).where(ApiToken.digest == digest)).one()


def authenticate(session: Session, secret: str) -> ApiToken | None:
    """The token of this secret, unless it was revoked or has expired."""
    return _in_force(_TOKENS.of(session, digests.digest(secret)))


def known(database: Database, secret: str) -> ApiToken | None:
    """The same without a look into the database; None also if it was not looked for lately."""
    return _in_force(_TOKENS.known(database, digests.digest(secret)))


def revoke(session: Session, token_id: str, actor: str) -> None:
    """End a token at once and for good. Raises NotFound."""
    token = get(session, token_id)
    if token.revoked_at is None:
        token.revoked_at = clock.now()
        audit.record(session, actor, "token.revoked", token_id)


def get(session: Session, token_id: str) -> ApiToken:
    """Raises NotFound."""
    token = session.get(ApiToken, token_id)
    if token is None:
        raise NotFound("There is no such token.")
    return token


def listed(session: Session) -> list[ApiToken]:
    """Those that hold, the newest first, then those that have ended."""
    rows = session.scalars(select(ApiToken).order_by(ApiToken.created_at.desc())).all()
    return sorted(rows, key=lambda each: not holds(each))


def holds(token: ApiToken) -> bool:
    """Whether it opens anything."""
    return _in_force(token) is not None


def is_noted(token: ApiToken) -> bool:
    """Whether its use was written down within NOTED_EVERY."""
    noted = token.last_used_at
    return noted is not None and noted > clock.now() - NOTED_EVERY


def note_use(session: Session, token_id: str) -> None:
    """Write down that it is used now, unless another process just did."""
    now = clock.now()
    is_due = or_(ApiToken.last_used_at.is_(None), ApiToken.last_used_at <= now - NOTED_EVERY)
    session.execute(
        update(ApiToken).where(ApiToken.id == token_id, is_due).values(last_used_at=now)
    )


def _in_force(token: ApiToken | None) -> ApiToken | None:
    if token is None or token.revoked_at is not None:
        return None
    has_expired = token.expires_at is not None and token.expires_at <= clock.now()
    return None if has_expired else token


def _read(session: Session, digest: str) -> ApiToken | None:
    row = session.execute(_ROW, {"digest": digest}).one_or_none()
    return cast(ApiToken | None, row)


_ROW = select(*table_of(ApiToken).c).where(ApiToken.digest == bindparam("digest"))
_TOKENS = Kept(_read, ApiToken)
