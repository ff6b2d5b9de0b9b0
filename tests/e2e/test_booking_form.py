"""The form of a booking in a real browser: typed into, with and without JavaScript."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, Route, ViewportSize, expect

from tests.support.accessibility import serious_problems
from tests.support.dashboard import LONG_NAME, OWNER, Dashboard, assert_fits, problems_of
from tests.support.dashboard import PHONE as NARROW
from tests.support.processes import wait_until

SHOP: dict[str, str] = {}  # in UTC
PHONE = "+44 7700 900123"


@pytest.fixture
def problems(page: Page) -> list[str]:
    return problems_of(page)


def at(clock: str, days: int = 1) -> datetime:
    """That time by the shop's clock, tomorrow."""
    return datetime.fromisoformat(f"{datetime.now(UTC).date() + timedelta(days=days)}T{clock}Z")


def book(shop: Dashboard, clock: str, **fields: Any) -> dict[str, Any]:
    """A booking at that time tomorrow, with the first barber."""
    return shop.book(0, scheduledTime=at(clock).isoformat(), **fields)


def open_slot(page: Page, clock: str) -> None:
    """Go where the board's free place at that time tomorrow leads."""
    page.goto(f"/bookings/new?barber=barber_1&at={at(clock):%Y-%m-%dT%H:%M:%SZ}")


def bookings(shop: Dashboard) -> list[dict[str, Any]]:
    return list(shop.api.get("/api/bookings").json()["items"])


def chip(page: Page, clock: str) -> Any:
    return page.get_by_role("radio", name=clock, exact=True)


def test_a_free_place_on_the_board_becomes_a_booking(
    page: Page, shop: Dashboard, problems: list[str]
) -> None:
    open_slot(page, "10:00")
    page.get_by_label("Phone").fill(PHONE)
    page.get_by_label("Name").fill("Luis Ortega")
    page.get_by_label("Service").select_option("haircut")
    expect(chip(page, "10:00 AM")).to_be_checked()
    expect(page.locator("#reminders")).to_contain_text(re.compile(r"\d+ reminders?:"))
    expect(page.locator("#first-message")).to_contain_text("Hello Luis!")
    assert serious_problems(page) == []
    page.get_by_role("button", name="Book", exact=True).click()
    expect(page.get_by_role("heading", name="Luis Ortega")).to_be_visible()
    expect(page.locator("#toasts")).to_contain_text("Luis Ortega is booked.")
    [booking] = bookings(shop)
    assert datetime.fromisoformat(booking["scheduledTime"]) == at("10:00")
    assert problems == []


@pytest.mark.parametrize("size", [{"width": 1280, "height": 860}, NARROW], ids=["wide", "phone"])
def test_a_booking_is_made_by_the_keyboard_alone_when_before_who(
    page: Page, shop: Dashboard, problems: list[str], size: ViewportSize
) -> None:
    book(shop, "09:00")  # so that barber_1 has more to do
    page.set_viewport_size(size)
    page.goto("/bookings/new")
    began = time.monotonic()
    walked = [focused(page)]
    page.keyboard.type("Hair")
    page.keyboard.press("Tab")
    walked.append(focused(page))
    expect(page.get_by_label("Barber")).to_have_value("any")
    tomorrow = f"day-{at('10:00').date()}"
    for expected in ("several", "day-"):
        page.keyboard.press("Tab")
        assert focused(page).startswith(expected)
    while focused(page) != tomorrow:  # after closing time it is chosen already
        page.keyboard.press("ArrowRight")
    expect(page.locator(f"#free-{at('10:00').date()}")).to_have_text(re.compile(r"\d+ free"))
    expect(chip(page, "9:00 AM")).to_be_visible()
    page.keyboard.press("Tab")
    walked.append(focused(page))
    page.keyboard.press("Space")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    expect(page.locator("#would")).to_contain_text("That would be Alex")
    expect(chip(page, "9:45 AM")).to_be_checked()
    for typed in (PHONE, "Luis"):
        page.keyboard.press("Tab")
        walked.append(focused(page))
        page.keyboard.type(typed)
    assert_fits(page)
    page.keyboard.press("Enter")
    expect(page.locator("#toasts")).to_contain_text("Luis is booked.")
    print(f"booked by the keyboard in {time.monotonic() - began:.1f} s")
    assert walked == ["service", "barber", "time-0900", "phone", "name"]
    [made] = [each for each in bookings(shop) if each["customerName"] == "Luis"]
    assert (made["barberId"], made["scheduledTime"][11:16]) == ("barber_2", "09:45")
    assert problems == []


