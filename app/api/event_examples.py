"""An example of each event, about nobody: what is sent to try an endpoint out, and documented."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from app import outbox
from app.api.bookings import BookingAnswer
from app.api.catalogue import BarberAnswer, ServiceAnswer
from app.api.customers import CustomerAnswer
from app.api.event_data import EventData, ReplyAnswer, SendingAnswer
from app.api.reminders import MessageAnswer
from app.shop.money import Price

_at = datetime.fromisoformat
_BOOKING = BookingAnswer(
    id="booking_00000000000000000000000000",
    customer_name="Ana Silva",
    customer_email="ana@example.com",
    customer_phone="+442079460958",
    service_id="haircut",
    barber_id="barber_1",
    scheduled_time=_at("2030-01-15T18:00:00Z"),
    ends_at=_at("2030-01-15T18:30:00Z"),
    status="confirmed",
    notes="This is an example: no such booking was made.",
    price=Price("25.00", "GBP"),
    discount=Price("5.00", "GBP"),
    discount_reason="Student",
    created_at=_at("2030-01-14T09:30:00Z"),
    updated_at=_at("2030-01-14T09:30:00Z"),
)
_SERVICE = ServiceAnswer(
    id="haircut", name="Haircut", minutes=30, price=Price("25.00", "GBP"),
    buffer_minutes=0, buffer_minutes_before=0, colour="blue",
    barber_ids=["barber_1"], active=True,
)  # fmt: skip
_CUSTOMER = CustomerAnswer(
    id="customer_00000000000000000000000000", name="Ana Silva", phone="+442079460958",
    email="ana@example.com", notes="No razor", language=None, consent=True, opted_out=False,
    visits=2, no_shows=0,
)  # fmt: skip
_MESSAGE = MessageAnswer(
    job_id=f"{_BOOKING.id}-reminder-1", booking_id=_BOOKING.id, kind="reminder", number=1,
    state="completed",
    scheduled_for=_at("2030-01-15T10:00:00Z"), sent_at=_at("2030-01-15T10:00:01Z"),
    delivery_status="sent", error=None, attempts=[],
)  # fmt: skip
_REPLY = ReplyAnswer(
    id="SM00000000000000000000000000000000", kind="text", text="See you then!",
    received_at=_at("2030-01-15T10:05:00Z"), effect="for_staff", needs_attention=True,
)  # fmt: skip
_ABOUT: dict[str, Any] = {
    "booking": _BOOKING,
    "service": _SERVICE,
    "barber": BarberAnswer(id="barber_1", name="Sam", active=True),
    "customer": _CUSTOMER,
}
_WHY = "Staff have paused sending: nothing goes out until they resume it."


def _of_message(**changes: Any) -> EventData:
    return EventData(**_ABOUT, message=replace(_MESSAGE, **changes))


def _of_booking(**changes: Any) -> EventData:
    return EventData(**{**_ABOUT, "booking": replace(_BOOKING, **changes)})


EXAMPLES: Mapping[str, EventData] = {
    "booking.created": _of_booking(),
    "booking.changed": _of_booking(notes="An example, changed."),
    "booking.moved": _of_booking(scheduled_time=_at("2030-01-15T19:00:00Z")),
    "booking.cancelled": _of_booking(status="cancelled"),
    "booking.attended": _of_booking(status="completed"),
    "message.sent": _of_message(),
    "message.delivered": _of_message(delivery_status="delivered"),
    "message.failed": _of_message(
        state="failed", sent_at=None, delivery_status=None, error="It is no number of WhatsApp."
    ),
    "message.skipped": _of_message(
        state="skipped", sent_at=None, delivery_status=None, error="A newer reminder is due."
    ),
    "reply.received": EventData(**_ABOUT, reply=_REPLY),
    "customer.opted_out": EventData(customer=replace(_CUSTOMER, opted_out=True)),
    "sending.stopped": EventData(sending=SendingAnswer(state="paused", reason=_WHY)),
    "sending.resumed": EventData(sending=SendingAnswer(state="ok", reason="")),
}

assert EXAMPLES.keys() == set(outbox.TYPES)
