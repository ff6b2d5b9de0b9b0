"""What staff do at the desk: undo, remind now, free times, a corrected number."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from app import clock as app_clock
from app.bookings import desk, draft, service
from app.bookings.draft import Draft
from app.db import Database
from app.errors import Conflict, Invalid, NotFound
from app.messages.delivery import deliver
from app.models.booking import Booking
from app.models.message import Message
from app.shop import hours
from tests import factories
from tests.fake_twilio import FakeTwilio
from tests.support.frozen import FrozenClock
from tests.support.zones import days_near_a_change

pytestmark = pytest.mark.usefixtures("valkey")

HALF_AN_HOUR = timedelta(minutes=30)


@pytest.fixture
def booking(db: Database, clock: FrozenClock, twilio: FakeTwilio) -> str:
    """Booked at 00:00 for 10:00."""
    new = service.NewBooking(
        customer_name="Luis Ortega",
        customer_phone="+12125550001",
        customer_email="luis@example.com",
        service_id="haircut",
        barber_id="barber_1",
        scheduled_time=clock.now() + timedelta(hours=10),
    )
    with db.write() as session:
        return service.create(session, new, "system")[0].id


def messages(db: Database, booking: str, kind: str = "reminder") -> list[Message]:
    with db.read() as session:
        found = select(Message).where(Message.booking_id == booking, Message.kind == kind)
        return list(session.scalars(found.order_by(Message.number)))


def test_an_undone_cancellation_brings_the_reminders_back_at_their_times_under_new_numbers(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, booking: str
) -> None:
    clock.move(hours=3)
    before = messages(db, booking)
    with db.write() as session:
        service.cancel(session, booking, "user:1", tell_after=desk.UNDO_FOR)
    clock.move(seconds=9)

    with db.write() as session:
        assert desk.undo_cancel(session, booking, "user:1").status == "confirmed"

    rows = messages(db, booking)
    assert [row.number for row in rows] == [1, 2, 3, 4, 5, 6, 7]
    assert [row.state for row in rows[1:4]] == ["cancelled"] * 3
    assert [row.planned_for for row in rows[4:]] == [row.planned_for for row in before[1:]]
    [told] = messages(db, booking, "cancellation")
    assert (told.state, told.reason) == ("cancelled", "undone")
    clock.move(minutes=1)
    assert deliver(told.id) is None
    assert twilio.posts() == []


def test_a_cancellation_that_was_told_cannot_be_undone(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, booking: str
) -> None:
    with db.write() as session:
        service.cancel(session, booking, "user:1", tell_after=desk.UNDO_FOR)
    clock.move(seconds=10)
    deliver(f"{booking}-cancellation-1")

    with pytest.raises(Conflict, match="told already"), db.write() as session:
        desk.undo_cancel(session, booking, "user:1")

    assert len(twilio.messages()) == 1


def test_what_is_not_cancelled_or_not_there_cannot_be_undone(db: Database, booking: str) -> None:
    with pytest.raises(Conflict), db.write() as session:
        desk.undo_cancel(session, booking, "user:1")
    with pytest.raises(NotFound), db.write() as session:
        desk.undo_cancel(session, "booking_none", "user:1")


def test_a_reminder_now_is_one_more_with_the_next_number(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, booking: str
) -> None:
    clock.move(minutes=5)

    with db.write() as session:
        job_id = desk.remind_now(session, booking, "user:1")
    deliver(job_id)

    assert job_id == f"{booking}-reminder-5"
    assert len(twilio.messages()) == 1
    assert [row.state for row in messages(db, booking)] == ["pending"] * 4 + ["sent"]


def test_the_preview_is_the_plan_that_a_booking_gets(
    db: Database, clock: FrozenClock, booking: str
) -> None:
    with db.read() as session:
        planned = desk.preview(session, clock.now() + timedelta(hours=10))

    assert list(planned.times) == [row.planned_for for row in messages(db, booking)]


def test_free_times_are_within_opening_hours_and_clear_of_other_bookings(
    db: Database, clock: FrozenClock, booking: str
) -> None:
    with db.read() as session:
        today = desk.free_times(session, "barber_1", HALF_AN_HOUR, date(2026, 11, 23))
        own = desk.free_times(session, "barber_1", HALF_AN_HOUR, date(2026, 11, 23), but=booking)
        clock.set(datetime(2026, 11, 23, 17, tzinfo=UTC))
        late = desk.free_times(session, "barber_2", HALF_AN_HOUR, date(2026, 11, 23))

    assert [f"{at:%H:%M}" for at in today[:5]] == ["09:00", "09:15", "09:30", "10:30", "10:45"]
    assert f"{today[-1]:%H:%M}" == "18:30"
    assert [f"{at:%H:%M}" for at in own[2:5]] == ["09:30", "09:45", "10:00"]
    assert f"{late[0]:%H:%M}" == "17:15"


def test_the_shops_zone_decides_which_day_it_is(db: Database, clock: FrozenClock) -> None:
    with db.write() as session:
        factories.shop(session, time_zone="America/New_York")
    with db.read() as session:
        times = desk.free_times(session, "barber_1", HALF_AN_HOUR, date(2026, 11, 23))

    assert times[0] == datetime(2026, 11, 23, 14, tzinfo=UTC)


BERLIN = ZoneInfo("Europe/Berlin")


def free(db: Database, day: date, minutes: int = 30, **hours: Any) -> list[datetime]:
    """What barber_1 has free that day, on the clock of Berlin."""
    with db.write() as session:
        factories.shop(session, time_zone="Europe/Berlin", **hours)
        found = desk.free_times(session, "barber_1", timedelta(minutes=minutes), day)
    return [at.astimezone(BERLIN) for at in found]


def test_the_last_free_time_ends_when_the_shop_closes_at_midnight_and_past_it(
    sqlite_db: Database, clock: FrozenClock
) -> None:
    day = date(2026, 11, 25)
    until_midnight = free(sqlite_db, day, opens_at=time(10), closes_at=time(0))
    assert f"{until_midnight[0]:%H:%M}–{until_midnight[-1]:%H:%M}" == "10:00–23:30"
    night = free(sqlite_db, day, opens_at=time(18), closes_at=time(2))
    assert [f"{at:%d %H:%M}" for at in night if at.minute == 30] == [
        *("25 00:30", "25 01:30", "25 18:30", "25 19:30"),
        *("25 20:30", "25 21:30", "25 22:30", "25 23:30"),
    ]
    assert f"{night[-1]:%d %H:%M}" == "25 23:45"
    long = free(sqlite_db, day, minutes=150, opens_at=time(18), closes_at=time(2))
    assert f"{long[-1]:%d %H:%M}" == "25 23:30"


def test_in_a_night_that_is_an_hour_shorter_nothing_is_offered_that_ends_after_closing(
    sqlite_db: Database, clock: FrozenClock
) -> None:
    found = free(sqlite_db, date(2027, 3, 28), minutes=90, opens_at=time(0), closes_at=time(4))
    assert [f"{at:%H:%M}" for at in found][-3:] == ["01:00", "01:15", "01:30"]


def test_in_a_night_that_is_an_hour_longer_each_quarter_of_an_hour_is_offered(
    sqlite_db: Database, clock: FrozenClock
) -> None:
    found = free(sqlite_db, date(2027, 10, 31), opens_at=time(0), closes_at=time(4))
    assert [f"{at:%H:%M %Z}" for at in found if at.minute == 30] == [
        *("00:30 CEST", "01:30 CEST", "02:30 CEST", "02:30 CET", "03:30 CET"),
    ]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    where=days_near_a_change(since=date(2026, 9, 1)),
    opens=st.integers(0, 95),
    closes=st.integers(0, 95),
    minutes=st.integers(1, 12).map(lambda quarters: 15 * quarters),
    taken=st.integers(0, 24 * 12),
)
def test_on_any_day_what_is_free_is_within_hours_and_the_form_means_just_that_moment(
    sqlite_db: Database,
    clock: FrozenClock,
    where: tuple[str, date],
    opens: int,
    closes: int,
    minutes: int,
    taken: int,
) -> None:
    clock.set(datetime(2026, 9, 1, tzinfo=UTC))
    zone, day, length = ZoneInfo(where[0]), where[1], timedelta(minutes=minutes)
    begins = app_clock.midnight(day, zone)
    with sqlite_db.write() as session:
        session.execute(delete(Booking))
        row = factories.shop(
            session,
            time_zone=where[0],
            opens_at=time(opens // 4, opens % 4 * 15),
            closes_at=time(closes // 4, closes % 4 * 15),
        )
        at = begins + timedelta(minutes=5 * taken)
        busy = factories.booking(session, at, barber_id="barber_1")
        found = desk.free_times(session, "barber_1", length, day)
        quarters = (begins + timedelta(minutes=15 * quarter) for quarter in range(25 * 4))
        assert found == [
            at
            for at in quarters
            if at.astimezone(zone).date() == day
            and hours.outside(row, at, at + length) is None
            and not (at < busy.ends_at and busy.starts_at < at + length)
        ]
    for at in found:
        sent = {"day": day.isoformat(), "time": draft.choice_of(at, zone)}
        assert draft.moment(Draft.of_form(sent), zone).at == at


def test_a_customer_is_known_from_the_latest_booking(db: Database, booking: str) -> None:
    with db.read() as session:
        found = desk.known_customer(session, "+12125550001")
        nobody = desk.known_customer(session, "+12125550002")

    assert found == desk.Customer("Luis Ortega", "luis@example.com")
    assert nobody is None


def test_a_corrected_number_is_kept_and_the_failed_reminder_goes_to_it(
    db: Database, clock: FrozenClock, twilio: FakeTwilio, booking: str
) -> None:
    with db.write() as session:
        row = session.get_one(Booking, booking)
        failed = factories.message(
            session, row, number=9, state="failed", planned_for=clock.now(), due_at=clock.now()
        )
    clock.move(minutes=1)

    with db.write() as session:
        desk.correct_number(session, failed.id, "+1 212 555 0177", "user:1")
    deliver(failed.id)

    assert [message.to for message in twilio.messages()] == ["+12125550177"]


def test_a_number_that_is_wrong_again_changes_nothing(
    db: Database, clock: FrozenClock, booking: str
) -> None:
    with db.write() as session:
        row = session.get_one(Booking, booking)
        failed = factories.message(session, row, number=9, state="failed")

    with pytest.raises(Invalid), db.write() as session:
        desk.correct_number(session, failed.id, "12", "user:1")

    assert messages(db, booking)[-1].state == "failed"


@pytest.mark.parametrize("phone", ["+12125550001", "+12125550009"], ids=["same", "another"])
def test_a_cancellation_is_not_undone_when_the_place_was_booked_meanwhile(
    db: Database, clock: FrozenClock, booking: str, phone: str
) -> None:
    with db.write() as session:
        at = service.cancel(session, booking, "user:1", tell_after=desk.UNDO_FOR).starts_at
    new = service.NewBooking(
        customer_name="Ana",
        customer_phone=phone,
        service_id="haircut",
        barber_id="barber_1",
        scheduled_time=at,
    )
    with db.write() as session:
        service.create(session, new, "user:1")

    with pytest.raises(Conflict), db.write() as session:
        desk.undo_cancel(session, booking, "user:1")

    assert messages(db, booking, "cancellation")[0].state == "pending"


def test_a_cancellation_is_undone_although_its_barber_and_service_were_switched_off(
    db: Database, booking: str
) -> None:
    with db.write() as session:
        service.cancel(session, booking, "user:1", tell_after=desk.UNDO_FOR)
        factories.service(session, "haircut").active = False
        factories.barber(session, "barber_1").active = False

    with db.write() as session:
        assert desk.undo_cancel(session, booking, "user:1").status == "confirmed"