def test_several_services_are_one_visit_whose_times_and_prices_add_up(
    page: Page, shop: Dashboard, problems: list[str]
) -> None:
    page.set_viewport_size(NARROW)
    open_slot(page, "10:00")
    page.get_by_label("Service").select_option("haircut")
    page.get_by_text("And something else in the same visit").click()
    page.get_by_role("checkbox", name="Beard trim").check()
    expect(page.locator(".sum-total")).to_contain_text("50 min")
    assert_fits(page)
    assert serious_problems(page) == []
    page.get_by_label("Phone").fill(PHONE)
    page.get_by_label("Name").fill("Luis Ortega")
    expect(page.locator("#first-message")).to_contain_text("Service: Haircut and Beard trim")
    page.get_by_role("button", name="Book", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Haircut and Beard trim")
    [made] = bookings(shop)
    assert made["serviceIds"] == ["haircut", "beard-trim"]
    assert made["endsAt"][11:16] == "10:50"
    assert problems == []


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.id"))


def test_typing_keeps_its_focus_and_its_letters_while_what_follows_is_swapped(
    page: Page, shop: Dashboard, problems: list[str]
) -> None:
    open_slot(page, "10:00")

    name = page.get_by_label("Name")
    page.get_by_label("Service").select_option("haircut")
    expect(page.locator("#reminders")).to_contain_text("reminder")
    held: list[Route] = []

    def hold_the_first(route: Route) -> None:
        held.append(route)
        if len(held) > 1:
            route.continue_()

    page.route("**/bookings/preview**", hold_the_first)
    name.focus()
    with page.expect_request("**/bookings/preview**"):
        page.keyboard.type("Lu")
    page.keyboard.type("is O")
    with page.expect_response("**/bookings/preview**"):
        held[0].continue_()
    page.keyboard.type("rtega")
    expect(page.locator("#first-message")).to_contain_text("Hello Luis!")
    expect(name).to_be_focused()
    expect(name).to_have_value("Luis Ortega")
    expect(chip(page, "10:00 AM")).to_be_checked()
    assert problems == []


def hold_a_preview(page: Page) -> list[Route]:
    """The next preview that is asked for is held, and is in the list then."""
    held: list[Route] = []
    page.route("**/bookings/preview**", lambda route: held.append(route), times=1)
    return held


def test_a_time_that_is_about_to_be_typed_stays_in_sight_when_free_times_come(
    page: Page, shop: Dashboard
) -> None:
    open_slot(page, "10:00")
    held = hold_a_preview(page)
    with page.expect_request("**/bookings/preview**"):
        page.get_by_label("Service").select_option("haircut")
    page.get_by_role("radio", name="Another time").click()
    expect(page.locator("#other_time")).to_be_focused()
    with answered(page):
        held[0].continue_()
    expect(page.get_by_role("radio", name="Another time")).to_be_checked()
    expect(page.locator("#other_time")).to_be_focused()
    page.locator("#other_time").fill("10:10")
    expect(page.locator("#first-message")).to_contain_text("at 10:10 AM")
    expect(chip(page, "10:00 AM")).to_be_visible()


def test_a_late_answer_takes_no_tick_away_that_was_set_meanwhile(
    page: Page, shop: Dashboard
) -> None:
    book(shop, "10:00")
    page.clock.install()
    open_slot(page, "10:05")
    page.get_by_label("Service").select_option("haircut")
    tick = page.get_by_label("Book anyway")
    expect(tick).to_be_visible()
    held = hold_a_preview(page)
    with page.expect_request("**/bookings/preview**"):
        page.locator("#other_time").fill("12:05")
    page.clock.pause_at(datetime.now(UTC) + timedelta(seconds=30))  # before the next is asked for
    page.locator("#other_time").fill("10:05")
    tick.check()
    with answered(page):
        held[0].continue_()
    page.clock.resume()
    page.get_by_label("Name").fill("Ana Silva")
    expect(page.locator("#first-message")).to_contain_text("Hello Ana!")
    expect(tick).to_be_checked()


def test_the_arrow_keys_walk_the_free_times_and_stay_there_while_they_are_swapped(
    page: Page, shop: Dashboard
) -> None:
    open_slot(page, "10:00")
    page.get_by_label("Service").select_option("haircut")
    chip(page, "10:00 AM").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#first-message")).to_contain_text("at 10:15 AM")
    expect(chip(page, "10:15 AM")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#first-message")).to_contain_text("at 10:30 AM")
    expect(chip(page, "10:30 AM")).to_be_checked()
    page.locator("#chips input").last.focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name="Another time")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("#other_time")).to_be_focused()


