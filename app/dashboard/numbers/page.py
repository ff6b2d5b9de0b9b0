"""Numbers: what whole weeks came to, for owners; each picture of it as a file too."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from litestar import Response, Router, get
from litestar.params import FromQuery
from sqlalchemy.orm import Session

from app import db, forms
from app.customers import budget
from app.dashboard.numbers import findings, pictures
from app.dashboard.shell import PageRequest, page
from app.errors import FieldError, Invalid, NotFound
from app.models.shop import Barber
from app.reports import no_shows, periods, side_by_side, weeks
from app.reports.no_shows import NoShows
from app.reports.periods import LENGTHS, Length, Period
from app.reports.weeks import Tally, Weeks
from app.shop import money
from app.shop import service as shop_service
from app.web import csv_files
from app.web.addresses import with_query

HERE = "/numbers"

BY_REMINDERS = ("No reminder", "1 reminder", "2 or 3", "4 to 6", "7 or more")
BY_AHEAD = ("Less than a day", "1 or 2 days", "3 to 6 days", "A week or more")

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Asked:
    """What the address says: how long a period, which one (empty: the last), and whose."""

    length: Length
    until: str
    barber: str

    def address(self, file: str = "", **changes: object) -> str:
        """Of the page, or of one of its files, with some of it changed."""
        asked = {name: f"{value}" for name, value in (asdict(self) | changes).items()}
        return with_query(f"{HERE}/{file}" if file else HERE, asked)


@get(HERE, opt={"access": "owner"}, sync_to_thread=True)
def show(
    request: PageRequest,
    length: FromQuery[str] = "4weeks",
    until: FromQuery[str] = "",
    barber: FromQuery[str] = "",
) -> Response[str]:
    """A period of whole weeks that are over, beside as many before it."""
    asked = _asked(length, until, barber)
    with db.database().read() as session:
        context = _context(session, asked)
    return page(request, "numbers/page.html", asked=asked, **context)


def _context(session: Session, asked: Asked) -> dict[str, Any]:
    row = shop_service.shop(session)
    period, barbers = _period(session, asked), _barbers(session, asked)
    found, missed = side_by_side.both(
        session,
        lambda session: weeks.of(session, period, barbers, asked.barber),
        lambda session: no_shows.of(session, period, asked.barber),
    )
    stacks, loads = pictures.stacks(found), pictures.loads(found)
    now, before = _halves(period)
    sent = budget.sent_between(session, period.first, period.last)
    last = periods.last_day(row)
    following = period.last + (period.last - period.first) + _DAY
    return {
        "period": period,
        "barbers": shop_service.barbers(session),
        "now": found.tally(now),
        "before": found.tally(before),
        "changes": _changes(found, now, before),
        "occupancy": found.occupancy(now),
        "currency": money.currency_of(row),
        "sent": sent,
        "cost": budget.cost(row, sent),
        "by_reminders": pictures.rates(BY_REMINDERS, missed.by_reminders),
        "by_ahead": pictures.rates(BY_AHEAD, missed.by_ahead),
        "stacks": stacks,
        "loads": loads,
        "days": pictures.first_days(found),
        "findings": _findings(missed, stacks, loads),
        "previous": max(period.first - _DAY, periods.EARLIEST),
        "next": min(following, last) if period.last < last else None,
    }


def _findings(
    missed: NoShows, stacks: Sequence[pictures.Stack], loads: Sequence[pictures.Load]
) -> dict[str, Callable[[], str]]:
    """Told while the page is rendered, in the shop's language."""
    return {
        "reminders": lambda: findings.of_reminders(missed.by_reminders),
        "ahead": lambda: findings.of_ahead(missed.by_ahead),
        "weeks": lambda: findings.of_weeks(stacks),
        "occupancy": lambda: findings.of_occupancy(loads),
    }


def _changes(found: Weeks, now: range, before: range) -> dict[str, float | None]:
    """By how much of what it was each number has changed; occupancy by points. None: unknown."""
    is_now, was = found.tally(now), found.tally(before)
    full, was_full = found.occupancy(now), found.occupancy(before)
    return {
        "bookings": _ratio(is_now.bookings, was.bookings),
        "no_shows": is_now.no_shows - was.no_shows if was.bookings else None,
        "cancelled": is_now.cancelled - was.cancelled if was.bookings else None,
        "takings": _ratio(is_now.takings, was.takings),
        "occupancy": None if full is None or not was_full else round(100 * (full - was_full)),
    }


def _ratio(now: float | Decimal, before: float | Decimal) -> float | None:
    return float(now) / float(before) - 1 if before else None


