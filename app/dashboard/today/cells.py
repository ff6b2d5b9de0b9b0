"""A column of a board: bookings, free times, what was cancelled, and when nobody is booked."""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from app.bookings.availability import Calendar
from app.channel import Advice
from app.dashboard import labels
from app.dashboard.labels import Beads, Reminders
from app.dashboard.today import load
from app.dashboard.today.booked import Booked
from app.dashboard.today.grid import ROW, SHORTEST, SLOT_ROWS, Grid, whole_hour
from app.messages.service import advice_of
from app.models.shop import Barber
from app.shop import hours
from app.shop.hours import Span

MOST_LANES = 8
"""Bookings side by side; more of them lie on top of each other."""


@dataclass(frozen=True)
class Block:
    """A booking in its column, `lane` of `lanes` side by side.

    One that began the day before or ends the day after is there with its part of this day.
    `failure` is why the newest reminder that was to go out did not, for a booking that is not over.
    """

    booking: Booked
    beads: Beads
    row: int
    rows: int
    lane: int
    lanes: int
    is_past: bool
    is_movable: bool
    failure: Advice | None = None
    has_begun: bool = False

    @property
    def outcome(self) -> str:
        """What became of it, in a word; empty as long as nobody has said."""
        return labels.outcome(self.booking.status, self.booking.paid_at)

    @property
    def notes(self) -> list[str]:
        """What staff want to remember: of this booking, then of its customer."""
        return [text for text in (self.booking.notes, self.booking.always) if text]


@dataclass(frozen=True)
class Trace:
    """Where cancelled bookings were, as far as nothing has their place by now: the last cancelled
    first, with those that lie beneath it. `by_reply` of them were cancelled by their customers.
    """

    bookings: tuple[Booked, ...]
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
class Edge:
    """Rows before or after a booking in which its barber is kept free for it."""

    booking: Booked
    row: int
    rows: int


@dataclass(frozen=True)
class Column:
    """A barber's day: blocks and free times in the order of time, what was cancelled, and what is
    kept free.
    """

    barber: Barber
    day: date
    cells: Sequence[Block | Slot]
    traces: Sequence[Trace]
    closed: Sequence[Closed]
    edges: Sequence[Edge]

    @property
    def blocks(self) -> list[Block]:
        """The bookings."""
        return [cell for cell in self.cells if isinstance(cell, Block)]

    @property
    def bookings(self) -> list[Booked]:
        """Those of the blocks."""
        return [block.booking for block in self.blocks]

    def booked(self, currency: str) -> Decimal:
        """What its bookings come to in that currency, without those who did not come."""
        return load.total(self.bookings, currency)


def column(
    grid: Grid,
    calendar: Calendar,
    barber: Barber,
    day: date,
    bookings: Sequence[Booked],
    reminders: Mapping[str, Reminders],
) -> Column:
    """The barber's `day`, of which `bookings` are all that are theirs, by time."""
    spans = calendar.open_on(barber, day)
    cancelled = [each for each in bookings if each.status == "cancelled"]
    kept = [each for each in bookings if each.status != "cancelled"]
    blocks = list(_blocks(grid, kept, reminders))
    edges = list(_edges(grid, blocks))
    slots = _slots(grid, spans, [*blocks, *edges]) if barber.active else []
    cells: list[Block | Slot] = [*blocks, *slots]
    closed = _closed(grid, calendar, barber, day, kept)
    return Column(
        barber,
        day,
        cells=sorted(cells, key=lambda cell: cell.row),
        traces=list(_traces(grid, blocks, cancelled)),
        closed=sorted(closed, key=lambda each: each.row),
        edges=edges,
    )


def _traces(
    grid: Grid,
    blocks: Sequence[Block],
    cancelled: Sequence[Booked],
) -> Iterator[Trace]:
    """Each in the longest stretch of its time that nothing has, or beneath one cancelled later."""
    placed: list[tuple[range, list[Booked]]] = []
    taken = {row for block in blocks for row in range(block.row, block.row + block.rows)}
    newest_first = sorted(cancelled, key=lambda each: each.updated_at, reverse=True)
    for booking in newest_first:
        if booking.ends_at <= grid.begins or booking.starts_at >= grid.ends:
            continue
        row, after = grid.rows(booking)
        stretch = _longest_free(taken, row, min(after, grid.row(grid.ends)))
        if len(stretch) >= SHORTEST:
            taken.update(stretch)
            placed.append((stretch, [booking]))
            continue
        above = (there for place, there in placed if place.start < after and row < place.stop)
        next(above, []).append(booking)
    for place, there in placed:
        by_reply = sum(booking.by_reply for booking in there)
        yield Trace(tuple(there), by_reply, place.start, len(place))


