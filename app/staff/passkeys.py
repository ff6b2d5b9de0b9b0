"""Passkeys (WebAuthn): a device signs a challenge, and keeps the key to itself.

They are a second factor here, after the password. A passkey belongs to a host name (`Site.host`).
Challenges are not kept: that of a new passkey follows from the session, that of a login from its
step, which the login uses up.
"""

import hashlib
import hmac
import json
import logging
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import delete, select
from sqlalchemy.orm import Session
from ulid import ULID

from app import clock
from app.errors import FieldError, Invalid
from app.models.shop import Shop
from app.models.staff import Passkey, User
from app.settings import settings
from app.staff import accounts, audit

MOST = 20
"""Passkeys of one person."""

_LONGEST_ANSWER = 20_000  # characters of JSON
_ID = re.compile("[A-Za-z0-9_-]{1,1400}", re.ASCII)

_log = logging.getLogger(__name__)


class Site(NamedTuple):
    """Where browsers reach us: `https://book.example.com`, and the name alone."""

    origin: str
    host: str


def of_user(session: Session, user_id: str) -> Sequence[Passkey]:
    """Theirs, the oldest first."""
    query = select(Passkey).where(Passkey.user_id == user_id)
    return session.scalars(query.order_by(Passkey.made_at, Passkey.id)).all()


def creation_options(session: Session, user: User, site: Site, shop: str, about: str) -> str:
    """What a browser is asked for a new passkey, as JSON; `about` is their session's id."""
    import webauthn
    from webauthn.helpers import structs

    options = webauthn.generate_registration_options(
        rp_id=site.host,
        rp_name=shop,
        user_id=user.id.encode(),
        user_name=user.email,
        user_display_name=user.name,
        challenge=_challenge(about),
        exclude_credentials=_descriptors(of_user(session, user.id)),
        authenticator_selection=structs.AuthenticatorSelectionCriteria(
            resident_key=structs.ResidentKeyRequirement.DISCOURAGED
        ),
    )
    return webauthn.options_to_json(options)


def add(session: Session, user_id: str, name: str, answer: str, site: Site, about: str) -> Passkey:
    """Keep what the browser answered. Raises Invalid for `name` and `passkey`."""
    import webauthn
    from webauthn.helpers import bytes_to_base64url

    named = _clean_name(name)
    if len(of_user(session, user_id)) >= MOST:
        raise Invalid([FieldError("passkey", f"There are {MOST} already: remove one first.")])
    made = _verified(
        webauthn.verify_registration_response,
        credential=_read(answer),
        expected_challenge=_challenge(about),
        expected_rp_id=site.host,
        expected_origin=site.origin,
    )
    if made is None:
        problem = "Your browser’s answer could not be used. Try again."
        raise Invalid([FieldError("passkey", problem)])
    credential_id = bytes_to_base64url(made.credential_id)
    if session.scalar(select(Passkey.id).where(Passkey.credential_id == credential_id)):
        raise Invalid([FieldError("passkey", "This passkey is there already.")])
    row = Passkey(
        id=f"passkey_{ULID()}",
        shop_id=session.get_one(Shop, 1).id,
        user_id=user_id,
        name=named,
        credential_id=credential_id,
        public_key=made.credential_public_key,
        sign_count=made.sign_count,
        made_at=clock.now(),
    )
    session.add(row)
    session.flush()
    audit.record(session, f"user:{user_id}", "user.passkey_added", user_id, name=named)
    return row


def remove(session: Session, user_id: str, passkey_id: str) -> bool:
    """Forget one of theirs; False if it is not there."""
    mine = Passkey.id == passkey_id, Passkey.user_id == user_id
    name = session.scalar(delete(Passkey).where(*mine).returning(Passkey.name))
    if name is not None:
        audit.record(session, f"user:{user_id}", "user.passkey_removed", user_id, name=name)
    return name is not None


def request_options(session: Session, user_id: str, site: Site, about: str) -> str:
    """What a browser is asked at a login, as JSON; `about` is the login step's id."""
    import webauthn

    options = webauthn.generate_authentication_options(
        rp_id=site.host,
        challenge=_challenge(about),
        allow_credentials=_descriptors(of_user(session, user_id)),
    )
    return webauthn.options_to_json(options)


def check(session: Session, user_id: str, answer: str, site: Site, about: str) -> bool:
    """Whether one of theirs has signed the challenge."""
    import webauthn

    read = _read(answer)
    mine = Passkey.user_id == user_id, Passkey.credential_id == read.get("id")
    row = session.scalar(select(Passkey).where(*mine).with_for_update())
    if row is None:
        return False
    signed = _verified(
        webauthn.verify_authentication_response,
        credential=read,
        expected_challenge=_challenge(about),
        expected_rp_id=site.host,
        expected_origin=site.origin,
        credential_public_key=row.public_key,
        credential_current_sign_count=row.sign_count,
    )
    if signed is None:
        return False
    row.sign_count, row.used_at = signed.new_sign_count, clock.now()
    return True


def _descriptors(rows: Sequence[Passkey]) -> list[Any]:
    from webauthn.helpers import base64url_to_bytes, structs

    return [
        structs.PublicKeyCredentialDescriptor(id=base64url_to_bytes(row.credential_id))
        for row in rows
    ]


def _challenge(about: str) -> bytes:
    key = settings().secret_key.encode()
    return hmac.new(key, f"passkey:{about}".encode(), hashlib.sha256).digest()


def _read(answer: str) -> dict[str, Any]:
    """What a browser said, as far as it can be one: empty if not."""
    try:
        read = json.loads(answer[:_LONGEST_ANSWER])
    except (ValueError, RecursionError):
        return {}
    is_answer = isinstance(read, dict) and _ID.fullmatch(str(read.get("id")))
    return read if is_answer else {}


def _verified(verify: Callable[..., Any], **given: Any) -> Any:
    """What the library finds, None if something is wrong."""
    try:
        return verify(**given)
    except Exception as error:  # of an answer that is none it may be any: of CBOR, of a signature
        _log.info("a passkey was refused: %s: %s", type(error).__name__, error)
        return None


def _clean_name(name: str) -> str:
    try:
        return accounts.clean_name(name)
    except ValueError as error:
        raise Invalid([FieldError("name", str(error))]) from None
