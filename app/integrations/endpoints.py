"""Where other programs listen: adding, changing and removing an endpoint, and its secret.

The secret follows from SECRET_KEY, so none is stored: a copy of the database signs nothing.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app import clock
from app.environment import LOOPBACK
from app.errors import Conflict, NotFound
from app.forms import Form, field
from app.integrations import posting
from app.kept import Kept
from app.models.integration import WebhookDelivery, WebhookEndpoint
from app.outbox import SHOP, TYPES
from app.settings import settings
from app.staff import audit

MOST = 20
"""Endpoints of a shop."""
LONGEST_URL = 500
BOTH_SIGN = timedelta(hours=24)
"""How long the secret before still signs, beside the new one."""


class EndpointForm(Form):
    """What can be said of an endpoint."""

    @field
    def url(self, typed: str) -> str:
        """Raises ValueError for what is not reached from outside."""
        text = typed.strip()
        if len(text) > LONGEST_URL or not text.isascii() or not text.isprintable():
            raise ValueError(f"This must be an address of at most {LONGEST_URL} plain characters.")
        return _checked_url(text)

    @field
    def events(self, chosen: Sequence[str]) -> list[str]:
        """In our order, each once. Raises ValueError."""
        unknown = [each for each in chosen if each not in TYPES]
        if unknown:
            raise ValueError(f"{str(unknown[0])[:60]} is none of {', '.join(TYPES)}.")
        if not chosen:
            raise ValueError("Choose at least one event.")
        return [each for each in TYPES if each in chosen]


def listed(session: Session) -> Sequence[WebhookEndpoint]:
    """All of the shop, in the order in which they were made."""
    newest_last = WebhookEndpoint.created_at, WebhookEndpoint.id
    return session.scalars(select(WebhookEndpoint).order_by(*newest_last)).all()


def get(session: Session, endpoint_id: str, *, to_change: bool = False) -> WebhookEndpoint:
    """Raises NotFound. `to_change` holds it until the transaction's end."""
    found = session.get(WebhookEndpoint, endpoint_id, with_for_update=to_change or None)
    if found is None:
        raise NotFound("There is no such webhook.")
    return found


def add(session: Session, given: Mapping[str, Any], actor: str) -> WebhookEndpoint:
    """A new endpoint, told of what happens from a second after this is committed.

    Raises Invalid, and Conflict `too_many`.
    """
    values = EndpointForm(given).checked()
    if (session.scalar(select(func.count()).select_from(WebhookEndpoint)) or 0) >= MOST:
        raise Conflict("too_many", f"There are {MOST} webhooks already: remove one first.")
    endpoint = WebhookEndpoint(
        id=f"webhook_{secrets.token_hex(8)}",
        shop_id=SHOP,
        active=True,
        secret_number=1,
        created_at=clock.now(),
        failures=0,
        **values,
    )
    session.add(endpoint)
    session.flush()
    audit.record(session, actor, "webhook.added", endpoint.id, host=host_of(endpoint.url))
    return endpoint


def change(
    session: Session, endpoint_id: str, given: Mapping[str, Any], actor: str
) -> WebhookEndpoint:
    """Change the address, the events or whether it is `active`; what is left out stays.

    Another address, or switching it on, begins anew: what is waiting is tried at once. Raises
    NotFound and Invalid.
    """
    endpoint = get(session, endpoint_id, to_change=True)
    values = EndpointForm(given).checked([each for each in EndpointForm.names if each in given])
    if "active" in given:
        values["active"] = given["active"]
    changed = sorted(name for name, value in values.items() if getattr(endpoint, name) != value)
    for name in changed:
        setattr(endpoint, name, values[name])
    if changed:
        endpoint.switched_off_at = None if endpoint.active else endpoint.switched_off_at
        endpoint.failures, endpoint.failing_since, endpoint.retry_at = 0, None, None
        session.flush()
        audit.record(session, actor, "webhook.changed", endpoint_id, fields=changed)
    return endpoint


def rotate(session: Session, endpoint_id: str, actor: str) -> WebhookEndpoint:
    """Give it a new secret; the old one signs too for BOTH_SIGN. Raises NotFound."""
    endpoint = get(session, endpoint_id, to_change=True)
    endpoint.secret_number += 1
    endpoint.rotated_at = clock.now()
    session.flush()
    audit.record(session, actor, "webhook.rotated", endpoint_id)
    return endpoint


def remove(session: Session, endpoint_id: str, actor: str) -> None:
    """Remove it with the log of its deliveries. Raises NotFound."""
    endpoint = get(session, endpoint_id, to_change=True)
    session.execute(delete(WebhookDelivery).where(WebhookDelivery.endpoint_id == endpoint_id))
    session.delete(endpoint)
    audit.record(session, actor, "webhook.removed", endpoint_id, host=host_of(endpoint.url))


def secret(endpoint: WebhookEndpoint) -> str:
    """Its secret, `whsec_…`: to be shown once, when it is made or renewed."""
    return _secret(endpoint.id, endpoint.secret_number)


def signing(endpoint_id: str, number: int, rotated_at: datetime | None) -> tuple[str, ...]:
    """The secrets that sign now, the newest first."""
    is_new = rotated_at is not None and clock.now() < rotated_at + BOTH_SIGN
    numbers = (number, number - 1) if is_new else (number,)
    return tuple(_secret(endpoint_id, each) for each in numbers)


def host_of(url: str) -> str:
    """The host that people know an endpoint by."""
    return urlsplit(url).netloc


def given_up(session: Session) -> Sequence[str]:
    """The hosts that we have switched off, for the owner."""
    return _GIVEN_UP.of(session, None)


def _read_given_up(session: Session, _: None) -> tuple[str, ...]:
    off = select(WebhookEndpoint.url).where(WebhookEndpoint.switched_off_at.is_not(None))
    return tuple(sorted(host_of(url) for url in session.scalars(off)))


_GIVEN_UP = Kept(_read_given_up, WebhookEndpoint)


def _secret(endpoint_id: str, number: int) -> str:
    key, about = settings().secret_key.encode(), f"webhook:{endpoint_id}:{number}".encode()
    return "whsec_" + base64.b64encode(hmac.digest(key, about, hashlib.sha256)).decode()


def _checked_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        host, _port = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in {"https", "http"} or parts.fragment:
        raise ValueError("This must be an address such as https://example.com/chairtime.")
    if parts.username or parts.password:
        raise ValueError("This must hold no name or password: the signature says who sends.")
    if parts.scheme == "http" and (settings().production or host not in LOOPBACK):
        raise ValueError("This must begin with https://.")
    if not posting.may_be_named(host):
        raise ValueError("This must be reached from the internet: a private address is not.")
    return text
