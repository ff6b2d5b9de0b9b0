"""All customers and all bookings as CSV, for a spreadsheet or for another program."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.bookings import by_customer, search
from app.customers import service as customers
from app.models.booking import Booking
from app.models.customer import Customer
from app.models.imports import ImportRow
from app.models.shop import Barber, Service
from app.shop import money
from app.shop.service import shop, time_zone
from app.web import csv_files

CUSTOMERS = ("Name", "Phone", "Email", "Notes", "Wants messages", "Visits", "No-shows",
             "Last visit", "Next visit")  # fmt: skip
BOOKINGS = ("Date", "Time", "End", "Service", "Barber", "Name", "Phone", "Email", "Notes", "Price",
            "Currency", "Discount", "Discount reason", "Status", "Paid", "Id")  # fmt: skip
ROWS = ("Line", "What becomes of it", "Why")

_AT_ONCE = 200
_YES = {True: "yes", False: "no", None: ""}


def customers_csv(session: Session) -> Iterator[str]:
    """Everybody whom the shop knows, in parts of a file."""
    zone = time_zone(shop(session))
    return csv_files.written(CUSTOMERS, _customers(session, zone))


def bookings_csv(session: Session) -> Iterator[str]:
    """All bookings, the earliest first, in parts of a file; days and times on the shop's clock."""
    zone = time_zone(shop(session))
    return csv_files.written(BOOKINGS, _bookings(session, zone))


def rows_csv(session: Session, import_id: str) -> Iterator[str]:
    """What becomes of each row of an import, in parts of a file."""
    query = select(ImportRow.line, ImportRow.fate, ImportRow.problems)
    query = query.where(ImportRow.import_id == import_id).order_by(ImportRow.number)
    rows = ([*row[:2], " ".join(why for _, why in row[2])] for row in session.execute(query))
    return csv_files.written(ROWS, rows)


def _customers(session: Session, zone: ZoneInfo) -> Iterator[Sequence[Any]]:
    """All of them, those too who were imported and have no booking yet."""
    cursor, is_first = None, True
    while is_first or cursor is not None:
        found, cursor = by_customer.walk(session, None, _AT_ONCE, cursor)
        is_first = False
        known = customers.find_all(session, [each.person for each in found])
        for each in found:
            days = (
                at and f"{at.astimezone(zone):%Y-%m-%d}"
                for at in (each.last_visit, each.next_visit)
            )
            of_them = known.get(each.person)
            numbers = each.visits, each.no_shows
            yield each.name, each.phone, each.email, *_said(of_them), *numbers, *days


def _said(known: Customer | None) -> tuple[str | None, str]:
    """Their notes, and whether they want messages."""
    if known is None:
        return None, ""
    return known.notes, _YES[False if known.opted_out_at else known.consent]


def _day(at: datetime | None, zone: ZoneInfo) -> str:
    return "" if at is None else f"{at.astimezone(zone):%Y-%m-%d}"


def _bookings(session: Session, zone: ZoneInfo) -> Iterator[Sequence[Any]]:
    names = {
        id: name
        for table in (Service, Barber)
        for id, name in session.execute(select(table.id, table.name))
    }
    for row in _walk(session):
        begin, end = row.starts_at.astimezone(zone), row.ends_at.astimezone(zone)
        price = money.price_of(row.price, row.currency)
        times = f"{begin:%Y-%m-%d}", f"{begin:%H:%M}", f"{end:%H:%M}"
        who = row.customer_name, row.customer_phone, row.customer_email
        chosen = names[row.service_id], names[row.barber_id]
        off = money.price_of(row.discount, row.currency)
        cost = price and price.amount, row.currency, off and off.amount, row.discount_reason
        rest = row.status, _day(row.paid_at, zone), row.id
        yield *times, *chosen, *who, row.notes, *cost, *rest


def _walk(session: Session) -> Iterator[Booking]:
    """All bookings by time, some at a time."""
    cursor, is_first = None, True
    while is_first or cursor is not None:
        rows, cursor = search.search(session, search.Filters(), _AT_ONCE, cursor)
        yield from rows
        session.expunge_all()
        is_first = False