def _longest_free(taken: Set[int], row: int, after: int) -> range:
    longest, begin = range(0), row
    for each in range(row, after + 1):
        if each == after or each in taken:
            longest = max(longest, range(begin, each), key=len)
            begin = each + 1
    return longest


def _blocks(
    grid: Grid, bookings: Sequence[Booked], reminders: Mapping[str, Reminders]
) -> Iterator[Block]:
    places = [grid.rows(booking) for booking in bookings]
    for booking, (row, after), (lane, lanes) in zip(bookings, places, _lanes(places), strict=True):
        yield Block(
            booking=booking,
            beads=labels.beads(reminders[booking.id], grid.now),
            row=row,
            rows=after - row,
            lane=lane,
            lanes=lanes,
            is_past=booking.ends_at <= grid.now,
            is_movable=booking.status == "confirmed"
            and booking.starts_at > grid.now
            and booking.starts_at >= grid.begins,
            failure=_failure(reminders[booking.id]) if booking.ends_at > grid.now else None,
            has_begun=booking.starts_at <= grid.now,
        )


def _failure(reminders: Reminders) -> Advice | None:
    tried = [each for each, _ in reminders.near if each.state in {"sent", "failed"}]
    newest = max(tried, key=lambda each: each.number, default=None)
    return advice_of(newest) if newest is not None and newest.state == "failed" else None


def _edges(grid: Grid, blocks: Sequence[Block]) -> Iterator[Edge]:
    for block in blocks:
        booking, after = block.booking, block.row + block.rows
        first = grid.row(booking.busy_from) if booking.busy_from < booking.starts_at else block.row
        if first < block.row:
            yield Edge(booking, first, block.row - first)
        last = grid.row(booking.busy_until - timedelta.resolution) + 1
        if booking.busy_until > booking.ends_at and last > after:
            yield Edge(booking, after, last - after)


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


def _slots(grid: Grid, spans: Sequence[Span], taken: Sequence[Block | Edge]) -> Iterator[Slot]:
    """The half hours of the barber's hours that are to come and clear of bookings."""
    rows = {row for each in taken for row in range(each.row, each.row + each.rows)}
    for opens, closes in spans:
        at = whole_hour(opens, grid.zone)
        while at < closes:
            row = grid.row(at)
            if opens <= at > grid.now and rows.isdisjoint(range(row, row + SLOT_ROWS)):
                yield Slot(at, row)
            at += SLOT_ROWS * ROW


def _closed(
    grid: Grid, calendar: Calendar, barber: Barber, day: date, bookings: Sequence[Booked]
) -> Iterator[Closed]:
    """Named where no booking lies over it, so that the name is seen however much is booked."""
    taken = [(each.starts_at, each.ends_at) for each in bookings]
    left = hours.less([(grid.begins, grid.ends)], calendar.open_on(barber, day))
    for away in calendar.away.get(barber.id, ()):
        inside = hours.within(left, (away.begins, away.ends))
        yield from _named(grid, inside, taken, away.name)
        left = hours.less(left, inside)
    yield from _named(grid, left, taken, calendar.closed.get(day, ""))


def _named(grid: Grid, spans: Sequence[Span], taken: Sequence[Span], name: str) -> Iterator[Closed]:
    seen = hours.less(spans, taken) if name else []
    yield from _rows_of(grid, seen, name)
    yield from _rows_of(grid, hours.less(spans, seen), "")


def _rows_of(grid: Grid, spans: Sequence[Span], name: str) -> Iterator[Closed]:
    for begin, end in spans:
        row, after = grid.row(begin), grid.row(end)
        if row < after:
            yield Closed(row, after - row, name)