def test_a_known_customer_is_filled_in_and_nothing_that_was_typed_is_overwritten(
    page: Page, shop: Dashboard
) -> None:
    book(shop, "09:00", customerName="Kim Known", customerPhone=PHONE, customerEmail="k@a.example")
    book(shop, "09:30", customerName="Pat Other", customerPhone="+447700900456")
    page.goto("/bookings/new")
    phone, name, email = (page.get_by_label(label) for label in ("Phone", "Name", "Email"))
    phone.fill(PHONE)
    expect(page.locator("#known")).to_contain_text("Has been here before: Kim Known")
    expect(name).to_have_value("Kim Known")
    expect(email).to_have_value("k@a.example")
    phone.fill("+44 7700 900456")
    expect(name).to_have_value("Pat Other")
    expect(email).to_have_value("")
    name.fill("Her sister")
    phone.fill(PHONE)
    expect(page.locator("#known")).to_contain_text("Kim Known")
    expect(email).to_have_value("k@a.example")
    expect(name).to_have_value("Her sister")


def test_a_known_name_fills_the_field_that_one_went_to_but_not_one_that_was_typed_in(
    page: Page, shop: Dashboard
) -> None:
    book(shop, "09:00", customerName="Kim Known", customerPhone=PHONE)
    for typed, kept in (("", "Kim Known"), ("x", "")):
        page.goto("/bookings/new")
        name = page.get_by_label("Name")
        with page.expect_response("**/bookings/preview**") as answer:
            page.get_by_label("Phone").press_sequentially(PHONE)
            name.focus()
            page.keyboard.type(typed)
            if typed:
                page.keyboard.press("Backspace")
        assert answer.value.ok
        expect(page.locator("#known")).to_contain_text("Has been here before: Kim Known")
        expect(name).to_be_focused()
        expect(name).to_have_value(kept)


def test_a_conflict_is_shown_while_typing_and_booked_only_when_ticked(
    page: Page, shop: Dashboard, problems: list[str]
) -> None:
    book(shop, "10:00")
    open_slot(page, "09:45")
    page.get_by_label("Phone").fill(PHONE)
    page.get_by_label("Name").fill("Ana Silva")
    page.get_by_label("Service").select_option("haircut")
    conflict = page.locator("#outcome")
    expect(conflict).to_contain_text("Sam has Luis Ortega 10:00 AM–10:30 AM.")
    expect(page.get_by_role("radio", name="Another time")).to_be_checked()
    expect(page.locator("#other_time")).to_have_value("09:45")
    assert serious_problems(page) == []
    page.get_by_role("button", name="Book", exact=True).click()
    tick = page.get_by_label("Book anyway")
    expect(tick).to_be_focused()  # the browser asks for it
    assert len(bookings(shop)) == 1
    tick.check()
    page.locator("#other_time").fill("10:10")
    expect(page.locator("#first-message")).to_contain_text("at 10:10 AM")
    expect(tick).to_be_checked()
    page.get_by_role("button", name="Book", exact=True).click()
    expect(page.get_by_role("heading", name="Ana Silva")).to_be_visible()
    assert len(bookings(shop)) == 2
    assert problems == []


