"""The list of customers, and the page of one."""

import re
from datetime import timedelta
from html import unescape

import pytest

from app.bookings import by_customer
from app.customers import service as customers
from app.dashboard.customers.pages import PAST
from app.db import Database
from app.models.booking import Booking
from tests import factories
from tests.integration.conftest import Client
from tests.integration.dashboard.test_bookings_pages import link, statements, text_of
from tests.support.frozen import FrozenClock
from tests.support.staff import HTMX, sign_in

ANA, BEN = "+442079460958", "+447700900123"
NASTY = "<script>alert(1)</script>\"'&"


def booked(
    shop: Database, clock: FrozenClock, hours: float, phone: str = ANA, **values: object
) -> str:
    """The id of a booking that begins in so many hours; it is over if it begins before now."""
    given: dict[str, object] = {"customer_name": "Ana Silva", "customer_phone": phone, **values}
    with shop.write() as session:
        return factories.booking(session, clock.now() + timedelta(hours=hours), **given).id


def listed(client: Client, query: str = "") -> list[str]:
    """Each customer of the list as one reads its row."""
    answer = client.get(f"/customers?{query}")
    assert answer.status_code == 200, answer.text
    rows = answer.text.partition("<tbody>")[2].partition("</tbody>")[0].split("<tr")[1:]
    return [text_of("<tr" + row).strip() for row in rows]


def names(client: Client, query: str = "") -> list[str]:
    answer = client.get(f"/customers?{query}")
    return re.findall(r'<a href="/customers/booking_\w+">([^<]*)</a>', answer.text)


@pytest.fixture
def history(shop: Database, clock: FrozenClock) -> None:
    """Ana was here twice, missed once, cancelled once and comes again; Ben comes first."""
    for hours, status in ((-500, "completed"), (-300, "no_show"), (-50, "confirmed")):
        booked(shop, clock, hours, customer_name="Ana S.", status=status)
    booked(shop, clock, 20, status="cancelled")
    booked(shop, clock, 30, customer_email="ana@example.com")
    booked(shop, clock, 5, BEN, customer_name="Ben Adeyemi")


# --- the list ---


def test_without_a_search_it_is_who_comes_next_or_who_was_here_last_each_number_once(
    client: Client, shop: Database, clock: FrozenClock, history: None
) -> None:
    booked(shop, clock, 40)
    booked(shop, clock, -10, "+447700900124", customer_name="Chen Wei")
    booked(shop, clock, -9, "+447700900125", customer_name="Missed", status="no_show")
    assert names(client) == ["Ben Adeyemi", "Ana Silva"]
    assert names(client, "past=1") == ["Chen Wei", "Ana Silva"]


def test_a_row_has_the_latest_name_the_last_visit_the_next_appointment_and_how_many_bookings(
    client: Client, history: None
) -> None:
    ben, ana = listed(client)
    assert ana == (
        "Ana Silva also Ana S. +44 20 7946 0958 tomorrow 6:00 AM Fri, Nov 20 10:00 PM 5 "
        "Not recorded"
    )
    assert ben.endswith("today 5:00 AM Not yet 1 Not recorded")


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ("agreed", "Agrees"),
        ("declined", "No messages"),
        ("staff", "No messages"),
        ("reply", "Stopped"),
        ("twilio", "Stopped"),
        ("opted in", "Not recorded"),
    ],
)
def test_a_word_says_what_the_customer_said_about_messages(
    desk: Client, sqlite_shop: Database, clock: FrozenClock, said: str, word: str
) -> None:
    booked(sqlite_shop, clock, 3)
    with sqlite_shop.write() as session:
        if said in {"agreed", "declined"}:
            customers.note_consent(session, ANA, said == "agreed", "form")
        elif said == "opted in":
            customers.opt_out(session, ANA, "staff")
            customers.opt_in(session, ANA)
        else:
            customers.opt_out(session, ANA, said)  # type: ignore[arg-type]
    [row] = listed(desk)
    assert row.endswith(f" {word}")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("ana", ["Ana Silva"]),
        ("SILVA", ["Ana Silva"]),
        ("ana s.", ["Ana Silva"]),  # as an earlier booking has it
        ("b", ["Ben Adeyemi"]),
        ("adeyemi", ["Ben Adeyemi"]),
        ("7946", ["Ana Silva"]),
        ("07700 900123", ["Ben Adeyemi"]),
        ("+44 20 7946 0958", ["Ana Silva"]),
        ("+447", ["Ben Adeyemi"]),
        ("nobody", []),
        ("100%", []),
    ],
)
def test_the_search_finds_a_part_of_a_name_or_a_number_whenever_they_come(
    client: Client, history: None, query: str, expected: list[str]
) -> None:
    answer = client.get("/customers", params={"q": query})
    assert names(client, str(answer.url.query, "ascii")) == expected
    assert "Upcoming" not in answer.text
    assert ("Nobody found" in answer.text) is (not expected)