def _halves(period: Period) -> tuple[range, range]:
    """The columns of the period, and those that it is beside."""
    end = len(period.columns)
    return range(end - period.count, end), range(end - 2 * period.count, end - period.count)


# --- files ---


def _by_week(session: Session, asked: Asked) -> Iterator[str]:
    found = _weeks(session, asked)
    currency = money.currency_of(shop_service.shop(session))
    names = ("From", "To", "Came", "Not marked", "No-shows", "Cancelled", "Takings", "Currency")
    rows = (
        (each.column.first, each.column.last, *_numbers(each.tally, currency), currency)
        for each in pictures.stacks(found)
    )
    return csv_files.written(names, rows)


def _numbers(tally: Tally, currency: str) -> tuple[int | str, ...]:
    counts = tally.came, tally.unmarked, tally.no_shows, tally.cancelled
    return *counts, money.plain(tally.takings, currency)


def _by_barber(session: Session, asked: Asked) -> Iterator[str]:
    found = _weeks(session, asked)
    names = ("Barber", "From", "To", "Booked minutes", "Open minutes", "Percent")
    return csv_files.written(names, _minutes(found))


def _minutes(found: Weeks) -> Iterable[Sequence[object]]:
    for barber in found.barbers:
        for at, column in enumerate(found.period.columns):
            booked = found.tallies.get((at, barber.id), Tally()).booked
            part = found.occupancy([at], [barber])
            spans = (each // timedelta(minutes=1) for each in (booked, found.open[at, barber.id]))
            percent = "" if part is None else round(100 * part)
            yield barber.name, column.first, column.last, *spans, percent


def _by_reminders(session: Session, asked: Asked) -> Iterator[str]:
    missed = no_shows.of(session, _period(session, asked), asked.barber)
    return _rates("Reminders sent", BY_REMINDERS, missed.by_reminders)


def _by_ahead(session: Session, asked: Asked) -> Iterator[str]:
    missed = no_shows.of(session, _period(session, asked), asked.barber)
    return _rates("Booked ahead", BY_AHEAD, missed.by_ahead)


def _rates(name: str, names: Sequence[str], groups: Sequence[no_shows.Group]) -> Iterator[str]:
    rows = (
        (name, each.bookings, each.no_shows, "" if each.rate is None else round(100 * each.rate, 1))
        for name, each in zip(names, groups, strict=True)
    )
    return csv_files.written((name, "Bookings", "No-shows", "Percent"), rows)


def _file(name: str, written: Callable[[Session, Asked], Iterator[str]]) -> Any:
    """The route of what a picture shows."""

    @get(f"{HERE}/{name}.csv", opt={"access": "owner"}, sync_to_thread=True)
    def download(
        length: FromQuery[str] = "4weeks",
        until: FromQuery[str] = "",
        barber: FromQuery[str] = "",
    ) -> csv_files.Download:
        asked = _asked(length, until, barber)
        with db.database().read() as session:
            _period(session, asked)  # what is wrong is said before the file begins
            _barbers(session, asked)
        return csv_files.Download(name, lambda session: written(session, asked))

    return download


_FILES = (
    _file("bookings", _by_week),
    _file("occupancy", _by_barber),
    _file("no-shows-by-reminders", _by_reminders),
    _file("no-shows-by-ahead", _by_ahead),
)


# --- what was asked ---


def _weeks(session: Session, asked: Asked) -> Weeks:
    return weeks.of(session, _period(session, asked), _barbers(session, asked), asked.barber)


def _asked(length: str, until: str, barber: str) -> Asked:
    """Raises Invalid."""
    for each in LENGTHS:
        if each == length:
            return Asked(each, until, barber)
    raise Invalid([FieldError("length", f"This must be one of {', '.join(LENGTHS)}.")])


def _period(session: Session, asked: Asked) -> Period:
    """Raises Invalid."""
    try:
        day = forms.day(asked.until) if asked.until else None
        if day is not None and not periods.EARLIEST <= day <= date(2100, 12, 31):
            raise ValueError("This must be between 2000 and 2100.")
    except ValueError as error:
        raise Invalid([FieldError("until", str(error))]) from None
    return periods.of(session, asked.length, day)


def _barbers(session: Session, asked: Asked) -> Sequence[Barber]:
    """Those who take bookings, or the one who is asked for. Raises NotFound."""
    if not asked.barber:
        return shop_service.barbers(session)
    one = shop_service.barber(session, asked.barber)
    if one is None:
        raise NotFound("There is no such barber.")
    return [one]


router = Router("/", route_handlers=[show, *_FILES], include_in_schema=False)
