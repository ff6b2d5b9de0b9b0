"""The same visit some weeks later."""

from datetime import UTC, datetime, timedelta

import pytest

from app.bookings import again, draft
from app.db import Database
from app.errors import Invalid
from app.shop.service import shop as the_shop
from app.shop.service import time_zone
from tests import factories
from tests.integration.conftest import Client
from tests.support.frozen import FrozenClock

WEEK = timedelta(days=7)
BEFORE_SPRING = datetime(2027, 3, 10, 18, tzinfo=UTC)  # 18:00 in London, where the clock goes
AFTER_IT = datetime(2027, 4, 7, 17, tzinfo=UTC)  # forward on the 28th: 18:00 again


def test_it_is_at_the_same_time_of_the_clock_when_that_has_been_put_forward(
    sqlite_shop: Database,
) -> None:
    with sqlite_shop.write() as session:
        factories.shop(session, time_zone="Europe/London")
        booking = factories.booking(session, BEFORE_SPRING)
        shown = again.draft_of(session, booking, 4)
        offered = again.offer(session, booking)
        start = draft.start_of(shown, time_zone(the_shop(session)))
    assert (shown.day, shown.time, start.at) == ("2027-04-07", "18:00", AFTER_IT)
    assert offered is not None
    assert (offered.at, offered.is_free, offered.nearest) == (AFTER_IT, True, ())


def test_after_a_visit_of_long_ago_it_is_on_its_weekday_and_to_come(
    sqlite_shop: Database, clock: FrozenClock
) -> None:
    tuesday = datetime(2026, 8, 4, 10, tzinfo=UTC)
    with sqlite_shop.read() as session:
        day = again.day_of(tuesday, 2, time_zone(the_shop(session)))
    assert f"{day:%A %d %B}" == "Tuesday 01 December"  # two weeks after the 17th


@pytest.mark.parametrize("is_closed", [True, False])
def test_a_time_that_cannot_be_is_given_with_the_nearest_that_can(
    sqlite_shop: Database, clock: FrozenClock, is_closed: bool
) -> None:
    starts_at = clock.now() + timedelta(hours=12)
    wanted = starts_at + 4 * WEEK
    with sqlite_shop.write() as session:
        booking = factories.booking(session, starts_at)
        if is_closed:
            factories.closure(session, wanted.date())
        else:
            factories.booking(session, wanted)
        offered = again.offer(session, booking)
    assert offered is not None
    around = timedelta(days=1) if is_closed else timedelta(minutes=30)
    assert offered.nearest == [wanted - around, wanted + around]
    assert (bool(offered.outside), bool(offered.taken)) == (is_closed, not is_closed)


@pytest.mark.parametrize("typed", ["0", "53", "two", "-1", "4.5"])
def test_the_weeks_are_from_1_to_52(typed: str) -> None:
    with pytest.raises(Invalid, match="from 1 to 52"):
        again.weeks_of(typed)


def test_the_page_of_a_booking_opens_the_form_with_what_is_the_same(
    desk: Client, sqlite_shop: Database, clock: FrozenClock
) -> None:
    with sqlite_shop.write() as session:
        booking = factories.booking(session, clock.now() + timedelta(hours=12))
    page = desk.get(f"/bookings/{booking.id}").text
    assert f"/bookings/new?again={booking.id}&at=2026-12-21T12:00:00Z" in page
    form = desk.get(f"/bookings/new?again={booking.id}&weeks=3").text
    assert 'value="2026-12-14"' in form
    assert f'value="{booking.customer_phone}"' in form
    assert '<option value="haircut" selected>' in form
    assert '<option value="barber_1" selected>' in form
    wrong = desk.get(f"/bookings/new?again={booking.id}&weeks=1000")
    assert wrong.status_code == 422
    assert "This must be a number from 1 to 52." in wrong.text
    assert f'value="{booking.customer_phone}"' in wrong.text
