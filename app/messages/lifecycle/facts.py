"""All that decides whether a message goes out and what it says, read by one statement."""

from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, bindparam, exists, select

from app.messages import quiet
from app.messages.compose import Subject
from app.messages.eligibility import as_of, skip_reason
from app.models.booking import Booking
from app.models.customer import Customer
from app.models.message import Message, Sending
from app.models.plan import Plan
from app.models.shop import Barber, Service, Shop
from app.rows import table_of
from app.shop.service import COLUMNS, of_values


class Facts(NamedTuple):
    """A message, its booking, its customer and the state of sending, at one moment.

    `written_at` is when the customer last wrote. `skip_reason` is why the message is not worth
    sending any more. `parts` has the ids of several services that are one. `is_phone_busy`: a
    message to this person is in flight, be it this one. `is_plan_behind`: a reminder of this
    booking is due of which no tick has made a message yet.
    """

    shop: Shop
    kind: str
    state: str
    due_at: datetime
    planned_for: datetime
    attempts: int
    verify_first: bool
    asked_for: bool
    text: str | None
    cancel_reason: str | None
    attempt_id: str | None
    lease_until: datetime | None
    booking_id: str
    customer_name: str
    customer_phone: str
    person: str
    starts_at: datetime
    service: str
    parts: str | None
    barber: str
    whatsapp: str | None
    language: str | None
    written_at: datetime | None
    paused_at: datetime | None
    slow_until: datetime | None
    probe_at: datetime | None
    probes: int
    skip_reason: str | None
    is_phone_busy: bool
    is_plan_behind: bool

    @property
    def to(self) -> str:
        """Where messages for this number go: to the spelling that WhatsApp uses, if known."""
        return self.whatsapp or self.customer_phone

    @property
    def subject(self) -> Subject:
        """What the message says of the booking; the names of several services are not read here."""
        about = self.booking_id, self.customer_name, self.starts_at
        return Subject(*about, [self.service], self.barber, self.language)


def read(connection: Connection, job_id: str, now: datetime) -> Facts | None:
    """As they are now; None if there is no such message.

    What has to hold until the transaction's end is locked before: this sees what a lock had to
    wait for. The quiet hours that the statement is made of are those of the shop as it was read
    last; it is read along, and if they are others by now, everything is read again by them.
    """
    values, dialect = {"job_id": job_id, **as_of(now)}, connection.dialect
    nights = _nights.get(dialect.name)
    while row := connection.execute(_statement(nights), values).first():
        shop = of_values(tuple(row[: len(COLUMNS)]))
        made_of, nights = nights, quiet.rule_of(dialect, quiet.policy_of(shop))
        if made_of == nights:
            return Facts(shop, *row[len(COLUMNS) :])
        _nights[dialect.name] = nights
    return None


_nights: dict[str, quiet.Rule | None] = {}


@lru_cache(maxsize=16)
def _statement(nights: quiet.Rule | None) -> Select[*tuple[Any, ...]]:
    """The columns of the shop and of Facts, in their order."""
    message, booking = table_of(Message).c, table_of(Booking).c
    customer, sending = table_of(Customer).c, table_of(Sending).c
    service, barber, shop = table_of(Service).c, table_of(Barber).c, table_of(Shop).c
    other, plan = table_of(Message).alias().c, table_of(Plan).c
    return (
        select(
            *COLUMNS,
            message.kind,
            message.state,
            message.due_at,
            message.planned_for,
            message.attempts,
            message.verify_first,
            message.asked_for,
            message.text,
            message.cancel_reason,
            message.attempt_id,
            message.lease_until,
            booking.id,
            booking.customer_name,
            booking.customer_phone,
            booking.person,
            booking.starts_at,
            service.name,
            service.parts,
            barber.name,
            customer.whatsapp,
            customer.language,
            customer.written_at,
            sending.paused_at,
            sending.slow_until,
            sending.probe_at,
            sending.probes,
            skip_reason(nights),
            exists().where(other.sending_to == booking.person),
            exists().where(plan.booking_id == booking.id, plan.next_at <= bindparam("now")),
        )
        .join_from(table_of(Message), table_of(Booking), booking.id == message.booking_id)
        .join(table_of(Service), service.id == booking.service_id)
        .join(table_of(Barber), barber.id == booking.barber_id)
        .outerjoin(table_of(Customer), customer.person == booking.person)
        # By their ids: else PostgreSQL takes single rows for many, and compiles the query first.
        .join(table_of(Sending), sending.id == 1)
        .join(table_of(Shop), shop.id == 1)
        .where(message.id == bindparam("job_id"))
    )
