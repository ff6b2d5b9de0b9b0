"""Codes of a second factor: those that an authenticator app shows (TOTP, RFC 6238), and recovery
codes for when it is lost, each of which works once.

No secret of an app is kept: it follows from the row's id and SECRET_KEY, as those of webhooks and
calendars do. Of a recovery code only the SHA-256 is.
"""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.orm import Session
from ulid import ULID

from app import clock
from app.errors import Conflict, FieldError, Invalid
from app.models.shop import Shop
from app.models.staff import Authenticator, RecoveryCode, User
from app.settings import settings
from app.staff import audit
from app.staff.digests import digest

RECOVERY_CODES = 10
"""How many there are at a time."""

_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that is taken for another
_GROUPS, _GROUP = 3, 4  # abcd-efgh-jkmn: 59 random bits
_STEP = 30  # seconds that a code is shown
_DRIFT = (-1, 0, 1)  # steps by which a phone's clock may be off
_DIGITS = re.compile(r"[0-9]{6}", re.ASCII)
_WRONG = "This is not the code that the app shows now."


def authenticator(session: Session, user_id: str) -> Authenticator | None:
    """Theirs, which counts only once it is confirmed."""
    return session.scalar(select(Authenticator).where(Authenticator.user_id == user_id))


def begin(session: Session, user_id: str) -> Authenticator:
    """A new one to be confirmed, in place of one that never was. Raises Conflict `is_on`."""
    there = authenticator(session, user_id)
    if there is not None and there.confirmed_at is not None:
        raise Conflict("is_on", "There is an authenticator app already. Remove it first.")
    if there is not None:
        session.delete(there)
        session.flush()
    shop_id = session.get_one(Shop, 1).id
    row = Authenticator(id=f"authenticator_{ULID()}", shop_id=shop_id, user_id=user_id)
    session.add(row)
    session.flush()
    return row


def secret_of(row: Authenticator) -> str:
    """What the app is given: 160 bits in base32."""
    key = settings().secret_key.encode()
    mac = hmac.new(key, f"authenticator:{row.id}".encode(), hashlib.sha256).digest()
    return base64.b32encode(mac[:20]).decode()


def address_of(row: Authenticator, user: User, shop: str) -> str:
    """The same as an `otpauth:` address, for a QR code."""
    from pyotp import TOTP

    return TOTP(secret_of(row)).provisioning_uri(name=user.email, issuer_name=shop)


def confirm(session: Session, user_id: str, code: str) -> None:
    """Let it count from now on: the app shows this code. Raises Invalid, and Conflict `not_begun`.

    Again it changes nothing.
    """
    row = authenticator(session, user_id)
    if row is None:
        raise Conflict("not_begun", "Begin again: there is no authenticator app to confirm.")
    if row.confirmed_at is not None:
        return
    if not _is_shown(session, row, _plain(code)):
        raise Invalid([FieldError("code", _WRONG)])
    row.confirmed_at = clock.now()
    audit.record(session, f"user:{user_id}", "user.authenticator_added", user_id)


def remove(session: Session, user_id: str) -> bool:
    """Forget their app; False if there was none."""
    row = authenticator(session, user_id)
    if row is None:
        return False
    session.delete(row)
    if row.confirmed_at is not None:
        audit.record(session, f"user:{user_id}", "user.authenticator_removed", user_id)
    return True


def check(session: Session, user_id: str, code: str) -> bool:
    """Whether it is what their app shows, or a recovery code, which is used up by that."""
    typed = _plain(code)
    row = authenticator(session, user_id)
    if row is not None and row.confirmed_at is not None and _is_shown(session, row, typed):
        return True
    return _use_recovery_code(session, user_id, typed)


def recovery_codes_left(session: Session, user_id: str) -> int:
    """How many of theirs were not used."""
    query = select(func.count()).select_from(RecoveryCode).where(RecoveryCode.user_id == user_id)
    return session.scalar(query) or 0


def make_recovery_codes(session: Session, user_id: str) -> Sequence[str]:
    """New ones in place of all before; nobody can read them again."""
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    shop_id = session.get_one(Shop, 1).id
    codes = [_new_code() for _ in range(RECOVERY_CODES)]
    session.add_all(
        RecoveryCode(id=_kept(user_id, _plain(code)), shop_id=shop_id, user_id=user_id)
        for code in codes
    )
    audit.record(session, f"user:{user_id}", "user.recovery_codes_made", user_id)
    return codes


def _is_shown(session: Session, row: Authenticator, code: str) -> bool:
    """Whether the app shows it now, and it was not taken before: by compare-and-set."""
    from pyotp import TOTP

    if not _DIGITS.fullmatch(code):
        return False
    app, now = TOTP(secret_of(row)), int(clock.now().timestamp()) // _STEP
    shown = {now + off for off in _DRIFT if hmac.compare_digest(app.at(_STEP * (now + off)), code)}
    if not shown:
        return False
    step = max(shown)
    is_new = or_(Authenticator.last_step.is_(None), Authenticator.last_step < step)
    taken = session.execute(
        update(Authenticator)
        .where(Authenticator.id == row.id, is_new)
        .values(last_step=step)
        .returning(Authenticator.id)
    )
    return taken.first() is not None


def _use_recovery_code(session: Session, user_id: str, code: str) -> bool:
    kept = _kept(user_id, code)
    mine = RecoveryCode.id == kept, RecoveryCode.user_id == user_id
    used = session.execute(delete(RecoveryCode).where(*mine).returning(RecoveryCode.id)).first()
    if used is not None:
        left = recovery_codes_left(session, user_id)
        audit.record(session, f"user:{user_id}", "user.recovery_code_used", user_id, left=left)
    return used is not None


def _new_code() -> str:
    groups = ("".join(secrets.choice(_LETTERS) for _ in range(_GROUP)) for _ in range(_GROUPS))
    return "-".join(groups)


def _plain(code: str) -> str:
    """As it may be typed: in capitals, with spaces or dashes."""
    return re.sub(r"[\s-]", "", code).lower()[:40]


def _kept(user_id: str, code: str) -> str:
    return digest(f"recovery:{user_id}:{code}")
