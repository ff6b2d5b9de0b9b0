"""What a new install gets: from its environment, or by /setup, a first owner; a first API token."""

import base64
import re
import secrets
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db import after_commit
from app.environment import kept_secret
from app.errors import Conflict, FieldError, Invalid
from app.models.shop import Shop
from app.models.staff import User
from app.settings import Settings
from app.staff import accounts, tokens

_CODE_FILE = "setup-code"


def ensure(session: Session, env: Settings) -> None:
    """Make the first owner and the API token that are set, unless they are there.

    Raises Invalid, whose fields are names of variables.
    """
    if env.api_token:
        tokens.ensure(session, "CHAIRTIME_API_TOKEN", env.api_token)
    if env.owner_email and env.owner_password:
        _ensure_owner(session, env.owner_email, env.owner_password)
    elif env.owner_email or env.owner_password:
        missing = "PASSWORD" if env.owner_email else "EMAIL"
        raise Invalid(
            [
                FieldError(
                    f"CHAIRTIME_OWNER_{missing}", "This is missing: the first owner needs both."
                )
            ]
        )


def _ensure_owner(session: Session, email: str, password: str) -> None:
    try:
        accounts.add_first_owner(session, email, password)
    except Invalid as invalid:
        named = [
            FieldError(f"CHAIRTIME_OWNER_{error.field.upper()}", error.message)
            for error in invalid.errors
        ]
        raise Invalid(named) from None


def is_first_run(session: Session) -> bool:
    """Whether there is no owner yet."""
    return session.scalar(select(User.id).where(User.role == "owner").limit(1)) is None


def setup_code(session: Session, state: Path) -> str | None:
    """The code that /setup asks for, kept in the folder `state`; None once there is an owner.

    Raises OSError.
    """
    return kept_secret(state / _CODE_FILE, _new_code) if is_first_run(session) else None


def set_up(session: Session, state: Path, code: str, email: str, name: str, password: str) -> User:
    """Make the first owner with the code, which then is used up.

    Raises Invalid naming each field that is wrong, and Conflict `set_up` if there is an owner.
    """
    session.get_one(Shop, 1, with_for_update=True)  # so that two at once make one owner
    expected = setup_code(session, state)
    if expected is None:
        raise Conflict("set_up", "Chairtime is set up already. Log in.")
    if not secrets.compare_digest(_plain(expected), _plain(code)):
        raise Invalid(
            [FieldError("code", "This is not the one that Chairtime printed when it started.")]
        )
    user = accounts.add(session, email, name, "owner", password)
    after_commit(session, lambda: (state / _CODE_FILE).unlink(missing_ok=True))
    return user


def _new_code() -> str:
    """80 random bits, as one reads them aloud: XXXX-XXXX-XXXX-XXXX."""
    letters = base64.b32encode(secrets.token_bytes(10)).decode()
    return "-".join(letters[start : start + 4] for start in range(0, len(letters), 4))


def _plain(code: str) -> bytes:
    return re.sub(r"[\s-]", "", code).upper().encode("utf-8", "surrogateescape")
