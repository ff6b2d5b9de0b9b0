"""Deliveries of events: made, taken in hand, and what comes of each try.

Of one subject (a booking) an endpoint gets one event after the other; of different ones side by
side. A failed one is tried again at growing intervals until GIVE_UP. When several in a row have
failed, the endpoint counts as down: then one alone is tried now and then, and when that is taken,
all are due at once.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, bindparam, delete, func, select, update
from sqlalchemy.orm import Session, aliased

from app import clock, outbox
from app.errors import Conflict, NotFound
from app.integrations.posting import Answer
from app.models.integration import WebhookDelivery, WebhookEndpoint, WebhookEvent
from app.outbox import SHOP, EventType
from app.rows import change_rows, insert_rows, read_rows, table_of
from app.sql import constant
from app.staff import audit

RETRY_AFTER = (5, 30, 120, 600, 1800, 3600, 7200, 14400)
"""Seconds after the first try, the second, and so on; the last for all later ones."""
GIVE_UP = timedelta(days=2)
"""How long an event is tried."""
SWITCH_OFF = timedelta(days=7)
"""An endpoint that has taken nothing for so long is switched off."""
KEPT = timedelta(days=10)
"""How long events and their deliveries are kept."""
DOWN_AFTER = 3
"""Failures in a row."""
LONGEST_DOWN = 300.0
"""Seconds between tries of an endpoint that is down."""
LEASE = timedelta(seconds=60)
"""How long a worker may hold a delivery: longer than any POST takes."""
AT_ONCE = 32
"""Deliveries of one endpoint that a worker has in hand."""
_DISTRIBUTED_AT_ONCE = 500
_GONE = 410

_delivery, _event, _endpoint = (
    table_of(each) for each in (WebhookDelivery, WebhookEvent, WebhookEndpoint)
)
# Made once, as each round of a worker needs them.
_TOLD = (
    update(_event)
    .where(_event.c.number == bindparam("at_number"))
    .values(body=bindparam("new_body"), facts=None)
)
_OUTCOME = ("state", "attempts", "next_at", "tried_at", "took", "status_code", "problem", "answer")
_TRIED = (
    update(_delivery)
    .where(
        _delivery.c.id == bindparam("at_id"),
        _delivery.c.lease_until == bindparam("held_until"),
    )
    .values(lease_until=None, **{each: bindparam(f"new_{each}") for each in _OUTCOME})
)
_IS_PENDING = WebhookDelivery.state == constant("pending")


class Untold(NamedTuple):
    """An event that no endpoint was told of yet."""

    number: int
    id: str
    type: str
    at: datetime
    subject: str
    facts: str
    endpoint_id: str | None


class InHand(NamedTuple):
    """A delivery that this worker holds until `lease_until`, and all that its POST needs."""

    id: int
    endpoint_id: str
    attempts: int
    lease_until: datetime
    give_up_at: datetime
    event_id: str
    body: str
    url: str
    secret_number: int
    rotated_at: datetime | None


@dataclass(frozen=True)
class Tried:
    """What came of one."""

    delivery: InHand
    at: datetime
    answer: Answer


# --- what is there to do ---


def untold(session: Session) -> Sequence[Untold]:
    """Events in their order, held against other workers until the transaction's end."""
    columns = [_event.c[name] for name in Untold._fields]
    rows = session.execute(
        select(*columns)
        .where(WebhookEvent.body.is_(None))
        .order_by(WebhookEvent.number)
        .limit(_DISTRIBUTED_AT_ONCE)
        .with_for_update()
    )
    return [Untold(*row) for row in rows]


