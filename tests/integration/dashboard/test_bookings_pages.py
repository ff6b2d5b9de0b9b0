"""The list of bookings and the page of one, as HTML."""

import itertools
import re
from datetime import time, timedelta
from html import unescape

import pytest

from app.bookings import service, undo
from app.dashboard.bookings.pages import PAGE
from app.db import Database
from app.models.booking import Booking
from app.models.message import Message
from app.models.shop import Shop
from app.staff import audit
from tests import factories
from tests.integration.conftest import Client
from tests.integration.dashboard.test_queue_pages import add_worker
from tests.support.frozen import FrozenClock
from tests.support.lifecycle import book, move
from tests.support.staff import HTMX, sign_in
from tests.support.statements import counted

NASTY = "<script>alert(1)</script>\"'&"


def names(client: Client, query: str = "") -> list[str]:
    """The customers on the list that this query shows."""
    answer = client.get(f"/bookings?{query}")
    assert answer.status_code == 200, answer.text
    return re.findall(r'<a href="/bookings/booking_\w+">([^<]*)</a>', answer.text)


def text_of(html: str) -> str:
    """What one reads of it, on one line."""
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html)))


def link(html: str, label: str) -> str:
    """Where the link with this label leads."""
    icon = r"(?:\s*<svg[^>]*>\s*<use[^>]*>\s*</svg>\s*)?"
    match = re.search(rf'<a[^>]*href="([^"]+)"[^>]*>{icon}{label}', html)
    assert match, label
    return unescape(match[1])


def pager(html: str) -> str:
    return html.partition('aria-label="More bookings"')[2].partition("</nav>")[0]


def statements(db: Database, client: Client, url: str) -> int:
    """How many statements it takes to show this page."""
    client.get(url)  # what is kept is read
    with counted(db) as executed:
        assert client.get(url).status_code == 200
    return len(executed)


def made(shop: Database, clock: FrozenClock, **values: object) -> str:
    """The id of a booking in ten hours, made as the service makes it."""
    given = {
        "customer_name": "Luis Ortega",
        "customer_phone": "+447700900123",
        "service_id": "haircut",
        "barber_id": "barber_1",
        "scheduled_time": clock.now() + timedelta(hours=10),
    }
    with shop.write() as session:
        new = given | values
        return service.create(session, new, "token:a")[0].id


@pytest.fixture
def bookings(shop: Database, clock: FrozenClock) -> None:
    """Six bookings around now: three are over."""
    with shop.write() as session:
        for hours in (-50, -26, -2, 3, 30, 60):
            booking = factories.booking(
                session,
                clock.now() + timedelta(hours=hours),
                customer_name=f"At {hours}",
                barber_id="barber_2" if hours == 30 else "barber_1",
                status="cancelled" if hours in {60, -26} else "confirmed",
            )
            if hours in {3, -50}:
                factories.message(session, booking, state="failed")


# --- the list ---


def test_the_list_shows_what_is_to_come_the_nearest_first_and_the_past_the_newest_first(
    client: Client, bookings: None
) -> None:
    assert names(client) == ["At 3", "At 30", "At 60"]
    assert names(client, "past=1") == ["At -2", "At -26", "At -50"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("q=AT+3", ["At 3", "At 30"]),
        ("status=cancelled", ["At 60"]),
        ("status=cancelled&past=1", ["At -26"]),
        ("barber=barber_2", ["At 30"]),
        ("failed=1", ["At 3"]),
        ("failed=1&past=1", ["At -50"]),
        ("q=3&failed=1&barber=barber_1", ["At 3"]),
        ("from=2026-11-20", ["At -50", "At -26", "At -2", "At 3", "At 30", "At 60"]),
        ("to=2026-11-22", ["At -2", "At -26", "At -50"]),
        ("from=2026-11-22&to=2026-11-23", ["At -2", "At 3"]),
        ("from=2026-11-22&to=2026-11-23&past=1", ["At -2", "At 3"]),
        ("q=&status=&barber=&from=&to=", ["At 3", "At 30", "At 60"]),
    ],
)
def test_each_filter_narrows_the_list_and_they_work_together(
    client: Client, bookings: None, query: str, expected: list[str]
) -> None:
    assert names(client, query) == expected


