"""Repeating a booking, and what is done to a series, by the pages."""

import re
from datetime import timedelta
from html import unescape

from sqlalchemy import select

from app.bookings import series
from app.db import Database
from app.models.booking import Booking
from tests import factories
from tests.integration.conftest import Client
from tests.support.frozen import FrozenClock
from tests.support.web import said

WEEK = timedelta(days=7)


def fields(html: str, action: str) -> dict[str, str]:
    """What a browser would send of the form with that action which has `visit-` fields."""
    start = re.search(rf'method="post"\s+action="{re.escape(action)}"', html)
    assert start, html
    form = html[start.start() :]
    sent = dict(re.findall(r'<input type="hidden"\s+name="([^"]+)"\s+value="([^"]*)"', form))
    selects = r'<select[^>]*name="(visit-[^"]+)"[^>]*>(.*?)</select>'
    for name, body in re.findall(selects, form, re.S):
        chosen = re.search(r'value="([^"]*)"\s+selected', body)
        sent[name] = unescape(chosen[1]) if chosen else ""
    return sent


def test_a_booking_is_repeated_with_what_clashes_left_out_or_moved(
    desk: Client, sqlite_shop: Database, clock: FrozenClock
) -> None:
    noon = clock.now() + timedelta(days=1, hours=12)
    with sqlite_shop.write() as session:
        booking = factories.booking(session, noon)
        factories.booking(session, noon + WEEK, customer_name="Otto Ott")
        factories.closure(session, (noon + 2 * WEEK).date(), name="Works")
    here = f"/bookings/{booking.id}/repeat"
    assert here in desk.get(f"/bookings/{booking.id}").text

    page = desk.get(f"{here}?weeks=1&ends=times&times=4").text

    assert "Otto Ott" in page
    assert "Works" in page
    assert "2 not free" in page
    sent = fields(page, here)
    assert sent["visit-2026-12-01"] == sent["visit-2026-12-08"] == ""
    assert sent["visit-2026-12-15"] == "2026-12-15T12:00:00Z"
    sent["visit-2026-12-01"] = "2026-12-01T12:30:00Z"
    assert "Yes, really" in desk.post(here, data=sent).text
    answer = desk.post(here, data={**sent, "sure": "270"})
    assert said(desk, answer) == "2 bookings made. Each has its own reminders."
    page = desk.get(f"/bookings/{booking.id}/series").text
    assert "3 bookings, 3 to come" in page
    assert "1 of 3" in desk.get(f"/bookings/{booking.id}").text
    with sqlite_shop.read() as session:
        rows = session.scalars(select(Booking).where(Booking.series_id.is_not(None)))
        assert {each.starts_at - noon for each in rows} == {
            timedelta(),
            WEEK + timedelta(minutes=30),
            3 * WEEK,
        }


def test_what_is_taken_meanwhile_is_refused_and_the_rest_of_what_was_chosen_stays(
    desk: Client, sqlite_shop: Database, clock: FrozenClock
) -> None:
    noon = clock.now() + timedelta(days=1, hours=12)
    with sqlite_shop.write() as session:
        booking = factories.booking(session, noon)
    here = f"/bookings/{booking.id}/repeat"
    sent = fields(desk.get(f"{here}?weeks=1&ends=times&times=3").text, here) | {"sure": "999"}
    with sqlite_shop.write() as session:
        factories.booking(session, noon + WEEK)
    answer = desk.post(here, data=sent)
    assert answer.status_code == 409
    assert "Nothing is saved yet." in answer.text
    assert fields(answer.text, here)["visit-2026-12-08"] == sent["visit-2026-12-08"]


