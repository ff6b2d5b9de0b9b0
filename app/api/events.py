"""What other programs are told of: the bodies of events, in the shapes of the API's answers."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from sqlalchemy.orm import Session

from app import clock
from app.api.bookings import BookingAnswer
from app.api.catalogue import BarberAnswer, ServiceAnswer
from app.api.customers import CustomerAnswer, answers
from app.api.event_data import EventData, ReplyAnswer, SendingAnswer
from app.api.event_examples import EXAMPLES
from app.api.reminders import MessageAnswer
from app.bookings import by_customer
from app.integrations.deliveries import Untold
from app.messages import entries, health
from app.models.shop import Barber, Service
from app.outbox import EventType, Facts
from app.shop import catalogue


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
