"""Changing weekly hours, the shop's or a barber's: read from a form or from JSON, kept, audited."""

from collections.abc import Callable, Mapping, Sequence
from datetime import time
from itertools import pairwise

from sqlalchemy.orm import Session

from app.errors import FieldError, Invalid, NotFound
from app.forms import as_typed, time_of_day
from app.models.shop import Barber
from app.models.week import DAYS, Hours, Week
from app.shop.changes import locked
from app.shop.service import shop
from app.staff import audit

MOST_BREAKS = 3
"""Of a day."""

_MINUTES = 24 * 60


def week_of(session: Session, barber_id: str | None) -> tuple[Week, bool]:
    """The hours of a barber, or of the shop, and whether they are their own. Raises NotFound."""
    row = shop(session)
    barber = _barber(session, barber_id)
    if barber is None:
        return row.weekly_hours, True
    return barber.weekly_hours or row.weekly_hours, barber.weekly_hours is not None


def save(session: Session, barber_id: str | None, week: Week | None, actor: str) -> bool:
    """Keep a checked week, None for a barber who has the shop's hours; False if they have it.

    Raises NotFound.
    """
    row = locked(session)
    barber = _barber(session, barber_id)
    of = row if barber is None else barber
    if of.weekly_hours == week:
        return False
    old = of.weekly_hours
    of.weekly_hours = week
    subject = "shop" if barber is None else f"barber:{barber.id}"
    action = "shop.changed" if barber is None else "barber.changed"
    audit.record(session, actor, action, subject, weekly_hours=[in_words(old), in_words(week)])
    return True


def in_words(week: Week | None) -> str:
    """`Mon 09:00–13:00 14:00–19:00, Tue closed, …`, on one line."""
    if week is None:
        return "the shop's"
    days = (
        " ".join(f"{opens:%H:%M}–{closes:%H:%M}" for opens, closes in day) or "closed"
        for day in week
    )
    return ", ".join(
        f"{name[:3].capitalize()} {each}" for name, each in zip(DAYS, days, strict=True)
    )


# --- a form: opens, closes, and breaks between them ---


def field_names() -> list[str]:
    """The fields of the form, in its order: `monday_opens`, `monday_break_1_from`, …"""
    return [name for day in DAYS for name in _names_of(day)]


def shown(week: Week) -> dict[str, str]:
    """A week as its form shows it."""
    fields = dict.fromkeys(field_names(), "")
    for day, spans in zip(DAYS, week, strict=True):
        times = [at for span in spans for at in span]
        if times:
            opens, *breaks, closes = times
            names = [name for name in _names_of(day) if "break" in name]
            fields |= {f"{day}_opens": as_typed(opens), f"{day}_closes": as_typed(closes)}
            fields |= dict(zip(names, map(as_typed, breaks), strict=False))
    return fields


def of_form(typed: Mapping[str, str]) -> Week:
    """The week that was typed. Raises Invalid with all that is wrong."""
    errors: dict[str, str] = {}
    times = {name: _time(name, typed.get(name, ""), errors) for name in field_names()}
    for day in DAYS:
        if not errors.keys() & _names_of(day):
            _check_day(day, times, errors)
    if errors:
        raise _invalid(errors)
    week = tuple(tuple(_spans(day, times)) for day in DAYS)
    _check_nights(week, lambda day, _: f"{day}_opens")
    return week


def _names_of(day: str) -> list[str]:
    breaks = [
        f"{day}_break_{number}_{edge}"
        for number in range(1, MOST_BREAKS + 1)
        for edge in ("from", "until")
    ]
    return [f"{day}_opens", f"{day}_closes", *breaks]


def _time(name: str, text: str, errors: dict[str, str]) -> time | None:
    try:
        return time_of_day(text) if text.strip() else None
    except ValueError as error:
        errors[name] = str(error)
    return None


def _check_day(day: str, times: Mapping[str, time | None], errors: dict[str, str]) -> None:
    opens, closes = times[f"{day}_opens"], times[f"{day}_closes"]
    if (opens is None) != (closes is None):
        missing = f"{day}_closes" if closes is None else f"{day}_opens"
        errors[missing] = "This is missing: a day has both times, or none if it is closed."
    elif opens is not None and opens == closes != time():
        errors[f"{day}_closes"] = (
            "This must differ from when it opens; a day that never closes has midnight twice."
        )
    for first, until, begin, end in _breaks(day, times):
        if (begin is None) != (end is None):
            errors[until if end is None else first] = "This is missing: a break has both times."
        elif begin is not None and opens is None:
            errors[first] = "A closed day has no break."
    if not errors.keys() & _names_of(day) and opens is not None:
        _check_breaks(day, times, errors)