def test_a_day_is_a_day_of_the_shop_and_times_are_on_its_clock(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    with shop.write() as session:
        factories.shop(session, time_zone="Asia/Tokyo", locale="de")
        late = clock.now().replace(hour=16)  # in Tokyo it is tomorrow, at one
        factories.booking(session, late, customer_name="Uhrzeit")

    assert names(client, "from=2026-11-24&to=2026-11-24") == ["Uhrzeit"]
    assert names(client, "from=2026-11-23&to=2026-11-23") == []
    page = client.get("/bookings").text
    assert re.search(r'<time datetime="2026-11-23T16:00:00\+00:00" title="[^"]*JST">', page)
    assert "01:00" in text_of(page)


def test_a_booking_is_found_by_its_id_also_when_it_is_over(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    with shop.write() as session:
        over = factories.booking(session, clock.now() - timedelta(days=3), customer_name="Gone")
    assert names(client, f"q={over.id}") == ["Gone"]


@pytest.mark.parametrize("past", ["", "1"])
def test_walking_the_pages_there_and_back_meets_each_booking_once(
    client: Client, shop: Database, clock: FrozenClock, past: str
) -> None:
    sign = -1 if past else 1
    with shop.write() as session:
        for number in range(1, 2 * PAGE + 6):
            at = clock.now() + sign * timedelta(minutes=5 * number)
            factories.booking(session, at, customer_name=f"N{number:03d}")
    onwards, back = ("Earlier", "Later") if past else ("Later", "Earlier")

    first = client.get(f"/bookings?past={past}&status=confirmed").text
    second = client.get(link(first, onwards)).text
    third = client.get(link(second, onwards)).text
    back_again = client.get(link(client.get(link(third, back)).text, back)).text

    pages = [re.findall(r">(N\d+)<", page) for page in (first, second, third, back_again)]
    assert [len(page) for page in pages] == [PAGE, PAGE, 5, PAGE]
    made_in_order = [f"N{number:03d}" for number in range(1, 2 * PAGE + 6)]
    assert [*pages[0], *pages[1], *pages[2]] == made_in_order
    assert pages[3] == pages[0]
    assert back not in pager(first)
    assert onwards not in pager(third)
    assert "status=confirmed" in link(first, onwards)


def test_the_list_has_each_bookings_reminders_as_beads_with_words(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    with shop.write() as session:
        booking = factories.booking(session)
        factories.message(session, booking, state="sent", delivery_status="read")
        factories.message(session, booking, state="failed")
        factories.message(session, booking, due_at=clock.now() + timedelta(hours=1))
        factories.message(session, booking, state="cancelled")
    page = client.get("/bookings").text
    assert 'aria-label="Reminders: 1 read, 1 failed, 1 planned"' in page
    row = page.partition("<tbody>")[2]
    assert re.findall(r"bead is-(\w+)", row) == ["ok", "bad", "planned"]


@pytest.mark.parametrize("query", ["", "q=a&status=confirmed&barber=barber_1&failed=1"])
def test_the_list_takes_the_same_statements_however_long_it_is(
    client: Client, shop: Database, clock: FrozenClock, query: str
) -> None:
    counts = []
    for more in (1, 30):
        with shop.write() as session:
            for number in range(more):
                at = clock.now() + timedelta(hours=len(counts) * 100 + number + 1)
                booking = factories.booking(session, at, customer_name="Ana")
                factories.message(session, booking, state="failed")
                factories.message(session, booking)
        counts.append(statements(shop, client, f"/bookings?{query}"))
    assert counts[0] == counts[1] <= 21


def test_htmx_gets_the_list_alone_and_the_address_that_shows_it_again(
    client: Client, bookings: None
) -> None:
    url = "/bookings?q=at&status=&barber=&from=&to="
    chosen = client.get(url, headers={**HTMX, "HX-Source": "form#filters"})
    typed = client.get(url, headers={**HTMX, "HX-Source": "input#q"})
    again = client.get(url, headers={**HTMX, "HX-Source": "section#bookings"})
    assert re.match(r'<section[^>]* id="bookings"', chosen.text.strip())
    assert "<html" not in chosen.text
    assert "<form" not in chosen.text
    assert chosen.headers["HX-Push-Url"] == "/bookings?q=at"
    assert typed.headers["HX-Replace-Url"] == "/bookings?q=at"
    assert "HX-Push-Url" not in again.headers
    assert "HX-Replace-Url" not in again.headers
    assert chosen.text == typed.text


def test_a_shop_without_bookings_is_told_what_to_do(client: Client, shop: Database) -> None:
    page = client.get("/bookings").text
    assert "No bookings yet" in page
    assert page.count('href="/bookings/new"') == 2
    sign_in(client, shop, "viewer")
    assert 'href="/bookings/new"' not in client.get("/bookings").text


def test_filters_that_nothing_fits_can_be_cleared_or_tried_on_the_past(
    client: Client, bookings: None
) -> None:
    page = client.get("/bookings?q=At+-2").text
    assert "No upcoming booking fits" in page
    assert link(page, "Clear filters") == "/bookings"
    assert link(page, "Look in the past") == "/bookings?q=At%20-2&past=1"
    assert "No past booking fits" in client.get("/bookings?q=nobody&past=1").text


def test_a_shop_with_nothing_to_come_is_shown_the_way_to_the_past(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    with shop.write() as session:
        factories.booking(session, clock.now() - timedelta(days=1))
    page = client.get("/bookings").text
    assert "Nothing to come" in page
    assert link(page, "See the past ones") == "/bookings?past=1"


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("from=tomorrow", "“From”: This must be a day, such as 2026-11-23."),
        ("from=2026-11-24&to=2026-11-23", "“From”: This is after “To”."),
        ("to=2026-13-01", "must be a day, such as 2026-11-23"),
        ("to=9999-12-31", "must be a day, such as 2026-11-23"),
        ("from=0001-01-01", "must be a day, such as 2026-11-23"),
        ("status=odd", "must be one of confirmed"),
        ("cursor=later-x", "This link is too old or incomplete: start from the first page."),
        ("cursor=sideways-x", "This link is too old or incomplete: start from the first page."),
        (f"q={'x' * 101}", "must be at most 100 visible characters"),
        ("q=%01", "must be at most 100 visible characters"),
    ],
)
def test_a_filter_that_is_wrong_is_said_and_keeps_what_was_typed(
    client: Client, bookings: None, query: str, problem: str
) -> None:
    answer = client.get(f"/bookings?{query}&failed=1")
    assert answer.status_code == 422
    assert problem in unescape(answer.text)
    assert "checked" in answer.text


def test_days_in_the_wrong_order_are_said_beside_their_field(
    client: Client, bookings: None
) -> None:
    answer = client.get("/bookings?from=2026-11-24&to=2026-11-23")
    assert answer.status_code == 422
    assert "<span>This is after “To”.</span>" in unescape(answer.text)
    assert "0 bookings" not in answer.text
    assert client.get("/bookings?from=2026-11-23&to=2026-11-23").status_code == 200


def test_a_cursor_of_no_page_leads_to_the_first_page_with_the_same_filters(
    client: Client, bookings: None
) -> None:
    page = client.get("/bookings?cursor=abc&failed=1").text
    assert link(page, "Start from the first page") == "/bookings?failed=1"


# --- one booking ---


def test_the_page_tells_each_message_with_its_tries_receipts_and_reasons(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    add_worker(shop)
    with shop.write() as session:
        booking = factories.booking(session)
        read = factories.message(session, booking, state="sent", delivery_status="read")
        [attempt] = session.query(factories.Attempt).where(factories.Attempt.message_id == read.id)
        factories.receipt(session, attempt, status="delivered")
        factories.receipt(session, attempt, status="read")
        factories.message(session, booking, state="sending")
        factories.message(session, booking, state="uncertain", sending_to="+1", error_code="20500")
        failed = factories.message(session, booking, state="failed", error_code="63003")
        for number in (1, 2):
            factories.attempt(session, failed, outcome="refused", error_code="63003", number=number)
        retried = clock.now() + timedelta(minutes=2)
        factories.message(session, booking, attempts=2, error_code="unreachable", due_at=retried)
        factories.message(session, booking, state="skipped", reason="quiet_hours")
        factories.message(session, booking, state="cancelled", reason="rescheduled")
        factories.message(session, booking, due_at=clock.now() + timedelta(hours=2))

    page = text_of(client.get(f"/bookings/{booking.id}").text)

    for words in (
        "Reminder 1 Delivered 12:00 AM · Read 12:00 AM",
        "Reminder 2 On its way to Twilio",
        "Reminder 3 Twilio had a problem. We are finding out whether it was sent",
        "Reminder 4 No WhatsApp on this number · tried 0 times",
        "2 tries today 12:00 AM: No WhatsApp on this number",
        "Reminder 5 Could not reach Twilio · tried 2 times · next try today 12:02 AM",
        "Reminder 6 It would have been in quiet hours",
        "Reminder 7 The booking was moved",
        "Reminder 8 Goes out in 2 hours",
        "1 sent · 1 failed · 2 to go",
    ):
        assert words in page


def test_a_message_that_a_day_has_not_delivered_asks_for_a_call_and_is_no_failure(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    with shop.write() as session:
        of = factories.booking(session)
        factories.message(session, of, "sent", delivery_status="sent", asks=5)

    seen = text_of(client.get(f"/bookings/{of.id}").text)

    assert "the customer has blocked us: call them. Not delivered yet" in seen
    assert "1 sent" in seen
    assert "Reminders: 1 not delivered yet" in client.get("/bookings").text


def test_the_page_says_who_booked_moved_cancelled_and_undid_it(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    booking_id = made(shop, clock)
    clock.move(minutes=1)
    later = {"scheduled_time": clock.now() + timedelta(hours=12), "barber_id": "barber_2"}
    with shop.write() as session:
        service.change(session, booking_id, later, "customer")
        service.change(session, booking_id, {"customer_name": "Luisa"}, "token:b")
    clock.move(minutes=1)
    assert client.post(f"/bookings/{booking_id}/cancel").status_code == 303
    assert client.post(f"/bookings/{booking_id}/undo").status_code == 303

    page = text_of(client.get(f"/bookings/{booking_id}").text)

    assert "Booked by the API" in page
    assert (
        "Moved by the customer, by WhatsApp, from today 10:00 AM to today 12:01 PM; also changed: "
        "barber 4 planned messages cancelled Reminder 1, today 2:00 AM"
    ) in page
    assert "Changed by the API: name" in page
    assert re.search("Cancelled by Ann Lee (?!. planned message)", page), "they came back"
    assert "Cancellation undone by Ann Lee Cancellation message withdrawn Cancellation 1" in page
    assert "0 sent · 5 to go" in page


def test_hundreds_of_reminders_are_folded_and_take_no_more_statements(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    few = made(shop, clock)
    many = made(shop, clock, scheduled_time=clock.now() + timedelta(days=30, hours=10))
    page = client.get(f"/bookings/{many}").text
    in_sight, _, folded = page.partition('id="later"')
    assert "361 more planned, the last Wed, Dec 23" in text_of(folded)
    assert len(re.findall(r'id="booking_\w+-reminder-\d+"', in_sight)) == 3
    assert len(re.findall(r'id="booking_\w+-reminder-\d+"', folded)) == 361
    counts = [statements(shop, client, f"/bookings/{each}") for each in (few, many)]
    assert counts[0] == counts[1] <= 21


def test_the_fold_says_only_what_is_in_it(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    with shop.write() as session:
        booking = factories.booking(session, clock.now() + timedelta(hours=23))
        for hours in range(1, 4):
            factories.message(session, booking, due_at=clock.now() + timedelta(hours=hours))
        for hours in (20, 21):
            at = clock.now() + timedelta(hours=hours)
            factories.message(session, booking, state="skipped", reason="quiet_hours", due_at=at)

    def fold() -> str:
        page = client.get(f"/bookings/{booking.id}").text
        return text_of(page.partition('id="later"')[2].partition("</summary>")[0])

    assert fold().endswith("> 2 more left out for quiet hours ")
    with shop.write() as session:
        factories.message(session, booking, due_at=clock.now() + timedelta(hours=5))
    assert fold().endswith("> 1 more planned, the last today 5:00 AM · 2 left out for quiet hours ")


def test_after_a_move_only_what_is_left_out_of_the_new_plan_is_listed(
    desk: Client, sqlite_shop: Database, clock: FrozenClock
) -> None:
    with sqlite_shop.write() as session:
        factories.shop(session, quiet_from=time(20), quiet_until=time(8))
    booking_id = book(sqlite_shop, hours=24 + 18)
    before = desk.get(f"/bookings/{booking_id}").text.count("quiet hours")
    move(sqlite_shop, booking_id, hours=24 + 16)  # of the same night as many are left out

    page = desk.get(f"/bookings/{booking_id}").text

    assert page.count("quiet hours") == before > 0


def test_what_happened_long_ago_is_folded_too(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    with shop.write() as session:
        booking = factories.booking(session)
        for minutes in range(12):
            at = clock.now() - timedelta(minutes=60 - minutes)
            factories.message(session, booking, state="sent", sent_at=at, due_at=at)
    before, _, after = client.get(f"/bookings/{booking.id}").text.partition("4 earlier")
    assert 'id="earlier"' in before
    fold, _, in_sight = after.partition("</details>")
    assert "Reminder 4" in fold
    assert "Reminder 5" in in_sight


def test_the_phone_shows_the_last_message_and_the_next_one_as_it_will_read_then(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    booking_id = made(shop, clock)
    with shop.write() as session:
        booking = session.get_one(Booking, booking_id)
        factories.message(session, booking, state="sent", number=90)
        [attempt] = session.query(factories.Attempt)
        attempt.body = "Two lines\nof   text"
    page = client.get(f"/bookings/{booking_id}").text
    assert "Two lines\nof   text" in unescape(page)
    next_one = text_of(page.partition("Next message")[2])
    assert "Your appointment is in 8 hours" in next_one  # at two, when it goes out


def test_times_are_on_the_shops_clock_with_the_exact_one_on_hover(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    with shop.write() as session:
        factories.shop(session, time_zone="America/New_York", locale="en_US")
    booking_id = made(shop, clock)
    page = client.get(f"/bookings/{booking_id}").text
    assert "today 5:00 AM" in re.sub(r"\s+", " ", page) or "tomorrow 5:00 AM" in page
    assert 'title="Monday, November 23, 2026 5:00:00 AM EST"' in page


def test_a_name_is_never_html(client: Client, shop: Database, clock: FrozenClock) -> None:
    with shop.write() as session:
        factories.barber(session, "barber_x", name=NASTY)
        factories.service(session, "nasty", name=NASTY)
        user = factories.user(session, name=NASTY)
        booking = factories.booking(
            session,
            customer_name=NASTY,
            customer_email='a"<b>@example.com',
            barber_id="barber_x",
            service_id="nasty",
        )
        sent = factories.message(session, booking, state="sent")
        [attempt] = session.query(factories.Attempt).where(factories.Attempt.message_id == sent.id)
        attempt.body = NASTY
        factories.message(session, booking, due_at=clock.now() + timedelta(hours=1))
        audit.record(session, f"user:{user.id}", "booking.created", booking.id)
    for url in ("/bookings", f"/bookings?q={NASTY}", f"/bookings/{booking.id}"):
        page = client.get(url).text
        assert "&lt;script&gt;" in page
        assert "<script>" not in page
        assert "<b>@" not in page


@pytest.mark.parametrize("id", ["booking_none", "x", "booking_%00", "booking_'--", "b" * 300])
def test_a_booking_that_is_not_there_is_a_404_page(client: Client, id: str) -> None:
    headers = {"Accept": "text/html"}
    here = f"/bookings/{id}"
    for answer in (
        client.get(here, headers=headers),
        client.post(f"{here}/cancel", headers=headers),
    ):
        assert answer.status_code == 404
        assert "There is" in answer.text
        assert answer.headers["Content-Type"].startswith("text/html")


def test_the_page_is_its_own_partial_and_listens_for_its_booking(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    booking_id = made(shop, clock)
    part = client.get(f"/bookings/{booking_id}", headers=HTMX).text.strip()
    assert part.startswith('<div id="booking"')
    assert part.endswith("</div>")
    assert f'hx-trigger="booking-{booking_id} from:body' in part
    assert part in client.get(f"/bookings/{booking_id}").text


# --- what staff do ---


def test_cancelling_waits_with_telling_so_that_it_can_be_undone(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    booking_id = made(shop, clock)
    page = client.get(f"/bookings/{booking_id}").text
    dialog = page.partition('id="cancel"')[2].partition("</dialog>")[0]
    assert "4 planned reminders will not go out" in text_of(dialog)
    assert "has been cancelled" in dialog

    answer = client.post(f"/bookings/{booking_id}/cancel")

    assert (answer.status_code, answer.headers["Location"]) == (303, f"/bookings/{booking_id}")
    page = client.get(f"/bookings/{booking_id}").text
    assert "Cancelled. Luis Ortega is told in 10 seconds." in page
    assert f'action="/bookings/{booking_id}/undo"' in page.partition('id="toasts"')[2]
    assert "Undo the cancellation" in page
    with shop.read() as session:
        told = session.get_one(Message, f"{booking_id}-cancellation-1")
        assert told.due_at == clock.now() + undo.UNDO_FOR

    client.post(f"/bookings/{booking_id}/undo")

    assert "The customer was not told." in client.get(f"/bookings/{booking_id}").text
    with shop.read() as session:
        assert session.get_one(Booking, booking_id).status == "confirmed"


def test_an_undo_that_comes_too_late_is_a_toast_with_the_reason(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    with shop.write() as session:
        booking = factories.booking(session, status="cancelled")
        factories.message(session, booking, state="sent", kind="cancellation")
    answer = client.post(f"/bookings/{booking.id}/undo")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/bookings/{booking.id}")
    page = client.get(f"/bookings/{booking.id}").text
    assert "toast is-bad" in page
    assert "The customer has been told already." in page
    assert "Undo the cancellation" not in page


def test_a_reminder_now_is_one_more_message_due_at_once(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    booking_id = made(shop, clock)
    assert client.post(f"/bookings/{booking_id}/remind").status_code == 303
    page = text_of(client.get(f"/bookings/{booking_id}").text)
    assert "The reminder is on its way." in page
    assert "Reminder asked for by Ann Lee" in page
    with shop.read() as session:
        assert session.get_one(Message, f"{booking_id}-reminder-5").due_at == clock.now()


@pytest.mark.parametrize("verb", ["cancel", "remind"])
def test_a_booking_that_is_over_offers_nothing_and_refuses_with_the_reason(
    client: Client, shop: Database, clock: FrozenClock, verb: str
) -> None:
    with shop.write() as session:
        over = factories.booking(session, clock.now() - timedelta(hours=1))
    assert "<dialog" not in client.get(f"/bookings/{over.id}").text
    client.post(f"/bookings/{over.id}/{verb}")
    page = client.get(f"/bookings/{over.id}").text
    assert "toast is-bad" in page
    assert "The appointment has begun." in page


def test_viewers_see_no_buttons_and_may_do_nothing(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    booking_id = made(shop, clock)
    with shop.write() as session:
        factories.message(session, session.get_one(Booking, booking_id), state="failed")
    assert "/retry" in client.get(f"/bookings/{booking_id}").text
    sign_in(client, shop, "viewer")
    content = client.get(f"/bookings/{booking_id}").text.partition('id="booking"')[2]
    content = content.partition("</main>")[0]
    assert "<form" not in content
    assert "button" not in content
    for verb in ("cancel", "undo", "remind"):
        assert client.post(f"/bookings/{booking_id}/{verb}").status_code == 403
    with shop.read() as session:
        assert session.get_one(Booking, booking_id).status == "confirmed"


def test_whoever_is_not_signed_in_is_sent_to_the_login(client: Client) -> None:
    client.cookies.delete("chairtime")
    answer = client.get("/bookings?q=ana")
    assert answer.headers["Location"] == "/login?next=%2Fbookings%3Fq%3Dana"
    assert client.get("/bookings/booking_1").headers["Location"].startswith("/login")


def test_what_is_sent_at_once_stands_below_what_it_follows_from(
    client: Client, shop: Database, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with shop.write() as session:
        session.get_one(Shop, 1).confirmation_on = session.get_one(Shop, 1).moved_on = True
    times = itertools.count()
    start = clock.now()
    monkeypatch.setattr(
        "app.clock.now", lambda: start + timedelta(microseconds=next(times))
    )  # on a real clock no two things have the same time
    booking_id = made(shop, clock)
    page = text_of(client.get(f"/bookings/{booking_id}").text)
    assert page.index("Booked by") < page.index("Confirmation message")
    with shop.write() as session:
        later = {"scheduled_time": start + timedelta(hours=12)}
        service.change(session, booking_id, later, "token:b")
    assert client.post(f"/bookings/{booking_id}/remind").status_code == 303
    page = text_of(client.get(f"/bookings/{booking_id}").text)
    parts = (
        "Moved by",
        "Message of the new time",
        "Reminder asked for by",
        "Extra reminder",
        "Reminder 5",
    )
    assert [page.index(each) for each in parts] == sorted(page.index(each) for each in parts)
    assert "Reminder 10" not in page


def test_of_one_time_what_was_done_stands_above_what_it_sent(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    booking_id = made(shop, clock)
    assert client.post(f"/bookings/{booking_id}/remind").status_code == 303
    page = text_of(client.get(f"/bookings/{booking_id}").text)
    assert page.index("Reminder asked for by") < page.index("Extra reminder")


def test_a_number_that_is_wrong_can_be_corrected_from_the_bookings_page(
    client: Client, shop: Database
) -> None:
    with shop.write() as session:
        booking = factories.booking(session)
        failed = factories.message(session, booking, state="failed", error_code="63003")
        other = factories.message(session, booking, state="failed", error_code="63049")
    here = f"/bookings/{booking.id}"
    way = f"/failed?message={failed.id}#{failed.id}"
    assert link(client.get(here).text, "Correct the number") == way
    assert client.get(here).text.count("Correct the number") == 1
    page = client.get(way.partition("#")[0]).text
    assert re.search(rf'id="correct-{failed.id}"\s+open', page)
    assert f'id="correct-{other.id}"' not in page

    assert client.post(f"/messages/{failed.id}/dismiss").status_code == 303
    assert link(client.get(here).text, "Correct the number") == f"{here}/edit"
