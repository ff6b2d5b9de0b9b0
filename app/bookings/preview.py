"""What a draft would come to: free times, conflicts, a price, its reminders, its first message."""

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from app import clock
from app.bookings import (
    any_barber,
    availability,
    by_customer,
    day_choices,
    draft,
    draft_choices,
    draft_cost,
    service,
)
from app.bookings.any_barber import Offer
from app.bookings.availability import Calendar, Outside, overlapping
from app.bookings.by_customer import KnownCustomer
from app.bookings.day_choices import DayChoice
from app.bookings.draft import Draft, StartTime
from app.bookings.draft_choices import Choices
from app.bookings.draft_cost import Cost
from app.bookings.fields import FARTHEST
from app.customers import budget, phones
from app.customers import service as customers
from app.errors import Invalid
from app.messages import planned
from app.messages.compose import Subject, content_of
from app.messages.service import skip_reason_of
from app.messages.texts import TextError
from app.models.booking import Booking
from app.models.customer import Customer as Contact
from app.models.identity import person_of
from app.models.plan import ReminderTimes
from app.models.shop import Barber
from app.reminders.plan import PlanTooLong
from app.shop import hours, money
from app.shop.policy import of_shop
from app.shop.service import names_of, shop, time_zone


@dataclass(frozen=True)
class Reminders:
    """The plan that a draft gets; `replaced` planned ones give way, if it moves a booking.

    `plan` is None when nothing is planned anew. `every` is the policy's, `text` the first message
    as it will read. `at_once` is what tells the customer of the booking itself ("confirmation",
    "moved"), empty if nothing does; `cost` is that of all, if the shop has set a price.
    """

    plan: ReminderTimes | None
    replaced: int
    every: timedelta
    text: str = ""
    problem: str = ""
    at_once: str = ""
    cost: str = ""


@dataclass(frozen=True)
class BookingPreview:
    """What a booking would come to, as far as its draft is filled in.

    `draft` has the name and the email of a known customer where none was typed. `contact` is what
    the number said about messages, `skip_reason` why none would go out, in words.
    `is_any`: any barber will do; `choices` has then whom it would be, of those who are free at the
    time. `instead` is the next free time when nobody is, or nothing is free that day.
    `outside` says why nobody is booked at the time as a rule, if that is so.
    `free` is None until barber, service and day are chosen; then it has the free times in UTC, by
    the choice of the form that means each. `chosen` is the choice that means the draft's own time.
    `days` are those that the form offers beside each other.
    `day_off` says why the barber takes no bookings on that day at all, if that is so.
    `turns` are the two times (UTC) at which the clock shows it, if it does so twice.
    `conflicts` are the barber's other bookings then; `same` is the one that is this very booking,
    and `somebody_else` who else is free.
    `changed` names the fields of BookingForm in which the draft differs from the booking that it
    changes; None for a new one, and while something is wrong.
    """

    draft: Draft
    choices: Choices
    known: KnownCustomer | None
    contact: Contact | None
    skip_reason: str
    days: Sequence[DayChoice]
    day: date | None
    free: Mapping[str, datetime] | None
    day_off: Outside | None
    chosen: str
    start: StartTime | None
    turns: Sequence[datetime]
    time_problem: str
    outside: Outside | None
    instead: Offer | None
    conflicts: Sequence[Booking]
    same: Booking | None
    cost: Cost
    somebody_else: Barber | None
    reminders: Reminders | None
    changed: Set[str] | None

    @property
    def is_offered(self) -> bool:
        """Whether the time of the draft is among the free ones."""
        return self.chosen in (self.free or ())

    @property
    def is_day_offered(self) -> bool:
        """Whether the day of the draft is among those that are offered."""
        return self.day in {each.day for each in self.days}

    @property
    def ends_at(self) -> datetime | None:
        """When it would be over (UTC)."""
        return self.start.at + self.choices.length if self.start else None

    @property
    def is_any(self) -> bool:
        return self.draft.is_any

    @property
    def parts(self) -> Mapping[str, Mapping[str, datetime]]:
        """The free times of each part of the day that has some."""
        parts: dict[str, dict[str, datetime]] = {}
        for choice, at in (self.free or {}).items():
            parts.setdefault(_part(int(choice[:2])), {})[choice] = at
        return parts

    @property
    def would(self) -> str:
        """Whom it would be, as `Draft.would` has it."""
        if not (self.is_any and self.start and self.choices.barber):
            return ""
        return draft.named(self.choices.barber.id, self.start.at)

    @property
    def overlap(self) -> str:
        """The conflicts, as `Draft.overlap` has them."""
        return draft.ids_of(self.conflicts)

    @property
    def place(self) -> str:
        """The time with its barber, as `Draft.outside` has it; empty until both are chosen."""
        if not (self.start and self.choices.barber):
            return ""
        ends_at = self.start.at + self.choices.length
        return draft.place_of(self.choices.barber.id, self.start.at, ends_at)

    @property
    def is_many(self) -> bool:
        """Whether so many reminders need a yes."""
        plan = self.reminders.plan if self.reminders else None
        return plan is not None and len(plan.times) > service.MANY


