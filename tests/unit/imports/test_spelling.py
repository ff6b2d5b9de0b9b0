"""Days, times, lengths and amounts in any usual spelling."""

from contextlib import suppress
from datetime import date, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.imports import spelling
from app.imports.spelling import Moment

LAST = date(2026, 12, 31)
HALF_PAST_TWO = time(14, 30)


@pytest.mark.parametrize(
    ("text", "order", "meant"),
    [
        ("2026-12-31", "dmy", Moment(LAST)),
        ("20261231", "dmy", Moment(LAST)),
        ("2026/12/31 14:30", "mdy", Moment(LAST, HALF_PAST_TWO)),
        ("2026-12-31T14:30:00Z", "dmy", Moment(LAST, HALF_PAST_TWO, timedelta(0))),
        ("2026-12-31 14:30:00.000+0530", "dmy", Moment(LAST, HALF_PAST_TWO, timedelta(hours=5.5))),
        ("2026-12-31 14:30 -03", "dmy", Moment(LAST, HALF_PAST_TWO, timedelta(hours=-3))),
        ("31.12.2026 14:30", "dmy", Moment(LAST, HALF_PAST_TWO)),
        ("31/12/26, 2:30 pm", "dmy", Moment(LAST, HALF_PAST_TWO)),
        ("12/31/2026 2:30PM", "mdy", Moment(LAST, HALF_PAST_TWO)),
        ("1-2-26", "mdy", Moment(date(2026, 1, 2))),
        ("1-2-26", "dmy", Moment(date(2026, 2, 1))),
        ("26-2-1", "ymd", Moment(date(2026, 2, 1))),
        ("1/2/1985", "dmy", Moment(date(1985, 2, 1))),
        ("1/2/85", "dmy", Moment(date(1985, 2, 1))),
        ("31-Dec-26", "dmy", Moment(LAST)),
        ("Dec 31, 2026 2:30 p.m.", "dmy", Moment(LAST, HALF_PAST_TWO)),
        ("Thursday, December 31st, 2026 at 2:30pm", "dmy", Moment(LAST, HALF_PAST_TWO)),
        ("Thu 31.12.2026 14.30", "dmy", Moment(LAST, HALF_PAST_TWO)),
        ("31. Dezember 2026 um 14:30 Uhr", "dmy", Moment(LAST, HALF_PAST_TWO)),
        ("3 Mär 2026", "dmy", Moment(date(2026, 3, 3))),
        ("46387", "dmy", Moment(LAST)),
        ("46387.604166667", "dmy", Moment(LAST, HALF_PAST_TWO)),
    ],
)
def test_a_day_is_read_and_the_time_behind_it(
    text: str, order: spelling.Order, meant: Moment
) -> None:
    assert spelling.moment(text, order, "de_DE") == meant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "31/02/2026",
        "2026-13-01",
        "12",
        "31.12.",
        "1/1/0001",
        "99999",
        "31.12.2026 25:00",
    ],
)
def test_what_is_no_day_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="This is not a "):
        spelling.moment(text, "dmy")


def test_june_and_july_are_told_apart_and_what_could_be_both_is_refused() -> None:
    assert spelling.moment("1 juillet 2026", "dmy", "fr_FR") == Moment(date(2026, 7, 1))
    assert spelling.moment("1 juin 2026", "dmy", "fr_FR") == Moment(date(2026, 6, 1))
    with pytest.raises(ValueError, match="not a date"):
        spelling.moment("1 jui 2026", "dmy", "fr_FR")


@pytest.mark.parametrize(
    ("texts", "locale", "found"),
    [
        (["1/2/2026", "13/4/2026"], "en_US", ("dmy", True)),
        (["1/2/2026", "4/13/2026"], "en_GB", ("mdy", True)),
        (["2026-02-01"], "en_US", ("ymd", True)),
        (["1/2/2026", "3/4/2026"], "en_US", ("mdy", False)),
        (["1/2/2026"], "en_GB", ("dmy", False)),
        (["Thu 1/2/2026"], "en_GB", ("dmy", False)),
        (["Thu 1/2/2026", "Tue 13/4/2026"], "en_US", ("dmy", True)),
        (["13/13/2026"], "de_DE", ("dmy", False)),
        (["3 May 2026"], "sv_SE", ("ymd", True)),
        ([""], "en_US", ("mdy", True)),
    ],
)
def test_the_order_of_day_and_month_is_told_by_the_dates_or_else_by_the_shop(
    texts: list[str], locale: str, found: tuple[spelling.Order, bool]
) -> None:
    assert spelling.order_of(texts, locale) == found


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("14:30", HALF_PAST_TWO),
        ("14:30:59", HALF_PAST_TWO),
        ("14.30", HALF_PAST_TWO),
        ("14h30", HALF_PAST_TWO),
        ("1430", HALF_PAST_TWO),
        ("2:30 PM", HALF_PAST_TWO),
        ("2.30 p. m.", HALF_PAST_TWO),
        ("0.604166667", HALF_PAST_TWO),
        ("12 am", time(0)),
        ("12pm", time(12)),
        ("9", time(9)),
        ("14 Uhr", time(14)),
    ],
)
def test_a_time_of_day_is_read(text: str, meant: time) -> None:
    assert spelling.time_of_day(text) == meant


@pytest.mark.parametrize(
    ("text", "meant"),
    [("45", 45), ("45 min", 45), ("1h", 60), ("1 h 30", 90), ("1:30", 90), ("2 hours", 120)],
)
def test_a_length_is_read(text: str, meant: int) -> None:
    assert spelling.minutes(text) == meant


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("25", "25"),
        ("£1,234.50", "1234.50"),
        ("1.234,50 €", "1234.50"),
        ("1 234,50 kr", "1234.50"),
        ("CHF 1’234.50", "1234.50"),
        ("1,234", "1234"),
        ("1.234.567", "1234567"),
        ("12,5", "12.5"),
        ("25,-", "25"),
        ("-5", "-5"),
    ],
)
def test_an_amount_is_read(text: str, meant: str) -> None:
    assert spelling.amount(text) == meant


@pytest.mark.parametrize("text", ["", "free", "25 or 30", "=1+1"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="This is not an amount"):
        spelling.amount(text)


@given(st.text(max_size=40))
def test_whatever_stands_there_is_read_or_refused(text: str) -> None:
    for read in (spelling.amount, spelling.time_of_day, spelling.minutes):
        with suppress(ValueError):
            read(text)
    with suppress(ValueError):
        spelling.moment(text, "dmy", "de_DE")
