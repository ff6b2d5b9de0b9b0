"""A booking as it is typed into its form, with a day and a time on the shop's clock; and saved."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from typing import Any, Self
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from app import clock, forms
from app.bookings import phone_corrections, service
from app.bookings.availability import outside, overlapping
from app.bookings.fields import COLUMNS, LONGEST_AGO, BookingForm
from app.customers import service as customers
from app.errors import Conflict, FieldError, Invalid
from app.forms import as_typed
from app.models.booking import Booking, short_name
from app.models.customer import Customer
from app.models.shop import ANY_BARBER
from app.shop import several
from app.shop.service import barber, shop, time_zone

OTHER = "other"
"""What the form says for a day or a time that it does not offer: the field `other_…` has it."""

_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::00)?(?:-([12]))?")
_MISSING = {
    "customer_phone": "Enter the customer’s phone number.",
    "customer_name": "Enter the customer’s name.",
    "service_id": "Choose a service.",
    "barber_id": "Choose a barber.",
}

TYPED = {name: short_name(name) for name in COLUMNS}
"""Of the fields that are typed as one text, what each is called in the form."""


@dataclass(frozen=True)
class Draft:
    """The fields of the form as they were typed.

    `typed` has those of TYPED, by their names in the form; several services in one visit are
    written as `shop.several.key` does. `day` (2026-11-23) and `time` (14:30) are on the shop's
    clock. Of a time that the clock shows twice, `turn` says which is meant: "1",
    "2", or empty for the first that is still to come. `consent` is "yes" or "no", or empty: the
    customer was not asked. `overlap` has the ids of the bookings beside which it is to be made,
    `outside` the place (`place_of`) of which the form has said that it is outside of hours,
    `would` whom it has named for any barber, and for when (`named`),
    `sure` the number of reminders agreed to, `seen` the `fields` of the booking as the form showed
    it at first. `others` is for what a corrected number holds: a numbers.Scope. `days_from` is the
    first of the days that the form offers (`day_choices`).
    """

    typed: Mapping[str, str] = field(default_factory=lambda: dict.fromkeys(TYPED.values(), ""))
    day: str = ""
    time: str = ""
    turn: str = ""
    consent: str = ""
    overlap: str = ""
    outside: str = ""
    would: str = ""
    sure: str = ""
    seen: str = ""
    others: str = ""
    days_from: str = ""

    @classmethod
    def of_form(cls, sent: Mapping[str, str]) -> Self:
        """What a form sent."""
        names = cls.__dataclass_fields__.keys() - {"typed"}
        values = {name: sent.get(name, "").strip() for name in names}
        for name in ("day", "time"):
            if values[name] in {"", OTHER}:
                values[name] = sent.get(f"other_{name}", "").strip()
        if written := _TIME.fullmatch(values["time"]):
            values["time"] = f"{int(written[1]):02}:{written[2]}"
            values["turn"] = written[3] or values["turn"]
        typed = {name: forms.line_ends(sent.get(name, "")).strip() for name in TYPED.values()}
        return cls(typed, **values)

    @classmethod
    def of_booking(cls, session: Session, booking: Booking) -> Self:
        """What the form of a booking shows at first."""
        typed = {short: as_typed(getattr(booking, name)) for name, short in TYPED.items()}
        typed["service"] = several.key_of(session, booking.service_id)
        zone = time_zone(shop(session))
        shown = cls(typed, **on_the_clock(booking.starts_at, zone), others="name")
        return replace(shown, seen=json.dumps(shown.fields))

    def with_typed(self, **typed: str) -> Self:
        """The draft with these fields of TYPED."""
        return replace(self, typed={**self.typed, **typed})

    @property
    def fields(self) -> dict[str, str]:
        """What two who change one booking may differ in; day and time are one field."""
        return {**self.typed, "when": f"{self.day} {self.time} {self.turn}".rstrip()}

    @property
    def is_any(self) -> bool:
        """Whether any barber will do."""
        return self.typed["barber"] == ANY_BARBER

    @property
    def agreed(self) -> int:
        """The number of reminders agreed to."""
        return int(self.sure) if re.fullmatch("[0-9]{1,5}", self.sure) else 0

    @property
    def is_agreed(self) -> bool | None:
        """What the customer said when asked whether they want messages."""
        return {"yes": True, "no": False}.get(self.consent)


@dataclass(frozen=True)
class StartTime:
    """When a day and a time are: UTC. `turns` are both moments if the clock shows it twice."""

    at: datetime
    turns: Sequence[datetime] = ()


def customer_of(booking: Booking) -> dict[str, str]:
    """The fields of TYPED that mean the customer of a booking."""
    names = (name for name in TYPED if name.startswith("customer_"))
    return {TYPED[name]: as_typed(getattr(booking, name)) for name in names}


def imported(known: Customer) -> dict[str, str]:
    """The same of somebody who was imported and has no booking."""
    shorts = (short for name, short in TYPED.items() if name.startswith("customer_"))
    return {short: as_typed(getattr(known, short)) for short in shorts}


def on_the_clock(at: datetime, zone: ZoneInfo) -> dict[str, str]:
    """The fields `day`, `time` and `turn` that mean `at`, to the minute."""
    local = at.astimezone(zone)
    turn = f"{local.fold + 1}" if clock.comes_twice(at, zone) else ""
    return {"day": f"{local:%Y-%m-%d}", "time": f"{local:%H:%M}", "turn": turn}


def choice_of(at: datetime, zone: ZoneInfo) -> str:
    """What the form's radio of a free time sends: `14:30`, `02:30-2` for the second such time."""
    on_it = on_the_clock(at, zone)
    return "-".join(filter(None, (on_it["time"], on_it["turn"])))