def distribute(session: Session, events: Iterable[tuple[Untold, str]]) -> None:
    """Keep the bodies of these events, and make a delivery for each endpoint that wants it."""
    listening = session.execute(
        select(WebhookEndpoint.id, WebhookEndpoint.shop_id, WebhookEndpoint.events).where(
            WebhookEndpoint.active
        )
    ).all()
    known = set(session.scalars(select(WebhookEndpoint.id)))
    bodies, rows = [], []
    for event, body in events:
        bodies.append({"at_number": event.number, "new_body": body})
        wanted = [each.id for each in listening if event.type in each.events]
        if event.endpoint_id is not None:
            wanted = [event.endpoint_id] if event.endpoint_id in known else []
        rows += [_new(each, event) for each in wanted]
    if bodies:
        change_rows(session, _TOLD, bodies)
    if rows:
        insert_rows(session, WebhookDelivery, rows)


def is_any_due(session: Session) -> bool:
    """Whether there is anything to distribute or to try now."""
    new = select(WebhookEvent.number).where(WebhookEvent.body.is_(None)).limit(1)
    if session.scalar(new) is not None:
        return True
    now = clock.now()
    return any(
        session.scalar(_due(each, now).limit(1)) is not None for each in _ready(session, now)
    )


def take(session: Session, free: int) -> list[InHand]:
    """Take what is due in hand, of each endpoint at most AT_ONCE, `free` altogether."""
    now = clock.now()
    taken: list[InHand] = []
    for endpoint in _ready(session, now, to_change=True):
        most = min(AT_ONCE, free - len(taken))
        if is_down(endpoint):
            most = min(most, 1)
            endpoint.retry_at = now + LEASE  # the others leave it alone meanwhile
        if most > 0:
            taken += _take(session, endpoint, most, now)
    session.flush()
    return taken


def is_down(endpoint: WebhookEndpoint) -> bool:
    """Whether it has failed so often that one delivery alone is tried."""
    return endpoint.failures >= DOWN_AFTER


def _ready(
    session: Session, now: datetime, *, to_change: bool = False
) -> Sequence[WebhookEndpoint]:
    """Endpoints that may be tried now."""
    may = WebhookEndpoint.retry_at.is_(None) | (WebhookEndpoint.retry_at <= now)
    query = select(WebhookEndpoint).where(WebhookEndpoint.active, may)
    query = query.order_by(WebhookEndpoint.id)
    if to_change:
        query = query.with_for_update(skip_locked=True)
    return session.scalars(query.execution_options(populate_existing=True)).all()


def _due(endpoint: WebhookEndpoint, now: datetime) -> Select[Any]:
    """Ids of its deliveries that may be tried now: of each subject the first."""
    earlier = aliased(WebhookDelivery)
    is_first = ~(
        select(earlier.id)
        .where(
            earlier.endpoint_id == endpoint.id,
            earlier.subject == WebhookDelivery.subject,
            earlier.event_number < WebhookDelivery.event_number,
            earlier.state == constant("pending"),
        )
        .exists()
    )
    is_free = WebhookDelivery.lease_until.is_(None) | (WebhookDelivery.lease_until < now)
    is_told = select(WebhookEvent.number).where(
        WebhookEvent.number == WebhookDelivery.event_number, WebhookEvent.body.is_not(None)
    )
    query = select(WebhookDelivery.id).where(
        WebhookDelivery.endpoint_id == endpoint.id,
        _IS_PENDING,
        is_free,
        is_first,
        is_told.exists(),
    )
    if is_down(endpoint):  # what was tried least: one that it never takes must not stand for all
        return query.order_by(WebhookDelivery.attempts, WebhookDelivery.event_number)
    return query.where(WebhookDelivery.next_at <= now).order_by(WebhookDelivery.event_number)


