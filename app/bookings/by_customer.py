"""Customers as their bookings tell of them: a customer is a person, who has a phone number.

Who they are says their latest booking, or of who has none, an import. A visit is a booking that has
begun and was neither cancelled nor missed. Nothing here reads more than the bookings of the
customers it shows.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, get_args

from sqlalchemy import ColumnElement, RowMapping, Select, and_, bindparam, case, func, select
from sqlalchemy.orm import Session

from app import clock
from app.bookings import customer_order, search
from app.bookings.customer_order import Place, Sort
from app.clock import USABLE_HINT
from app.customers import service as customers
from app.db import UtcDateTime
from app.errors import FieldError, Invalid, NotFound
from app.models.booking import Booking
from app.models.customer import Customer
from app.models.folding import fold
from app.models.identity import person_of

MOST = 40
"""Customers on a page."""

MOST_NAMES = 5
"""Further names that are shown of one number."""

_READ = 400  # bookings of which their customers are taken
_CAME = Booking.status.not_in(("cancelled", "no_show"))
_MISSED = Booking.status == "no_show"
_PREFIX = "customer_"
_DIGITS = 3  # of a part of a number
_HAS_NO_BOOKING = (
    Customer.name.is_not(None),
    ~select(Booking.id).where(Booking.person == Customer.person).exists(),
)
_NEWEST = (Booking.starts_at.desc(), Booking.id.desc())
_IS_ONE_OF_THEM = Booking.person.in_(bindparam("people", expanding=True))
_NAMES = (
    select(Booking.person, func.max(Booking.customer_name))
    .where(_IS_ONE_OF_THEM)
    .group_by(Booking.person, Booking.name_folded)
    .order_by(func.max(Booking.starts_at).desc())
)


@dataclass(frozen=True)
class CustomerSummary:
    """What the bookings of a person say: `booking_id`, `phone`, `name`, `email` are the latest's.

    `first_id` is their first booking's, which stays theirs whatever they book.
    `bookings` counts all of them, also those that were cancelled. `others` are further names under
    which the number is booked: of a family that has one phone. Of who was imported and has no
    booking, `booking_id` and `first_id` are empty, and `id` is theirs.
    """

    booking_id: str
    first_id: str
    person: str
    phone: str
    name: str
    email: str | None
    last_visit: datetime | None
    next_visit: datetime | None
    bookings: int
    visits: int
    no_shows: int
    others: Sequence[str] = ()
    id: str = ""


@dataclass(frozen=True)
class CustomerPage:
    """Customers, and whether there may be more than these."""

    customers: Sequence[CustomerSummary]
    has_more: bool


@dataclass(frozen=True)
class KnownCustomer:
    """What an earlier booking knows of the customer with a phone number, or an import does."""

    name: str
    email: str | None
    was_here: bool = True


@dataclass(frozen=True)
class Before:
    """How often somebody had come before a booking, and how often they had not."""

    visits: int
    no_shows: int


def coming(session: Session) -> CustomerPage:
    """Those who come next, the nearest first."""
    return _customers(session, _is_next(clock.now()), Booking.starts_at, Booking.id)


def lately(session: Session) -> CustomerPage:
    """Those who were here last, the newest first."""
    return _customers(session, _is_visit(clock.now()), *_NEWEST)


def find(session: Session, text: str) -> CustomerPage:
    """Those with a part of their name or number, or with a booking's id, the newest first; then
    those without a booking.

    Raises Invalid, with the field `q`.
    """
    found = _customers(session, search.fits(session, text), *_NEWEST)
    if len(found.customers) == MOST:
        return found
    others = _unbooked(session, MOST - len(found.customers), _is_like(text))
    return CustomerPage([*found.customers, *others.customers], found.has_more or others.has_more)


def unbooked(session: Session) -> CustomerPage:
    """Those who were imported and have no booking yet, by their names."""
    return _unbooked(session, MOST)


def walk(
    session: Session,
    text: str | None,
    limit: int,
    cursor: str | None,
    updated_since: datetime | None = None,
    sort: Sort = "phone",
) -> tuple[list[CustomerSummary], str | None]:
    """A page of all customers, or of those that `find` finds, in the order of their numbers or
    another, and the cursor of the next one, None at the end. `updated_since`: those of whom a
    booking was made or changed then or later, or what is known besides.

    Whoever is there during the whole walk is on exactly one page; in another order than that of
    the numbers, who is changed meanwhile may come again. Raises Invalid, with the fields `q`,
    `limit`, `cursor`, `sort` and `updatedSince`.
    """
    _check(limit, updated_since, sort)
    booked = select(Booking.person).where(Booking.person.is_not(None))
    unbooked = select(Customer.person).where(*_HAS_NO_BOOKING)
    if text := (text or "").strip():
        booked = booked.where(search.fits(session, text))
        unbooked = unbooked.where(_is_like(text))
    if updated_since is not None:
        booked = booked.where(_has_changed(updated_since))
        unbooked = unbooked.where(Customer.updated_at >= updated_since)
    key, after = _place(session, cursor, sort)
    if sort != "phone":
        last = Place(key, after) if after else None
        places = customer_order.page(session, booked, unbooked, sort, last, limit + 1)
        found = of_people(session, [each.person for each in places[:limit]])
        if len(places) <= limit:
            return found, None
        return found, customer_order.cursor_of(sort, places[limit - 1].key, id_of(found[-1]))
    if after is not None:
        booked = booked.where(Booking.person > after)
        unbooked = unbooked.where(Customer.person > after)
    read: set[str | None] = set()
    for query, column in ((booked.distinct(), Booking.person), (unbooked, Customer.person)):
        read |= set(session.scalars(query.order_by(column).limit(limit + 1)))
    people = sorted(str(person) for person in read)
    found = of_people(session, people[:limit])
    return found, id_of(found[-1]) if len(people) > limit else None


def _check(limit: int, updated_since: datetime | None, sort: Sort) -> None:
    """Raises Invalid with everything that is wrong."""
    wrong = []
    if not 1 <= limit <= search.MAX_LIMIT:
        wrong.append(FieldError("limit", f"This must be from 1 to {search.MAX_LIMIT}."))
    if sort not in get_args(Sort):
        wrong.append(FieldError("sort", f"This must be one of {', '.join(get_args(Sort))}."))
    if not clock.is_usable(updated_since):
        wrong.append(FieldError("updatedSince", USABLE_HINT))
    if wrong:
        raise Invalid(wrong)


def _place(session: Session, cursor: str | None, sort: Sort) -> tuple[Any, str | None]:
    """The key and the person of the last customer of the page before. Raises Invalid."""
    if cursor is None:
        return None, None
    key, id = (
        (None, cursor) if sort == "phone" else customer_order.key_in(sort, cursor) or (None, "")
    )
    person = _person_with(session, id)
    if person is None:
        raise Invalid([FieldError("cursor", "No page gave this: start from the first one.")])
    return key, person


def of_people(session: Session, people: Sequence[str]) -> list[CustomerSummary]:
    """These customers, in this order, also those who were imported and never booked."""
    known = {each.person: each for each in summaries(session, people)}
    others = [person for person in people if person not in known]
    if others:
        rows = session.scalars(
            select(Customer).where(Customer.person.in_(others), *_HAS_NO_BOOKING)
        )
        known |= {row.person: _summary_of_unbooked(row) for row in rows}
    return [known[person] for person in people if person in known]


def summaries(session: Session, people: Sequence[str]) -> list[CustomerSummary]:
    """These customers, in this order; without those who never booked."""
    if not people:
        return []
    rows = session.execute(_LATEST, {"people": people, "now": clock.now()}).mappings()
    names = _names_of(session, people)
    known = {row.person: _summary(row, names[row.person]) for row in rows}
    return [known[person] for person in people if person in known]


def by_id(session: Session, customer_id: str) -> CustomerSummary:
    """The customer with this id, or whose booking's it is made of. Raises NotFound."""
    person = _person_with(session, customer_id)
    found = of_people(session, [person]) if person else []
    if not found:
        raise NotFound("There is no such customer.")
    return found[0]


