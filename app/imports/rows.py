"""What each row of a file says, read by the rules that hold for what staff type.

A pure function of the file, of how it is read, and of what the shop is like.
"""

import datetime as dates
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from app import clock, forms
from app.bookings.availability import LONGEST
from app.bookings.fields import MAX_NOTES, BookingForm
from app.errors import Invalid
from app.forms import Form
from app.imports import spelling
from app.imports.matching import Kind, Matching
from app.imports.reading import Row, Table
from app.models.folding import fold
from app.models.shop import Barber, Service
from app.shop import money
from app.shop.catalogue import SHORTEST
from app.shop.policy import Policy

_LONGEST_AGO = timedelta(days=366 * 40)  # of a visit that is imported
_LONGEST_WRITTEN = 200  # letters of a row that is shown as it is
_YES = {"yes", "y", "true", "1", "x", "ja", "si", "oui", "opted in", "subscribed", "on"}
_NO = {"no", "n", "false", "0", "nein", "non", "opted out", "unsubscribed", "off"}
_STATUSES: Mapping[str, tuple[str, ...]] = {
    "cancelled": ("cancelled", "canceled", "cancellation", "storniert", "abgesagt", "cancelada",
                  "cancelado", "annule", "cancelled by client", "cancelled by customer"),
    "no_show": ("no show", "noshow", "did not attend", "did not come", "dna", "missed",
                "nicht erschienen"),
    "completed": ("completed", "complete", "done", "paid", "came", "checked out", "checked in",
                  "arrived", "attended", "finished", "closed", "invoiced", "erledigt"),
    "confirmed": ("", "confirmed", "booked", "scheduled", "pending", "new", "accepted", "active",
                  "upcoming", "open", "approved", "bestatigt", "gebucht", "confirmada"),
}  # fmt: skip
_STATUS_OF = {word: status for status, words in _STATUSES.items() for word in words}


@dataclass(frozen=True)
class Person:
    """What the shop knows of somebody."""

    name: str | None = None
    email: str | None = None
    notes: str | None = None
    consent: bool | None = None


Same = tuple[str, str, str, datetime]
"""Who (a person, or a folded name without one), service, barber, when: one booking."""


