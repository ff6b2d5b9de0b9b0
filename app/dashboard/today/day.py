"""A day of the shop as its board shows it: a column for each barber, its bookings and free times.

Places are counted in rows of five minutes from the top of the board. Rows are real time, so the
day of a change to or from summer time has an hour less or more.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session, contains_eager, joinedload

from app import clock
from app.bookings import availability
from app.bookings.availability import LONGEST, Calendar
from app.channel import Advice
from app.customers import service as customers
from app.dashboard.beads import reminders_of
from app.dashboard.labels import Reminders
from app.messages import failures
from app.messages.service import advice_of
from app.models.booking import Booking
from app.models.conversation import Reply
from app.models.message import Message
from app.models.shop import Barber
from app.shop import hours
from app.shop import service as shop_service
from app.shop.hours import Span

ROW = timedelta(minutes=5)
SLOT_ROWS = 6
"""Half an hour: how long a free time is that can be clicked (`.slot` in board.css)."""

MOST_LANES = 8
"""Bookings side by side; more of them lie on top of each other."""

_SHORTEST = 3  # rows that a block needs to be read
AT_MOST = 500  # failed messages that are looked at
_NEARLY_AN_HOUR = timedelta(minutes=59, seconds=59)


@dataclass(frozen=True)
class Block:
    """A booking in its column, `lane` of `lanes` side by side.

    One that began the day before or ends the day after is there with its part of this day.
    `always` are the notes on its customer.
    """

    booking: Booking
    reminders: Reminders
    row: int
    rows: int
    lane: int
    lanes: int
    is_past: bool
    is_movable: bool
    always: str = ""
    has_begun: bool = False

    @property
    def outcome(self) -> str:
        """What became of it, in a word; empty as long as nobody has said."""
        if self.booking.paid_at:
            return "Paid"
        return {"completed": "Came", "no_show": "No-show"}.get(self.booking.status, "")

    @property
    def notes(self) -> list[str]:
        """What staff want to remember: of this booking, then of its customer."""
        return [text for text in (self.booking.notes, self.always) if text]

    @property
    def failure(self) -> Advice | None:
        """Why the newest reminder that was to go out did not, for a booking that is not over."""
        tried = [each for each in self.reminders.near if each.state in {"sent", "failed"}]
        newest = max(tried, key=lambda each: each.number, default=None)
        if self.is_past or newest is None or newest.state != "failed":
            return None
        return advice_of(newest)


@dataclass(frozen=True)
class Trace:
    """Where cancelled bookings were, as far as nothing has their place by now: the last cancelled
    first, with those that lie beneath it. `by_reply` of them were cancelled by their customers.
    """

    bookings: Sequence[Booking]
    by_reply: int
    row: int
    rows: int


@dataclass(frozen=True)
class Slot:
    """A free half hour to come."""

    at: datetime
    row: int


@dataclass(frozen=True)
class Closed:
    """Rows in which a barber takes no bookings, with the name of what they are away for, or of
    what the shop is closed for; outside of hours it is empty.
    """

    row: int
    rows: int
    name: str


@dataclass(frozen=True)
class Column:
    """A barber's day: blocks and free times in the order of time, and what was cancelled."""

    barber: Barber
    cells: Sequence[Block | Slot]
    traces: Sequence[Trace]
    closed: Sequence[Closed]

    @property
    def blocks(self) -> list[Block]:
        """The bookings."""
        return [cell for cell in self.cells if isinstance(cell, Block)]

    def booked(self, currency: str) -> Decimal:
        """What its bookings come to in that currency, without those who did not come."""
        bookings = (block.booking for block in self.blocks)
        counted = (each for each in bookings if each.status != "no_show")
        prices = (each.price for each in counted if each.currency == currency)
        return sum((price for price in prices if price is not None), Decimal(0))


@dataclass(frozen=True)
class Board:
    """A day. Times are aware."""

    date: date
    begins: datetime
    rows: int
    columns: Sequence[Column]
    hours: Sequence[tuple[int, datetime]]
    now_row: int | None
    cancelled: int


