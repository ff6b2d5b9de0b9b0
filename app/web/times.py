"""Times and numbers as pages show them: in the shop's zone and language, exact times on hover.

The filters `clock_time`, `day`, `when`, `ago` and `until` take an aware datetime (`day` also a
date) and render a `<time>`; `amount` takes a whole number. They read the zone, the language and
the present moment from `shown_in`, which is entered around each rendering; so they work in macros
too.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache, lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import (
    format_date,
    format_interval,
    format_skeleton,
    format_time,
    format_timedelta,
)
from babel.numbers import format_decimal, format_percent
from markupsafe import Markup

from app import clock

# Not in Babel's part of CLDR; in other languages the date itself is shown.
_NEAR = {
    "en": {-1: "yesterday", 0: "today", 1: "tomorrow"},
    "de": {-1: "gestern", 0: "heute", 1: "morgen"},
    "es": {-1: "ayer", 0: "hoy", 1: "mañana"},
    "fr": {-1: "hier", 0: "aujourd’hui", 1: "demain"},
}
_ELEMENT = Markup('<time datetime="{}" title="{}">{}</time>')
_DAY_ELEMENT = Markup('<time datetime="{}">{}</time>')
_YEAR = re.compile(r"(?:[\s,./]|'[^']*')*y+年?")  # in CLDR's pattern of a whole date
_FAR = timedelta(days=180)  # from here on a date needs its year
_JUST_OVER_90 = 1.51  # seconds or minutes, in the next greater unit


@dataclass(frozen=True)
class Shown:
    """Where and when a page is looked at."""

    zone: ZoneInfo
    locale: str
    now: datetime


_shown: ContextVar[Shown] = ContextVar("shown")


@contextmanager
def shown_in(zone: ZoneInfo, locale: str, now: datetime) -> Iterator[None]:
    """Within the block, the filters show times in `zone` and `locale` ("en_US"), at `now`."""
    token = _shown.set(Shown(zone, locale, now))
    try:
        yield
    finally:
        _shown.reset(token)


class Place(NamedTuple):
    """All that times depend on but the moment: of those, the day alone is here."""

    zone: str
    locale: str
    today: date


def place() -> Place:
    """Where a page is looked at, and on which day."""
    shown = _shown.get()
    return Place(shown.zone.key, shown.locale, shown.now.astimezone(shown.zone).date())


def locale() -> str:
    """The language in which a page is shown, for what else is written in it: `en_US`."""
    return _shown.get().locale


def clock_time(at: datetime) -> Markup:
    """`14:00`, or `2:00 PM` where one says so."""
    return _time(at, clock_text(at))


def day(at: datetime | date) -> Markup:
    """`Monday 23 November`, with the year when it is far off."""
    if isinstance(at, datetime):
        return _time(at, _long_day(_local(at).date()))
    return _DAY_ELEMENT.format(at.isoformat(), _long_day(at))


def when(at: datetime) -> Markup:
    """`today 14:00`, `Mon 30 Nov 14:00`."""
    return _time(at, when_text(at))


def ago(at: datetime) -> Markup:
    """`3 minutes ago`."""
    return _time(at, _distance(min(_seconds_to(at), -1)))


def until(at: datetime) -> Markup:
    """`in 3 minutes`."""
    return _time(at, _distance(max(_seconds_to(at), 1)))


def amount(number: float) -> str:
    """`12,345`, `12.345` or `12 345`, as the shop's language writes it."""
    return format_decimal(number, locale=_locale())


def share(part: float) -> str:
    """`4.8%`, `4,8 %`, as the shop's language writes a part of 1."""
    text = format_percent(round(part, 3), locale=_locale(), decimal_quantization=False)
    return _one_line(text)


def clock_text(at: datetime, *, bare: bool = False) -> str:
    """`clock_time` without its element, for a `<title>`, an option or a label.

    When the clock is put back, the times that it shows twice say which they are unless they are to
    be `bare`: `1:30 AM BST`.
    """
    shown = _shown.get()
    local = at.astimezone(shown.zone)
    text = _clock(local.hour, local.minute, shown.locale)
    is_twice = not bare and clock.comes_twice(at, shown.zone)
    return f"{text} {zone_name(at)}" if is_twice else text


def of_the_clock(text: str) -> str:
    """A time of the day that is an example, `13:15`, as `clock_time` shows it."""
    at = time.fromisoformat(text)
    return _clock(at.hour, at.minute, _shown.get().locale)


def zone_name(at: datetime) -> str:
    """What the shop's time is called then: `BST`."""
    return clock.zone_name(at, _shown.get().zone)


def starts_on(at: datetime, day: datetime | date) -> Markup:
    """The time alone if it is on that day of the shop's, else with its day."""
    return _time(at, starts_on_text(at, day))


def ends_on(at: datetime, day: datetime | date) -> Markup:
    """The same for an end, which at midnight still belongs to the day before."""
    return _time(at, ends_on_text(at, day))


def span(begins: datetime, ends: datetime) -> Markup:
    """From when to when: `today 13:00 to 14:00`; of whole days only these: `tomorrow, all day`."""
    if not _local(begins).time() == _local(ends).time() == time():
        return Markup("{} to {}").format(when(begins), ends_on(ends, begins))
    first, last = local_date(begins), local_date(ends - timedelta.resolution)
    rest = ", all day" if first == last else f" to {_short_day(last)}"
    return _time(begins, _short_day(first) + rest)