def test_a_series_of_a_thousand_and_a_walk_in_get_a_clear_answer(
    desk: Client, sqlite_shop: Database, clock: FrozenClock
) -> None:
    with sqlite_shop.write() as session:
        booking = factories.booking(session)
        walk_in = factories.booking(session, customer_phone=None, barber_id="barber_2")
    answer = desk.get(f"/bookings/{booking.id}/repeat?weeks=1&ends=times&times=1000")
    assert answer.status_code == 422
    assert "This must be a number from 2 to 52." in answer.text
    assert 'value="1000"' in answer.text
    said(desk, desk.get(f"/bookings/{walk_in.id}/repeat", follow_redirects=False))


def test_those_from_here_on_are_changed_and_cancelled(
    desk: Client, sqlite_shop: Database, clock: FrozenClock
) -> None:
    noon = clock.now() + timedelta(days=1, hours=12)
    with sqlite_shop.write() as session:
        booking = factories.booking(session, noon)
    first = f"/bookings/{booking.id}"
    sent = fields(desk.get(f"{first}/repeat?weeks=1&ends=times&times=3").text, f"{first}/repeat")
    said(desk, desk.post(f"{first}/repeat", data=sent | {"sure": "999"}))

    here = f"{first}/series/change"
    page = desk.get(f"{here}?day=2026-11-25&time=15:00&service=haircut&barber=barber_2").text
    answer = desk.post(here, data=fields(page, here) | {"sure": "999"})
    assert said(desk, answer) == "3 bookings changed."
    with sqlite_shop.read() as session:
        rows = session.scalars(select(Booking).order_by(Booking.starts_at)).all()
        places = [(each.barber_id, each.starts_at) for each in rows]
    moved = noon + timedelta(days=1, hours=3)
    assert places == [("barber_2", moved + n * WEEK) for n in range(3)]

    answer = desk.post(f"/bookings/{rows[1].id}/series/cancel", data={"scope": "rest"})
    page = desk.get(answer.headers["Location"]).text
    assert "2 bookings cancelled. The customer is told in 10 seconds." in page
    assert "3 bookings, 1 to come" in page
    [undo] = re.findall(r'action="([^"]*/series/undo[^"]*)"', page)
    answer = desk.post(unescape(undo))
    assert said(desk, answer) == "2 bookings confirmed again. The customer was not told."
    assert "3 bookings, 3 to come" in desk.get(f"{first}/series").text
    for at in ("", "?at=soon", "?at=9999-12-31T23:59:59-12:00"):
        answer = desk.post(f"{first}/series/undo{at}")
        assert said(desk, answer) == "There is nothing to undo any more."


def test_wrong_fields_of_a_change_are_said_beside_them(
    desk: Client, sqlite_shop: Database, clock: FrozenClock
) -> None:
    with sqlite_shop.write() as session:
        booking = factories.booking(session)
    here = f"/bookings/{booking.id}/series/change"
    answer = desk.get(f"{here}?day=9998-01-01&time=25:00&barber=nobody")
    assert answer.status_code == 422
    assert "more than 400 days away" in answer.text
    assert "must be a time" in answer.text


def test_the_series_of_a_single_booking_offers_to_repeat_it(
    desk: Client, sqlite_shop: Database, clock: FrozenClock
) -> None:
    with sqlite_shop.write() as session:
        booking = factories.booking(session)
    page = desk.get(f"/bookings/{booking.id}/series").text
    assert "A single booking" in page
    assert f'href="/bookings/{booking.id}/repeat"' in page


def test_the_api_says_which_bookings_are_of_one_series(
    sqlite_api: Client, sqlite_shop: Database, clock: FrozenClock
) -> None:
    noon = clock.now() + timedelta(days=1, hours=12)
    with sqlite_shop.write() as session:
        first = factories.booking(session, noon)
        alone = factories.booking(session, noon, barber_id="barber_2")
        [again] = series.make(session, first.id, 1, [noon + WEEK], "user:1")
    of = {id: sqlite_api.get(f"/api/bookings/{id}").json() for id in (first.id, again.id, alone.id)}
    assert of[first.id]["seriesId"] == of[again.id]["seriesId"] == first.series_id
    assert "seriesId" not in of[alone.id]
