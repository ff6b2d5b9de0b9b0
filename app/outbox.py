"""What happens is noted for other programs in the transaction in which it happens.

    outbox.note(session, "booking.created", booking_id=booking.id)

Where no endpoint wants an event, that is a look into a dictionary. Else one row is written just
before the commit, with the rows that it is about as they are then; a worker makes of it what is
sent (`app.integrations`, ADR 48).
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, Literal, NamedTuple, get_args

import msgspec
from msgspec import Struct
from sqlalchemy import Column, Table, bindparam, select
from sqlalchemy import insert as sql_insert
from sqlalchemy.orm import Session
from ulid import ULID

from app import clock
from app.db import UtcDateTime, before_commit
from app.kept import Kept
from app.models.booking import Booking
from app.models.conversation import Reply
from app.models.integration import WebhookEndpoint, WebhookEvent
from app.models.message import Message, Sending
from app.rows import change_rows, read_rows, table_of

EventType = Literal[
    "booking.created",
    "booking.changed",
    "booking.moved",
    "booking.cancelled",
    "booking.attended",
    "message.sent",
    "message.delivered",
    "message.failed",
    "message.skipped",
    "reply.received",
    "customer.opted_out",
    "sending.stopped",
    "sending.resumed",
]
TYPES: tuple[EventType, ...] = get_args(EventType)

SHOP = 1
"""The shop that an install serves."""

OF_ACTIONS: Mapping[str, EventType] = {
    "booking.created": "booking.created",
    "booking.changed": "booking.changed",
    "booking.rescheduled": "booking.moved",
    "booking.cancelled": "booking.cancelled",
    "booking.cancellation_undone": "booking.changed",
    "booking.completed": "booking.attended",
    "booking.no_show": "booking.attended",
    "booking.reopened": "booking.attended",
    "booking.paid": "booking.changed",
}
"""Which actions of the audit log are events of the booking that they were done to."""

_NOTED = "chairtime_noted"
_DERIVED = {"spellings", "name_folded"}


class _Noted(NamedTuple):
    """An event of this transaction, and what it is about."""

    type: EventType
    booking_id: str | None
    message_id: str | None
    reply_sid: str | None
    person: str | None
    alarm: tuple[str, str] | None

    @property
    def subject(self) -> str:
        return self.booking_id or self.person or self.reply_sid or "sending"


def _type_of(column: Column[Any]) -> type[Any]:
    return datetime if isinstance(column.type, UtcDateTime) else column.type.python_type


def _row_of(table: Table) -> type[Struct]:
    """The columns of a row as they are kept in the facts."""
    names = [each for each in table.c if each.name not in _DERIVED]
    return msgspec.defstruct(
        f"{table.name.title()}Row",
        [(each.name, _type_of(each) | None, None) for each in names],
    )


BookingRow, MessageRow = _row_of(table_of(Booking)), _row_of(table_of(Message))
ReplyRow, SendingRow = _row_of(table_of(Reply)), _row_of(table_of(Sending))


class Facts(Struct, omit_defaults=True):
    """What an event is about, as rows have it; `is_example` is about nothing real.

    `alarm` is the kind and the words of `app.messages.alarms`, where it says more than `sending`.
    """

    booking: BookingRow | None = None  # type: ignore[valid-type]
    message: MessageRow | None = None  # type: ignore[valid-type]
    reply: ReplyRow | None = None  # type: ignore[valid-type]
    sending: SendingRow | None = None  # type: ignore[valid-type]
    person: str | None = None
    alarm: tuple[str, str] | None = None
    is_example: bool = False


def note(
    session: Session,
    type: EventType,
    *,
    booking_id: str | None = None,
    message_id: str | None = None,
    reply_sid: str | None = None,
    person: str | None = None,
    alarm: tuple[str, str] | None = None,
) -> None:
    """Tell who wants to hear it, once this transaction is committed. The same again counts once.

    A message has its booking named, too. `person` is as in `identity.person_of`.
    """
    if type not in _WANTED.of(session, None):
        return
    noted = session.info.setdefault(_NOTED, {})
    if not noted:
        before_commit(session, lambda: _write(session))
    noted[_Noted(type, booking_id, message_id, reply_sid, person, alarm)] = None


def note_action(session: Session, action: str, subject: str) -> None:
    """The same for an action of the audit log, if it is an event."""
    if action in OF_ACTIONS:
        note(session, OF_ACTIONS[action], booking_id=subject)


def note_messages(session: Session, state: Any, job_ids: Iterable[str]) -> None:
    """These messages are in that state now; few states are events."""
    if state in ("sent", "failed", "skipped"):
        type: EventType = f"message.{state}"  # type: ignore[assignment]
        for job_id in job_ids:
            note(session, type, booking_id=job_id.rsplit("-", 2)[0], message_id=job_id)


def example(type: EventType, endpoint_id: str) -> WebhookEvent:
    """An event that did not happen, for one endpoint; the caller adds it."""
    id = f"event_{ULID()}"
    return WebhookEvent(
        id=id,
        shop_id=SHOP,
        type=type,
        at=clock.now(),
        subject=id,
        facts=msgspec.json.encode(Facts(is_example=True)).decode(),
        endpoint_id=endpoint_id,
    )


def is_wanted(session: Session) -> bool:
    """Whether anybody wants to hear anything."""
    return bool(_WANTED.of(session, None))


def _read_wanted(session: Session, _: None) -> frozenset[str]:
    is_active = select(WebhookEndpoint.events).where(WebhookEndpoint.active)
    return frozenset(each for events in session.scalars(is_active) for each in events)


_WANTED = Kept(_read_wanted, WebhookEndpoint)


def _write(session: Session) -> None:
    events: Collection[_Noted] = session.info.pop(_NOTED)
    bookings = _read(session, Booking, "id", {each.booking_id for each in events})
    messages = _read(session, Message, "id", {each.message_id for each in events})
    replies = _read(session, Reply, "sid", {each.reply_sid for each in events})
    is_of_sending = any(each.type.startswith("sending.") for each in events)
    sending = _read(session, Sending, "id", {1}) if is_of_sending else {}
    now = clock.now()
    rows = [
        {
            "id": f"event_{ULID()}",
            "shop_id": SHOP,
            "type": each.type,
            "at": now,
            "subject": each.subject,
            "facts": msgspec.json.encode(
                Facts(
                    bookings.get(each.booking_id),
                    messages.get(each.message_id),
                    replies.get(each.reply_sid),
                    sending.get(1) if each.type.startswith("sending.") else None,
                    each.person,
                    each.alarm,
                )
            ).decode(),
        }
        for each in events
    ]
    change_rows(session, _EVENT, rows)


_EVENT = sql_insert(table_of(WebhookEvent))


def _read(session: Session, model: Any, key: str, wanted: set[Any]) -> dict[Any, Any]:
    """The rows with these keys, by them."""
    ids = sorted(wanted - {None})
    if not ids:
        return {}
    statement, shape = _ROWS[model]
    rows = read_rows(session, statement, {"ids": ids}).mappings()
    return {row[key]: shape(**row) for row in rows}


def _statement(model: Any, key: str, shape: type[Struct]) -> Any:
    columns = table_of(model).c
    names = [columns[each] for each in shape.__struct_fields__]
    return select(*names).where(columns[key].in_(bindparam("ids", expanding=True))), shape


# Made once: each event of a busy shop needs them.
_ROWS: dict[Any, Any] = {
    Booking: _statement(Booking, "id", BookingRow),
    Message: _statement(Message, "id", MessageRow),
    Reply: _statement(Reply, "sid", ReplyRow),
    Sending: _statement(Sending, "id", SendingRow),
}
