"""Tables of what other programs hear and read: where they listen, what happened, each delivery of
it, and calendars.
"""

from datetime import datetime

from sqlalchemy import (
    JSON,
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, UtcDateTime

DELIVERY_STATES = ("pending", "delivered", "failed")

_UNTOLD, _PENDING = text("body IS NULL"), text("state = 'pending'")


class WebhookEndpoint(Base):
    """An address of another program that is told of some types of events.

    No secret is stored: `secret_number` says which one of those that follow from SECRET_KEY it is,
    and the one before it signs too for a day from `rotated_at`. `failures` counts deliveries in a
    row that failed, since `failing_since`; nothing is tried before `retry_at`. `switched_off_at` is
    set where we have given up, not where somebody has switched it off.
    """

    __tablename__ = "webhook_endpoint"
    __table_args__ = (
        CheckConstraint("switched_off_at IS NULL OR NOT active", name="switched_off"),
        Index(None, "shop_id"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id"))
    url: Mapped[str] = mapped_column(String(500))
    events: Mapped[list[str]] = mapped_column(JSON)
    active: Mapped[bool]
    secret_number: Mapped[int] = mapped_column(default=1)
    rotated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    failures: Mapped[int] = mapped_column(default=0)
    failing_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    retry_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    switched_off_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class WebhookEvent(Base):
    """Something that happened, written in the transaction in which it did (`app.outbox`).

    `number` is their order. `subject` is what has to be told in order: a booking's id, a person, or
    `sending`. `facts` are the rows as they were; a worker makes the `body` of them that all get.
    An example is for one endpoint alone.
    """

    __tablename__ = "webhook_event"
    __table_args__ = (
        CheckConstraint("(facts IS NULL) <> (body IS NULL)", name="told"),
        Index("ix_webhook_event_untold", "number", postgresql_where=_UNTOLD, sqlite_where=_UNTOLD),
        Index(None, "at"),
    )

    number: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(String(40), unique=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id"))
    type: Mapped[str] = mapped_column(String(40))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    subject: Mapped[str] = mapped_column(String(80))
    facts: Mapped[str | None] = mapped_column(Text)
    body: Mapped[str | None] = mapped_column(Text)
    endpoint_id: Mapped[str | None] = mapped_column(String(40))


class WebhookDelivery(Base):
    """An event on its way to an endpoint, and what the last try met.

    A worker that tries it holds it until `lease_until`. `status_code` is empty where there was no
    answer; `problem` says why, and `answer` is the beginning of what was answered.
    """

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        CheckConstraint(f"state IN {DELIVERY_STATES}", name="state"),
        CheckConstraint("lease_until IS NULL OR state = 'pending'", name="lease"),
        UniqueConstraint("endpoint_id", "event_number"),
        Index(
            "ix_webhook_delivery_pending",
            "endpoint_id",
            "subject",
            "event_number",
            postgresql_where=_PENDING,
            sqlite_where=_PENDING,
        ),
        Index(
            "ix_webhook_delivery_due",
            "endpoint_id",
            "event_number",
            postgresql_where=_PENDING,
            sqlite_where=_PENDING,
        ),
        Index(None, "event_number"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id"))
    endpoint_id: Mapped[str] = mapped_column(ForeignKey("webhook_endpoint.id"))
    event_number: Mapped[int] = mapped_column(ForeignKey("webhook_event.number"))
    subject: Mapped[str] = mapped_column(String(80))
    state: Mapped[str] = mapped_column(String(10))
    attempts: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime] = mapped_column(UtcDateTime)
    give_up_at: Mapped[datetime] = mapped_column(UtcDateTime)
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    tried_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    took: Mapped[int | None]  # milliseconds
    status_code: Mapped[int | None]
    problem: Mapped[str | None] = mapped_column(String(200))
    answer: Mapped[str | None] = mapped_column(String(1000))


class CalendarFeed(Base):
    """A calendar that others read by a link: of a barber, or of the whole shop (`barber_id` empty).

    `subject` is the barber's id, or `shop`: each has one link. Its secret follows from SECRET_KEY
    and `secret_number`; the next number ends it.
    """

    __tablename__ = "calendar_feed"
    __table_args__ = (UniqueConstraint("shop_id", "subject"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id"))
    subject: Mapped[str] = mapped_column(String(40))
    barber_id: Mapped[str | None] = mapped_column(ForeignKey("barber.id"))
    secret_number: Mapped[int] = mapped_column(default=1)
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
