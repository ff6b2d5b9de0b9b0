"""Free times: within opening hours, on the shop's clock, clear of other bookings."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from app import clock as app_clock
from app.bookings import availability, draft, service
from app.bookings.draft import Draft
from app.bookings.need import Need
from app.db import Database
from app.models.booking import Booking
from app.models.message import Message
from app.models.plan import Plan
from app.models.shop import Barber
from app.models.staff import AuditEvent
from app.models.time_off import Absence, Closure
from app.models.week import Hours, Week, every_day
from tests import factories
from tests.support.frozen import FrozenClock
from tests.support.zones import days_near_a_change

pytestmark = pytest.mark.usefixtures("valkey")


HALF_AN_HOUR = Need(timedelta(minutes=30))
DAY = timedelta(days=1)
BERLIN = ZoneInfo("Europe/Berlin")


def free(db: Database, day: date, minutes: int = 30, **hours: Any) -> list[datetime]:
    """What barber_1 has free that day, on the clock of Berlin."""
    with db.write() as session:
        factories.shop(session, time_zone="Europe/Berlin", **hours)
        times = availability.free_times(session, "barber_1", Need(timedelta(minutes=minutes)), day)
    return [at.astimezone(BERLIN) for at in times]


def test_free_times_are_within_opening_hours_and_clear_of_other_bookings(
    db: Database, clock: FrozenClock, booking: str
) -> None:
    with db.read() as session:
        today = availability.free_times(session, "barber_1", HALF_AN_HOUR, date(2026, 11, 23))
        own = availability.free_times(
            session, "barber_1", HALF_AN_HOUR, date(2026, 11, 23), but=booking
        )
        clock.set(datetime(2026, 11, 23, 17, tzinfo=UTC))
        late = availability.free_times(session, "barber_2", HALF_AN_HOUR, date(2026, 11, 23))

    assert [f"{at:%H:%M}" for at in today[:5]] == ["09:00", "09:15", "09:30", "10:30", "10:45"]
    assert f"{today[-1]:%H:%M}" == "18:30"
    assert [f"{at:%H:%M}" for at in own[2:5]] == ["09:30", "09:45", "10:00"]
    assert f"{late[0]:%H:%M}" == "17:15"


def test_the_shops_zone_decides_which_day_it_is(db: Database, clock: FrozenClock) -> None:
    with db.write() as session:
        factories.shop(session, time_zone="America/New_York")
    with db.read() as session:
        times = availability.free_times(session, "barber_1", HALF_AN_HOUR, date(2026, 11, 23))

    assert times[0] == datetime(2026, 11, 23, 14, tzinfo=UTC)


def test_the_last_free_time_ends_when_the_shop_closes_at_midnight_and_past_it(
    sqlite_db: Database, clock: FrozenClock
) -> None:
    day = date(2026, 11, 25)
    until_midnight = free(sqlite_db, day, weekly_hours=every_day(time(10), time(0)))
    assert f"{until_midnight[0]:%H:%M}–{until_midnight[-1]:%H:%M}" == "10:00–23:30"
    night = free(sqlite_db, day, weekly_hours=every_day(time(18), time(2)))
    assert [f"{at:%d %H:%M}" for at in night if at.minute == 30] == [
        *("25 00:30", "25 01:30", "25 18:30", "25 19:30"),
        *("25 20:30", "25 21:30", "25 22:30", "25 23:30"),
    ]
    assert f"{night[-1]:%d %H:%M}" == "25 23:45"
    long = free(sqlite_db, day, minutes=150, weekly_hours=every_day(time(18), time(2)))
    assert f"{long[-1]:%d %H:%M}" == "25 23:30"


def test_in_a_night_that_is_an_hour_shorter_nothing_is_offered_that_ends_after_closing(
    sqlite_db: Database, clock: FrozenClock
) -> None:
    times = free(sqlite_db, date(2027, 3, 28), minutes=90, weekly_hours=every_day(time(0), time(4)))
    assert [f"{at:%H:%M}" for at in times][-3:] == ["01:00", "01:15", "01:30"]


def test_in_a_night_that_is_an_hour_longer_each_quarter_of_an_hour_is_offered(
    sqlite_db: Database, clock: FrozenClock
) -> None:
    times = free(sqlite_db, date(2027, 10, 31), weekly_hours=every_day(time(0), time(4)))
    assert [f"{at:%H:%M %Z}" for at in times if at.minute == 30] == [
        *("00:30 CEST", "01:30 CEST", "02:30 CEST", "02:30 CET", "03:30 CET"),
    ]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    where=days_near_a_change(since=date(2026, 10, 22)),
    opens=st.integers(0, 95),
    closes=st.integers(0, 95),
    minutes=st.integers(1, 12).map(lambda quarters: 15 * quarters),
    taken=st.integers(0, 24 * 12),
    buffers=st.lists(st.sampled_from([0, 0, 5, 10, 45]), min_size=4, max_size=4),
)
def test_on_any_day_what_is_free_is_within_hours_and_the_form_means_just_that_moment(
    sqlite_db: Database,
    clock: FrozenClock,
    where: tuple[str, date],
    opens: int,
    closes: int,
    minutes: int,
    taken: int,
    buffers: list[int],
) -> None:
    clock.set(datetime(2026, 10, 20, tzinfo=UTC))
    zone, day, length = ZoneInfo(where[0]), where[1], timedelta(minutes=minutes)
    begins = app_clock.midnight(day, zone)
    before, after, *others = (timedelta(minutes=each) for each in buffers)
    need = Need(length, before, after)
    with sqlite_db.write() as session:
        session.execute(delete(Booking))
        factories.shop(
            session,
            time_zone=where[0],
            weekly_hours=every_day(
                time(opens // 4, opens % 4 * 15), time(closes // 4, closes % 4 * 15)
            ),
        )
        at = begins + timedelta(minutes=5 * taken)
        its = Need(timedelta(minutes=30), *others)
        factories.booking(session, **its.columns(at))
        busy_from, busy_until = its.busy(at)
        times = availability.free_times(session, "barber_1", need, day)
        quarters = (begins + timedelta(minutes=15 * quarter) for quarter in range(25 * 4))
        assert times == [
            at
            for at in quarters
            if at.astimezone(zone).date() == day
            and availability.outside(session, None, at, at + length) is None
            and not (need.busy(at)[0] < busy_until and busy_from < need.busy(at)[1])
        ]
    for at in times:
        sent = {"day": day.isoformat(), "time": draft.choice_of(at, zone)}
        assert draft.start_of(Draft.of_form(sent), zone).at == at


quarters_of_a_day = st.integers(0, 95).map(lambda quarter: time(quarter // 4, quarter % 4 * 15))


@st.composite
def weeks(draw: st.DrawFn) -> Week:
    """Each day has hours with a break, or is closed."""
    times = sorted(draw(st.lists(quarters_of_a_day, min_size=4, max_size=4, unique=True)))
    day = (Hours(times[0], times[1]), Hours(times[2], times[3]))
    return tuple(day if draw(st.integers(0, 5)) else () for _ in range(7))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    where=days_near_a_change(since=date(2026, 10, 22)),
    week=weeks(),
    own=st.none() | weeks(),
    minutes=st.integers(1, 8).map(lambda quarters: 15 * quarters),
    away=st.lists(st.tuples(st.integers(-48, 96), st.integers(1, 40), st.booleans()), max_size=3),
    closed=st.integers(-1, 12),
    buffers=st.tuples(*[st.sampled_from([0, 0, 10, 30])] * 2),
)
def test_what_is_offered_is_never_outside_hours_breaks_absences_or_open_days_and_can_be_booked(
    sqlite_db: Database,
    clock: FrozenClock,
    where: tuple[str, date],
    week: Week,
    own: Week | None,
    minutes: int,
    away: list[tuple[int, int, bool]],
    closed: int,
    buffers: tuple[int, int],
) -> None:
    clock.set(datetime(2026, 10, 20, tzinfo=UTC))
    zone, day = ZoneInfo(where[0]), where[1]
    begins = app_clock.midnight(day, zone)
    closed_day = day + closed * DAY if closed < 2 else None
    with sqlite_db.write() as session:
        for table in (Message, AuditEvent, Plan, Booking, Absence, Closure):
            session.execute(delete(table))
        factories.shop(session, time_zone=where[0], weekly_hours=week)
        haircut = factories.service(session)
        haircut.minutes = minutes
        haircut.buffer_minutes_before, haircut.buffer_minutes = (each or None for each in buffers)
        session.flush()
        need = Need.of_service(haircut)
        factories.barber(session).weekly_hours = own
        for start, quarters, repeats in away:
            factories.absence(
                session,
                begins + timedelta(minutes=15 * start) - timedelta(days=7 * repeats),
                timedelta(minutes=15 * quarters),
                repeats=repeats,
            )
        if closed_day:
            factories.closure(session, closed_day)
        times = availability.free_times(session, "barber_1", need, day)
        absences = session.scalars(select(Absence)).all()

    def is_open(at: datetime) -> bool:
        """Told moment by moment, by what the clock on the wall shows."""
        local = at.astimezone(zone)
        hours = () if local.date() == closed_day else (own or week)[local.weekday()]
        is_away = any(
            each.starts_at <= at < each.ends_at
            if not each.repeats
            else each.starts_at.astimezone(zone).replace(tzinfo=None)
            <= local.replace(tzinfo=None) - timedelta(days=7)
            < each.ends_at.astimezone(zone).replace(tzinfo=None)
            for each in absences
        )
        is_in_hours = any(
            app_clock.first_moment(local.date(), opens, zone)
            <= at
            < app_clock.first_moment(local.date(), closes, zone)
            for opens, closes in hours
        )
        return is_in_hours and not is_away

    for at in times:
        minutes_of_it = (at + timedelta(minutes=each) for each in range(0, minutes, 5))
        assert all(is_open(each) for each in minutes_of_it), at
    for at in dict.fromkeys(times[:1] + times[-1:]):
        with sqlite_db.write() as session:
            if times[0] != at and need.busy(at)[0] < need.busy(times[0])[1]:
                continue
            fields = {"scheduled_time": at, "barber_id": "barber_1", "service_id": "haircut"}
            who = {"customer_name": "Ana", "customer_phone": factories.phone()}
            nothing = {"customer_email": None, "allow_overlap": False, "whatsapp_consent": None}
            booking, _ = service.create(session, {**fields, **who, **nothing}, "system")
            assert (
                availability.outside(
                    session, session.get(Barber, "barber_1"), booking.starts_at, booking.ends_at
                )
                is None
            )
            left = availability.free_times(session, "barber_1", need, day)
            assert all(need.busy(each)[1] <= booking.busy_from for each in left if each <= at)
            assert all(booking.busy_until <= need.busy(each)[0] for each in left if each > at)