def _take(
    session: Session, endpoint: WebhookEndpoint, most: int, now: datetime
) -> Iterable[InHand]:
    ids = session.scalars(_due(endpoint, now).limit(most)).all()
    if not ids:
        return
    until = now + LEASE
    change_rows(session, update(_delivery).where(_delivery.c.id.in_(ids)).values(lease_until=until))
    rows = read_rows(
        session,
        select(
            _delivery.c.id,
            _delivery.c.attempts,
            _delivery.c.give_up_at,
            _event.c.id.label("event_id"),
            _event.c.body,
        )
        .join_from(_delivery, _event, _event.c.number == _delivery.c.event_number)
        .where(_delivery.c.id.in_(ids))
        .order_by(_delivery.c.event_number),
    )
    for row in rows:
        yield InHand(
            **row._mapping,
            endpoint_id=endpoint.id,
            lease_until=until,
            url=endpoint.url,
            secret_number=endpoint.secret_number,
            rotated_at=endpoint.rotated_at,
        )


def _new(endpoint_id: str, event: Untold) -> dict[str, Any]:
    now = clock.now()
    return {
        "shop_id": SHOP,
        "endpoint_id": endpoint_id,
        "event_number": event.number,
        "subject": event.subject,
        "state": "pending",
        "attempts": 0,
        "next_at": now,
        "give_up_at": event.at + GIVE_UP,
    }


# --- what came of it ---


def record(session: Session, tried: Sequence[Tried]) -> None:
    """Note what came of these, which the caller had in hand, and what it says of the endpoints."""
    now = clock.now()
    by_endpoint: dict[str, list[Tried]] = {}
    for each in tried:
        by_endpoint.setdefault(each.delivery.endpoint_id, []).append(each)
    if tried:
        change_rows(session, _TRIED, [_outcome(each, now) for each in tried])
    for endpoint_id in sorted(by_endpoint):
        _note(session, endpoint_id, [each.answer for each in by_endpoint[endpoint_id]], now)


def is_any_kept(session: Session) -> bool:
    """Whether there is any event at all, be it of a webhook that is gone."""
    return session.scalar(select(WebhookEvent.number).limit(1)) is not None


def give_up_old(session: Session) -> None:
    """Give up what was tried for GIVE_UP, and forget what is older than KEPT."""
    now = clock.now()
    is_over = _IS_PENDING & (WebhookDelivery.give_up_at <= now)
    is_free = WebhookDelivery.lease_until.is_(None) | (WebhookDelivery.lease_until < now)
    session.execute(
        update(WebhookDelivery)
        .where(is_over, is_free)
        .values(state="failed", lease_until=None)
        .execution_options(synchronize_session=False)
    )
    last = session.scalar(select(func.max(WebhookEvent.number)).where(WebhookEvent.at < now - KEPT))
    if last is not None:
        session.execute(delete(WebhookDelivery).where(WebhookDelivery.event_number <= last))
        session.execute(delete(WebhookEvent).where(WebhookEvent.number <= last))


def _outcome(tried: Tried, now: datetime) -> dict[str, Any]:
    """The parameters of _TRIED."""
    delivery, answer = tried.delivery, tried.answer
    attempts = delivery.attempts + 1
    next_at = now + timedelta(seconds=RETRY_AFTER[min(attempts, len(RETRY_AFTER)) - 1])
    state = "pending" if next_at < delivery.give_up_at else "failed"
    return {
        "at_id": delivery.id,
        "held_until": delivery.lease_until,
        "new_state": "delivered" if answer.is_taken else state,
        "new_attempts": attempts,
        "new_next_at": next_at,
        "new_tried_at": tried.at,
        "new_took": answer.took,
        "new_status_code": answer.status_code,
        "new_problem": answer.problem,
        "new_answer": answer.text or None,
    }