def day_of(draft: Draft) -> date:
    """The day that was typed. Raises Invalid."""
    try:
        return forms.day(draft.day)
    except ValueError:
        raise Invalid([FieldError("day", "Choose a day, such as 2026-11-23.")]) from None


def start_of(draft: Draft, zone: ZoneInfo) -> StartTime:
    """When the draft begins. Raises Invalid, also for a time that the clock leaps over."""
    day = day_of(draft)
    match = _TIME.fullmatch(draft.time)
    if not match or int(match[1]) > 23 or int(match[2]) > 59:
        raise Invalid([FieldError("time", "Choose a time of the day.")])
    try:
        return _start(day, time(int(match[1]), int(match[2])), draft.turn, zone)
    except OverflowError:  # at either end of the calendar
        raise Invalid([FieldError("day", "Choose a day in the coming year.")]) from None


def is_time_of(draft: Draft, booking: Booking, zone: ZoneInfo) -> bool:
    """Whether the draft has the booking's own time, to the minute, which the form shows.

    A time that was left alone is no change, even if the booking's has seconds. Raises Invalid.
    """
    own = on_the_clock(booking.starts_at, zone)
    return on_the_clock(start_of(draft, zone).at, zone) == own


def ids_of(bookings: Iterable[Booking]) -> str:
    """As `Draft.overlap` has them."""
    return ",".join(sorted(booking.id for booking in bookings))


def book(session: Session, draft: Draft, actor: str) -> tuple[Booking, bool]:
    """Make the booking; False if it was there already.

    With any barber it is with whom the form has named. Raises Invalid with all the fields that are
    wrong, and Conflict: `barber_taken` for a booking beside it that the draft does not name,
    `named_taken` for one of the barber named for any, `nobody_free`, and `outside_hours` for a time
    of which the draft does not know.
    """
    new = form(session, draft)
    try:
        booking, is_new = service.create(session, new, actor, draft.agreed)
    except Conflict as conflict:
        if conflict.reason == "barber_taken" and draft.is_any:
            raise Conflict("named_taken", "They have been booked meanwhile.") from None
        raise
    if is_new:
        _check_conflicts(session, booking, draft)
    return booking, is_new


def change(session: Session, booking_id: str, draft: Draft, actor: str) -> tuple[Booking, bool]:
    """Change the booking to what the draft says; False if that is how it is.

    Raises what `service.change` raises, Conflict `outside_hours` as `book`, and `changed_meanwhile`
    if the form showed another state than there is.
    """
    booking = service.to_change(session, booking_id)
    typed, changes = changes_of(session, booking, draft)
    if not changes:
        return booking, False
    if draft.seen != Draft.of_booking(session, booking).seen:
        raise Conflict("changed_meanwhile", "Somebody else has changed this booking meanwhile.")
    if draft.others in {"name", "all"} and "customer_phone" in changes:
        scope: phone_corrections.Scope = "all" if draft.others == "all" else "name"
        phone_corrections.correct(session, booking_id, typed.part({"customer_phone"}), scope, actor)
    to_change = typed.part({*changes, "allow_overlap"})
    service.change(session, booking_id, to_change, actor, draft.agreed)
    if changes & {"service_id", "barber_id", "scheduled_time"}:
        _check_conflicts(session, booking, draft)
    return booking, True