def test_a_tick_is_gone_when_another_booking_is_in_the_way(page: Page, shop: Dashboard) -> None:
    book(shop, "10:00")
    book(shop, "12:00", customerName="Ana Silva")
    open_slot(page, "10:05")
    page.get_by_label("Service").select_option("haircut")
    page.get_by_label("Book anyway").check()
    page.locator("#other_time").fill("12:05")
    expect(page.locator("#outcome")).to_contain_text("Sam has Ana Silva")
    expect(page.get_by_label("Book anyway")).not_to_be_checked()


def test_many_reminders_need_a_tick(page: Page, shop: Dashboard) -> None:
    open_slot(page, "10:00")
    page.get_by_label("Phone").fill(PHONE)
    page.get_by_label("Name").fill("Ana Silva")
    page.get_by_label("Service").select_option("haircut")
    page.locator("#day-other").check()
    page.locator("#other_day").fill(str(at("10:00", days=30).date()))
    sure = page.get_by_label(re.compile(r"Yes, really: 3\d\d reminders"))
    expect(sure).to_be_visible()
    page.get_by_role("button", name="Book", exact=True).click()
    expect(sure).to_be_focused()
    assert bookings(shop) == []
    sure.check()
    page.get_by_role("button", name="Book", exact=True).click()
    expect(page.get_by_role("heading", name="Ana Silva")).to_be_visible()


def test_two_clicks_make_one_booking(page: Page, shop: Dashboard) -> None:
    open_slot(page, "10:00")
    page.get_by_label("Phone").fill(PHONE)
    page.get_by_label("Name").fill("Ana Silva")
    page.get_by_label("Service").select_option("haircut")
    posts: list[str] = []
    page.on(
        "request",
        lambda request: request.url.endswith("/bookings") and posts.append(request.method),
    )
    page.get_by_role("button", name="Book", exact=True).dblclick()
    expect(page.get_by_role("heading", name="Ana Silva")).to_be_visible()
    assert posts == ["POST"]
    assert len(bookings(shop)) == 1
    page.go_back()
    expect(page.get_by_role("button", name="Book", exact=True)).to_be_enabled()


def test_the_change_form_tells_what_becomes_of_the_reminders(
    page: Page, shop: Dashboard, problems: list[str]
) -> None:
    booking = book(shop, "12:00", customerName=LONG_NAME)
    page.goto(f"/bookings/{booking['id']}")
    page.get_by_role("link", name="Change").click()
    expect(page.get_by_label("Name")).to_have_value(LONG_NAME)
    expect(page.locator("#outcome")).to_contain_text("Nothing is changed yet.")
    expect(chip(page, "12:00 PM")).to_be_checked()
    page.locator("label.chip", has_text=re.compile(r"^\s*10:00 AM")).click()
    expect(page.locator("#outcome")).to_contain_text(
        re.compile(r"\d+ planned reminders? (is|are) replaced by \d+:")
    )
    expect(page.locator("#outcome")).not_to_contain_text("Nothing is changed yet.")
    assert serious_problems(page) == []
    page.get_by_role("button", name="Save changes").click()
    expect(page.locator("#toasts")).to_contain_text("The booking is changed.")
    [changed] = bookings(shop)
    assert datetime.fromisoformat(changed["scheduledTime"]) == at("10:00")
    assert problems == []


