"""Rows become customers, bookings and plans of reminders: some at a time, in one transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session
from ulid import ULID

from app import clock
from app.imports import facts, fates
from app.imports.matching import Matching
from app.imports.rows import Reading
from app.messages.enqueue import enqueue_after_commit
from app.messages.lifecycle import materialize
from app.models.booking import Booking, with_derived
from app.models.customer import Customer
from app.models.folding import fold
from app.models.identity import person_of
from app.models.imports import Import, ImportRow
from app.models.shop import Barber
from app.reminders.plan import reminder_times
from app.rows import insert_rows, table_of

_CUSTOMERS_OWN = ("id", "name", "name_folded", "phone", "email", "notes", "consent",
                  "consent_at", "consent_how")  # fmt: skip
"""What an import may write of a customer."""


def make(session: Session, of: Import, rows: Sequence[ImportRow]) -> None:
    """Make what these rows say, which were good when they were checked; their fates say whether
    they still were.
    """
    if of.kind == "customers":
        _make_customers(session, rows)
    else:
        _make_bookings(session, of, rows)


def plan(session: Session, rows: Sequence[ImportRow]) -> None:
    """Give the bookings that were made of these rows their reminders, if they are still as they
    were made.
    """
    known = facts.of_shop_alone(session)
    ids = [row.booking_id for row in rows if fates.is_to_come(row.values, known.now)]
    query = select(Booking).where(
        Booking.id.in_(ids),
        Booking.status == "confirmed",
        Booking.updated_at == Booking.created_at,
        Booking.starts_at > known.now,
    )
    untouched = session.scalars(query.order_by(Booking.id).with_for_update(key_share=True))
    plans = [
        (booking.id, reminder_times(known.policy, known.now, booking.starts_at))
        for booking in untouched
    ]
    enqueue_after_commit(session, materialize.make_first(session, plans))


def _make_bookings(session: Session, of: Import, rows: Sequence[ImportRow]) -> None:
    values = [row.values for row in rows]
    _hold_barbers(session, values)
    known = facts.with_bookings(session, facts.of_shop_alone(session), values)
    readings = [Reading(row.line, row.values) for row in rows]
    matching, now, bookings = Matching.of_json(of.matching), clock.now(), []
    judged = fates.fates(readings, "bookings", matching, known)
    for row, fate in zip(rows, judged, strict=True):
        row.fate, row.problems = fate.fate, [list(each) for each in fate.reading.problems]
        if fate.fate == "new":
            row.fate, row.booking_id = "made", f"booking_{ULID()}"
            bookings.append(_columns(row.booking_id, row.values, now))
    if bookings:
        insert_rows(session, Booking, bookings)


def _hold_barbers(session: Session, values: Sequence[Mapping[str, Any]]) -> None:
    """So that nobody else takes their time meanwhile; always in one order."""
    ids = {each["barber_id"] for each in values}
    held = select(Barber.id).where(Barber.id.in_(ids)).order_by(Barber.id)
    session.execute(held.with_for_update(key_share=True)).all()


def _columns(id: str, values: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    starts_at, ends_at = fates.span_of(values)
    price = values["price"]
    columns = with_derived(
        {
            **values,
            "id": id,
            "starts_at": starts_at,
            "ends_at": ends_at,
            "busy_from": starts_at,
            "busy_until": ends_at,
            "price": None if price is None else Decimal(price),
            "created_at": now,
            "updated_at": now,
        }
    )
    return {column.name: columns.get(column.name) for column in table_of(Booking).columns}


def _make_customers(session: Session, rows: Sequence[ImportRow]) -> None:
    """What is known stays, what is empty is filled in; `before` is what there was."""
    people = {person_of(row.values["phone"]) for row in rows}
    there = {
        each.person: each
        for each in session.scalars(
            select(Customer).where(Customer.person.in_(people)).with_for_update()
        )
    }
    known = facts.with_customers(
        session, facts.of_shop_alone(session), [row.values for row in rows]
    ).people
    for row in rows:
        person = person_of(row.values["phone"])
        customer = there.get(person)
        row.before = {name: _plain(getattr(customer, name, None)) for name in _CUSTOMERS_OWN}
        if customer is None:
            customer = there[person] = Customer(person=person)
            session.add(customer)
        is_booked = person in known and known[person].name == ""
        _fill_in(customer, row.values, is_booked)
        row.fate = "made"


def _fill_in(customer: Customer, values: Mapping[str, Any], is_booked: bool) -> None:
    customer.updated_at = clock.now()
    if customer.name is None and not is_booked:
        customer.id, customer.name = f"customer_{ULID()}", values["name"]
        customer.name_folded, customer.phone = fold(values["name"]), values["phone"]
    if customer.email is None and not is_booked:
        customer.email = values["email"]
    if customer.notes is None:
        customer.notes = values["notes"]
    if customer.consent is None and values["consent"] is not None:
        customer.consent, customer.consent_at = values["consent"], clock.now()
        customer.consent_how = "form"


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