def preview_booking(
    session: Session, typed: Draft, booking: Booking | None = None
) -> BookingPreview:
    """What is typed so far would come to this; `booking` is the one that it changes."""
    zone = time_zone(row := shop(session))
    phone = _phone(typed, row.country)
    known = _known(session, phone, booking)
    contact = customers.find(session, phone) if phone else None
    typed = _filled(typed, known)
    day = _day(typed)
    start, problem = _start(session, typed, zone, booking)
    choices = draft_choices.of_draft(session, typed, start, booking)
    today = clock.now().astimezone(zone).date()
    shown = day or (start.at.astimezone(zone).date() if start else today)
    offered = day_choices.days_from(typed.days_from, day, today)
    of_each, days, by_day = _around(session, choices, booking, offered, shown)
    conflicts = _conflicts(session, choices, start, booking)
    free = _by_choice(by_day.get(shown, ()), zone) if day and by_day is not None else None
    return BookingPreview(
        draft=typed,
        choices=choices,
        known=known,
        contact=contact,
        skip_reason=_skip_reason(typed, contact),
        days=of_each,
        day=day,
        free=free,
        day_off=days.day_off(choices.barber, day) if day and free is not None else None,
        chosen=draft.choice_of(start.at, zone) if start else typed.time,
        start=start,
        turns=_turns(typed, zone),
        time_problem=problem,
        conflicts=conflicts,
        same=_same(typed, phone, start, conflicts),
        cost=draft_cost.of_draft(typed, choices.service, booking, money.currency_of(row)),
        somebody_else=_somebody_else(session, choices, start) if conflicts else None,
        reminders=_reminders(session, typed, choices, start, booking, contact) if start else None,
        changed=_changed(session, typed, booking) if booking else None,
        outside=_outside(days, choices, start) if start else None,
        instead=_instead(session, choices, clock.midnight(shown, zone), start, free),
    )


def _part(hour: int) -> str:
    return "Morning" if hour < 12 else "Afternoon" if hour < 17 else "Evening"


def _phone(typed: Draft, country: str | None) -> str | None:
    try:
        return phones.parse(typed.typed["phone"], country)
    except ValueError:
        return None


def _known(session: Session, phone: str | None, booking: Booking | None) -> KnownCustomer | None:
    if phone is None or (booking and booking.person == person_of(phone)):
        return None
    return by_customer.known_customer(session, phone)


def _skip_reason(typed: Draft, contact: Contact | None) -> str:
    said = contact.consent if contact and typed.is_agreed is None else typed.is_agreed
    return skip_reason_of(contact, said)


def _filled(typed: Draft, known: KnownCustomer | None) -> Draft:
    if known is None:
        return typed
    name, email = typed.typed["name"], typed.typed["email"]
    return typed.with_typed(name=name or known.name, email=email or known.email or "")


def _day(typed: Draft) -> date | None:
    """The day, if one can book on it."""
    try:
        day = draft.day_of(typed)
    except Invalid:
        return None
    away = day - clock.now().date()
    return day if timedelta(days=-1) <= away <= FARTHEST + timedelta(days=1) else None


def _start(
    session: Session, typed: Draft, zone: ZoneInfo, booking: Booking | None
) -> tuple[StartTime | None, str]:
    """When it begins, and what is wrong with that; neither until a day and a time are typed."""
    if not typed.day or not typed.time:
        return None, ""
    try:
        if booking and draft.is_time_of(typed, booking, zone):
            return StartTime(booking.starts_at), ""
        start = draft.start_of(typed, zone)
        draft.check_time(session, start.at, is_new=booking is None)
    except Invalid as invalid:
        return None, invalid.errors[0].message
    return start, ""


def _turns(typed: Draft, zone: ZoneInfo) -> Sequence[datetime]:
    try:
        return draft.start_of(typed, zone).turns
    except Invalid:
        return ()


def _around(
    session: Session,
    choices: Choices,
    booking: Booking | None,
    offered: Sequence[date],
    shown: date,
) -> tuple[Sequence[DayChoice], Calendar, Mapping[date, Sequence[datetime]] | None]:
    """What is free on the days that are offered; and of these, or of the day that is shown if it is
    none of them, their calendar, and when it could begin on each.
    """
    week = availability.calendar(session, offered[0], offered[-1])
    free = _free_by_day(session, choices, week, booking)
    known = free if choices.is_done else None
    of_each = day_choices.of_calendar(week, choices.candidates, known)
    if shown in offered:
        return of_each, week, free
    days = availability.calendar(session, shown, shown)
    return of_each, days, _free_by_day(session, choices, days, booking)