def changes_of(session: Session, booking: Booking, draft: Draft) -> tuple[BookingForm, set[str]]:
    """The draft, and its fields in which it differs from the booking. Raises Invalid."""
    typed = form(session, draft, booking)
    values = typed.checked(typed.given)
    as_it_is = {
        **vars(booking),
        "scheduled_time": booking.starts_at,
        "service_id": several.key_of(session, booking.service_id),
        "allow_overlap": typed.allow_overlap,
        "whatsapp_consent": typed.whatsapp_consent,
    }
    changes = {name for name, value in values.items() if as_it_is[name] != value}
    said = typed.whatsapp_consent
    if said is not None and said != _known_consent(session, typed.customer_phone):
        changes.add("whatsapp_consent")
    return typed, changes


def check_time(session: Session, at: datetime, *, is_new: bool) -> None:
    """Raises Invalid for a time that no booking can have; what is new may have begun today."""
    form = service.form(session, {"scheduled_time": at}, _begun(is_new))
    form.checked(["scheduled_time"])


def _begun(is_new: bool) -> timedelta:
    return LONGEST_AGO if is_new else timedelta(0)


def _known_consent(session: Session, phone: str) -> bool | None:
    known = customers.find(session, phone)
    return known.consent if known else None


def _start(day: date, at: time, turn: str, zone: ZoneInfo) -> StartTime:
    first, last = (find(day, at, zone) for find in (clock.first_moment, clock.last_moment))
    if clock.is_leapt_over(day, at, zone):
        then = first.astimezone(zone)
        problem = f"There is no {at:%H:%M} on that day, as the clocks go forward. The next time "
        raise Invalid([FieldError("time", f"{problem}is {then:%H:%M}.")])
    if first == last:
        return StartTime(first)
    is_second = turn == "2" or (turn != "1" and first <= clock.now())
    return StartTime(last if is_second else first, (first, last))


def form(session: Session, draft: Draft, booking: Booking | None = None) -> BookingForm:
    """The draft's fields, read; without the time if it is the booking's own.

    Raises Invalid with all that is wrong.
    """
    texts = {name: draft.typed[short] for name, short in TYPED.items()}
    errors = [FieldError(name, words) for name, words in _MISSING.items() if not texts[name]]
    given: dict[str, Any] = dict(texts)
    for error in errors:
        del given[error.field]
    overlap = "" if draft.is_any else draft.overlap
    given |= {"allow_overlap": overlap, "whatsapp_consent": draft.is_agreed}
    zone = time_zone(shop(session))
    try:
        if not (booking and is_time_of(draft, booking, zone)):
            given["scheduled_time"] = at = start_of(draft, zone).at
            barber_id, _, when = draft.would.partition(" ")
            if draft.is_any and when == at.isoformat():
                given["barber_id"] = barber_id
    except Invalid as invalid:
        errors += invalid.errors
    form = service.form(session, given, _begun(booking is None))
    try:
        form.checked(given)
    except Invalid as invalid:
        errors += invalid.errors
    if errors:
        raise Invalid(errors)
    return form


def named(barber_id: str, starts_at: datetime) -> str:
    """Who would take a booking with any barber then, as `Draft.would` has it."""
    return f"{barber_id} {starts_at.isoformat()}"


def place_of(barber_id: str, starts_at: datetime, ends_at: datetime) -> str:
    """A barber's time, as `Draft.outside` has it."""
    return f"{barber_id} {starts_at.isoformat()} {ends_at.isoformat()}"


def _check_conflicts(session: Session, booking: Booking, draft: Draft) -> None:
    """Raises Conflict for a booking in the way that was not shown (the barber is locked), and for
    a time outside of what the barber takes of which that was not said.
    """
    place = (booking.barber_id, booking.starts_at, booking.ends_at)
    busy = (booking.barber_id, booking.busy_from, booking.busy_until)
    there = session.scalars(overlapping(*busy, but=booking.id))
    if {other.id for other in there} - set(draft.overlap.split(",")):
        raise Conflict("barber_taken", "The barber has another booking then.")
    if booking.starts_at <= clock.now() or draft.outside == place_of(*place):
        return  # what has begun is entered as it was
    if outside(session, barber(session, place[0]), *place[1:]):
        raise Conflict("outside_hours", "Nobody is booked then as a rule.")
