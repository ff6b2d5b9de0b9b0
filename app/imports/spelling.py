"""Days, times, lengths and amounts, as other programs and people write them."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from functools import cache
from typing import Literal, get_args

from babel import Locale
from babel.dates import get_date_format

from app.models.folding import fold

Order = Literal["dmy", "mdy", "ymd"]
"""Of day, month and year, in a date of numbers that does not begin with its year."""

ORDERS: Mapping[Order, str] = {
    "dmy": "day first: 31/12/2026",
    "mdy": "month first: 12/31/2026",
    "ymd": "year first: 2026/12/31",
}

_EPOCH = date(1899, 12, 30)  # day 0 of spreadsheets, that is of what they count after 1900-03-01
_SERIAL = re.compile(r"([2-7][0-9]{4})(?:[.,]([0-9]{1,10}))?", re.ASCII)
_NUMBERS = re.compile(r"(\d{1,4})\s*[./\- ]\s*(\d{1,2})\s*[./\- ]\s*(\d{1,4})\.?", re.ASCII)
_PACKED = re.compile(r"((?:19|20)\d\d)(\d\d)(\d\d)", re.ASCII)
_WORDS = re.compile(r"(\d+)|([^\W\d_]+)")
_TIME = re.compile(
    r"(\d{1,2})(?:[:.h](\d{2})(?:[:.](\d{2})(?:[.,]\d+)?)?)?\s*(?:h|uhr|([ap])\.?\s?m\.?)?",
    re.ASCII | re.IGNORECASE,
)
_PACKED_TIME = re.compile(r"([01]\d|2[0-3])([0-5]\d)", re.ASCII)
_OFFSET = re.compile(r"\s*(z|utc|[+-]\d\d(?::?\d\d)?)", re.IGNORECASE)
_MONEY = re.compile(r"-?[0-9]+(?:[.,'’ ][0-9]+)*(?:[.,]-)?")
_LENGTH = re.compile(
    r"(?:(\d{1,2})\s*(?:h|hrs?|hours?|std)\.?)?\s*"
    r"(?:(\d{1,3})\s*(?:m|mins?|minutes?|minuten)?\.?)?",
    re.ASCII | re.IGNORECASE,
)
_BETWEEN = re.compile(r"[\s,.T@]*(?:(?:at|um|à)\b)?[\s,]*", re.IGNORECASE)
_NO_DATE = "This is not a date that can be read, such as 2026-12-31."
_NO_TIME = "This is not a time of day that can be read, such as 14:30."


@dataclass(frozen=True)
class Moment:
    """A day, and with `at` a time of it: on the shop's clock, or on one `offset` ahead of UTC."""

    day: date
    at: time | None = None
    offset: timedelta | None = None


def order_of(texts: Iterable[str], locale: str) -> tuple[Order, bool]:
    """In which order these dates are written, and whether that is sure.

    It is not where each could be read in another order too: then it is that of the `locale`
    ("en_GB").
    """
    first, second = 0, 0
    for text in texts:
        if (match := _numbers_of(text.strip())) and len(match[1]) <= 2:
            first, second = max(first, int(match[1])), max(second, int(match[2]))
        elif match:
            return "ymd", True
    if (first > 12) != (second > 12):
        return ("dmy" if first > second else "mdy"), True
    return _order_in(locale), not first


def moment(text: str, order: Order, locale: str = "en") -> Moment:
    """A day, and the time behind it if there is one: `31.12.2026 14:30`, `Dec 31, 2026`.

    Raises ValueError with a sentence.
    """
    plain = " ".join(text.split())
    if match := _SERIAL.fullmatch(plain):
        return _of_serial(int(match[1]), match[2] or "0")
    head, rest = _split(plain, order, locale)
    rest = _BETWEEN.sub("", rest.rstrip(" ,."), count=1)
    if not rest:
        return Moment(head)
    found = _OFFSET.search(rest)
    offset = None
    if found and found.end() == len(rest):
        offset, rest = _offset(found[1]), rest[: found.start()]
    return Moment(head, time_of_day(rest), offset)


def time_of_day(text: str) -> time:
    """`14:30`, `2.30 pm`, `14h30`, `1430`, `9`. Raises ValueError with a sentence."""
    plain = text.strip()
    if match := _PACKED_TIME.fullmatch(plain):
        return time(int(match[1]), int(match[2]))
    if plain.startswith(("0.", "0,")) and plain[2:].isdecimal():
        return _of_fraction(plain[2:])
    match = _TIME.fullmatch(plain)
    if not match:
        raise ValueError(_NO_TIME)
    hour, minute = int(match[1]), int(match[2] or 0)
    if half := (match[4] or "").lower():
        if not 1 <= hour <= 12:
            raise ValueError(_NO_TIME)
        hour = hour % 12 + (12 if half == "p" else 0)
    try:
        return time(hour, minute)
    except ValueError:
        raise ValueError(_NO_TIME) from None