@dataclass(frozen=True)
class Need:
    """A booking to come whose newest message failed, and why."""

    message: Message
    advice: Advice


@dataclass(frozen=True)
class Needs:
    """What is to be retried, the soonest booking first; `is_all` unless so many failed that not
    all were looked at.
    """

    items: Sequence[Need]
    is_all: bool


@dataclass(frozen=True)
class _Frame:
    """From when to when the board goes (UTC), the shop's zone and the time.

    `reminders` are the bookings', by id, `notes` those on their customers, by person.
    """

    begins: datetime
    ends: datetime
    zone: ZoneInfo
    now: datetime
    reminders: Mapping[str, Reminders] = field(repr=False)
    notes: Mapping[str, str] = field(repr=False)

    def row(self, at: datetime) -> int:
        """The row in which `at` lies."""
        return max(0, (min(at, self.ends) - self.begins) // ROW)

    def rows(self, booking: Booking) -> tuple[int, int]:
        """The booking's first row, and the first one after it."""
        first = self.row(booking.starts_at)
        after = -((self.begins - min(booking.ends_at, self.ends)) // ROW)
        return first, max(after, first + _SHORTEST)


def today(session: Session) -> date:
    """The day that it is in the shop."""
    zone = shop_service.time_zone(shop_service.shop(session))
    return clock.now().astimezone(zone).date()


def board(session: Session, day: date) -> Board:
    """The day `day` of the shop's zone. A fixed number of queries, whatever it holds."""
    zone = shop_service.time_zone(shop_service.shop(session))
    limits = hours.of_calendar_day(day, zone)
    bookings = _bookings(session, *limits)
    kept = [each for each in bookings if each.status != "cancelled"]
    barbers, calendar = _barbers(session, kept), availability.calendar(session, day, day)
    spans = [span for each in barbers for span in calendar.open_on(each, day)]
    frame = _frame(session, calendar, kept, spans)
    by_barber: dict[str, list[Booking]] = defaultdict(list)
    cancelled: dict[str, list[Booking]] = defaultdict(list)
    for booking in bookings:
        where = cancelled if booking.status == "cancelled" else by_barber
        where[booking.barber_id].append(booking)
    replied = _replied(session, bookings)
    return Board(
        date=day,
        begins=frame.begins,
        rows=(frame.ends - frame.begins) // ROW,
        columns=[
            _column(
                frame,
                calendar,
                barber,
                by_barber[barber.id],
                cancelled[barber.id],
                replied,
            )
            for barber in barbers
        ],
        hours=list(_hours(frame)),
        now_row=frame.row(frame.now) if frame.begins <= frame.now < frame.ends else None,
        cancelled=len(bookings) - len(kept),
    )


def needs_attention(session: Session) -> Needs:
    """The failed messages that a retry would still help, one of each booking."""
    rows = session.scalars(
        select(Message)
        .join(Message.booking)
        .where(Message.id.in_(failures.worth_retrying(session, AT_MOST)))
        .order_by(Booking.starts_at, Message.number.desc())
        .limit(AT_MOST)
        .options(contains_eager(Message.booking))
    ).all()
    newest: dict[str, Message] = {}
    for message in rows:
        newest.setdefault(message.booking_id, message)
    needs = [Need(message, advice_of(message)) for message in newest.values()]
    return Needs(needs, is_all=len(rows) < AT_MOST)


def _bookings(session: Session, since: datetime, until: datetime) -> Sequence[Booking]:
    """All that take place between the two, also those that only end or only begin there."""
    return session.scalars(
        select(Booking)
        .where(
            Booking.starts_at > since - LONGEST,
            Booking.starts_at < until,
            Booking.ends_at > since,
        )
        .order_by(Booking.starts_at, Booking.id)
        .options(joinedload(Booking.service), joinedload(Booking.barber))
    ).all()


def _barbers(session: Session, bookings: Iterable[Booking]) -> list[Barber]:
    """The barbers who take bookings, then those switched off who have a booking that day."""
    active = shop_service.barbers(session)
    others = {booking.barber.id: booking.barber for booking in bookings}
    for barber in active:
        others.pop(barber.id, None)
    return [*active, *others.values()]


def _frame(
    session: Session, calendar: Calendar, bookings: Sequence[Booking], spans: Sequence[Span]
) -> _Frame:
    """The hours of shop and barbers (`spans`), and what is booked outside of them, widened to
    whole hours, within the day.
    """
    day, zone = calendar.first, calendar.zone
    midnight, next_midnight = hours.of_calendar_day(day, zone)
    shown = [*(calendar.open_on(None, day) or [calendar.usual_on(day)]), *spans]
    shown += [(booking.starts_at, booking.ends_at) for booking in bookings]
    first = min(begin for begin, _ in shown)
    last = max(first + ROW, *(end for _, end in shown))  # hours that the clock leaps over are none
    return _Frame(
        begins=max(midnight, _whole_hour(first, zone)),
        ends=min(next_midnight, _whole_hour_after(last, zone)),
        zone=zone,
        now=clock.now(),
        reminders=reminders_of(session, [booking.id for booking in bookings]),
        notes=customers.notes_on(session, [each.person for each in bookings if each.person]),
    )


def _whole_hour(at: datetime, zone: ZoneInfo) -> datetime:
    """The beginning of the hour of the shop's clock, in UTC."""
    local = at.astimezone(zone)
    hour = local.date(), time(local.hour), zone
    again = clock.last_moment(*hour)
    return again if again <= at else clock.first_moment(*hour)


def _whole_hour_after(at: datetime, zone: ZoneInfo) -> datetime:
    """`at`, or when the clock next shows a whole hour: that takes 90 minutes where it is put back
    by half an hour."""
    later = at + _NEARLY_AN_HOUR
    while (hour := _whole_hour(later, zone)) < at:
        later += _NEARLY_AN_HOUR
    return hour


def _column(
    frame: _Frame,
    calendar: Calendar,
    barber: Barber,
    bookings: Sequence[Booking],
    cancelled: Sequence[Booking],
    replied: Set[str],
) -> Column:
    spans = calendar.open_on(barber, calendar.first)
    blocks = list(_blocks(frame, bookings))
    slots = _slots(frame, spans, blocks) if barber.active else []
    cells: list[Block | Slot] = [*blocks, *slots]
    traces = list(_traces(frame, blocks, cancelled, replied))
    in_order = sorted(cells, key=lambda cell: cell.row)
    closed = sorted(_closed(frame, calendar, barber, spans, bookings), key=lambda each: each.row)
    return Column(barber, in_order, traces, closed)


def _replied(session: Session, bookings: Sequence[Booking]) -> Set[str]:
    """The ids of those that their customers cancelled."""
    ids = [booking.id for booking in bookings if booking.status == "cancelled"]
    if not ids:
        return set()
    cancelled = select(Reply.booking_id).where(
        Reply.booking_id.in_(ids), Reply.effect == "cancelled"
    )
    return {each for each in session.scalars(cancelled) if each is not None}


def _traces(
    frame: _Frame,
    blocks: Sequence[Block],
    cancelled: Sequence[Booking],
    replied: Set[str],
) -> Iterator[Trace]:
    """Each in the longest stretch of its time that nothing has, or beneath one cancelled later."""
    placed: list[tuple[range, list[Booking]]] = []
    taken = {row for block in blocks for row in range(block.row, block.row + block.rows)}
    newest_first = sorted(cancelled, key=lambda each: each.updated_at, reverse=True)
    for booking in newest_first:
        if booking.ends_at <= frame.begins or booking.starts_at >= frame.ends:
            continue
        row, after = frame.rows(booking)
        stretch = _longest_free(taken, row, min(after, frame.row(frame.ends)))
        if len(stretch) >= _SHORTEST:
            taken.update(stretch)
            placed.append((stretch, [booking]))
            continue
        above = (there for place, there in placed if place.start < after and row < place.stop)
        next(above, []).append(booking)
    for place, there in placed:
        by_reply = sum(booking.id in replied for booking in there)
        yield Trace(there, by_reply, place.start, len(place))


def _longest_free(taken: Set[int], row: int, after: int) -> range:
    longest, begin = range(0), row
    for each in range(row, after + 1):
        if each == after or each in taken:
            longest = max(longest, range(begin, each), key=len)
            begin = each + 1
    return longest


def _blocks(frame: _Frame, bookings: Sequence[Booking]) -> Iterator[Block]:
    places = [frame.rows(booking) for booking in bookings]
    for booking, (row, after), (lane, lanes) in zip(bookings, places, _lanes(places), strict=True):
        yield Block(
            booking=booking,
            reminders=frame.reminders[booking.id],
            row=row,
            rows=after - row,
            lane=lane,
            lanes=lanes,
            is_past=booking.ends_at <= frame.now,
            is_movable=booking.status == "confirmed"
            and booking.starts_at > frame.now
            and booking.starts_at >= frame.begins,
            has_begun=booking.starts_at <= frame.now,
            always=frame.notes.get(booking.person or "", ""),
        )


def _lanes(places: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """For each place, in the order of its beginning: its lane, and how many lanes there are.

    Places that overlap, also by way of others, share the width.
    """
    lanes: list[int] = []
    counts: list[int] = []
    group: list[int] = []  # where each lane of the places that hang together ends
    first = 0
    for turn, (row, after) in enumerate(places):
        if all(end <= row for end in group):
            group, first = [], turn
        lane = next((each for each, end in enumerate(group) if end <= row), len(group))
        group[lane : lane + 1] = [after]
        lanes.append(min(lane, MOST_LANES - 1))
        counts[first:] = [min(len(group), MOST_LANES)] * (turn - first + 1)
    return list(zip(lanes, counts, strict=True))


def _slots(frame: _Frame, spans: Sequence[Span], blocks: Sequence[Block]) -> Iterator[Slot]:
    """The half hours of the barber's hours that are to come and clear of bookings."""
    for opens, closes in spans:
        at = _whole_hour(opens, frame.zone)
        while at < closes:
            row = frame.row(at)
            is_free = not any(
                block.row < row + SLOT_ROWS and row < block.row + block.rows for block in blocks
            )
            if is_free and at >= opens and at > frame.now:
                yield Slot(at, row)
            at += SLOT_ROWS * ROW


def _hours(frame: _Frame) -> Iterator[tuple[int, datetime]]:
    at = frame.begins
    while at < frame.ends:
        if at.astimezone(frame.zone).minute == 0:
            yield frame.row(at), at
        at += SLOT_ROWS * ROW


def _closed(
    frame: _Frame,
    calendar: Calendar,
    barber: Barber,
    spans: Sequence[Span],
    bookings: Sequence[Booking],
) -> Iterator[Closed]:
    """Named where no booking lies over it, so that the name is seen however much is booked."""
    taken = [(each.starts_at, each.ends_at) for each in bookings]
    left = hours.less([(frame.begins, frame.ends)], spans)
    for away in calendar.away.get(barber.id, ()):
        inside = hours.within(left, (away.begins, away.ends))
        yield from _named(frame, inside, taken, away.name)
        left = hours.less(left, inside)
    yield from _named(frame, left, taken, calendar.closed.get(calendar.first, ""))


def _named(
    frame: _Frame, spans: Sequence[Span], taken: Sequence[Span], name: str
) -> Iterator[Closed]:
    seen = hours.less(spans, taken) if name else []
    yield from _rows_of(frame, seen, name)
    yield from _rows_of(frame, hours.less(spans, seen), "")


def _rows_of(frame: _Frame, spans: Sequence[Span], name: str) -> Iterator[Closed]:
    for begin, end in spans:
        row, after = frame.row(begin), frame.row(end)
        if row < after:
            yield Closed(row, after - row, name)
