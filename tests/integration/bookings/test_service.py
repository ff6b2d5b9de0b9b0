"""Making, changing and cancelling bookings, with what follows for their messages."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from app.bookings import service
from app.db import Database
from app.errors import Conflict, Invalid, NotFound
from app.models.booking import Booking
from app.models.plan import Plan
from app.models.shop import Barber, Service
from app.models.staff import AuditEvent
from tests import factories
from tests.support.frozen import FrozenClock
from tests.support.lifecycle import HOME, at_once, book, booking, cancel, messages, move, states

pytestmark = pytest.mark.usefixtures("clock", "valkey")


def new(clock: FrozenClock, **values: Any) -> dict[str, Any]:
    given = {
        "customer_name": "Ana",
        "customer_phone": HOME,
        "service_id": "haircut",
        "barber_id": "barber_1",
        "scheduled_time": clock.now() + timedelta(hours=10),
    }
    return given | values


def create(db: Database, booking: dict[str, Any]) -> tuple[Booking, bool]:
    with db.write() as session:
        return service.create(session, booking, "system")


def change(db: Database, booking_id: str, **changes: Any) -> Booking:
    with db.write() as session:
        return service.change(session, booking_id, changes, "user:1")


def count(db: Database, table: Any) -> int:
    with db.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def events(db: Database) -> list[tuple[str, str]]:
    with db.read() as session:
        rows = session.scalars(select(AuditEvent).order_by(AuditEvent.id))
        return [(row.actor, row.action) for row in rows]


def refused(error: type[Conflict], act: Callable[..., object], *args: Any, **values: Any) -> str:
    """The reason of the Conflict that `act` raises."""
    with pytest.raises(error) as caught:
        act(*args, **values)
    return caught.value.reason


# --- making ---


def test_a_booking_is_as_long_as_its_service_and_is_stored_clean(
    db: Database, clock: FrozenClock
) -> None:
    made, is_new = create(
        db,
        new(
            clock,
            customer_name="  Ana   Silva ",
            customer_phone="+44 (7700) 900-123",
            service_id="cut-and-shave",
            customer_email="",
        ),
    )

    assert is_new
    assert (made.customer_name, made.customer_phone) == ("Ana Silva", HOME)
    assert made.ends_at - made.starts_at == timedelta(minutes=60)
    assert (made.status, made.customer_email) == ("confirmed", None)
    assert events(db) == [("system", "booking.created")]


def test_the_same_booking_again_is_the_first_one_and_changes_nothing(
    db: Database, clock: FrozenClock
) -> None:
    first, _ = create(db, new(clock))
    for name in ("Ana", "Another"):
        again, is_new = create(db, new(clock, customer_name=name))
        assert (again.id, is_new) == (first.id, False)

    assert (count(db, Booking), count(db, Plan), len(events(db))) == (1, 1, 1)
    assert len(messages(db, first.id)) == 4


def test_a_cancelled_booking_is_not_the_same_booking(db: Database, clock: FrozenClock) -> None:
    first, _ = create(db, new(clock))
    cancel(db, first.id)

    second, is_new = create(db, new(clock))

    assert is_new
    assert second.id != first.id


def test_twenty_people_who_want_one_time_at_once_get_one_booking(
    db: Database, clock: FrozenClock
) -> None:
    def one(number: int) -> str:
        wanted = new(clock, customer_phone=f"+447700900{number:03d}")
        try:
            return create(db, wanted)[0].id
        except Conflict as conflict:
            return conflict.reason

    results = at_once(*[lambda number=number: one(number) for number in range(20)])

    assert results.count("barber_taken") == 19
    assert (count(db, Booking), count(db, Plan)) == (1, 1)


def test_the_same_booking_twenty_times_at_once_is_made_once(
    db: Database, clock: FrozenClock
) -> None:
    results = at_once(*[lambda: create(db, new(clock))] * 20)

    assert len({made.id for made, _ in results}) == 1
    assert sum(is_new for _, is_new in results) == 1
    assert count(db, Plan) == 1


@pytest.mark.parametrize(
    ("minutes", "is_free"), [(-30, True), (-29, False), (0, False), (29, False), (30, True)]
)
def test_a_barber_is_taken_while_another_booking_lasts(
    db: Database, clock: FrozenClock, minutes: int, is_free: bool
) -> None:
    create(db, new(clock))
    at = clock.now() + timedelta(hours=10, minutes=minutes)
    wanted = new(clock, scheduled_time=at, customer_phone="+447700900999")

    if is_free:
        assert create(db, wanted)[1]
    else:
        assert refused(Conflict, create, db, wanted) == "barber_taken"
        create(
            db, new(clock, scheduled_time=at, customer_phone="+447700900999", allow_overlap=True)
        )
        create(db, new(clock, scheduled_time=at, barber_id="barber_2"))


def test_a_booking_of_the_longest_service_is_seen_from_its_last_minute(
    db: Database, clock: FrozenClock
) -> None:
    with db.write() as session:
        session.execute(update(Service).where(Service.id == "haircut").values(minutes=720))
    create(db, new(clock))
    at = clock.now() + timedelta(hours=21, minutes=59)

    wanted = new(clock, scheduled_time=at, customer_phone="+447700900999")
    assert refused(Conflict, create, db, wanted) == "barber_taken"


def test_what_is_not_offered_is_refused_with_every_field_named(
    db: Database, clock: FrozenClock
) -> None:
    with db.write() as session:
        session.execute(update(Barber).where(Barber.id == "barber_3").values(active=False))

    with pytest.raises(Invalid) as caught:
        create(db, new(clock, service_id="perm", barber_id="barber_3"))

    assert [error.field for error in caught.value.errors] == ["service_id", "barber_id"]
    assert count(db, Booking) == 0


def test_a_plan_that_is_too_long_leaves_no_booking_behind(db: Database, clock: FrozenClock) -> None:
    with db.write() as session:
        factories.shop(session, reminder_every=1)

    with pytest.raises(Invalid) as caught:
        create(db, new(clock))

    assert [error.field for error in caught.value.errors] == ["scheduled_time"]
    assert (count(db, Booking), count(db, Plan), events(db)) == (0, 0, [])


# --- changing ---


def test_another_time_cancels_the_old_plan_and_counts_the_new_one_from_the_move(
    db: Database, clock: FrozenClock
) -> None:
    booking_id = book(db)
    clock.move(hours=3)

    moved = change(db, booking_id, scheduled_time=clock.now() + timedelta(hours=5))

    assert moved.ends_at - moved.starts_at == timedelta(minutes=30)
    rows = messages(db, booking_id)
    assert [row.reason for row in rows[:4]] == ["rescheduled"] * 4
    hours = [(row.planned_for - clock.now()) / timedelta(hours=1) for row in rows[4:]]
    assert hours == [2, 4]
    assert events(db)[-1] == ("user:1", "booking.rescheduled")


def test_changes_that_change_nothing_are_fine_and_leave_no_trace(
    db: Database, clock: FrozenClock
) -> None:
    booking_id = book(db)
    before = booking(db, booking_id)
    clock.move(hours=1)

    change(db, booking_id)
    change(db, booking_id, customer_phone="+44 7700 900123", scheduled_time=before.starts_at)

    assert booking(db, booking_id).updated_at == before.updated_at
    assert len(events(db)) == 1
    assert len(messages(db, booking_id)) == 4


def test_a_change_that_is_no_move_keeps_the_plan(db: Database, clock: FrozenClock) -> None:
    booking_id = book(db)

    changed = change(db, booking_id, service_id="cut-and-shave", customer_name="Bo")

    assert changed.ends_at - changed.starts_at == timedelta(minutes=60)
    assert states(db, booking_id) == [("pending", None)] * 4
    assert events(db)[-1] == ("user:1", "booking.changed")


def test_a_move_or_a_longer_service_onto_another_booking_is_refused_and_changes_nothing(
    db: Database, clock: FrozenClock
) -> None:
    first = book(db)
    second = book(db, 10.5, customer_phone="+447700900999")
    before = booking(db, second)

    at = booking(db, first).starts_at
    assert refused(Conflict, change, db, second, scheduled_time=at) == "barber_taken"
    assert refused(Conflict, change, db, first, service_id="cut-and-shave") == "barber_taken"
    assert booking(db, second).starts_at == before.starts_at
    assert states(db, second) == [("pending", None)] * len(messages(db, second))

    change(db, first, service_id="cut-and-shave", allow_overlap=True)
    change(db, second, barber_id="barber_2", scheduled_time=at)


def test_a_booking_may_move_over_its_own_time(db: Database, clock: FrozenClock) -> None:
    booking_id = book(db)

    change(db, booking_id, scheduled_time=clock.now() + timedelta(hours=10, minutes=15))


def test_a_change_that_would_make_a_double_is_refused(db: Database, clock: FrozenClock) -> None:
    first = book(db)
    second = book(db, customer_phone="+447700900999")

    assert refused(Conflict, change, db, second, customer_phone=HOME) == "same_booking"
    assert booking(db, second).customer_phone == "+447700900999"
    assert booking(db, first).status == "confirmed"


def test_what_is_over_cancelled_or_unknown_cannot_be_changed(
    db: Database, clock: FrozenClock
) -> None:
    cancelled, over = book(db), book(db, 5)
    cancel(db, cancelled)
    clock.move(hours=5)

    assert refused(Conflict, change, db, cancelled, customer_name="Bo") == "not_confirmed"
    assert refused(Conflict, change, db, over, customer_name="Bo") == "appointment_passed"
    with pytest.raises(NotFound):
        change(db, "booking_0", customer_name="Bo")


def test_changes_are_checked_like_a_new_booking(db: Database, clock: FrozenClock) -> None:
    booking_id = book(db)

    for field, value in (
        ("customer_name", " "),
        ("customer_phone", "123"),
        ("service_id", "perm"),
        ("barber_id", "nobody"),
        ("scheduled_time", clock.now()),
    ):
        with pytest.raises(Invalid) as caught:
            change(db, booking_id, **{field: value})
        assert [error.field for error in caught.value.errors] == [field]


def switch_off(db: Database) -> None:
    """The service haircut and barber_1 are not offered any more."""
    with db.write() as session:
        for table, id in ((Service, "haircut"), (Barber, "barber_1")):
            session.execute(update(table).where(table.id == id).values(active=False))


def test_what_is_of_a_service_or_barber_that_is_switched_off_can_be_changed_all_the_same(
    db: Database, clock: FrozenClock
) -> None:
    booking_id = book(db)
    switch_off(db)

    changed = change(db, booking_id, customer_phone="+447700900999", customer_name="Bo")
    assert (changed.customer_phone, changed.barber_id) == ("+447700900999", "barber_1")
    change(db, booking_id, scheduled_time=clock.now() + timedelta(hours=12))
    change(db, booking_id, barber_id="barber_2")
    change(db, booking_id, service_id="beard-trim")
    assert booking(db, booking_id).service_id == "beard-trim"


def test_nobody_gets_to_a_service_or_barber_that_is_switched_off(db: Database) -> None:
    booking_id = book(db, service_id="beard-trim", barber_id="barber_2")
    switch_off(db)

    for field, value, says in (
        ("service_id", "haircut", "Haircut cannot be booked any more: choose another."),
        ("barber_id", "barber_1", "Sam cannot be booked any more: choose another."),
    ):
        with pytest.raises(Invalid) as caught:
            change(db, booking_id, **{field: value})
        assert [(error.field, error.message) for error in caught.value.errors] == [(field, says)]


def test_a_booking_keeps_its_length_until_its_service_is_changed(
    db: Database, clock: FrozenClock
) -> None:
    booking_id = book(db)
    neighbour = book(db, 10.5, customer_phone="+447700900999")
    with db.write() as session:
        session.execute(update(Service).where(Service.id == "haircut").values(minutes=60))

    def length() -> timedelta:
        row = booking(db, booking_id)
        return row.ends_at - row.starts_at

    change(db, booking_id, customer_phone="+447700900998")
    assert length() == timedelta(minutes=30)
    change(db, booking_id, scheduled_time=booking(db, neighbour).ends_at, barber_id="barber_2")
    assert length() == timedelta(minutes=30)
    change(db, booking_id, service_id="beard-trim")
    change(db, booking_id, service_id="haircut")
    assert length() == timedelta(minutes=60)


# --- cancelling ---


def test_a_cancel_stops_the_reminders_tells_the_customer_and_answers_the_same_each_time(
    db: Database, clock: FrozenClock
) -> None:
    booking_id = book(db)
    for _ in range(3):
        with db.write() as session:
            assert service.cancel(session, booking_id, "user:1").status == "cancelled"

    assert states(db, booking_id) == [("cancelled", "booking_cancelled")] * 4
    [told] = messages(db, booking_id, "cancellation")
    assert (told.id, told.due_at) == (f"{booking_id}-cancellation-1", clock.now())
    assert events(db)[1:] == [("user:1", "booking.cancelled")]


def test_twenty_cancels_at_once_tell_the_customer_once(db: Database) -> None:
    booking_id = book(db)

    at_once(*[lambda: cancel(db, booking_id)] * 20)

    assert len(messages(db, booking_id, "cancellation")) == 1
    assert len(events(db)) == 2


def test_what_is_over_or_unknown_cannot_be_cancelled(db: Database, clock: FrozenClock) -> None:
    over = book(db, 5)
    with db.write() as session:
        missed = factories.booking(session, status="no_show").id
    clock.move(hours=5)

    assert refused(Conflict, cancel, db, over) == "appointment_passed"
    assert refused(Conflict, cancel, db, missed) == "not_confirmed"
    with pytest.raises(NotFound):
        cancel(db, "booking_0")


def test_a_booking_is_found_by_its_id(db: Database) -> None:
    booking_id = book(db)
    with db.read() as session:
        assert service.get(session, booking_id).id == booking_id
        with pytest.raises(NotFound):
            service.get(session, "booking_0")


def test_a_moved_and_then_cancelled_booking_leaves_nothing_pending(
    db: Database, clock: FrozenClock
) -> None:
    booking_id = book(db)
    move(db, booking_id, 20)
    cancel(db, booking_id)

    assert {state for state, _ in states(db, booking_id)} == {"cancelled"}


def test_the_preview_is_the_plan_that_a_booking_gets(db: Database, clock: FrozenClock) -> None:
    booking_id = create(db, new(clock))[0].id
    with db.read() as session:
        planned = service.planned_from_now(session, clock.now() + timedelta(hours=10))

    assert list(planned.times) == [row.planned_for for row in messages(db, booking_id)]
