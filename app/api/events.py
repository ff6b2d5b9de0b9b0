"""What other programs are told of: the bodies of events, in the shapes of the API's answers."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from sqlalchemy.orm import Session

from app import clock, outbox
from app.api.bookings import BookingAnswer
from app.api.catalogue import BarberAnswer, ServiceAnswer
from app.api.customers import CustomerAnswer, answers
from app.api.reminders import MessageAnswer
from app.bookings import by_customer
from app.channel import IncomingKind
from app.integrations.deliveries import Untold
from app.messages import entries, health
from app.models.conversation import Reply
from app.models.shop import Barber, Service
from app.outbox import EventType, Facts
from app.shop import catalogue
from app.shop.money import Price


class ReplyAnswer(Struct, rename="camel", kw_only=True):
    """What a customer wrote."""

    id: Annotated[str, Meta(examples=["SM0123456789abcdef0123456789abcdef"])]
    kind: IncomingKind
    text: Annotated[str, Meta(description="Empty for a picture alone.", examples=["CANCEL"])]
    received_at: datetime
    effect: Annotated[
        str, Meta(description="What came of it: `cancelled`, `for_staff`, …", examples=["noted"])
    ]
    needs_attention: Annotated[bool, Meta(description="Somebody of the staff has to look.")]

    @classmethod
    def of(cls, reply: Reply) -> "ReplyAnswer":
        return cls(
            id=reply.sid,
            kind=reply.kind,  # type: ignore[arg-type]
            text=reply.body,
            received_at=reply.received_at,
            effect=reply.effect,
            needs_attention=reply.needs_attention,
        )


class SendingAnswer(Struct, rename="camel", kw_only=True):
    """Whether messages go out, or what keeps them back or soon will."""

    state: Annotated[
        Literal["ok", "paused", "stopped", "limited", "budget", "no_worker", "disk", "backlog"],
        Meta(examples=["ok"]),
    ]
    reason: Annotated[str, Meta(description="In words; empty while it is `ok`.")]


class EventData(Struct, rename="camel", kw_only=True):
    """What the event is about, whole, as it was then; what does not belong to it is left out.

    The customer is as of the moment that it was first sent; null for who walked in.
    """

    booking: BookingAnswer | UnsetType = UNSET
    service: ServiceAnswer | UnsetType = UNSET
    barber: BarberAnswer | UnsetType = UNSET
    customer: CustomerAnswer | UnsetType | None = UNSET
    message: MessageAnswer | UnsetType = UNSET
    reply: ReplyAnswer | UnsetType = UNSET
    sending: SendingAnswer | UnsetType = UNSET


class EventBody(Struct, kw_only=True):
    """What is posted to a webhook, the same for each try and each endpoint."""

    type: EventType
    timestamp: Annotated[datetime, Meta(description="When it happened.")]
    data: EventData


def bodies(session: Session, events: Sequence[Untold]) -> dict[int, str]:
    """The body of each event, as JSON, by its number; some statements, however many there are."""
    facts = {each.number: msgspec.json.decode(each.facts, type=Facts) for each in events}
    around = _Around(session, list(facts.values()))
    return {
        each.number: msgspec.json.encode(
            EventBody(
                type=each.type,  # type: ignore[arg-type]
                timestamp=each.at,
                data=EXAMPLES[each.type]
                if facts[each.number].is_example
                else around.data_of(facts[each.number]),
            )
        ).decode()
        for each in events
    }


class _Around:
    """What surrounds the rows of some events: their customers, services, attempts."""

    def __init__(self, session: Session, facts: Sequence[Facts]) -> None:
        self._session = session
        people = {person for each in facts if (person := _person_of(each))}
        found = by_customer.summaries(session, sorted(people)) if people else []
        self._customers: Mapping[str, CustomerAnswer] = dict(
            zip((each.person for each in found), answers(session, found), strict=True)
        )
        messages: list[Any] = [each.message for each in facts if each.message]
        found_entries = entries.of_rows(session, messages) if messages else []
        self._messages = {id(entry.message): entry for entry in found_entries}
        self._services: dict[str, ServiceAnswer] = {}

    def data_of(self, facts: Facts) -> EventData:
        booking: Any = facts.booking
        data = EventData()
        if facts.sending is not None:
            data.sending = _sending(self._session, facts)
            return data
        data.customer = self._customers.get(_person_of(facts) or "")
        if booking is not None:
            data.booking = BookingAnswer.of(self._session, booking)
            data.service = self._service(booking.service_id)
            data.barber = self._barber(booking.barber_id)
        if facts.message is not None:
            entry = self._messages[id(facts.message)]
            data.message = MessageAnswer.of(entry, clock.now())
        if facts.reply is not None:
            data.reply = ReplyAnswer.of(facts.reply)
        return data

    def _service(self, service_id: str) -> ServiceAnswer:
        if service_id not in self._services:
            row = catalogue.get(self._session, Service, service_id)
            self._services[service_id] = ServiceAnswer.of(self._session, row)
        return self._services[service_id]

    def _barber(self, barber_id: str) -> BarberAnswer:
        return BarberAnswer.of(catalogue.get(self._session, Barber, barber_id))


def _person_of(facts: Facts) -> str | None:
    booking: Any = facts.booking
    person: str | None = booking.person if booking is not None else facts.person
    return person


def _sending(session: Session, facts: Facts) -> SendingAnswer:
    row: Any = facts.sending
    state, reason = facts.alarm or health.sending_of(session, row)
    return SendingAnswer(state=state, reason=reason)  # type: ignore[arg-type]


# --- examples ---


def _example_data() -> dict[str, EventData]:
    at = datetime.fromisoformat
    booking = BookingAnswer(
        id="booking_00000000000000000000000000",
        customer_name="Ana Silva",
        customer_email="ana@example.com",
        customer_phone="+442079460958",
        service_id="haircut",
        barber_id="barber_1",
        scheduled_time=at("2030-01-15T18:00:00Z"),
        ends_at=at("2030-01-15T18:30:00Z"),
        status="confirmed",
        notes="This is an example: no such booking was made.",
        price=Price("25.00", "GBP"),
        discount=Price("5.00", "GBP"),
        discount_reason="Student",
        created_at=at("2030-01-14T09:30:00Z"),
        updated_at=at("2030-01-14T09:30:00Z"),
    )
    barbers = ["barber_1"]
    service = ServiceAnswer(
        id="haircut", name="Haircut", minutes=30, price=Price("25.00", "GBP"),
        buffer_minutes=0, buffer_minutes_before=0, colour="blue",
        barber_ids=barbers, active=True,
    )  # fmt: skip
    customer = CustomerAnswer(
        id="customer_00000000000000000000000000", name="Ana Silva", phone="+442079460958",
        email="ana@example.com", notes="No razor", consent=True, opted_out=False, visits=2,
        no_shows=0,
    )  # fmt: skip
    message = MessageAnswer(
        job_id=f"{booking.id}-reminder-1", booking_id=booking.id, kind="reminder", number=1,
        state="completed",
        scheduled_for=at("2030-01-15T10:00:00Z"), sent_at=at("2030-01-15T10:00:01Z"),
        delivery_status="sent", error=None, attempts=[],
    )  # fmt: skip
    reply = ReplyAnswer(
        id="SM00000000000000000000000000000000", kind="text", text="See you then!",
        received_at=at("2030-01-15T10:05:00Z"), effect="for_staff", needs_attention=True,
    )  # fmt: skip
    about: dict[str, Any] = {
        "booking": booking,
        "service": service,
        "barber": BarberAnswer(id="barber_1", name="Sam", active=True),
        "customer": customer,
    }

    def of_message(**changes: Any) -> EventData:
        return EventData(**about, message=msgspec.structs.replace(message, **changes))

    def of_booking(**changes: Any) -> EventData:
        changed = msgspec.structs.replace(booking, **changes)
        return EventData(**{**about, "booking": changed})

    why = "Staff have paused sending: nothing goes out until they resume it."
    return {
        "booking.created": of_booking(),
        "booking.changed": of_booking(notes="An example, changed."),
        "booking.moved": of_booking(scheduled_time=at("2030-01-15T19:00:00Z")),
        "booking.cancelled": of_booking(status="cancelled"),
        "booking.attended": of_booking(status="completed"),
        "message.sent": of_message(),
        "message.delivered": of_message(delivery_status="delivered"),
        "message.failed": of_message(
            state="failed", sent_at=None, delivery_status=None, error="It is no number of WhatsApp."
        ),
        "message.skipped": of_message(
            state="skipped", sent_at=None, delivery_status=None, error="A newer reminder is due."
        ),
        "reply.received": EventData(**about, reply=reply),
        "customer.opted_out": EventData(customer=msgspec.structs.replace(customer, opted_out=True)),
        "sending.stopped": EventData(sending=SendingAnswer(state="paused", reason=why)),
        "sending.resumed": EventData(sending=SendingAnswer(state="ok", reason="")),
    }


EXAMPLES: Mapping[str, EventData] = _example_data()
"""What is sent to try an endpoint out, by type: about nobody."""

assert EXAMPLES.keys() == set(outbox.TYPES)