def _free_by_day(
    session: Session, choices: Choices, days: Calendar, booking: Booking | None
) -> Mapping[date, Sequence[datetime]] | None:
    """When it could begin (UTC) on each of the calendar's days; None until it is known what."""
    if not (choices.service and choices.candidates):
        return None
    if not choices.is_done:
        return {}
    but = booking.id if booking else ""
    since, _ = hours.of_calendar_day(days.first, days.zone)
    _, until = hours.of_calendar_day(days.last, days.zone)
    chosen = choices.candidates, choices.need
    free = availability.free_between(session, *chosen, since, until, but, days)
    by_day: dict[date, list[datetime]] = defaultdict(list)
    for at in sorted({at for times in free.values() for at in times}):
        by_day[at.astimezone(days.zone).date()].append(at)
    return by_day


def _by_choice(times: Sequence[datetime], zone: ZoneInfo) -> Mapping[str, datetime]:
    return {draft.choice_of(at, zone): at for at in times}


def _instead(
    session: Session,
    choices: Choices,
    day_begins: datetime,
    start: StartTime | None,
    free: Mapping[str, datetime] | None,
) -> Offer | None:
    """The next free time, if there is none that day, or nobody is free at the time."""
    is_refused = start is not None and choices.barber is None
    if free is None or not choices.is_done or (free and not is_refused):
        return None
    since = start.at if start else day_begins
    return any_barber.next_free(session, choices.candidates, choices.need, since)


def _conflicts(
    session: Session, choices: Choices, start: StartTime | None, booking: Booking | None
) -> Sequence[Booking]:
    if not (start and choices.service and choices.barber):
        return ()
    place = choices.barber.id, start.at, start.at + choices.length
    if booking and place == (booking.barber_id, booking.starts_at, booking.ends_at):
        return ()  # it is there already
    busy = choices.barber.id, *choices.need.busy(start.at)
    return session.scalars(overlapping(*busy, but=booking.id if booking else "")).all()


def _somebody_else(session: Session, choices: Choices, start: StartTime | None) -> Barber | None:
    if not (start and choices.service and choices.barber):
        return None
    place = choices.service.id, choices.barber.id, choices.need, start.at
    return any_barber.somebody_else(session, *place)


def _outside(days: Calendar, choices: Choices, start: StartTime) -> Outside | None:
    return days.outside(choices.barber, start.at, start.at + choices.length)


def _same(
    typed: Draft, phone: str | None, start: StartTime | None, conflicts: Sequence[Booking]
) -> Booking | None:
    if not (phone and start and conflicts):
        return None
    mine = (person_of(phone), typed.typed["service"], start.at)
    for each in conflicts:
        if (each.person, each.service_id, each.starts_at) == mine:
            return each
    return None


def _reminders(
    session: Session,
    typed: Draft,
    choices: Choices,
    start: StartTime,
    booking: Booking | None,
    contact: Contact | None,
) -> Reminders:
    row = shop(session)
    every = of_shop(row).least
    replaced = len(planned.to_go(session, booking.id)) if booking else 0
    if booking and booking.starts_at == start.at:
        return Reminders(None, replaced, every)
    try:
        plan = service.planned_from_now(session, start.at)
    except PlanTooLong as error:
        return Reminders(None, replaced, every, problem=str(error))
    at_once = "moved" if booking else "confirmation"
    is_told = getattr(row, f"{at_once}_on")
    return Reminders(
        plan,
        replaced,
        every,
        text=_text(session, typed, choices, start, plan, contact) if plan.times else "",
        at_once=at_once if is_told else "",
        cost=budget.cost(row, len(plan.times) + is_told),
    )


def _text(
    session: Session,
    typed: Draft,
    choices: Choices,
    start: StartTime,
    plan: ReminderTimes,
    contact: Contact | None,
) -> str:
    """The first reminder; empty while it cannot be written."""
    if not (choices.service and choices.barber):
        return ""
    services = names_of(session, choices.service.parts or choices.service.id)
    named = typed.typed["name"], start.at, services, choices.barber.name
    try:
        subject = Subject("", *named, contact.language if contact else None)
        return content_of(shop(session), "reminder", None, subject, plan.times[0]).body
    except TextError:
        return ""


def _changed(session: Session, typed: Draft, booking: Booking) -> Set[str] | None:
    try:
        return draft.changes_of(session, booking, typed)[1]
    except Invalid:
        return None
