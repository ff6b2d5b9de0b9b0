"""Tables of accounts, sessions, API tokens and the audit log."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, UtcDateTime

SCOPES = ("metrics", "read", "write", "manage")
"""Of API tokens: each may also do what those before it may."""


class User(Base):
    """A member of staff. The password is kept as an argon2id hash."""

    __tablename__ = "staff_user"
    __table_args__ = (CheckConstraint("role IN ('owner', 'staff', 'viewer')", name="role"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    name: Mapped[str] = mapped_column(String(100))
    role: Mapped[str] = mapped_column(String(10))
    password_hash: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class StaffSession(Base):
    """A session of a member of staff. Its id is the SHA-256 of the secret in their cookie.

    `confirmed_at` is when they last typed their password in it.
    """

    __tablename__ = "staff_session"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("staff_user.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class LoginStep(Base):
    """A login with the right password that waits for its second factor.

    Its id is the SHA-256 of the secret in a cookie.
    """

    __tablename__ = "login_step"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id"))
    user_id: Mapped[str] = mapped_column(ForeignKey("staff_user.id"), index=True)
    ends_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class Authenticator(Base):
    """An app that shows codes; it counts once a code of it has been typed.

    Its secret follows from its id (`app.staff.codes`). `last_step` is that of the last code that
    was taken, for each counts once.
    """

    __tablename__ = "authenticator"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id"))
    user_id: Mapped[str] = mapped_column(ForeignKey("staff_user.id"), unique=True)
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_step: Mapped[int | None]


class RecoveryCode(Base):
    """A code that works once in the place of a second factor. Its id is the SHA-256 of it."""

    __tablename__ = "recovery_code"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id"))
    user_id: Mapped[str] = mapped_column(ForeignKey("staff_user.id"), index=True)


class Passkey(Base):
    """A key of a device of theirs (WebAuthn); only its public half is here."""

    __tablename__ = "passkey"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id"))
    user_id: Mapped[str] = mapped_column(ForeignKey("staff_user.id"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    credential_id: Mapped[str] = mapped_column(Text, unique=True)  # base64url, as browsers say it
    public_key: Mapped[bytes] = mapped_column(LargeBinary)  # COSE
    sign_count: Mapped[int]
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class PasswordLink(Base):
    """A link by which a member of staff chooses a password. Its id is the SHA-256 of its secret."""

    __tablename__ = "password_link"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id"))
    user_id: Mapped[str] = mapped_column(ForeignKey("staff_user.id"), unique=True)
    ends_at: Mapped[datetime] = mapped_column(UtcDateTime)


class LoginAttempt(Base):
    """A try to sign in that failed or is under way, in the bucket of its account or address."""

    __tablename__ = "login_attempt"
    __table_args__ = (Index(None, "bucket", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    bucket: Mapped[str] = mapped_column(String(80))
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class ApiToken(Base):
    """A bearer token of an integration. Only its SHA-256 is kept."""

    __tablename__ = "api_token"
    __table_args__ = (CheckConstraint(f"scope IN {SCOPES}", name="scope"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    scope: Mapped[str] = mapped_column(String(10))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class IdempotencyKey(Base):
    """The answer that a token's Idempotency-Key got, given again when the request is repeated."""

    __tablename__ = "idempotency_key"

    token_id: Mapped[str] = mapped_column(ForeignKey("api_token.id"), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    request_digest: Mapped[str] = mapped_column(String(64))
    status_code: Mapped[int]
    answer: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class AuditEvent(Base):
    """One thing that was done: by whom, to what. Rows are only ever added."""

    __tablename__ = "audit_event"
    __table_args__ = (Index(None, "subject", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(String(120))
    action: Mapped[str] = mapped_column(String(60))
    subject: Mapped[str] = mapped_column(String(80))
    details: Mapped[dict[str, Any]] = mapped_column(JSON)