def starts_on_text(at: datetime, day: datetime | date) -> str:
    """`starts_on` without its element."""
    return clock_text(at) if local_date(at) == _date(day) else when_text(at)


def ends_on_text(at: datetime, day: datetime | date) -> str:
    """`ends_on` without its element."""
    last = at - timedelta.resolution
    return clock_text(at) if local_date(last) == _date(day) else when_text(at)


def when_text(at: datetime) -> str:
    """`when` without its element."""
    local = _local(at)
    return f"{_short_day(local.date())} {clock_text(at)}"


def short_day(at: datetime) -> str:
    """`Mon, Nov 23`."""
    return _of_skeleton("MMMEd", local_date(at))


def weekday(at: date) -> str:
    """`Mon`."""
    return format_date(at, "EEE", _locale())


def days_text(first: date, last: date) -> str:
    """`23–29 November`, with the year when it is far off."""
    is_far = abs(first - _local(_shown.get().now).date()) > _FAR
    skeleton = "yMMMd" if is_far else "MMMd"
    return _one_line(format_interval(first, last, skeleton, locale=_locale()))


def date_text(at: date) -> str:
    """`5 Oct`, as a heading of a narrow column."""
    return _of_skeleton("MMMd", at)


def month_text(at: date) -> str:
    """`November 2026`."""
    return _of_skeleton("yMMMM", at)


def first_weekday(locale: str) -> int:
    """With which day a week begins where one speaks so: 0 is Monday."""
    return int(_parsed(locale).first_week_day)


def exact(at: datetime) -> str:
    """`Monday, November 23, 2026 2:00:05 PM GMT`: what one reads on hover."""
    shown = _shown.get()
    return _exact(at, shown.zone, shown.locale)


@lru_cache(maxsize=4_096)
def _exact(at: datetime, zone: ZoneInfo, locale: str) -> str:
    local, language = at.astimezone(zone), _parsed(locale)
    parts = format_date(local, "full", language), format_time(local, "medium", locale=language)
    return _one_line(f"{parts[0]} {parts[1]} {clock.zone_name(at, zone)}")


def local_date(at: datetime) -> date:
    """The day that it is then in the shop."""
    return _local(at).date()


def _date(day: datetime | date) -> date:
    return local_date(day) if isinstance(day, datetime) else day


def _time(at: datetime, text: str) -> Markup:
    return _ELEMENT.format(at.isoformat(timespec="seconds"), exact(at), text)


@lru_cache(maxsize=1_440)
def _clock(hour: int, minute: int, locale: str) -> str:
    return _one_line(format_time(time(hour, minute), "short", locale=_parsed(locale)))


def _seconds_to(at: datetime) -> float:
    return (at - _shown.get().now).total_seconds()


def _distance(seconds: float) -> str:
    """As people say it: `90 seconds`, `90 minutes`, then `1 hr 49 min`, `3 hours`, `2 days`."""
    minutes = round(abs(seconds) / 60)
    if 90 < minutes < 180 and minutes % 60:
        return _hours_and_minutes(minutes, is_past=seconds < 0)
    threshold = _JUST_OVER_90 if minutes < 180 else 2  # of the greater unit, from which it counts
    return _span(timedelta(seconds=int(seconds)), threshold, add_direction=True)


def _hours_and_minutes(minutes: int, *, is_past: bool) -> str:
    """`in 1 hr 49 min`; CLDR has words of a direction for one unit alone, so both take its place.

    Where a language bends that unit, it stays at the minutes: `109 minuutin päästä`.
    """
    sign = -1 if is_past else 1
    hours, rest = timedelta(hours=minutes // 60), timedelta(minutes=minutes % 60)
    whole, plain = _span(sign * hours, 1, add_direction=True), _span(hours, 1)
    if plain not in whole:
        return _span(sign * timedelta(minutes=minutes), 3, add_direction=True)
    both = f"{_span(hours, 1, format='short')} {_span(rest, 1, format='short')}"
    return whole.replace(plain, both)


def _span(delta: timedelta, threshold: float, **how: Any) -> str:
    return _one_line(format_timedelta(delta, threshold=threshold, locale=_locale(), **how))


def _short_day(at: date) -> str:
    today = _local(_shown.get().now).date()
    near = _NEAR.get(_locale().language, {}).get((at - today).days)
    return near or _of_skeleton("yMMMEd" if abs(at - today) > _FAR else "MMMEd", at)


def _of_skeleton(skeleton: str, at: date) -> str:
    """What CLDR makes of a day."""
    return _written(skeleton, at, _shown.get().locale)


@lru_cache(maxsize=4_096)
def _written(skeleton: str, at: date, locale: str) -> str:
    return _one_line(format_skeleton(skeleton, at, locale=_parsed(locale)))


def _long_day(at: date) -> str:
    language = _locale()
    pattern = str(language.date_formats["full"])
    if abs(at - _local(_shown.get().now).date()) <= _FAR:
        pattern = _YEAR.sub("", pattern, count=1)
    return _one_line(format_date(at, pattern, language))


def _local(at: datetime) -> datetime:
    return at.astimezone(_shown.get().zone)


def _locale() -> Locale:
    return _parsed(_shown.get().locale)


@cache
def _parsed(name: str) -> Locale:
    return Locale.parse(name.replace("-", "_"))


def _one_line(text: str) -> str:
    return " ".join(text.split())