def _note(session: Session, endpoint_id: str, answers: Sequence[Answer], now: datetime) -> None:
    endpoint = session.get(
        WebhookEndpoint, endpoint_id, with_for_update=True, populate_existing=True
    )
    if endpoint is None:
        return
    if any(answer.is_taken for answer in answers):
        if is_down(endpoint):
            _try_all(session, endpoint_id, now)
        endpoint.failures, endpoint.failing_since, endpoint.retry_at = 0, None, None
        return
    endpoint.failures += len(answers)
    endpoint.failing_since = endpoint.failing_since or now
    if is_down(endpoint):
        seconds = min(LONGEST_DOWN, 5.0 * 2 ** min(endpoint.failures - DOWN_AFTER, 10))
        endpoint.retry_at = now + timedelta(seconds=seconds)
    is_gone = any(answer.status_code == _GONE for answer in answers)
    if endpoint.active and (is_gone or now - endpoint.failing_since >= SWITCH_OFF):
        endpoint.active, endpoint.switched_off_at = False, now
        audit.record(session, "system", "webhook.switched_off", endpoint_id)


def _try_all(session: Session, endpoint_id: str, now: datetime) -> None:
    """It is up again: whatever waits is due."""
    session.execute(
        update(WebhookDelivery)
        .where(WebhookDelivery.endpoint_id == endpoint_id, _IS_PENDING)
        .values(next_at=now)
        .execution_options(synchronize_session=False)
    )


# --- the log ---


class Line(NamedTuple):
    """A delivery with its event."""

    delivery: WebhookDelivery
    event: WebhookEvent


def log(
    session: Session, endpoint_id: str, limit: int, before: int | None = None
) -> tuple[list[Line], bool]:
    """Its deliveries, the newest first, before the one with the id `before`; and whether there are
    more.
    """
    query = _lines().where(WebhookDelivery.endpoint_id == endpoint_id)
    if before is not None:
        query = query.where(WebhookDelivery.id < before)
    rows = session.execute(query.order_by(WebhookDelivery.id.desc()).limit(limit + 1))
    lines = [Line(*row) for row in rows]
    return lines[:limit], len(lines) > limit


def line(session: Session, endpoint_id: str, delivery_id: int) -> Line:
    """Raises NotFound."""
    is_it: ColumnElement[bool] = WebhookDelivery.id == delivery_id
    row = session.execute(
        _lines().where(is_it, WebhookDelivery.endpoint_id == endpoint_id)
    ).one_or_none()
    if row is None:
        raise NotFound("There is no such delivery.")
    return Line(*row)


def resend(session: Session, endpoint_id: str, delivery_id: int, actor: str) -> Line:
    """Send it again at once, with the id that it had. Raises NotFound, and Conflict: `pending`, and
    `switched_off` of an endpoint that gets nothing.
    """
    found = line(session, endpoint_id, delivery_id)
    if found.delivery.state == "pending":
        raise Conflict("pending", "It is still being tried.")
    _check_active(session.get(WebhookEndpoint, endpoint_id))
    now = clock.now()
    delivery = found.delivery
    delivery.state, delivery.attempts = "pending", 0
    delivery.next_at, delivery.give_up_at = now, now + GIVE_UP
    session.flush()
    audit.record(session, actor, "webhook.resent", endpoint_id, event=found.event.id)
    return found


def send_example(session: Session, endpoint_id: str, type: EventType) -> Line:
    """Send an example of an event to this endpoint alone, now, whatever it wants to hear.

    Raises NotFound, and Conflict `switched_off`.
    """
    _check_active(session.get(WebhookEndpoint, endpoint_id))
    event = outbox.example(type, endpoint_id)
    session.add(event)
    session.flush()
    untold = Untold(*(getattr(event, name) for name in Untold._fields))
    delivery = WebhookDelivery(**_new(endpoint_id, untold))
    session.add(delivery)
    session.flush()
    return Line(delivery, event)


def _check_active(endpoint: WebhookEndpoint | None) -> None:
    if endpoint is None:
        raise NotFound("There is no such webhook.")
    if not endpoint.active:
        raise Conflict("switched_off", "This webhook is switched off: switch it on first.")


def _lines() -> Select[WebhookDelivery, WebhookEvent]:
    is_its = WebhookEvent.number == WebhookDelivery.event_number
    return select(WebhookDelivery, WebhookEvent).join(WebhookEvent, is_its)
