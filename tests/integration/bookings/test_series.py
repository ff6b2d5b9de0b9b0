"""A booking that comes again every so many weeks."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import func, select

from app.bookings import series, series_changes, service
from app.bookings.fields import BookingForm
from app.bookings.undo import UNDO_FOR
from app.db import Database
from app.errors import Conflict, Invalid
from app.models.booking import Booking
from app.models.message import Message
from app.models.plan import Plan
from app.models.staff import AuditEvent
from tests import factories
from tests.support.frozen import FrozenClock

pytestmark = pytest.mark.usefixtures("valkey")

WEEK = timedelta(days=7)
TODAY = date(2026, 11, 23)
RULE = {"weeks": "4", "ends": "times", "times": "4", "until": ""}


def booked(db: Database, at: datetime) -> str:
    with db.write() as session:
        return factories.booking(session, at, notes="Fade 1.5").id


def made(db: Database, clock: FrozenClock, number: int = 4) -> list[str]:
    """The ids of a weekly series at noon, the first tomorrow."""
    noon = clock.now() + timedelta(days=1, hours=12)
    first = booked(db, noon)
    with db.write() as session:
        times = [noon + n * WEEK for n in range(1, number)]
        return [first, *(each.id for each in series.make(session, first, 1, times, "user:1"))]


def starts(db: Database, ids: Sequence[str]) -> list[datetime]:
    with db.read() as session:
        return [session.get_one(Booking, id).starts_at for id in ids]


def days(**typed: str) -> list[date]:
    return series.SeriesForm({**RULE, **typed}, TODAY, TODAY).days()


def wrong(**typed: str) -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        days(**typed)
    return {error.field: error.message for error in caught.value.errors}


def test_the_days_of_a_rule() -> None:
    assert days() == [TODAY + n * 4 * WEEK for n in (1, 2, 3)]
    assert days(weeks="1", ends="until", until="2026-12-08") == [TODAY + WEEK, TODAY + 2 * WEEK]
    assert len(days(weeks="1", times="52")) == 51


@pytest.mark.parametrize(
    ("typed", "field", "words"),
    [
        ({"times": "1000"}, "times", "from 2 to 52"),
        ({"times": "1"}, "times", "from 2 to 52"),
        ({"times": ""}, "times", "from 2 to 52"),
        ({"weeks": "0"}, "weeks", "from 1 to 52"),
        ({"weeks": "8", "times": "9"}, "times", "400 days ahead: 8 times at the most"),
        ({"weeks": "52", "times": "3"}, "times", "400 days ahead: 2 times at the most"),
        ({"ends": "until", "until": "2026-11-23"}, "until", "after the booking"),
        ({"ends": "until", "until": "2028-01-01"}, "until", "2027-12-28 is the latest"),
        ({"ends": "until", "until": "2026-12-01"}, "until", "2 to 52 bookings"),
        ({"ends": "until", "until": "2027-12-20", "weeks": "1"}, "until", "2 to 52 bookings"),
        ({"ends": "never"}, "ends", "one of the list"),
    ],
)
def test_a_rule_that_cannot_be_says_what_is_wrong(
    typed: dict[str, str], field: str, words: str
) -> None:
    assert words in wrong(**typed)[field]


def test_each_visit_is_at_the_same_time_of_the_clock_and_says_what_is_in_its_way(
    sqlite_shop: Database,
) -> None:
    first = datetime(2027, 3, 10, 18, tzinfo=UTC)
    spring = first + 3 * WEEK - timedelta(hours=1)  # the clock goes forward on the 28th
    with sqlite_shop.write() as session:
        factories.shop(session, time_zone="Europe/London")
        booking = factories.booking(session, first)
        factories.closure(session, (first + WEEK).date())
        other = factories.booking(session, first + 2 * WEEK)
        rule = {**RULE, "weeks": "1"}
        found = series.visits(session, booking, series.form_of(session, booking, rule).days())
    assert [each.at for each in found] == [first + WEEK, first + 2 * WEEK, spring]
    assert [each.is_free for each in found] == [False, False, True]
    assert found[0].outside
    assert found[0].outside.closed == "Works"
    assert [each.id for each in found[1].taken] == [other.id]
    assert first + 2 * WEEK not in found[1].free
    assert first + 2 * WEEK + timedelta(minutes=30) in found[1].free
    assert first + timedelta(days=8) in found[0].free, "the same hour of the day after"


def test_it_is_made_of_ordinary_bookings_each_with_its_own_plan(
    shop: Database, clock: FrozenClock
) -> None:
    ids = made(shop, clock)
    with shop.read() as session:
        bookings = [session.get_one(Booking, id) for id in ids]
        assert len({each.series_id for each in bookings}) == 1
        assert {each.notes for each in bookings} == {"Fade 1.5"}
        assert len({each.customer_phone for each in bookings}) == 1
        plans = select(func.count()).select_from(Plan).where(Plan.booking_id.in_(ids[1:]))
        assert session.scalar(plans) == 3
        assert series.place_of(session, bookings[2]) == (3, 4, 1)
        events = select(AuditEvent).where(AuditEvent.action == "booking.repeated")
        [event] = session.scalars(events)
        assert (event.subject, event.details["bookings"]) == (ids[0], 3)
    with shop.write() as session:  # the last one is repeated: the series is longer
        last = series.make(session, ids[-1], 1, [bookings[-1].starts_at + WEEK], "user:1")
        assert last[0].series_id == bookings[0].series_id


@pytest.mark.parametrize("what", ["taken", "closed"])
def test_when_one_cannot_be_none_is_made(
    sqlite_shop: Database, clock: FrozenClock, what: str
) -> None:
    noon = clock.now() + timedelta(days=1, hours=12)
    first = booked(sqlite_shop, noon)
    with sqlite_shop.write() as session:
        if what == "taken":
            factories.booking(session, noon + 2 * WEEK)
        else:
            factories.closure(session, (noon + 2 * WEEK).date())
        before = session.scalar(select(func.count()).select_from(Booking))
    with pytest.raises(Conflict), sqlite_shop.write() as session:
        series.make(session, first, 1, [noon + WEEK, noon + 2 * WEEK], "user:1")
    with sqlite_shop.read() as session:
        assert session.scalar(select(func.count()).select_from(Booking)) == before
        assert session.get_one(Booking, first).series_id is None


def test_those_from_here_on_are_cancelled_and_the_customer_told_or_not(
    sqlite_shop: Database, clock: FrozenClock
) -> None:
    ids = made(sqlite_shop, clock)
    with sqlite_shop.write() as session:
        done = series_changes.cancel(session, ids[2], "rest", "user:1", told=True)
        assert [each.id for each in done] == ids[2:]
    with sqlite_shop.write() as session:
        assert len(series_changes.cancel(session, ids[2], "all", "user:1", told=False)) == 2
    with sqlite_shop.read() as session:
        cancellations = select(Message.booking_id).where(Message.kind == "cancellation")
        assert set(session.scalars(cancellations)) == set(ids[:2])
        assert {session.get_one(Booking, id).status for id in ids} == {"cancelled"}
    with pytest.raises(Conflict, match="still to come"), sqlite_shop.write() as session:
        series_changes.cancel(session, ids[2], "all", "user:1", told=False)


def test_a_cancellation_of_several_is_undone_but_for_whose_place_was_taken(
    sqlite_shop: Database, clock: FrozenClock
) -> None:
    ids = made(sqlite_shop, clock)
    with sqlite_shop.write() as session:
        service.cancel(session, ids[0], "user:1", UNDO_FOR)  # another cancellation, before
    clock.move(seconds=1)
    with sqlite_shop.write() as session:
        done = series_changes.cancel(session, ids[0], "all", "user:1", told=False)
        at, place = done[0].updated_at, done[-1].starts_at
        assert {each.updated_at for each in done} == {at}
    clock.move(seconds=1)
    with sqlite_shop.write() as session:
        factories.booking(session, place)
    with sqlite_shop.write() as session:
        done, refused = series_changes.undo_cancel(session, ids[0], at, "user:1")
        assert [each.id for each in done] == ids[1:-1]
        assert [each.reason for each in refused] == ["barber_taken"]
    clock.move(seconds=20)
    with pytest.raises(Conflict, match="Sam has"), sqlite_shop.write() as session:
        series_changes.undo_cancel(session, ids[0], at, "user:1")
    with pytest.raises(Conflict, match="nothing to undo"), sqlite_shop.write() as session:
        series_changes.undo_cancel(session, ids[0], clock.now(), "user:1")


def test_those_from_here_on_move_also_where_the_next_of_them_was(
    sqlite_shop: Database, clock: FrozenClock
) -> None:
    ids = made(sqlite_shop, clock)
    before = starts(sqlite_shop, ids)
    with sqlite_shop.write() as session:
        booking = service.get(session, ids[1])
        typed = {**series_changes.as_it_is(session, booking), "day": "2026-12-08"}
        found = series_changes.moved(session, booking, "rest", typed)
        assert [each.at - WEEK for each in found] == before[1:]
        assert all(each.is_free for each in found), "they stand in nobody's way but their own"
        chosen = {each.key: each.at for each in found}
        series_changes.move(session, ids[1], typed, chosen, "user:1")
    assert starts(sqlite_shop, ids) == [before[0], *(at + WEEK for at in before[1:])]


def test_a_booking_of_another_series_is_not_moved_with_it(
    sqlite_shop: Database, clock: FrozenClock
) -> None:
    [mine, *_] = made(sqlite_shop, clock, 2)
    other = booked(sqlite_shop, clock.now() + timedelta(days=2, hours=12))
    with sqlite_shop.read() as session:
        typed = series_changes.as_it_is(session, service.get(session, mine))
    chosen = {other: clock.now() + timedelta(days=3, hours=12)}
    with pytest.raises(Conflict, match="not of this series"), sqlite_shop.write() as session:
        series_changes.move(session, mine, typed, chosen, "user:1")


def test_of_several_services_each_visit_has_them_all_at_what_they_cost_now(
    sqlite_shop: Database, clock: FrozenClock
) -> None:
    noon = clock.now() + timedelta(days=1, hours=12)
    with sqlite_shop.write() as session:
        factories.shop(session, prices_in="GBP")
        new = {
            "customer_name": "Ana",
            "customer_phone": "+447700900999",
            "service_id": "haircut+beard-trim",
            "barber_id": "barber_1",
            "scheduled_time": noon,
            "price": "30.00",
            "discount": "5.00",
            "discount_reason": "student",
        }
        blank = dict.fromkeys(BookingForm.names)
        first, _ = service.create(session, {**blank, **new}, "user:1")
        [again] = series.make(session, first.id, 1, [noon + WEEK], "user:1")
        assert again.service_id == first.service_id
        assert again.ends_at - again.starts_at == first.ends_at - first.starts_at
        assert (again.discount, again.price) == (None, None)
        typed = {**series_changes.as_it_is(session, first), "barber": "barber_2"}
        found = series_changes.moved(session, first, "rest", typed)
        chosen = {each.key: each.at for each in found}
        moved = series_changes.move(session, first.id, typed, chosen, "user:1")
    assert {each.barber_id for each in moved} == {"barber_2"}
    assert {each.service_id for each in moved} == {first.service_id}