def minutes(text: str) -> int:
    """`45`, `45 min`, `1h`, `1 h 30`, `1:30`. Raises ValueError with a sentence."""
    plain = text.strip()
    if match := re.fullmatch(r"(\d{1,2}):([0-5]\d)(?::00)?", plain, re.ASCII):
        return int(match[1]) * 60 + int(match[2])
    match = _LENGTH.fullmatch(plain)
    if not match or not (match[1] or match[2]):
        raise ValueError("This is not a length that can be read, such as 45 min.")
    return int(match[1] or 0) * 60 + int(match[2] or 0)


def amount(text: str) -> str:
    """`£1,234.50`, `1.234,50 €`, `25,-` as `1234.50`, `25`. Raises ValueError with a sentence.

    Of one sign with three digits behind it, it parts thousands.
    """
    found = _MONEY.search(text.replace("\u00a0", " ").replace("\u202f", " "))
    if not found or any(char.isdigit() for char in text[: found.start()] + text[found.end() :]):
        raise ValueError("This is not an amount that can be read, such as 25.00.")
    digits = re.sub("['’ ]", "", re.sub("[.,]-$", "", found[0]))
    last = max(digits.rfind("."), digits.rfind(","))
    if last < 0:
        return digits
    whole, decimals = digits[:last], digits[last + 1 :]
    is_one_sign = not re.search("[.,]", whole)
    if digits[last] in whole or (is_one_sign and len(decimals) == 3):
        return re.sub("[.,]", "", digits)
    return f"{re.sub('[.,]', '', whole)}.{decimals}"


def _split(text: str, order: Order, locale: str) -> tuple[date, str]:
    """The day that a text begins with, and what follows it. Raises ValueError."""
    if match := _PACKED.match(text):
        rest = text[match.end() :]
        if not rest or not rest[0].isdigit():
            return _date(int(match[1]), int(match[2]), int(match[3])), rest
    if match := _numbers_of(text):
        return _of_numbers(match, order), match.string[match.end() :]
    return _of_words(text, locale)


def _numbers_of(text: str) -> re.Match[str] | None:
    """The three numbers of a day such as `Thu 31.12.2026`."""
    return _NUMBERS.match(_without_weekday(text))


def _of_numbers(match: re.Match[str], order: Order) -> date:
    numbers = [match[1], match[2], match[3]]
    if len(match[1]) > 2:
        order = "ymd"
    by = dict(zip(order, numbers, strict=True))
    return _date(_year(by["y"]), int(by["m"]), int(by["d"]))


def _of_words(text: str, locale: str) -> tuple[date, str]:
    """`Thu, 31 Dec 2026`, `December 31st, 2026`, `31. Dezember 2026 14:30`. Raises ValueError."""
    month, numbers = 0, list[str]()
    for found in _WORDS.finditer(text):
        if found[2]:
            month = month or _month(found[2], locale.partition("_")[0])
        else:
            numbers.append(found[1])
        if month and len(numbers) == 2:
            day, year = numbers if len(numbers[0]) <= 2 else numbers[::-1]
            return _date(_year(year), month, int(day)), text[found.end() :]
    raise ValueError(_NO_DATE)


@cache
def _months(language: str) -> dict[str, int]:
    """The months' names as `fold` has them, in English and in the shop's language."""
    found: dict[str, int] = {}
    for each in ("en", language):
        for width in ("wide", "abbreviated"):
            for number, name in Locale.parse(each).months["format"][width].items():
                found.setdefault(fold(name).strip("."), number)
    return found


def _month(word: str, language: str) -> int:
    """Which month a word means, or begins to name; 0 for none, and for `jui` in French."""
    months, part = _months(language), fold(word)
    if part in months:
        return months[part]
    meant = {number for name, number in months.items() if len(part) > 2 and name.startswith(part)}
    return meant.pop() if len(meant) == 1 else 0


def _without_weekday(text: str) -> str:
    """`Thu 31.12.2026` without its first word, which has no digit in it."""
    head, _, rest = text.partition(" ")
    return rest if rest and not any(char.isdigit() for char in head) else text


def _year(text: str) -> int:
    """Of two digits, up to 68 are of this century, as POSIX has it."""
    number = int(text)
    if len(text) > 2:
        return number
    return number + (2000 if number <= 68 else 1900)


def _date(year: int, month: int, day: int) -> date:
    try:
        found = date(year, month, day)
    except ValueError:
        raise ValueError(_NO_DATE) from None
    if not 1900 <= found.year <= 2200:
        raise ValueError(_NO_DATE)
    return found


def _of_serial(days: int, fraction: str) -> Moment:
    """What a spreadsheet keeps a date as: days, and a part of one."""
    day = _EPOCH + timedelta(days=days)
    return Moment(day, _of_fraction(fraction) if fraction.strip("0") else None)


def _of_fraction(digits: str) -> time:
    whole = round(Decimal(f"0.{digits}") * 24 * 60) % (24 * 60)
    return time(whole // 60, whole % 60)


def _offset(text: str) -> timedelta:
    if text.lower() in {"z", "utc"}:
        return timedelta(0)
    digits = text[1:].replace(":", "").ljust(4, "0")
    ahead = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return -ahead if text[0] == "-" else ahead


@cache
def _order_in(locale: str) -> Order:
    pattern = get_date_format("short", locale).pattern.lower()
    letters = "".join(dict.fromkeys(char for char in pattern if char in "dmy"))
    return next((each for each in get_args(Order) if each == letters), "dmy")