def test_a_booking_id_finds_its_customer(
    client: Client, shop: Database, clock: FrozenClock, history: None
) -> None:
    over = booked(shop, clock, -900, "+447700900124", customer_name="Chen Wei")
    assert names(client, f"q={over}") == ["Chen Wei"]


def test_what_cannot_be_searched_for_says_so_beside_what_was_typed(desk: Client) -> None:
    answer = desk.get("/customers", params={"q": "a" * 101})
    assert answer.status_code == 422
    assert "This must be at most 100 visible characters." in answer.text
    assert f'value="{"a" * 101}"' in answer.text
    assert desk.get("/customers", params={"q": "a\x07b"}).status_code == 422


def test_htmx_gets_the_list_alone_and_no_letter_is_a_step_back(
    desk: Client, sqlite_shop: Database, clock: FrozenClock
) -> None:
    booked(sqlite_shop, clock, 3)
    answer = desk.get("/customers?q=ana", headers=HTMX)
    assert re.match(r'<section[^>]* id="customers"', answer.text.strip())
    assert "<form" not in answer.text
    assert answer.headers["HX-Replace-Url"] == "/customers?q=ana"
    assert desk.get("/customers?q=&past=", headers=HTMX).headers["HX-Replace-Url"] == "/customers"


def test_a_long_list_ends_with_how_to_find_anybody_else(
    desk: Client, sqlite_shop: Database, clock: FrozenClock
) -> None:
    for number in range(by_customer.MOST):
        booked(sqlite_shop, clock, number + 1, f"+447700{number:06d}", customer_name=f"N{number}")
    assert len(listed(desk)) == by_customer.MOST
    assert "There are more" not in desk.get("/customers").text
    booked(sqlite_shop, clock, 0.5, "+447700900999", customer_name="Nearest")
    assert names(desk)[0] == "Nearest"
    assert len(names(desk)) == by_customer.MOST
    assert "There are more. Search for anybody who is not here." in desk.get("/customers").text
    text = desk.get("/customers?q=n").text
    assert "type more of the name or the number" in text
    assert f"{by_customer.MOST}+ found" in text_of(text)


@pytest.mark.parametrize("query", ["", "past=1", "q=ana"])
def test_the_list_takes_the_same_statements_however_long_it_is(
    client: Client, shop: Database, clock: FrozenClock, query: str
) -> None:
    counts = []
    for more in (1, 30):
        for number in range(more):
            for hours in (-5, 5):
                booked(shop, clock, hours + number / 10, f"+4477{more:02d}{number:06d}")
        counts.append(statements(shop, client, f"/customers?{query}"))
    assert counts[0] == counts[1] <= 14


def test_a_shop_without_bookings_is_told_what_a_customer_is_and_what_to_do(
    desk: Client, sqlite_shop: Database
) -> None:
    page = desk.get("/customers").text
    assert "A customer is whoever has a booking" in page
    assert link(page, "New booking") == "/bookings/new"
    assert "Nobody was here yet" in desk.get("/customers?past=1").text
    sign_in(desk, sqlite_shop, "viewer")
    for query in ("", "?past=1", "?q=ana"):
        assert 'href="/bookings/new"' not in desk.get(f"/customers{query}").text


def test_whoever_may_look_finds_the_pages_in_the_navigation(
    desk: Client, sqlite_shop: Database, clock: FrozenClock
) -> None:
    booking_id = booked(sqlite_shop, clock, 3)
    sign_in(desk, sqlite_shop, "viewer")
    for path in ("/customers", f"/customers/{booking_id}"):
        page = desk.get(path).text
        assert re.search(r'href="/customers"\s+aria-current="page"', page)


# --- one customer ---


def test_the_page_of_a_customer_is_reached_by_any_of_their_bookings(
    client: Client, shop: Database, clock: FrozenClock, history: None
) -> None:
    with shop.read() as session:
        theirs = [each.id for each in session.query(Booking).filter_by(customer_phone=ANA)]
    for booking_id in theirs:
        page = client.get(f"/customers/{booking_id}").text
        assert "<h1>Ana Silva</h1>" in page
        assert f'href="tel:{ANA}"' in page
        assert 'href="mailto:ana@example.com"' in page
        assert re.search(r"Visits 2 Last Fri, Nov 20 .* No-shows 1 ", text_of(page))
        for each in theirs:
            assert page.count(f'href="/bookings/{each}"') == 1
        assert "Ben Adeyemi" not in page.partition("<main")[2]


