"""What a new install gets from its environment: a first owner and a first API token."""

from sqlalchemy.orm import Session

from app.errors import FieldError, Invalid
from app.settings import Settings
from app.staff import accounts, tokens


def ensure(session: Session, found: Settings) -> None:
    """Make the first owner and the API token that are set, unless they are there.

    Raises Invalid, whose fields are names of variables.
    """
    if found.api_token:
        tokens.ensure(session, "CHAIRTIME_API_TOKEN", found.api_token)
    if found.owner_email and found.owner_password:
        _ensure_owner(session, found.owner_email, found.owner_password)
    elif found.owner_email or found.owner_password:
        missing = "PASSWORD" if found.owner_email else "EMAIL"
        raise Invalid(
            [FieldError(f"CHAIRTIME_OWNER_{missing}", "is missing: the first owner needs both")]
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
