"""A day of the shop as its board shows it: a column for each barber."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy.orm import Session

from app import clock
from app.bookings import availability
from app.dashboard.today import booked, grid
from app.dashboard.today.booked import Booked
from app.dashboard.today.cells import Column, column
from app.shop import hours
from app.shop import service as shop_service


@dataclass(frozen=True)
class Board:
    """A day. Times are aware. `folded` says whether hours before and after it are left out."""

    date: date
    begins: datetime
    ends: datetime
    folded: tuple[bool, bool]
    rows: int
    columns: Sequence[Column]
    hours: Sequence[tuple[int, datetime]]
    now_row: int | None
    cancelled: int


def today(session: Session) -> date:
    """The day that it is in the shop."""
    zone = shop_service.time_zone(shop_service.shop(session))
    return clock.now().astimezone(zone).date()


def board(session: Session, day: date, *, is_whole: bool = False) -> Board:
    """The day `day` of the shop's zone. A fixed number of queries, whatever it holds.

    Without hours at its ends in which the shop is closed and nothing is booked, or the whole day.
    """
    zone = shop_service.time_zone(shop_service.shop(session))
    limits = hours.of_calendar_day(day, zone)
    bookings = booked.bookings(session, *limits)
    kept = [each for each in bookings if each.status != "cancelled"]
    barbers = booked.barbers_of(session, {each.barber_id for each in kept})
    calendar = availability.calendar(session, day, day)
    shown = [*(calendar.open_on(None, day) or [calendar.usual_on(day)])]
    shown += [span for each in barbers for span in calendar.open_on(each, day)]
    shown += [(each.starts_at, each.ends_at) for each in kept]
    if is_whole:
        shown.append(limits)
    frame, reminders = grid.of_day(day, zone, shown), booked.reminders(session, bookings)
    by_barber: dict[str, list[Booked]] = defaultdict(list)
    for booking in bookings:
        by_barber[booking.barber_id].append(booking)
    return Board(
        date=day,
        begins=frame.begins,
        ends=frame.ends,
        folded=(frame.hours_before, frame.hours_after),
        rows=frame.height,
        columns=[
            column(frame, calendar, each, day, by_barber[each.id], reminders) for each in barbers
        ],
        hours=list(frame.hours()),
        now_row=frame.now_row,
        cancelled=len(bookings) - len(kept),
    )