def test_everything_works_without_javascript(new_context: Any, shop: Dashboard) -> None:
    page = new_context(java_script_enabled=False).new_page()
    book(shop, "10:00", customerPhone=PHONE, customerName="Kim Known")
    open_slot(page, "10:00")
    page.get_by_label("Phone").fill(PHONE)
    page.get_by_label("Service").select_option("beard-trim")
    page.locator("button[name=look]").click()
    expect(page.get_by_label("Name")).to_have_value("Kim Known")
    expect(page.locator("#outcome")).to_contain_text("Sam has Kim Known")
    page.locator("label.chip", has_text=re.compile(r"^\s*2:30 PM")).click()
    page.get_by_label("Phone").fill("12")
    page.get_by_role("button", name="Book", exact=True).click()
    phone = page.get_by_label("Phone")
    expect(phone).to_be_focused()
    expect(phone).to_have_accessible_description(re.compile("This needs its country code"))
    phone.fill(PHONE)
    page.get_by_role("button", name="Book", exact=True).click()
    expect(page.get_by_role("heading", name="Kim Known")).to_be_visible()
    expect(page.locator("#toasts")).to_contain_text("Kim Known is booked.")
    page.get_by_role("link", name="Change").click()
    page.get_by_label("Name").fill("Kim K.")
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_role("heading", name="Kim K.")).to_be_visible()