def bookings_of(session: Session, person: str) -> Sequence[Booking]:
    """All bookings of a person, by their times."""
    theirs = select(Booking).where(Booking.person == person)
    return session.scalars(theirs.order_by(Booking.starts_at, Booking.id)).all()


def id_of(customer: CustomerSummary) -> str:
    """Their id: made of that of their first booking, or of who has none, their own."""
    return customer.id or f"{_PREFIX}{customer.first_id.removeprefix('booking_')}"


def known_customer(session: Session, phone: str) -> KnownCustomer | None:
    """What the latest booking of this number (E.164) says, or an import; None for who is new."""
    latest = session.scalars(
        select(Booking)
        .where(Booking.person == person_of(phone))
        .order_by(Booking.starts_at.desc())
        .limit(1)
    ).one_or_none()
    if latest:
        return KnownCustomer(latest.customer_name, latest.customer_email)
    known = session.get(Customer, person_of(phone))
    return KnownCustomer(known.name, known.email, False) if known and known.name else None


def before(session: Session, booking: Booking) -> Before:
    """What there had been of its customer when `booking` began, or by now if it is to come."""
    if booking.person is None:
        return Before(0, 0)
    row = session.execute(
        select(func.count(case((_CAME, 1))), func.count(case((_MISSED, 1)))).where(
            Booking.person == booking.person,
            Booking.starts_at < min(booking.starts_at, clock.now()),
        )
    ).one()
    return Before(*row)