def _check_breaks(day: str, times: Mapping[str, time | None], errors: dict[str, str]) -> None:
    """That they lie within the hours, one after the other."""
    opens, closes = _minutes(times[f"{day}_opens"]), _minutes(times[f"{day}_closes"])
    end_of_day = closes if closes > opens else _MINUTES
    last = opens
    for first, until, begin, end in _breaks(day, times):
        if begin is None:
            continue
        if not opens < _minutes(begin) < end_of_day:
            errors[first] = "A break lies between opening and closing, and begins before midnight."
        elif not _minutes(begin) < _minutes(end) < end_of_day:
            errors[until] = (
                "This must be after the break begins, and before the day closes or midnight."
            )
        elif _minutes(begin) <= last != opens:
            errors[first] = "This break begins before the one above it ends."
        else:
            last = _minutes(end)


def _breaks(
    day: str, times: Mapping[str, time | None]
) -> list[tuple[str, str, time | None, time | None]]:
    """Of each break the two fields, and the two times."""
    names = _names_of(day)[2:]
    return [
        (first, until, times[first], times[until])
        for first, until in zip(names[::2], names[1::2], strict=True)
    ]


def _spans(day: str, times: Mapping[str, time | None]) -> list[Hours]:
    opens, closes = times[f"{day}_opens"], times[f"{day}_closes"]
    if opens is None or closes is None:
        return []
    breaks = [at for *_, begin, end in _breaks(day, times) if begin and end for at in (begin, end)]
    edges = [opens, *breaks, closes]
    return [Hours(*pair) for pair in zip(edges[::2], edges[1::2], strict=True)]


# --- JSON: from and to, as often as wanted ---


def of_json(given: Mapping[str, Sequence[tuple[str, str]]]) -> Week:
    """The week of these days, each with pairs of from and to; a day left out is closed.

    Raises Invalid with all that is wrong, by `week.monday[0].from`.
    """
    errors: dict[str, str] = {}
    week = tuple(tuple(_read_day(day, given.get(day, ()), errors)) for day in DAYS)
    if errors:
        raise _invalid(errors)
    _check_nights(week, lambda day, turn: f"week.{day}[{turn}].from")
    return week


def _read_day(day: str, pairs: Sequence[tuple[str, str]], errors: dict[str, str]) -> list[Hours]:
    read = []
    if len(pairs) > MOST_BREAKS + 1:
        errors[f"week.{day}"] = f"A day has {MOST_BREAKS} breaks at the most."
        return []
    for turn, (begin, end) in enumerate(pairs):
        where = f"week.{day}[{turn}]"
        opens, closes = (
            _time(f"{where}.{edge}", text or "-", errors)
            for edge, text in (("from", begin), ("to", end))
        )
        if opens is not None and opens == closes and (opens != time() or len(pairs) > 1):
            errors[f"{where}.to"] = (
                "This must differ from “from”; a day that never closes is 00:00 to 00:00."
            )
        elif opens is not None and closes is not None:
            read.append(Hours(opens, closes))
    for turn, (before, after) in enumerate(pairwise(read), start=1):
        if len(read) == len(pairs) and not before.opens < before.closes < after.opens:
            errors[f"week.{day}[{turn}].from"] = (
                "These must begin after those before them end; "
                "only a day’s last ones may end after midnight."
            )
    return read


# --- both ---


def _check_nights(week: Week, name_of: Callable[[str, int], str]) -> None:
    """Hours that go on past midnight end before the next day's begin. Raises Invalid."""
    errors = {}
    for turn, day in enumerate(week):
        after = (turn + 1) % len(DAYS)
        if not day or not week[after] or day[-1].closes > day[-1].opens:
            continue
        if week[after][0].opens < day[-1].closes:
            until = f"{day[-1].closes:%H:%M}"
            errors[name_of(DAYS[after], 0)] = (
                f"{DAYS[turn].capitalize()}’s hours go on until {until} then."
            )
    if errors:
        raise _invalid(errors)


def _minutes(at: time | None) -> int:
    return 0 if at is None else at.hour * 60 + at.minute


def _barber(session: Session, barber_id: str | None) -> Barber | None:
    if barber_id is None:
        return None
    barber = session.get(Barber, barber_id)
    if barber is None:
        raise NotFound("There is no such barber.")
    return barber


def _invalid(errors: Mapping[str, str]) -> Invalid:
    return Invalid([FieldError(*each) for each in errors.items()])
