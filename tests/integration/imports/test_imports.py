"""Imports from their file to what the shop knows then, and back again, on both databases."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from app.bookings import service as bookings
from app.db import Database
from app.errors import Conflict, Invalid
from app.imports import service, work
from app.models.booking import Booking
from app.models.customer import Customer
from app.models.imports import Import
from app.models.message import Message
from app.models.plan import Plan
from app.shop import several
from tests import factories
from tests.support.frozen import FrozenClock
from tests.support.valkey import Valkey

ACTOR = "user:user_1"
NOW = datetime(2026, 11, 23, tzinfo=UTC)
DAY, TEN = timedelta(days=1), timedelta(minutes=10)
HEAD = "Date,Time,Service,Staff,Client,Mobile,Notes,Price,Status"


@pytest.fixture
def filled(shop: Database, valkey: Valkey) -> Database:
    fill(shop)
    return shop


def fill(shop: Database) -> None:
    """Three barbers in London, and services as the files name them."""
    with shop.write() as session:
        factories.shop(session, country="GB", locale="en_GB", time_zone="Europe/London")
        for number, name in ((1, "Sam"), (2, "Alex Kim"), (3, "Jo")):
            session.get_one(factories.Barber, f"barber_{number}").name = name
        session.get_one(factories.Service, "beard-trim").name = "Beard trim"


def upload(db: Database, text: str | bytes, kind: Any = "bookings") -> str:
    content = text.encode() if isinstance(text, str) else text
    with db.write() as session:
        return service.upload(session, kind, "their.csv", content, ACTOR).id


def work_off() -> None:
    while work.take_step():
        pass


def checked(db: Database, text: str | bytes, kind: Any = "bookings") -> str:
    import_id = upload(db, text, kind)
    work_off()
    return import_id


def counts(db: Database, import_id: str) -> dict[str, int]:
    with db.read() as session:
        return service.counts(session, import_id)


def problems(db: Database, import_id: str) -> list[tuple[int, str]]:
    with db.read() as session:
        wrong = service.rows(session, import_id, "wrong")
        return [(row.line, says) for row in wrong for _, says in row.problems]


def fields_of_last(db: Database, import_id: str) -> list[str]:
    """Those of which something is wrong in the last wrong row."""
    with db.read() as session:
        *_, last = service.rows(session, import_id, "wrong")
        return [name for name, _ in last.problems]


def the(db: Database, import_id: str) -> Import:
    with db.read() as session:
        return service.get(session, import_id)


def run(db: Database, import_id: str, *, only_good: bool = True, messages: bool = True) -> Import:
    with db.write() as session:
        service.start(session, import_id, only_good=only_good, messages=messages, actor=ACTOR)
    work_off()
    return the(db, import_id)


def undo(db: Database, import_id: str) -> Import:
    with db.write() as session:
        service.undo(session, import_id, ACTOR)
    work_off()
    return the(db, import_id)


def row(when: str = "24/11/2026,10:00", **cells: str) -> str:
    given = {
        "service": "Haircut", "staff": "Sam", "client": "Ana Silva", "mobile": "020 7946 0958",
        "notes": "", "price": "", "status": "", **cells,
    }  # fmt: skip
    return ",".join([when, *given.values()])


def lines(*rows: str, head: str = HEAD) -> str:
    return "\n".join([head, *rows, ""])


def test_bookings_are_made_with_their_reminders_and_what_is_over_is_history(
    filled: Database,
) -> None:
    import_id = checked(
        filled,
        lines(
            row(price="£25.50", notes="fade 1.5"),
            row("20/11/2026,9am", staff="Alex", service="Beard Trim", mobile="", client="Bo"),
            row("20/11/2026,10:00", status="No-show", client="Cy"),
            row("25/11/2026,10:00", status="Cancelled", client="Di"),
        ),
    )
    assert counts(filled, import_id) == {"new": 4}
    summary = the(filled, import_id).summary
    assert (summary["reminders"], summary["people"], summary["to_come"]) == (16, 1, 1)
    with filled.read() as session:
        assert session.scalar(select(func.count()).select_from(Booking)) == 0  # it was a dry run

    done = run(filled, import_id)

    assert (done.state, done.done) == ("done", 4)
    with filled.read() as session:
        made = session.scalars(select(Booking).order_by(Booking.customer_name)).all()
        assert [(each.status, each.barber_id, each.service_id) for each in made] == [
            ("confirmed", "barber_1", "haircut"),
            ("completed", "barber_2", "beard-trim"),
            ("no_show", "barber_1", "haircut"),
            ("cancelled", "barber_1", "haircut"),
        ]
        ana = made[0]
        assert ana.starts_at == datetime(2026, 11, 24, 10, tzinfo=UTC)
        assert (str(ana.price), ana.currency, ana.notes) == ("25.500", "GBP", "fade 1.5")
        assert ana.person == "+442079460958"
        plans = session.scalars(select(Plan)).all()
        assert [(each.booking_id, each.count) for each in plans] == [(ana.id, 16)]
    assert counts(filled, import_id) == {"made": 4}


def test_with_no_messages_nobody_gets_one(filled: Database) -> None:
    run(filled, checked(filled, lines(row())), messages=False)
    with filled.read() as session:
        assert session.scalar(select(func.count()).select_from(Booking)) == 1
        assert session.scalars(select(Plan)).all() == []
        assert session.scalars(select(Message)).all() == []


def test_each_row_that_is_wrong_says_why_and_the_good_ones_go_in(filled: Database) -> None:
    with filled.write() as session:
        factories.booking(
            session, NOW + timedelta(days=4, hours=10), customer_phone="+447700900001"
        )
    import_id = checked(
        filled,
        lines(
            row(),
            row("24/11/2026,10:15", client="Bo", mobile="07700 900002"),
            row("27/11/2026,10:15", client="Cy", mobile="07700 900003"),
            row("soon,10:00"),
            row("25/11/2026,"),
            row("25/11/2026,10:00", mobile=""),
            row("26/11/2026,10:00", mobile="123", client="", price="free"),
            row("28/11/2026,10:00", service="Massage"),
            row("28/11/2026,11:00", status="Deleted"),
            row("28/11/2026,noonish"),
            row(),
        ),
    )
    assert counts(filled, import_id) == {"new": 1, "same": 1, "wrong": 9}
    assert fields_of_last(filled, import_id) == ["time"]
    assert problems(filled, import_id) == [
        (3, "Sam has another booking then."),
        (4, "Sam has another booking then."),
        (5, "This is not a date that can be read, such as 2026-12-31."),
        (6, "There is no time of day: choose the column that has it."),
        (7, "A booking to come needs a phone number."),
        (8, "This must not be empty."),
        (8, "This is too short for a number of +44."),
        (8, "This is not an amount that can be read, such as 25.00."),
        (9, "“Massage” is no service here. Choose which one is meant."),
        (10, "This status is not known: leave its rows out of the file."),
        (11, "This is not a time of day that can be read, such as 14:30."),
    ]
    with filled.write() as session, pytest.raises(Conflict, match="9 rows are wrong, so nothing"):
        service.start(session, import_id, only_good=False, messages=True, actor=ACTOR)
    run(filled, import_id)
    assert counts(filled, import_id) == {"made": 1, "same": 1, "wrong": 9}


def test_columns_names_and_the_order_of_days_can_be_said_by_hand(filled: Database) -> None:
    import_id = checked(
        filled, "A;B;C;D;E\nx;5/4/2027 9:00;Chair 2;Fade;+44 20 7946 0958\n".encode("utf-16")
    )
    found = the(filled, import_id)
    assert found.problem is not None
    assert "Choose the column with the phone number." in found.problem
    sent = {
        "column-name": "A", "column-date": "B", "column-barber": "C", "column-service": "D",
        "column-phone": "E", "order": "mdy", "charset": "utf-16", "delimiter": ";",
    }  # fmt: skip
    with filled.write() as session:
        service.match(session, import_id, sent)
    work_off()
    found = the(filled, import_id)
    assert found.summary["texts"] == {"service": ["Fade"], "barber": ["Chair 2"]}
    assert counts(filled, import_id) == {"wrong": 1}
    with filled.write() as session:
        chosen = {"service-0": "haircut", "barber-0": "barber_3"}
        service.match(session, import_id, sent | chosen)
    work_off()
    run(filled, import_id)
    with filled.read() as session:
        made = session.scalars(select(Booking)).one()
    assert (made.barber_id, made.starts_at) == ("barber_3", datetime(2027, 5, 4, 8, tzinfo=UTC))


def test_an_import_is_undone_whole_but_for_what_people_have_touched_since(
    filled: Database, clock: FrozenClock
) -> None:
    times = [f"2{day}/11/2026,10:00" for day in (4, 5, 6)]
    import_id = checked(filled, lines(*(row(each) for each in times)))
    run(filled, import_id)
    with filled.write() as session:
        first, second, third = session.scalars(select(Booking).order_by(Booking.starts_at)).all()
        ids = [first.id, second.id, third.id]
        clock.move(minutes=1)
        factories.message(session, second, "sent", number=900)
        bookings.change(session, third.id, {"notes": "VIP"}, ACTOR)
    assert undo(filled, import_id).state == "undone"
    with filled.read() as session:
        left = {each.id: each.status for each in session.scalars(select(Booking))}
        assert left == {ids[1]: "cancelled", ids[2]: "confirmed"}
        kinds = set(session.scalars(select(Message.kind)))
        assert "cancellation" not in kinds  # who got a message is not told of this
        assert session.scalars(select(Plan.booking_id).where(Plan.next_at.is_not(None))).all() == [
            ids[2]
        ]
    assert counts(filled, import_id) == {"undone": 1, "kept": 2}


def test_an_import_cannot_be_undone_for_ever(filled: Database, clock: FrozenClock) -> None:
    import_id = checked(filled, lines(row()))
    run(filled, import_id)
    clock.move(days=31)
    with filled.write() as session, pytest.raises(Conflict, match="more than 30 days ago"):
        service.undo(session, import_id, ACTOR)
    work.forget_old()
    assert counts(filled, import_id) == {}
    with filled.read() as session:
        assert service.get(session, import_id).content is None


def test_if_all_is_wanted_and_a_place_is_taken_meanwhile_all_is_taken_back(
    filled: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "AT_ONCE", 1)
    import_id = checked(filled, lines(row(), row("25/11/2026,10:00"), row("26/11/2026,10:00")))
    with filled.write() as session:
        service.start(session, import_id, only_good=False, messages=True, actor=ACTOR)
    work.take_step()
    with filled.write() as session:
        factories.booking(session, NOW + timedelta(days=2, hours=10))
    work_off()
    ended = the(filled, import_id)
    assert ended.state == "undone"
    assert ended.problem == "Line 3: Sam has another booking then. So all of it was taken back."
    with filled.read() as session:
        assert session.scalar(select(func.count()).select_from(Booking)) == 1
        assert session.scalars(select(Plan)).all() == []


def test_the_same_file_again_brings_nothing_new(filled: Database) -> None:
    run(filled, checked(filled, lines(row(), row("20/11/2026,10:00", mobile=""))))
    again = checked(filled, lines(row(), row("20/11/2026,10:00", mobile="")))
    assert counts(filled, again) == {"same": 2}
    with filled.write() as session, pytest.raises(Conflict, match="nothing in this file"):
        service.start(session, again, only_good=True, messages=True, actor=ACTOR)


def test_customers_are_filled_in_and_never_overwritten(filled: Database) -> None:
    with filled.write() as session:
        factories.booking(session, customer_phone="+447700900001", customer_name="Ada")
        session.add(Customer(person="+447700900002", notes="ours"))
    text = (
        "First name,Last name,Mobile,Email,Notes,Consent\n"
        "Ada,Lovelace,07700 900001,ada@example.com,likes tea,yes\n"
        "Bo,Ek,07700 900002,bo@example.com,theirs,no\n"
        "Cy,=1+1,'+447700900003,,,\n"
        "Cy,again,+447700900003,cy@example.com,,\n"
        "Di,,,,,\n"
    )
    import_id = checked(filled, text, "customers")
    assert counts(filled, import_id) == {"new": 1, "changes": 3, "wrong": 1}
    run(filled, import_id)
    with filled.read() as session:
        known = {each.person[-1]: each for each in session.scalars(select(Customer))}
    ada, bo, cy = known["1"], known["2"], known["3"]
    assert (ada.name, ada.email, ada.notes, ada.consent) == (None, None, "likes tea", True)
    assert (bo.name, bo.email, bo.notes, bo.consent) == ("Bo Ek", "bo@example.com", "ours", False)
    assert (cy.name, cy.email, cy.notes) == ("Cy =1+1", "cy@example.com", None)

    undo(filled, import_id)

    with filled.read() as session:
        left = session.scalars(select(Customer)).all()
    assert [(each.person, each.notes, each.name, each.consent) for each in left] == [
        ("+447700900002", "ours", None, None)
    ]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"Name\n"])
def test_what_is_no_table_is_refused_at_once(sqlite_shop: Database, content: bytes) -> None:
    with sqlite_shop.write() as session, pytest.raises(Invalid):
        service.upload(session, "customers", "x.csv", content, ACTOR)


def many(count: int) -> str:
    """A file of bookings before and after now, of which each fiftieth is wrong."""
    first = NOW + timedelta(hours=33)
    rows = [
        row(
            f"{first + number // 60 * DAY - 120 * DAY + number % 60 * TEN:%d/%m/%Y,%H:%M}",
            staff=("Sam", "Alex Kim", "Jo")[number % 3],
            client=f"Customer {number}",
            mobile="12" if number % 50 == 0 else f"07700 9{number:05}",
        )
        for number in range(count)
    ]
    return lines(*rows)


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)  # a database is little of the work
def test_of_a_file_of_several_steps_the_good_rows_are_made(filled: Database) -> None:
    import_id = checked(filled, many(600))
    assert counts(filled, import_id)["wrong"] == 12
    run(filled, import_id)
    assert counts(filled, import_id) == {"made": 588, "wrong": 12}


def test_several_services_of_one_visit_come_in_by_the_name_that_they_go_out_with(
    filled: Database,
) -> None:
    with filled.write() as session:
        whole = several.made(session, "haircut+beard-trim")
    import_id = checked(
        filled,
        lines(
            row(service="Haircut and Beard trim"),
            row("24/11/2026,12:00", service="Beard", client="Bo", mobile="020 7946 0959"),
        ),
    )
    assert counts(filled, import_id) == {"new": 2}
    run(filled, import_id)
    with filled.read() as session:
        made = session.scalars(select(Booking).order_by(Booking.starts_at)).all()
        assert [each.service_id for each in made] == [whole, "beard-trim"]
        assert made[0].ends_at - made[0].starts_at == timedelta(minutes=50)