def test_on_a_phone_nothing_is_cut_off_and_axe_finds_nothing(
    page: Page, shop: Dashboard, problems: list[str]
) -> None:
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size(NARROW)
    book(shop, "10:00", customerName=LONG_NAME)
    open_slot(page, "10:15")
    page.get_by_label("Service").select_option("haircut")
    expect(page.locator("#outcome")).to_contain_text(LONG_NAME)
    assert_fits(page)
    assert serious_problems(page) == []
    assert problems == []
    page.evaluate("document.getElementById('booking-form').noValidate = true")
    page.get_by_role("button", name="Book", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("2 things are not right")
    expect(page.get_by_label("Phone")).to_be_focused()
    assert_fits(page)
    assert serious_problems(page) == []
    page.get_by_role("link", name="Name").click()
    expect(page).to_have_url(re.compile("#name$"))


def test_who_is_logged_out_keeps_what_was_typed_and_sends_it_after_a_login_in_a_new_window(
    page: Page, shop: Dashboard
) -> None:
    open_slot(page, "10:00")
    page.get_by_label("Phone").fill(PHONE)
    page.get_by_label("Name").fill("Luis Ortega")
    page.get_by_label("Service").select_option("haircut")
    expect(page.locator("#reminders")).to_contain_text(re.compile(r"\d+ reminders?:"))
    page.context.clear_cookies()
    save = page.get_by_role("button", name="Book", exact=True)
    save.click()
    expect(page.locator("#toasts")).to_contain_text("You are logged out.")
    with page.expect_response(lambda answer: answer.status == 401):  # its preview is told so too
        page.get_by_label("Name").fill("Luis Ortega Diaz")
    link = page.get_by_role("link", name="Log in in a new window")
    expect(link).to_have_count(1)
    assert serious_problems(page) == []
    with answered(page, 401), page.context.expect_page() as opened:
        link.click()  # leaves the field that was typed in, whose change asks for a preview
    expect(page.locator(".toast")).to_have_count(0)  # it would cover the button
    log_in(opened.value)
    expect(opened.value.get_by_role("heading", name="New booking")).to_be_visible()
    save.click()
    expect(page.locator("#toasts")).to_contain_text("Luis Ortega Diaz is booked.")
    assert len(bookings(shop)) == 1


def test_the_toast_to_log_in_stays_away_once_dismissed_until_something_is_sent(
    page: Page, shop: Dashboard
) -> None:
    open_slot(page, "10:00")
    page.context.clear_cookies()
    name = page.get_by_label("Name")
    with answered(page, 401):
        name.fill("Luis Ortega")
    page.get_by_role("button", name="Dismiss").click()
    with answered(page, 401):
        name.fill("Luis Ortega Diaz")
    expect(page.locator(".toast")).to_have_count(0)
    page.get_by_label("Phone").fill(PHONE)
    page.get_by_label("Service").select_option("haircut")
    page.get_by_role("button", name="Book", exact=True).click()
    expect(page.locator("#toasts")).to_contain_text("You are logged out.")


@contextmanager
def answered(page: Page, status: int = 200) -> Iterator[None]:
    """Until the page has got, and dealt with, the next answer with that status."""
    page.evaluate(
        """(status) => { window.isAnswered = false;
        document.addEventListener("htmx:finally:request", ({ detail }) => {
            window.isAnswered ||= detail.ctx.response?.raw?.status === status;
        }); }""",
        status,
    )
    yield
    wait_until(lambda: page.evaluate("window.isAnswered"), what="an answer")


def log_in(page: Page) -> None:
    page.get_by_label("Email").fill(OWNER["CHAIRTIME_OWNER_EMAIL"])
    page.get_by_label("Password", exact=True).fill(OWNER["CHAIRTIME_OWNER_PASSWORD"])
    page.get_by_role("button", name="Log in").click()


@pytest.mark.parametrize("is_released_there", [True, False])
def test_a_preview_that_comes_while_save_is_pressed_does_not_move_it(
    page: Page, shop: Dashboard, problems: list[str], is_released_there: bool
) -> None:
    booking = book(shop, "10:00", customerName="Luis Ortega")
    page.goto(f"/bookings/{booking['id']}/edit")
    page.get_by_role("button", name="Save changes").hover()
    with page.expect_response("**/bookings/preview") as preview:
        chip(page, "11:00 AM").dispatch_event("click")
        page.mouse.down()
    preview.value.finished()
    page.evaluate(_NEXT_FRAME)
    expect(page.locator("#outcome")).not_to_contain_text("replaced")
    if not is_released_there:
        page.mouse.move(5, 5)
    page.mouse.up()
    if is_released_there:
        expect(page.locator("#toasts")).to_contain_text("The booking is changed.")
    else:
        expect(page.locator("#outcome")).to_contain_text("replaced")
    assert problems == []


_NEXT_FRAME = "new Promise((done) => requestAnimationFrame(() => setTimeout(done)))"


def test_the_second_of_two_tabs_is_told_what_the_first_saved_and_keeps_what_was_typed(
    page: Page, shop: Dashboard, problems: list[str]
) -> None:
    booking = book(shop, "10:00", customerName="Luis Ortega")
    address = f"/bookings/{booking['id']}/edit"
    page.goto(address)
    other = page.context.new_page()
    other.goto(address)
    page.get_by_label("Name").fill("Luis A. Ortega")
    for clock, was in (("11:00 AM", "10:00 AM"), ("11:30 AM", "11:00 AM")):
        chip(other, clock).check()
        expect(other.locator("#outcome")).to_contain_text("replaced")  # which moves the button
        other.get_by_role("button", name="Save changes").click()
        expect(other.locator("#toasts")).to_contain_text("The booking is changed.")
        other.goto(address)
        with page.expect_response(f"**/bookings/{booking['id']}") as answer:
            page.get_by_role("button", name="Save changes").click()
        assert answer.value.status == 409
        told = page.get_by_role("alert").filter(has_text="Somebody else has changed this booking")
        expect(told).to_contain_text(f"Time: was tomorrow {was}, is now tomorrow {clock}.")
        expect(page.get_by_label("Name")).to_have_value("Luis A. Ortega")
        expect(chip(page, clock)).to_be_checked()
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_role("heading", name="Luis A. Ortega")).to_be_visible()
    [kept] = bookings(shop)
    assert datetime.fromisoformat(kept["scheduledTime"]) == at("11:30")
    assert [each for each in problems if "409" not in each] == []