def _person_with(session: Session, customer_id: str) -> str | None:
    booking_id = f"booking_{customer_id.removeprefix(_PREFIX)}"
    booking = session.get(Booking, booking_id) if search.is_id(booking_id) else None
    if booking is not None:
        return booking.person
    known = customers.imported(session, customer_id) if search.is_id(booking_id) else None
    return known.person if known else None


def _has_changed(since: datetime) -> ColumnElement[bool]:
    changed = select(Booking.person).where(Booking.updated_at >= since)
    noted = select(Customer.person).where(Customer.updated_at >= since)
    return Booking.person.in_(changed) | Booking.person.in_(noted)


def _customers(session: Session, condition: ColumnElement[bool], *order: Any) -> CustomerPage:
    """Those of the first bookings, each once."""
    has_person = Booking.person.is_not(None)  # who walked in is no customer that one knows
    query = select(Booking.person).where(condition, has_person).order_by(*order).limit(_READ)
    read = session.scalars(query).all()
    people = list(dict.fromkeys(each for each in read if each is not None))
    return CustomerPage(summaries(session, people[:MOST]), len(people) > MOST or len(read) == _READ)


def _unbooked(session: Session, most: int, *where: ColumnElement[bool]) -> CustomerPage:
    query = select(Customer).where(*_HAS_NO_BOOKING, *where)
    order = Customer.name_folded, Customer.person
    rows = session.scalars(query.order_by(*order).limit(most + 1)).all()
    return CustomerPage([_summary_of_unbooked(row) for row in rows[:most]], len(rows) > most)


def _is_like(text: str) -> ColumnElement[bool]:
    """A part of a name, or of a number: few enough are imported to read them all."""
    digits = re.sub(r"[^0-9]", "", text).lstrip("0")
    name = Customer.name_folded.contains(fold(text), autoescape=True)
    is_number = len(digits) >= _DIGITS and not re.search(r"[^\W\d_]", text)
    return Customer.phone.contains(digits) if is_number else name


def _summary_of_unbooked(row: Customer) -> CustomerSummary:
    return CustomerSummary(
        booking_id="",
        first_id="",
        person=row.person,
        phone=row.phone or "",
        name=row.name or "",
        email=row.email,
        last_visit=None,
        next_visit=None,
        bookings=0,
        visits=0,
        no_shows=0,
        id=row.id or "",
    )


def _names_of(session: Session, people: Sequence[str]) -> dict[str, list[str]]:
    """The names under which each has booked, the latest first, each once."""
    names: dict[str, list[str]] = {}
    for person, name in session.execute(_NAMES, {"people": people}):
        names.setdefault(str(person), []).append(name)
    return names


def _summary(row: RowMapping, names: Sequence[str]) -> CustomerSummary:
    others = [name for name in names if fold(name) != fold(row["name"])]
    return CustomerSummary(**row, others=others[:MOST_NAMES])


def _latest() -> Select[Any]:
    """Of each of the `people` their latest booking, with what the others say: as
    CustomerSummary.
    """
    now = bindparam("now", type_=UtcDateTime)
    told = {
        "first_id": func.min(Booking.id),  # by the time they were made
        "last_visit": func.max(case((_is_visit(now), Booking.starts_at))),
        "next_visit": func.min(case((_is_next(now), Booking.starts_at))),
        "bookings": func.count(),
        "visits": func.count(case((_is_visit(now), 1))),
        "no_shows": func.count(case((_MISSED, 1))),
    }
    rows = (
        select(
            Booking.id.label("booking_id"),
            Booking.person,
            Booking.customer_phone.label("phone"),
            Booking.customer_name.label("name"),
            Booking.customer_email.label("email"),
            *(each.over(partition_by=Booking.person).label(name) for name, each in told.items()),
            func.row_number().over(partition_by=Booking.person, order_by=_NEWEST).label("place"),
        )
        .where(_IS_ONE_OF_THEM)
        .subquery()
    ).c
    return select(*(each for each in rows if each is not rows.place)).where(rows.place == 1)


def _is_visit(now: Any) -> ColumnElement[bool]:
    return and_(_CAME, Booking.starts_at <= now)


def _is_next(now: Any) -> ColumnElement[bool]:
    return and_(Booking.status == "confirmed", Booking.starts_at > now)


_LATEST = _latest()
