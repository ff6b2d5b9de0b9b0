"""Times as pages show them."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from markupsafe import Markup

from app.web import times

NOW = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)
MADRID = ZoneInfo("Europe/Madrid")  # there it is the 24th already


def text(markup: str) -> str:
    return markup.partition(">")[2].removesuffix("</time>")


@pytest.mark.parametrize(
    ("locale", "expected"),
    [
        ("en_US", "12:30 AM|today 12:30 AM|Tuesday, November 24|90 minutes ago|in 3 hours"),
        ("en-GB", "00:30|today 00:30|Tuesday, 24 November|90 minutes ago|in 3 hours"),
        ("de", "00:30|heute 00:30|Dienstag, 24. November|vor 90 Minuten|in 3 Stunden"),
        ("es", "0:30|hoy 0:30|martes, 24 de noviembre|hace 90 minutos|dentro de 3 horas"),
        ("ja", "0:30|11月24日(火) 0:30|11月24日火曜日|90 分前|3 時間後"),
    ],
)
def test_times_are_in_the_zone_and_language_of_the_shop(locale: str, expected: str) -> None:
    with times.shown_in(MADRID, locale, NOW):
        shown = [
            times.clock_time(NOW),
            times.when(NOW),
            times.day(NOW),
            times.ago(NOW - timedelta(minutes=90)),
            times.until(NOW + timedelta(hours=3)),
        ]
    assert "|".join(text(each) for each in shown) == expected


@pytest.mark.parametrize(
    ("distance", "expected"),
    [
        (timedelta(seconds=45), "45 seconds"),
        (timedelta(seconds=90), "90 seconds"),
        (timedelta(seconds=91), "2 minutes"),
        (timedelta(seconds=106), "2 minutes"),
        (timedelta(minutes=12), "12 minutes"),
        (timedelta(minutes=90, seconds=20), "90 minutes"),
        (timedelta(minutes=90, seconds=40), "1 hr 31 min"),
        (timedelta(minutes=96), "1 hr 36 min"),
        (timedelta(minutes=109), "1 hr 49 min"),
        (timedelta(minutes=119, seconds=40), "2 hours"),
        (timedelta(minutes=121), "2 hr 1 min"),
        (timedelta(minutes=179, seconds=20), "2 hr 59 min"),
        (timedelta(minutes=179, seconds=40), "3 hours"),
        (timedelta(hours=5, minutes=20), "5 hours"),
        (timedelta(hours=47), "47 hours"),
        (timedelta(days=2), "2 days"),
        (timedelta(days=13), "13 days"),
        (timedelta(days=21), "3 weeks"),
    ],
)
def test_a_distance_reads_as_people_say_it(distance: timedelta, expected: str) -> None:
    with times.shown_in(MADRID, "en_US", NOW):
        assert text(times.until(NOW + distance)) == f"in {expected}"
        assert text(times.ago(NOW - distance)) == f"{expected} ago"


@pytest.mark.parametrize(
    ("locale", "expected"),
    [
        ("en_GB", "in 1 hr 36 mins|1 hr 36 mins ago"),
        ("de", "in 1 Std. 36 Min.|vor 1 Std. 36 Min."),
        ("es", "dentro de 1 h 36 min|hace 1 h 36 min"),
        ("fr", "dans 1 h 36 min|il y a 1 h 36 min"),
        ("ja", "1 時間 36 分後|1 時間 36 分前"),
        ("fi", "96 minuutin päästä|1 t 36 min sitten"),  # an hour is bent in the first
    ],
)
def test_hours_and_minutes_are_in_the_language_of_the_shop(locale: str, expected: str) -> None:
    far = timedelta(minutes=96)
    with times.shown_in(MADRID, locale, NOW):
        shown = [times.until(NOW + far), times.ago(NOW - far)]
    assert "|".join(text(each) for each in shown) == expected


def test_the_exact_time_is_for_the_pointer_and_for_machines() -> None:
    with times.shown_in(MADRID, "en_US", NOW):
        shown = times.clock_time(NOW)
    assert 'datetime="2026-11-23T23:30:00+00:00"' in shown
    assert 'title="Tuesday, November 24, 2026 12:30:00 AM CET"' in shown


def test_the_days_around_today_have_names_and_far_ones_their_year() -> None:
    with times.shown_in(MADRID, "en_GB", NOW):
        at = [times.when_text(NOW + timedelta(days=days)) for days in (-1, 1, 7, 400)]
        far = text(times.day(date(2028, 1, 3)))
    assert at == ["yesterday 00:30", "tomorrow 00:30", "Tue 1 Dec 00:30", "Wed, 29 Dec 2027 00:30"]
    assert far == "Monday, 3 January 2028"


def test_what_is_past_is_never_in_the_future_and_the_other_way_round() -> None:
    with times.shown_in(MADRID, "en", NOW):
        assert text(times.ago(NOW + timedelta(seconds=5))) == "1 second ago"
        assert text(times.until(NOW - timedelta(minutes=5))) == "in 1 second"


def test_a_moment_that_a_clock_change_repeats_is_shown_by_its_offset() -> None:
    london = ZoneInfo("Europe/London")
    with times.shown_in(london, "en_GB", NOW):
        first = times.exact(datetime(2026, 10, 25, 0, 30, tzinfo=UTC))
        second = times.exact(datetime(2026, 10, 25, 1, 30, tzinfo=UTC))
    assert (first[-12:], second[-12:]) == ("01:30:00 BST", "01:30:00 GMT")


def test_a_time_that_the_clock_shows_twice_says_which_it_is() -> None:
    with times.shown_in(ZoneInfo("Australia/Lord_Howe"), "en_GB", NOW):
        shown = [
            times.clock_text(datetime(2027, 4, 3, hour, minute, tzinfo=UTC))
            for hour, minute in ((14, 20), (14, 40), (15, 10), (15, 40))
        ]
        plain = times.clock_text(datetime(2027, 4, 3, 15, 10, tzinfo=UTC), bare=True)
    assert shown == ["01:20", "01:40 UTC+11", "01:40 UTC+1030", "02:10"]
    assert plain == "01:40"


def test_a_time_of_another_day_than_one_looks_at_says_which() -> None:
    day, evening = date(2026, 11, 24), datetime(2026, 11, 24, 22, 30, tzinfo=UTC)
    midnight, later = evening + timedelta(minutes=30), evening + timedelta(hours=1)
    with times.shown_in(MADRID, "en_GB", NOW):
        ends = [times.ends_on_text(at, day) for at in (evening, midnight, later)]
        starts = [times.starts_on_text(at, evening) for at in (evening, midnight)]
        since = times.starts_on_text(evening, later)
    assert ends == ["23:30", "00:00", "tomorrow 00:30"]
    assert starts == ["23:30", "tomorrow 00:00"]
    assert since == "today 23:30"


@pytest.mark.parametrize(
    ("begins", "hours", "expected"),
    [
        ("2026-11-24T12:00", 2, "today 13:00 to 15:00"),
        ("2026-11-23T23:00", 24, "today, all day"),
        ("2026-11-24T23:00", 72, "tomorrow to Fri 27 Nov"),
        ("2026-11-24T23:00", 36, "tomorrow 00:00 to Thu 26 Nov 12:00"),
    ],
)
def test_a_span_of_whole_days_has_no_midnights(begins: str, hours: int, expected: str) -> None:
    at = datetime.fromisoformat(begins).replace(tzinfo=UTC)
    with times.shown_in(MADRID, "en_GB", NOW):
        shown = times.span(at, at + timedelta(hours=hours))
    assert Markup(shown).striptags() == expected