def test_bookings_to_come_stand_apart_from_past_ones_with_beads_and_another_name(
    client: Client, shop: Database, clock: FrozenClock, history: None
) -> None:
    with shop.write() as session:
        of = factories.booking(
            session,
            clock.now() - timedelta(hours=1),
            customer_phone=ANA,
            customer_name="Leo, her son",
        )
        factories.message(session, of, state="failed")
    page = client.get(f"/customers/{of.id}").text
    coming, past = page.split('id="past"')
    assert len(re.findall(r'<tr id="row-', coming)) == 2
    assert len(re.findall(r'<tr id="row-', past)) == 4
    assert "Leo, her son" in text_of(past)
    assert 'aria-label="Reminders: 1 failed"' in past


def test_the_past_is_walked_page_by_page_and_meets_each_booking_once(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    made = [booked(shop, clock, -hours) for hours in range(1, PAST + 4)]
    first = client.get(f"/customers/{made[3]}").text
    second = client.get(link(first, "Earlier")).text
    pages = [re.findall(r'id="row-(\w+)"', page) for page in (first, second)]
    assert [*pages[0], *pages[1]] == made
    assert len(pages[0]) == PAST
    back = client.get(link(second, "Later").partition("#")[0]).text
    assert re.findall(r'id="row-(\w+)"', back) == pages[0]
    assert client.get(f"/customers/{made[0]}?cursor=what").status_code == 422


def test_no_number_is_in_any_address_of_the_page(
    desk: Client, sqlite_shop: Database, clock: FrozenClock
) -> None:
    booking_id = booked(sqlite_shop, clock, -3)
    page = desk.get(f"/customers/{booking_id}").text
    addresses = re.findall(r'(?:href|action|hx-get)="(/[^"]*)"', page)
    assert addresses
    assert not [each for each in addresses if ANA[3:] in each]


def test_the_page_says_how_many_messages_they_got_this_month_and_what_they_wrote(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    booking_id = booked(shop, clock, 3)
    here = f"/customers/{booking_id}"
    assert "This month 0 messages" in text_of(client.get(here).text)
    assert "Wrote recently" not in client.get(here).text
    with shop.write() as session:
        factories.shop(session, budget_per_customer=30)
        for _ in range(3):
            customers.count_sent(session, ANA, clock.now(), 1)
        of = session.get_one(Booking, booking_id)
        factories.reply(session, of, body=NASTY)
        factories.reply(session, sender=ANA, body="", media=1, needs_attention=False)
        factories.reply(session, body="Somebody else")
    page = client.get(here).text
    shown = text_of(page)
    assert "This month 3 of 30 messages" in shown
    assert f"“{NASTY}” today 12:00 AM Not answered" in shown.replace("&#34;", '"')
    assert "They sent a picture or file." in shown
    assert "Somebody else" not in shown
    assert f'href="/bookings/{booking_id}#chat"' in page
    assert "<script>alert" not in page


def test_staff_choose_the_language_that_a_customer_is_written_to_in(
    desk: Client, sqlite_shop: Database, clock: FrozenClock
) -> None:
    booking_id = booked(sqlite_shop, clock, 3)
    here = f"/customers/{booking_id}"
    assert "The shop’s: English" in text_of(desk.get(here).text)
    chosen = desk.post(f"{here}/language", data={"language": "de"}, follow_redirects=True)
    assert re.search(r'value="de"\s+selected', chosen.text)
    assert "Hallo Ana! 👋 Wir erinnern Sie" in text_of(desk.get(f"/bookings/{booking_id}").text)
    desk.post(f"{here}/language", data={"language": "xx"})
    assert re.search(r'value="de"\s+selected', desk.get(here).text), "there are no texts in xx"
    desk.post(f"{here}/language", data={"language": ""})
    assert "Hello Ana!" in text_of(desk.get(f"/bookings/{booking_id}").text)


def test_staff_note_an_opt_out_there_and_come_back_there(
    desk: Client, sqlite_shop: Database, clock: FrozenClock
) -> None:
    booking_id = booked(sqlite_shop, clock, 3)
    here = f"/customers/{booking_id}"
    assert "Consent not recorded." in text_of(desk.get(here).text)
    for label in ("Stop messages", "Resume messages"):
        form = re.search(rf'action="([^"]+)">(?:(?!</form>).)*{label}', desk.get(here).text, re.S)
        assert form, label
        assert desk.post(unescape(form[1])).headers["Location"] == here
    assert desk.post(f"{here}/opt-out").headers["Location"] == f"/bookings/{booking_id}"
    sign_in(desk, sqlite_shop, "viewer")
    page = desk.get(here)
    assert "What is planned is skipped at its time." in page.text
    assert "/opt-" not in page.text
    assert "/bookings/new" not in page.text


def test_the_undo_of_an_opt_out_comes_back_there_too(
    desk: Client, sqlite_shop: Database, clock: FrozenClock
) -> None:
    here = f"/customers/{booked(sqlite_shop, clock, 3)}"
    desk.post(f"{here}/opt-out?from=customer")
    page = desk.get(here).text
    undo = re.search(r'action="([^"]+/opt-in[^"]*)"[^>]*>(?:(?!</form>).)*Undo', page, re.S)
    assert undo
    assert desk.post(unescape(undo[1])).headers["Location"] == here


def test_the_page_follows_the_bookings_that_are_to_come(
    desk: Client, sqlite_shop: Database, clock: FrozenClock
) -> None:
    over, coming = booked(sqlite_shop, clock, -3), booked(sqlite_shop, clock, 3)
    part = desk.get(f"/customers/{over}", headers=HTMX).text
    assert part.strip().startswith('<div id="customer"')
    [trigger] = re.findall(r'hx-trigger="([^"]*missed[^"]*)"', part)
    events = [f"booking-{over} from:body", f"booking-{coming} from:body", "missed from:body"]
    assert trigger.split(", ") == events


@pytest.mark.parametrize("booking_id", ["booking_none", "x", "a" * 41])
def test_who_has_no_booking_has_no_page(desk: Client, booking_id: str) -> None:
    assert desk.get(f"/customers/{booking_id}").status_code == 404


def test_a_page_takes_the_same_statements_however_often_they_came(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    booking_id = booked(shop, clock, -1)
    counts = []
    for more in (1, 10):
        for number in range(more):
            booked(shop, clock, -10 * more - number)
            booked(shop, clock, 10 * more + number)
        counts.append(statements(shop, client, f"/customers/{booking_id}"))
    assert counts[0] == counts[1] <= 20


# --- from one page to another ---


def test_a_new_booking_for_them_knows_their_number_name_and_email(
    desk: Client, sqlite_shop: Database, clock: FrozenClock
) -> None:
    booking_id = booked(sqlite_shop, clock, -3, customer_email="ana@example.com")
    address = link(desk.get(f"/customers/{booking_id}").text, "New booking")
    assert address == f"/bookings/new?like={booking_id}"
    form = desk.get(address).text
    for name, value in (("phone", ANA), ("name", "Ana Silva"), ("email", "ana@example.com")):
        assert re.search(rf'name="{name}"\s+type="\w+"\s+value="{re.escape(value)}"', form), name
    assert desk.get("/bookings/new?like=booking_none").status_code == 404
    assert desk.get("/bookings/new?like=").status_code == 200


@pytest.mark.parametrize(
    ("past", "line"),
    [
        ((), "New customer"),
        (("cancelled",), "New customer"),
        (("completed",), "1 visit before"),
        (("completed", "confirmed", "no_show"), "2 visits before, 1 no-show"),
        (("no_show", "no_show"), "No visits yet, 2 no-shows"),
    ],
)
def test_a_bookings_page_says_how_often_its_customer_came_and_leads_to_them(
    client: Client, shop: Database, clock: FrozenClock, past: tuple[str, ...], line: str
) -> None:
    for number, status in enumerate(past):
        booked(shop, clock, -3 - number, status=status)
    booked(shop, clock, 5)  # is no visit yet
    booking_id = booked(shop, clock, 10)
    booked(shop, clock, -1, BEN)
    page = client.get(f"/bookings/{booking_id}").text
    assert f"Ana Silva Confirmed {line}" in text_of(page)
    assert link(page, "Ana Silva") == f"/customers/{booking_id}"


def test_a_booking_that_is_over_counts_only_what_was_before_it(
    desk: Client, sqlite_shop: Database, clock: FrozenClock
) -> None:
    first, second = booked(sqlite_shop, clock, -5), booked(sqlite_shop, clock, -3)
    assert "New customer" in desk.get(f"/bookings/{first}").text
    assert "1 visit before" in desk.get(f"/bookings/{second}").text