@dataclass(frozen=True)
class Known:
    """What the shop is like and knows at `now`: what the fate of a row depends on.

    `bookings` are those of any status at times of the file, `taken` when each barber is booked from
    now on, in order. `done_by` is as in `app.shop.service`.
    """

    now: datetime
    zone: ZoneInfo
    locale: str
    country: str | None
    currency: str
    own_number: str
    policy: Policy
    services: Mapping[str, Service]
    barbers: Mapping[str, Barber]
    done_by: Mapping[str, frozenset[str]]
    people: Mapping[str, Person] = field(default_factory=dict)
    bookings: frozenset[Same] = frozenset()
    taken: Mapping[str, Sequence[tuple[datetime, datetime]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Reading:
    """What a row says, as it can be kept, or what is wrong with it: fields and sentences.

    Of one that cannot be read, `values` has it as it is `written`.
    """

    line: int
    values: Mapping[str, Any]
    problems: Sequence[tuple[str, str]] = ()


def read(table: Table, kind: Kind, matching: Matching, known: Known) -> list[Reading]:
    """Each row by itself."""
    places = {
        name: table.columns.index(column)
        for name, column in matching.columns.items()
        if column in table.columns
    }
    form: type[_PersonRow] = CustomerRow if kind == "customers" else BookingRow
    return [_read(form, row, places, matching, known) for row in table.rows]


class _PersonRow(Form):
    """The cells of a row, by field: what says who it is about."""

    def __init__(self, given: Mapping[str, str], matching: Matching, known: Known) -> None:
        super().__init__(given)
        self._matching, self._known = matching, known

    @forms.field
    def name(self, cell: str) -> str:
        whole = cell or f"{self.given.get('first_name', '')} {self.given.get('last_name', '')}"
        return self._rules(customer_name=whole).customer_name

    @forms.field
    def email(self, cell: str) -> str | None:
        return self._rules(customer_email=cell).customer_email

    @forms.field
    def notes(self, cell: str) -> str | None:
        return forms.lines(cell, MAX_NOTES)

    def _rules(self, **given: Any) -> BookingForm:
        """Those that hold for a booking that staff type."""
        return BookingForm(
            given,
            country=self._known.country,
            own_number=self._known.own_number,
            now=self._known.now,
            begun=_LONGEST_AGO,
            currency=self._known.currency,
        )


class CustomerRow(_PersonRow):
    """A row of a file of customers."""

    @forms.field
    def phone(self, cell: str) -> str:
        if not cell:
            raise ValueError("This is missing.")
        return self._rules(customer_phone=cell).customer_phone

    @forms.field
    def consent(self, cell: str) -> bool | None:
        word = fold(cell)
        if word and word not in _YES | _NO:
            raise ValueError("This must be yes or no, or empty.")
        return word in _YES if word else None


class BookingRow(_PersonRow):
    """A row of a file of bookings; times are read on the shop's clock."""

    names = (
        *("time", "date", "service", "barber", "minutes", "ends"),
        *("name", "phone", "email", "notes"),
    )

    @forms.field
    def time(self, cell: str) -> dates.time | None:
        """If the day has none."""
        return spelling.time_of_day(cell) if cell else None

    @forms.field
    def date(self, cell: str) -> datetime:
        if not cell:
            raise ValueError("This is missing.")
        day = self._moment(cell)
        if self.time is not None:
            day = replace(day, at=self.time)
        if day.at is None:
            raise ValueError("There is no time of day: choose the column that has it.")
        return self._rules(scheduled_time=self._at(day)).scheduled_time

    @forms.field
    def service(self, cell: str) -> str:
        return self._named("service", cell, self._known.services)

    @forms.field
    def barber(self, cell: str) -> str:
        return self._named("barber", cell, self._known.barbers)

    @forms.field
    def minutes(self, cell: str) -> int | None:
        """If there is no end."""
        return spelling.minutes(cell) if cell and not self.given.get("ends") else None

    @forms.field
    def ends(self, cell: str) -> datetime:
        """By its own column, by a length, or as long as the service takes."""
        starts_at = self.date
        if cell:
            ends_at = self._ends(cell, starts_at)
        elif self.minutes is not None:
            ends_at = starts_at + timedelta(minutes=self.minutes)
        else:
            ends_at = starts_at + timedelta(minutes=self._known.services[self.service].minutes)
        if not timedelta(minutes=SHORTEST) <= ends_at - starts_at <= LONGEST:
            raise ValueError("This must be from 5 minutes to 12 hours after it begins.")
        return ends_at

    @forms.field
    def phone(self, cell: str) -> str | None:
        """A visit that is over needs none, as who walks in has none."""
        if not cell and self.date <= self._known.now:
            return None
        if not cell:
            raise ValueError("A booking to come needs a phone number.")
        return self._rules(customer_phone=cell).customer_phone

    @forms.field
    def price(self, cell: str) -> Decimal | None:
        return money.read(spelling.amount(cell), self._known.currency) if cell else None

    @forms.field
    def status(self, cell: str) -> str:
        """What it says; a confirmed one that is over took place, and one to come did not yet."""
        word = " ".join(fold(cell).replace("-", " ").replace("_", " ").split())
        if word not in _STATUS_OF:
            raise ValueError("This status is not known: leave its rows out of the file.")
        status, is_over = _STATUS_OF[word], self.date <= self._known.now
        if status == "no_show" and not is_over:
            raise ValueError("This is still to come.")
        if status == "confirmed" and is_over:
            return "completed"
        return "confirmed" if status == "completed" and not is_over else status

    def _moment(self, cell: str) -> spelling.Moment:
        return spelling.moment(cell, self._matching.order or "dmy", self._known.locale)

    def _at(self, day: spelling.Moment) -> datetime:
        at = day.at or dates.time()
        if day.offset is not None:
            return datetime.combine(day.day, at, timezone(day.offset)).astimezone(UTC)
        if clock.is_leapt_over(day.day, at, self._known.zone):
            raise ValueError(f"There is no {at:%H:%M} on that day, as the clocks go forward.")
        return clock.first_moment(day.day, at, self._known.zone)

    def _ends(self, cell: str, starts_at: datetime) -> datetime:
        try:
            at = spelling.time_of_day(cell)
        except ValueError:
            return self._at(self._moment(cell))
        local = starts_at.astimezone(self._known.zone)
        last: date = local.date() + timedelta(days=at <= local.time())
        return clock.first_moment(last, at, self._known.zone)

    def _named(self, of: str, text: str, known: Mapping[str, Any]) -> str:
        id = self._matching.names.get(of, {}).get(text, "")
        if id not in known:
            if not text:
                raise ValueError(f"No {of} is said. Choose which one is meant.")
            raise ValueError(f"“{text[:40]}” is no {of} here. Choose which one is meant.")
        return id


def _read(
    form: type[_PersonRow],
    row: Row,
    places: Mapping[str, int],
    matching: Matching,
    known: Known,
) -> Reading:
    cells = {name: row.cells[place] for name, place in places.items()}
    try:
        values = form(cells, matching, known).checked()
    except Invalid as invalid:
        # What needs the day cannot be read without it either, and says the same.
        problems = {each.message: each.field for each in reversed(invalid.errors)}
        written = " · ".join(cell for cell in row.cells if cell)[:_LONGEST_WRITTEN]
        found = [(name, says) for says, name in reversed(problems.items())]
        return Reading(row.line, {"written": written}, found)
    return Reading(row.line, _kept(values, known) if form is BookingRow else values)


def _kept(values: Mapping[str, Any], known: Known) -> dict[str, Any]:
    """The columns of a booking as JSON can hold them.

    Without a price of its own, one to come has its service's, as if it were made now.
    """
    price = values["price"]
    if price is None and values["status"] == "confirmed":
        price = known.services[values["service"]].price
    return {
        **{f"customer_{name}": values[name] for name in ("name", "phone", "email")},
        "service_id": values["service"],
        "barber_id": values["barber"],
        "starts_at": values["date"].isoformat(),
        "ends_at": values["ends"].isoformat(),
        "status": values["status"],
        "notes": values["notes"],
        "price": None if price is None else str(price),
        "currency": None if price is None else known.currency,
    }
