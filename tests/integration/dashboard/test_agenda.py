"""A day as a list, as a phone shows it."""

from datetime import datetime, timedelta

from app.dashboard.today import day
from app.dashboard.today.agenda import Gap, agenda_of
from app.db import Database
from tests import factories
from tests.integration.conftest import Client
from tests.support.frozen import FrozenClock


def test_what_is_over_is_folded_and_half_hours_that_follow_are_one_gap(
    sqlite_shop: Database, clock: FrozenClock
) -> None:
    midnight = clock.now()
    clock.move(hours=12, minutes=10)

    def at(hours: float) -> datetime:
        return midnight + timedelta(hours=hours)

    with sqlite_shop.write() as session:
        for hours, status in (
            (9, "completed"),
            (10, "no_show"),
            (11, "confirmed"),
            (12, "confirmed"),
        ):
            factories.booking(session, at(hours), status=status, customer_name=f"At {hours}")
        factories.booking(session, at(14), customer_name="At 14")
        factories.booking(session, at(9), barber_id="barber_2", customer_name="Elsewhere")
        board = day.board(session, midnight.date())
        sam = [each for each in board.columns if each.barber.id == "barber_1"]
        agenda = agenda_of(sam)
        everybody = agenda_of(board.columns)
    assert [each.booking.customer_name for each in agenda.earlier] == ["At 9", "At 10", "At 11"]
    assert agenda.summary == "1 came, 1 no-show, 1 to mark"
    assert [each.booking.customer_name for each in agenda.begun] == ["At 12"]
    coming = [
        (each.at, each.until) if isinstance(each, Gap) else each.booking.customer_name
        for each in agenda.coming
    ]
    assert coming == [(at(12.5), at(14)), "At 14", (at(14.5), at(19))]
    assert len(everybody.earlier) == 4
    assert len(everybody.coming) == len(coming) + 2


def test_the_list_is_in_the_page_beside_the_board_with_what_one_does_in_it(
    desk: Client, sqlite_shop: Database, clock: FrozenClock
) -> None:
    clock.move(hours=7)
    with sqlite_shop.write() as session:
        booking = factories.booking(session, clock.now() - timedelta(minutes=10), notes="Fade 1.5")
    page = desk.get("/today").text
    line = page.partition(f'id="line-{booking.id}"')[2].partition("</li>")[0]
    assert "In the chair" in line
    assert "Fade 1.5" in line
    assert f'formaction="/bookings/{booking.id}/paid?day=2026-11-23"' in line
    ids = [each.partition('"')[0] for each in page.split(' id="')[1:]]
    assert len(ids) == len(set(ids))
