"""A day as a list, for phones: what is over, who is in the chair, what comes, and what is free."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.dashboard.today.cells import Block, Column, Slot

_SLOT = timedelta(minutes=30)


@dataclass(frozen=True)
class Gap:
    """Time of a barber that is free and to come, from when to when; the barber's id and name."""

    barber_id: str
    barber: str
    at: datetime
    until: datetime


@dataclass(frozen=True)
class Agenda:
    """All of it by time: bookings that are `earlier`, over, with a `summary` of them; those that
    have begun; those that are to come, and the gaps between them.
    """

    earlier: Sequence[Block]
    summary: str
    begun: Sequence[Block]
    coming: Sequence[Block | Gap]


def agenda_of(columns: Sequence[Column]) -> Agenda:
    """The list of these columns of a board."""
    blocks = [block for column in columns for block in column.blocks]
    blocks.sort(key=lambda block: block.booking.starts_at)
    earlier = [each for each in blocks if each.is_past]
    coming: list[Block | Gap] = [each for each in blocks if not each.has_begun]
    coming += [gap for column in columns for gap in _gaps(column)]
    return Agenda(
        earlier,
        _summary(earlier),
        [each for each in blocks if each.has_begun and not each.is_past],
        sorted(coming, key=_begins),
    )


def _gaps(column: Column) -> Iterator[Gap]:
    """Half hours that follow each other are one."""
    who = column.barber.id, column.barber.name
    at = until = None
    for cell in column.cells:
        if not isinstance(cell, Slot):
            continue
        if at and until and cell.at != until:
            yield Gap(*who, at, until)
            at = None
        at, until = at or cell.at, cell.at + _SLOT
    if at and until:
        yield Gap(*who, at, until)


def _begins(item: Block | Gap) -> datetime:
    return item.booking.starts_at if isinstance(item, Block) else item.at


def _summary(blocks: Sequence[Block]) -> str:
    """`9 came, 1 no-show, 1 to mark`."""
    words = {"completed": "came", "no_show": "no-show", "confirmed": "to mark"}
    counts = Counter(block.booking.status for block in blocks)
    return ", ".join(f"{counts[status]} {word}" for status, word in words.items() if counts[status])
