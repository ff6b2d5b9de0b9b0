"""What becomes of each row: it is new, fills something in, is here already, or is wrong.

A pure function of what the rows say and of what the shop knows.
"""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from app.bookings.availability import LONGEST
from app.imports.matching import Kind, Matching
from app.imports.rows import Known, Person, Reading, Same
from app.models.folding import fold
from app.models.identity import person_of
from app.reminders.plan import PlanTooLong, reminder_times
from app.shop.service import ids_in

FateOf = Literal["new", "changes", "same", "wrong"]


@dataclass(frozen=True)
class Fate:
    """What becomes of a row; `reminders` is how many a booking to come would get."""

    reading: Reading
    fate: FateOf
    reminders: int = 0


def fates(readings: Iterable[Reading], kind: Kind, matching: Matching, known: Known) -> list[Fate]:
    """What becomes of the rows, each with those before it in mind."""
    judge = _Customers(known) if kind == "customers" else _Bookings(known, matching.overlap)
    return [Fate(each, "wrong") if each.problems else judge.fate(each) for each in readings]


class _Customers:
    """Fates of customers."""

    def __init__(self, known: Known) -> None:
        self._people = dict(known.people)

    def fate(self, each: Reading) -> Fate:
        """What is known already stays; what is empty is filled in."""
        person = person_of(each.values["phone"])
        is_new, there = person not in self._people, self._people.get(person, Person())
        news = {
            name: value
            for name, value in each.values.items()
            if name != "phone" and value is not None and getattr(there, name) is None
        }
        self._people[person] = replace(there, **news)
        return Fate(each, "new" if is_new else "changes" if news else "same")


class _Bookings:
    """Fates of bookings."""

    def __init__(self, known: Known, overlap: bool) -> None:
        self._known, self._overlap = known, overlap
        self._there = set(known.bookings)
        self._taken = defaultdict(list, {id: list(spans) for id, spans in known.taken.items()})

    def fate(self, each: Reading) -> Fate:
        same = same_of(each.values)
        if same in self._there:
            return Fate(each, "same")
        self._there.add(same)
        if not is_to_come(each.values, self._known.now):
            return Fate(each, "new")
        if problems := self._problems(each.values):
            return Fate(replace(each, problems=problems), "wrong")
        starts_at, ends_at = span_of(each.values)
        insort(self._taken[each.values["barber_id"]], (starts_at, ends_at))
        try:
            times = reminder_times(self._known.policy, self._known.now, starts_at)
        except PlanTooLong as error:
            return Fate(replace(each, problems=[("date", str(error))]), "wrong")
        return Fate(each, "new", times.going(0, times.count))

    def _problems(self, values: Mapping[str, Any]) -> list[tuple[str, str]]:
        service = self._known.services[values["service_id"]]
        barber = self._known.barbers[values["barber_id"]]
        parts = [self._known.services[id] for id in ids_in(service)]
        doers = [self._known.done_by.get(part.id, {barber.id}) for part in parts]
        problems = []
        if not all(part.active for part in parts):
            problems.append(("service", f"{service.name} cannot be booked any more."))
        if not barber.active:
            problems.append(("barber", f"{barber.name} cannot be booked any more."))
        elif not all(barber.id in each for each in doers):
            problems.append(("barber", f"{barber.name} does not do {service.name}."))
        if not self._overlap and is_taken(self._taken[barber.id], *span_of(values)):
            problems.append(("date", f"{barber.name} has another booking then."))
        return problems


def is_taken(
    spans: Sequence[tuple[datetime, datetime]], starts_at: datetime, ends_at: datetime
) -> bool:
    """Whether one of the spans, in their order and each no longer than LONGEST, is in the way."""
    first = bisect_left(spans, (starts_at - LONGEST, starts_at - LONGEST))
    last = bisect_left(spans, (ends_at, ends_at - LONGEST))
    return any(end > starts_at for _, end in spans[first:last])


def same_of(values: Mapping[str, Any]) -> Same:
    """By which two rows are one booking."""
    phone = values["customer_phone"]
    who = fold(values["customer_name"]) if phone is None else person_of(phone)
    return who, values["service_id"], values["barber_id"], span_of(values)[0]


def is_to_come(values: Mapping[str, Any], now: datetime) -> bool:
    """Whether the booking takes a barber's time from `now` (aware) on."""
    return values["status"] == "confirmed" and span_of(values)[0] > now


def span_of(values: Mapping[str, Any]) -> tuple[datetime, datetime]:
    """From when to when (UTC)."""
    return datetime.fromisoformat(values["starts_at"]), datetime.fromisoformat(values["ends_at"])
