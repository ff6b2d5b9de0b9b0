"""Customers in another order than that of their numbers: by name, or by what changed last.

Unlike that of the numbers, these orders are nobody's index: each page reads all that its filters
leave.
"""

from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from sqlalchemy import Select, func, literal, select, tuple_, union_all
from sqlalchemy.orm import Session, aliased

from app import cursors
from app.db import UtcDateTime
from app.models.booking import Booking
from app.models.customer import Customer

Sort = Literal["phone", "updatedAt", "-updatedAt", "name", "-name"]
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class Place(NamedTuple):
    """Where a page ended: what the last customer's order goes by, and who they are."""

    key: Any
    person: str


def page(
    session: Session,
    booked: Select[Any],
    unbooked: Select[Any],
    sort: Sort,
    after: Place | None,
    limit: int,
) -> list[Place]:
    """So many of the people of these two queries, in that order."""
    rows = (_by_name if sort.endswith("name") else _by_change)(booked, unbooked).subquery().c
    columns = func.max(rows.key), rows.person
    query = select(columns[0].label("key"), rows.person).group_by(rows.person)
    backwards = sort.startswith("-")
    if after is not None:
        here = tuple_(literal(after.key, rows.key.type), literal(after.person))
        query = query.having(tuple_(*columns) < here if backwards else tuple_(*columns) > here)
    order = [each.desc() for each in columns] if backwards else columns
    return [Place(*row) for row in session.execute(query.order_by(*order).limit(limit))]


def cursor_of(sort: Sort, key: Any, customer_id: str) -> str:
    """What leads to those behind the customer with that id."""
    text = key.replace(tzinfo=None).isoformat() if isinstance(key, datetime) else key
    return cursors.write_text(text, customer_id, f"{sort.lstrip('-')} ")


def key_in(sort: Sort, cursor: str) -> tuple[Any, str] | None:
    """The key, and the customer's id; None if the cursor is none of that order."""
    found = cursors.read_text(cursor, f"{sort.lstrip('-')} ")
    if found is None or sort.endswith("name"):
        return found
    try:
        return datetime.fromisoformat(found[0]).replace(tzinfo=UTC), found[1]
    except ValueError:
        return None


def _by_name(booked: Select[Any], unbooked: Select[Any]) -> Any:
    """The name of their latest booking, or of the import, as it is compared."""
    later = aliased(Booking)
    place, its = (later.starts_at, later.id), (Booking.starts_at, Booking.id)
    is_later = select(later.id).where(later.person == Booking.person, tuple_(*place) > tuple_(*its))
    latest = Booking.person.in_(booked), ~is_later.exists()
    return union_all(
        select(Booking.person, Booking.name_folded.label("key")).where(*latest),
        select(Customer.person, Customer.name_folded).where(Customer.person.in_(unbooked)),
    )


def _by_change(booked: Select[Any], unbooked: Select[Any]) -> Any:
    """When a booking of theirs was last made or changed, or what is known of them."""
    noted = func.coalesce(Customer.updated_at, literal(_NEVER, UtcDateTime), type_=UtcDateTime)
    is_one = Customer.person.in_(booked) | Customer.person.in_(unbooked)
    return union_all(
        select(Booking.person, Booking.updated_at.label("key")).where(Booking.person.in_(booked)),
        select(Customer.person, noted).where(is_one),
    )
