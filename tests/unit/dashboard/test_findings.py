"""What is said of the pictures of Numbers."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.dashboard.numbers import findings
from app.dashboard.numbers.pictures import Stack
from app.reports.periods import Column
from app.reports.weeks import Tally
from app.web import times

MONDAY = date(2026, 11, 2)


def stacks(*numbers: int) -> list[Stack]:
    """The bookings of one week after another."""
    weeks = [MONDAY + timedelta(weeks=turn) for turn in range(len(numbers))]
    return [
        Stack(Column(first, first + timedelta(days=6)), Tally(came=number), (), False)
        for first, number in zip(weeks, numbers, strict=True)
    ]


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ((30, 50, 40), "About 40 each, most from Nov 9: 50."),
        ((0, 0, 71), "71 from Nov 16, the first so far."),  # a shop of one week
        ((20, 0, 10), "About 10 each, most from Nov 2: 20."),
        ((0, 0), "No bookings in these weeks."),
    ],
)
def test_weeks_before_the_first_booking_do_not_count(numbers: tuple[int, ...], said: str) -> None:
    with times.shown_in(ZoneInfo("UTC"), "en_US", datetime(2026, 11, 30, tzinfo=UTC)):
        assert findings.of_weeks(stacks(*numbers)) == said
