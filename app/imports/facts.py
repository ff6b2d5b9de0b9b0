"""What the fates of rows depend on, read from the database."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock
from app.bookings.availability import LONGEST
from app.imports import fates
from app.imports.rows import Known, Person, Same
from app.models.booking import Booking
from app.models.customer import Customer
from app.models.identity import person_of
from app.models.shop import Barber, Service
from app.rows import read_rows
from app.settings import settings
from app.shop import money
from app.shop import service as shop_service
from app.shop.catalogue import booked, listed
from app.shop.policy import of_shop
from app.sql import in_parts

Values = Mapping[str, Any]
"""What a row says, as `app.imports.rows` keeps it."""


def of_shop_alone(session: Session) -> Known:
    """Without who and what is known: enough to read rows."""
    shop = shop_service.shop(session)
    return Known(
        now=clock.now(),
        zone=shop_service.time_zone(shop),
        locale=shop.locale,
        country=shop.country,
        currency=money.currency_of(shop),
        own_number=settings().whatsapp_from_number,
        policy=of_shop(shop),
        services={each.id: each for each in booked(session, Service) if isinstance(each, Service)},
        barbers={each.id: each for each in listed(session, Barber) if isinstance(each, Barber)},
        done_by=shop_service.done_by(session),
    )


def with_customers(session: Session, known: Known, rows: Sequence[Values]) -> Known:
    """With what is known of the people in these rows."""
    people: dict[str, Person] = {}
    wanted = sorted({person_of(row["phone"]) for row in rows})
    for some in in_parts(wanted):
        for row in session.scalars(select(Customer).where(Customer.person.in_(some))):
            people[row.person] = Person(row.name, row.email, row.notes, row.consent)
        for [person] in read_rows(session, _BOOKED.where(Booking.person.in_(some))):
            # Their bookings say their name and their email; an import leaves both alone.
            people[person] = replace(people.get(person, Person()), name="", email="")
    return replace(known, people=people)


def with_bookings(session: Session, known: Known, rows: Sequence[Values]) -> Known:
    """With the bookings at the times of these rows, and those that are in their way."""
    starts = sorted({fates.span_of(row)[0] for row in rows})
    there = set[Same]()
    for some in in_parts(starts):
        found = read_rows(session, _SAME.where(Booking.starts_at.in_(some)))
        there |= {
            (row.person or row.name_folded, row.service_id, row.barber_id, row.starts_at)
            for row in found
        }
    return replace(known, bookings=frozenset(there), taken=_taken(session, known.now, rows))


def _taken(
    session: Session, now: datetime, rows: Sequence[Values]
) -> Mapping[str, Sequence[tuple[datetime, datetime]]]:
    spans = [fates.span_of(row) for row in rows if fates.is_to_come(row, now)]
    taken: dict[str, list[tuple[datetime, datetime]]] = defaultdict(list)
    if spans:
        query = _TAKEN.where(
            Booking.starts_at > min(begin for begin, _ in spans) - LONGEST,
            Booking.starts_at < max(end for _, end in spans),
        )
        for row in read_rows(session, query):
            taken[row.barber_id].append((row.starts_at, row.ends_at))
    return taken


def people_of(rows: Iterable[Values]) -> set[str]:
    """Who they are, of who has a number."""
    phones = (row.get("phone") or row.get("customer_phone") for row in rows)
    return {person_of(phone) for phone in phones if phone}


_BOOKED = select(Booking.person).distinct()
_SAME = select(
    Booking.person, Booking.name_folded, Booking.service_id, Booking.barber_id, Booking.starts_at
)
_TAKEN = (
    select(Booking.barber_id, Booking.starts_at, Booking.ends_at)
    .where(Booking.status == "confirmed")
    .order_by(Booking.starts_at)
)
