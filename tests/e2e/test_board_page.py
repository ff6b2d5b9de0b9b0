"""Today's board in a real browser: moving by drag, by keyboard and by finger; live; on a phone."""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.accessibility import serious_problems
from tests.support.dashboard import PHONE, Dashboard, assert_fits, live, problems_of, show_board
from tests.support.processes import wait_until

# A zone in which it is noon, so that the day and its opening hours are around us.
_AHEAD = 12 - datetime.now(UTC).hour
ZONE = f"Etc/GMT{-_AHEAD:+d}" if _AHEAD else "Etc/GMT"
LOCAL = timezone(timedelta(hours=_AHEAD))

SHOP = {"SHOP_TIMEZONE": ZONE}


def at(clock: str, days: int = 1) -> datetime:
    """That time by the shop's clock, tomorrow."""
    day = datetime.now(LOCAL).date() + timedelta(days=days)
    return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=LOCAL)


def book(shop: Dashboard, clock: str, days: int = 1, **fields: Any) -> dict[str, Any]:
    """A booking at that time by the shop's clock, tomorrow, with the first barber."""
    return shop.book(0, scheduledTime=at(clock, days).isoformat(), **fields)


def open_board(page: Page, days: int = 1, query: str = "") -> None:
    """Look at that day, until it is live and stays where it is."""
    page.goto(f"/today?date={at('12:00', days).date()}{query}")
    live(page)
    expect(page.get_by_text("No worker is running")).to_have_count(0)  # it would push the board


def phone_with_board(new_context: Any, **more: Any) -> Page:
    """A phone on which the board was chosen instead of the list."""
    page: Page = new_context(viewport=PHONE, **more).new_page()
    page.goto("/today")
    show_board(page)
    return page


def block(page: Page, booking: dict[str, Any]) -> Locator:
    return page.locator(f"#block-{booking['id']}")


def place(shop: Dashboard, booking: dict[str, Any]) -> tuple[str, str]:
    """The time by the shop's clock and the barber, as the API tells."""
    booked = shop.api.get(f"/api/bookings/{booking['id']}").json()
    local = datetime.fromisoformat(booked["scheduledTime"]).astimezone(LOCAL)
    return f"{local:%H:%M}", booked["barberId"]


def drag(page: Page, what: Locator, minutes: int = 0, columns: int = 0) -> None:
    """Drag by the mouse, a quarter of an hour at a time, and let go."""
    lift(page, what, minutes, columns)
    page.mouse.up()


def lift(page: Page, what: Locator, minutes: int = 0, columns: int = 0) -> None:
    what.scroll_into_view_if_needed()
    box, column = what.bounding_box(), page.locator(".board-column").first.bounding_box()
    assert box
    assert column
    x, y = box["x"] + 30, box["y"] + 8
    row = page.evaluate(
        "parseFloat(getComputedStyle(document.querySelector('.board-rows')).gridAutoRows)"
    )
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + columns * column["width"], y + minutes / 5 * row, steps=8)


def dialog(page: Page) -> Locator:
    return page.get_by_role("dialog")


def keep(page: Page, button: str = "Move booking") -> None:
    dialog(page).get_by_role("button", name=button).click()
    expect(dialog(page)).to_be_hidden()


def test_a_drag_shows_what_it_changes_before_it_is_kept_and_can_be_undone(
    page: Page, shop: Dashboard
) -> None:
    booking = book(shop, "10:00", customerName="Luis Ortega")
    open_board(page)
    problems = problems_of(page)
    drag(page, block(page, booking), minutes=90, columns=1)
    expect(dialog(page)).to_contain_text("Move Luis Ortega?")
    expect(dialog(page)).to_contain_text(
        re.compile(r"From.*10:00.*Sam.*To.*11:30.*Alex", re.DOTALL)
    )
    expect(dialog(page)).to_contain_text(
        re.compile(r"\d+ planned reminders are replaced by\s+\d+:")
    )
    assert place(shop, booking) == ("10:00", "barber_1")
    dialog(page).get_by_label("Tell Luis Ortega the new time now").check()
    keep(page)
    expect(page.locator("#column-barber_2").locator(".block")).to_contain_text("11:30")
    [message] = shop.twilio.wait_for(1, to=booking["customerPhone"])
    assert "11:30" in message.body
    expect(page.locator(".is-ghost")).to_have_count(0)
    assert place(shop, booking) == ("11:30", "barber_2")
    assert "cancelled" in shop.states(booking)
    page.locator("#toasts").get_by_role("button", name="Undo").click()
    expect(page.locator("#column-barber_1").locator(".block")).to_contain_text("10:00")
    assert place(shop, booking) == ("10:00", "barber_1")
    assert problems == []


def test_two_presses_of_a_key_put_who_walks_in_into_a_chair_and_one_takes_it_back(
    page: Page, shop: Dashboard
) -> None:
    problems = problems_of(page)
    page.goto("/today")
    page.get_by_role("link", name="Walk-in").press("Enter")
    page.wait_for_url("**/bookings/walk-in")
    expect(page.get_by_role("radio", name=re.compile("Haircut"))).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/today")
    expect(page.locator("#toasts")).to_contain_text("Walk-in with ")
    expect(page.locator(".block")).to_contain_text("Walk-in")
    page.locator("#toasts").get_by_role("button", name="Undo").click()
    expect(page.locator(".booking-who")).to_contain_text("Cancelled")
    assert problems == []


def test_the_menu_of_a_block_says_that_they_paid_by_keyboard_and_takes_it_back(
    page: Page, shop: Dashboard
) -> None:
    problems = problems_of(page)
    page.goto("/bookings/walk-in")
    page.get_by_role("button", name="Start now").press("Enter")
    page.wait_for_url("**/today")
    walked_in = page.locator(".block")
    for action, then in (("Paid", "Paid · "), ("Undo", "Came?")):
        walked_in.locator("summary").press("Enter")
        walked_in.get_by_role("button", name=action).press("Enter")
        expect(walked_in).to_contain_text(then)
    walked_in.locator("summary").press("Enter")
    assert serious_problems(page) == []
    assert problems == []


def test_a_drag_that_is_not_kept_changes_nothing_and_a_click_opens_the_booking(
    page: Page, shop: Dashboard
) -> None:
    booking = book(shop, "10:00")
    open_board(page)
    problems = problems_of(page)
    drag(page, block(page, booking), minutes=60)
    dialog(page).get_by_role("link", name="Cancel").click()
    expect(dialog(page)).to_be_hidden()
    drag(page, block(page, booking), minutes=30)
    expect(dialog(page)).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog(page)).to_be_hidden()
    lift(page, block(page, booking), minutes=30)
    page.keyboard.press("Escape")
    page.mouse.up()
    expect(page.locator(".is-ghost, .is-source")).to_have_count(0)
    assert place(shop, booking) == ("10:00", "barber_1")
    assert "/today" in page.url  # and no click has opened the booking
    assert problems == []
    block(page, booking).click(position={"x": 30, "y": 10})
    page.wait_for_url(f"**/bookings/{booking['id']}")


def test_a_taken_time_is_named_and_may_be_kept_all_the_same(page: Page, shop: Dashboard) -> None:
    booking = book(shop, "10:00")
    book(shop, "11:00", customerName="Ada Lovelace", barberId="barber_2")
    open_board(page)
    drag(page, block(page, booking), minutes=60, columns=1)
    expect(dialog(page).get_by_role("alert")).to_contain_text("Alex is taken then: Ada Lovelace")
    keep(page, "Move anyway")
    both = page.locator("#column-barber_2 article")
    expect(both).to_have_count(2)
    boxes = [both.nth(turn).bounding_box() for turn in range(2)]
    assert boxes[0]
    assert boxes[1]
    left, right = sorted(box["x"] for box in boxes if box)
    assert right - left >= boxes[0]["width"]


def test_of_two_who_drag_one_booking_the_second_sees_why_not(page: Page, shop: Dashboard) -> None:
    booking = book(shop, "10:00")
    open_board(page)
    lift(page, block(page, booking), minutes=60)
    to = {"scheduledTime": at("15:00").isoformat(), "barberId": "barber_3"}
    assert shop.api.patch(f"/api/bookings/{booking['id']}", json=to).status_code == 200
    page.mouse.up()
    expect(dialog(page)).to_contain_text("Somebody else has moved this booking meanwhile.")
    expect(dialog(page)).to_contain_text(re.compile(r"3:00.PM, with Robin"))
    dialog(page).get_by_role("link", name="Close").click()
    expect(page.locator("#column-barber_3 .block")).to_contain_text("3:00")
    assert place(shop, booking) == ("15:00", "barber_3")


def test_the_keyboard_moves_a_booking_and_keeps_its_place_on_the_page(
    page: Page, shop: Dashboard
) -> None:
    booking = book(shop, "10:00", customerName="Luis Ortega")
    open_board(page)
    problems = problems_of(page)
    link = block(page, booking).locator(".block-open")
    said = page.locator("#board-status")
    link.focus()
    page.keyboard.press("m")
    expect(said).to_contain_text("Moving Luis Ortega. 10:00")
    expect(said).to_contain_text("Enter: move here. Escape: leave it.")
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "ArrowRight", "ArrowLeft", "ArrowUp"):
        page.keyboard.press(key)
    expect(said).to_have_text(re.compile(r"^10:15.AM, Alex$"))
    page.keyboard.press("Escape")
    expect(said).to_contain_text("Luis Ortega stays at 10:00")
    expect(link).to_be_focused()
    page.keyboard.press("m")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(dialog(page).get_by_role("button", name="Move booking")).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog(page)).to_be_hidden()
    expect(page.locator("#column-barber_2 .block")).to_contain_text("10:15")
    expect(link).to_be_focused()
    assert place(shop, booking) == ("10:15", "barber_2")
    assert problems == []


def test_the_move_button_of_a_block_offers_buttons_for_the_arrow_keys(
    page: Page, shop: Dashboard
) -> None:
    booking = book(shop, "10:00")
    open_board(page)
    block(page, booking).locator(".block-open").focus()
    page.keyboard.press("Tab")
    expect(block(page, booking).get_by_role("link", name="Move")).to_be_focused()
    page.keyboard.press("Enter")
    bar = page.get_by_role("group", name="Move the booking")
    for name in ("15 minutes later", "15 minutes later", "The next barber", "15 minutes earlier"):
        bar.get_by_role("button", name=name).click()
    expect(bar).to_contain_text(re.compile(r"Luis Ortega: 10:15.AM, Alex"))
    bar.get_by_role("button", name="Move here").click()
    keep(page)
    assert place(shop, booking) == ("10:15", "barber_2")


def test_an_empty_time_leads_to_a_new_booking_for_it(page: Page, shop: Dashboard) -> None:
    open_board(page)
    slot = page.get_by_role("link", name=re.compile(r"Book Alex at 2:30"))
    wanted = f"{at('14:30').astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    assert slot.get_attribute("href") == f"/bookings/new?barber=barber_2&at={wanted}"
    page.get_by_role("link", name=re.compile("Book Sam at 9:00")).focus()
    for _ in range(11):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    expect(slot).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/bookings/new?*")


def test_what_happens_elsewhere_appears_and_the_focus_stays(page: Page, shop: Dashboard) -> None:
    booking = book(shop, "10:00")
    open_board(page)
    link = block(page, booking).locator(".block-open")
    link.focus()
    book(shop, "09:00", customerName="Ada Lovelace")
    expect(page.locator(".board")).to_contain_text("Ada Lovelace")
    expect(page.locator("#day-counts")).to_contain_text("2 bookings")
    expect(link).to_be_focused()


def test_the_present_is_a_line_that_moves_on_by_itself(page: Page, shop: Dashboard) -> None:
    page.clock.install()
    open_board(page, days=0)
    expect(page.locator(".board-column .now")).to_have_count(3)
    line, top = (
        page.locator(".now").first.bounding_box(),
        page.locator(".board-rows").first.bounding_box(),
    )
    assert line
    assert top
    minutes = (datetime.now(LOCAL) - at("09:00", days=0)).total_seconds() / 60
    assert line["y"] - top["y"] == pytest.approx(minutes / 5 * 8, abs=9)
    with page.expect_request(lambda request: "/today" in request.url):
        page.clock.fast_forward(60_000)
    tomorrow = at("12:00").date()
    page.goto(f"/today?date={tomorrow}")
    expect(page.locator(".now")).to_have_count(0)


@pytest.fixture
def long_day(shop: Dashboard) -> Dashboard:
    """The shop is open all day: the present is in the midst of a board that is scrolled."""
    shop.open("00:00", "23:55")
    return shop


@pytest.fixture
def ten_barbers(shop: Dashboard) -> Dashboard:
    """Seven more of them, with long names."""
    more = ", ".join(
        f"('barber_{turn}', '{turn} Maximiliane Obermüller-Weißenborn de la Vega', {turn}, 1)"
        for turn in range(4, 11)
    )
    shop.sql(f"INSERT INTO barber (id, name, position, active) VALUES {more}")
    return shop


def top_of(what: Locator) -> float:
    box = what.bounding_box()
    assert box
    return box["y"]


def scrolled(page: Page) -> list[float]:
    """How far down the board is scrolled, and the page."""
    position: list[float] = page.evaluate("[document.querySelector('.board').scrollTop, scrollY]")
    return position


def test_today_opens_at_the_present_and_only_who_looks_at_it_scrolls_it(
    page: Page, long_day: Dashboard
) -> None:
    open_board(page, days=0)
    board, line = page.locator(".board"), page.locator("#now")
    box = board.bounding_box()
    assert box
    in_board = (top_of(line) - box["y"] - 46) / (box["height"] - 46)  # below the names
    assert in_board == pytest.approx(1 / 3, abs=0.05)
    assert scrolled(page)[1] == 0
    assert box["y"] + box["height"] <= 720  # the window's
    board.evaluate("each => each.scrollTo(0, 96)")
    book(long_day, "22:00", days=0, customerName="Ada Lovelace")
    expect(board).to_contain_text("Ada Lovelace")
    wait_until(lambda: scrolled(page) == [96, 0], what="a board that stays where it was")
    page.reload()
    wait_until(lambda: scrolled(page) == [96, 0], what="a board that is where it was")
    page.get_by_role("navigation", name="Day").get_by_role("link", name="Today").click()
    expect(line).to_be_in_viewport()
    open_board(page)
    assert scrolled(page) == [0, 0]


def test_on_a_phone_the_page_is_scrolled_to_the_present(
    new_context: Any, long_day: Dashboard
) -> None:
    page = phone_with_board(new_context)
    open_board(page)  # there is no banner any more
    open_board(page, days=0)
    assert top_of(page.locator("#now")) == pytest.approx(PHONE["height"] / 4, abs=60)
    assert scrolled(page)[0] == 0
    open_board(page)
    assert scrolled(page) == [0, 0]


def test_on_a_phone_the_page_stays_at_its_top_while_sending_has_stopped(
    new_context: Any, long_day: Dashboard
) -> None:
    page = phone_with_board(new_context)
    long_day.sql("UPDATE sending SET paused_at = '2026-01-01 00:00:00', paused_by = 'Maya'")
    open_board(page, days=0)
    expect(page.locator("#banner .banner")).to_be_in_viewport()
    assert scrolled(page)[1] == 0


def test_a_banner_that_comes_while_a_phone_is_scrolled_down_is_seen_and_moves_nothing(
    new_context: Any, long_day: Dashboard
) -> None:
    page = phone_with_board(new_context)
    open_board(page)
    late = page.locator(".slot").last
    late.scroll_into_view_if_needed()
    was = top_of(late)
    long_day.sql("UPDATE sending SET paused_at = '2026-01-01 00:00:00', paused_by = 'Maya'")
    banner, name = page.locator("#banner"), page.locator("#barber-barber_1")
    expect(banner).to_contain_text("Sending is paused")
    expect(banner).to_be_in_viewport(ratio=1)
    expect(name).to_be_in_viewport(ratio=1)
    below = "([banner, name]) => name.getBoundingClientRect().top >= banner.offsetHeight - 1"
    wait_until(lambda: page.evaluate(below, [banner.element_handle(), name.element_handle()]))
    wait_until(lambda: top_of(late) == pytest.approx(was, abs=2), what="a page that stays")


@pytest.mark.parametrize("names", [["Ana Silva", "Luis Ortega"], ["Bob", "Maria", "Leo"]])
def test_bookings_side_by_side_on_a_phone_have_whole_names(
    new_context: Any, shop: Dashboard, names: list[str]
) -> None:
    for name in names:
        book(shop, "10:00", customerName=name, allowOverlap=True)
    page = phone_with_board(new_context)
    open_board(page)
    cut = "each => each.scrollWidth > each.clientWidth || each.scrollHeight > each.clientHeight"
    for name in names:
        shown = page.locator(".block-name", has_text=name)
        assert not shown.evaluate(cut)
        box = shown.bounding_box()
        assert box
        assert min(box["width"], box["height"]) >= 12
    assert serious_problems(page) == []


def test_without_javascript_the_link_to_today_leads_to_the_present(
    new_context: Any, long_day: Dashboard
) -> None:
    page = new_context(java_script_enabled=False).new_page()
    page.goto(f"/today?date={at('12:00').date()}")
    page.get_by_role("navigation", name="Day").get_by_role("link", name="Today").click()
    expect(page.locator("#now")).to_be_in_viewport()
    expect(page.locator("h1")).to_be_in_viewport()


def test_a_booking_is_dropped_where_it_is_seen_on_a_board_that_scrolls_meanwhile(
    page: Page, shop: Dashboard
) -> None:
    booking = book(shop, "10:00")
    open_board(page)
    lift(page, block(page, booking), minutes=30)
    box = page.locator(".board").bounding_box()
    assert box
    page.mouse.move(box["x"] + 100, box["y"] + box["height"] - 10)
    page.evaluate(_AT_REST)  # at the end of the board
    evening = page.locator("[id^=slot-barber_2-][id$='-108']").bounding_box()  # 18:00
    assert evening
    page.mouse.move(evening["x"] + 20, evening["y"] + 8, steps=4)
    page.mouse.up()
    keep(page)
    assert place(shop, booking) == ("18:00", "barber_2")
    assert scrolled(page)[0] > 100
    expect(page.locator(".is-ghost")).to_have_count(0)  # the new board is there
    link = block(page, booking).locator(".block-open")
    link.focus()
    page.keyboard.press("m")
    for _ in range(30):
        page.keyboard.press("ArrowUp")
    expect(page.locator(".is-ghost")).to_be_in_viewport(ratio=1)
    expect(page.locator("#board-status")).to_have_text(re.compile(r"^10:30.AM, Alex$"))


@pytest.mark.parametrize("width", [1280, 390])
def test_the_board_of_many_barbers_scrolls_sideways_below_their_names_and_beside_the_hours(
    new_context: Any, ten_barbers: Dashboard, width: int
) -> None:
    is_phone = width == PHONE["width"]
    wide = {"viewport": {"width": width, "height": 844}}
    page = phone_with_board(new_context) if is_phone else new_context(**wide).new_page()
    open_board(page)
    assert_fits(page)
    name, hours = page.locator("#barber-barber_10"), page.locator(".board-hours")
    before = [top_of(name), hours.bounding_box()["x"]]  # type: ignore[index]
    page.locator(".board").evaluate("each => each.scrollTo(9999, 200)")
    expect(name).to_be_in_viewport(ratio=0.9)
    assert [top_of(name), hours.bounding_box()["x"]] == before  # type: ignore[index]
    assert page.locator(".board-column").first.bounding_box()["width"] >= 100  # type: ignore[index]
    assert serious_problems(page) == []


def test_the_days_are_turned_by_links_and_picked_by_a_form(page: Page, shop: Dashboard) -> None:
    page.goto("/today")
    today, tomorrow = at("12:00", days=0).date(), at("12:00").date()
    page.get_by_role("link", name="The day after").click()
    page.wait_for_url(f"**/today?date={tomorrow}")
    page.get_by_role("link", name="The day before").click()
    page.wait_for_url(f"**/today?date={today}")
    expect(page.get_by_role("button", name="Go")).to_be_hidden()
    page.get_by_label("Another day").fill("2026-12-24")
    page.wait_for_url("**/today?date=2026-12-24")
    expect(page.get_by_role("heading", level=1)).to_contain_text("December 24")
    page.get_by_role("navigation", name="Day").get_by_role("link", name="Today").click()
    page.wait_for_url("**/today#now")


def test_a_phone_shows_the_day_without_scrolling_sideways_and_one_barber_alone(
    new_context: Any, shop: Dashboard
) -> None:
    booking = book(shop, "10:00", barberId="barber_2", customerName="Maximiliane Obermüller-Weiß")
    page = phone_with_board(new_context)
    problems = problems_of(page)
    open_board(page)
    assert_fits(page)
    expect(block(page, booking)).to_be_visible()
    page.get_by_role("navigation", name="Barbers").get_by_role("link", name="Alex").click()
    expect(page.locator(".board-column")).to_have_count(1)
    expect(block(page, booking)).to_contain_text("Maximiliane Obermüller-Weiß")
    assert_fits(page)
    assert problems == []


def test_a_finger_that_stays_lifts_a_booking_and_one_that_moves_scrolls(
    new_context: Any, shop: Dashboard
) -> None:
    booking = book(shop, "10:00")
    page = phone_with_board(new_context, has_touch=True, is_mobile=True)
    open_board(page, query="&barber=barber_1")
    touch = page.context.new_cdp_session(page)
    block(page, booking).scroll_into_view_if_needed()
    box = block(page, booking).bounding_box()
    assert box
    x, y = box["x"] + 40, box["y"] + 10

    def finger(what: str, down: int = 0) -> None:
        points = [] if what == "touchEnd" else [{"x": x, "y": y + down}]
        touch.send("Input.dispatchTouchEvent", {"type": what, "touchPoints": points})

    finger("touchStart")
    finger("touchMove", -60)
    finger("touchEnd")
    expect(page.locator(".is-ghost")).to_have_count(0)
    page.evaluate(_AT_REST)  # what was flung
    block(page, booking).evaluate("each => each.scrollIntoView({ block: 'center' })")
    box = block(page, booking).bounding_box()
    assert box
    y = box["y"] + 10
    finger("touchStart")
    expect(page.locator(".is-ghost")).to_be_visible()
    for down in range(0, 97, 8):
        finger("touchMove", down)
    finger("touchEnd")
    keep(page)
    assert place(shop, booking) == ("11:00", "barber_1")


_AT_REST = """() => new Promise((rest) => {
  const where = () => scrollY + document.querySelector(".board").scrollTop;
  let last = where(), still = 0;
  const look = () => {
    still = where() === last ? still + 1 : 0;
    last = where();
    still > 12 ? rest() : requestAnimationFrame(look);
  };
  look();
})"""


def test_without_javascript_the_board_is_there_and_move_leads_to_the_form(
    new_context: Any, shop: Dashboard
) -> None:
    booking = book(shop, "10:00")
    with_script, page = new_context().new_page(), new_context(java_script_enabled=False).new_page()
    for each in (with_script, page):
        each.goto(f"/today?date={at('12:00').date()}")
    hints = [each.locator(".hint-mouse") for each in (page, with_script)]
    expect(hints[0]).to_be_hidden()
    expect(hints[1]).to_be_visible()
    move = block(page, booking).get_by_role("link", name="Move")
    assert move.get_attribute("href") == f"/bookings/{booking['id']}/edit"
    page.get_by_label("Another day").fill("2026-12-24")
    page.get_by_role("button", name="Go").click()
    page.wait_for_url("**/today?date=2026-12-24")


def test_nobody_is_kept_out_by_colour_or_by_a_missing_word(page: Page, shop: Dashboard) -> None:
    booking = book(shop, "10:00")
    book(shop, "10:10")
    open_board(page)
    drag(page, block(page, booking), minutes=15)
    expect(dialog(page)).to_be_visible()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        assert serious_problems(page) == []


def test_a_block_is_drawn_on_free_time_and_stands_on_the_board(page: Page, shop: Dashboard) -> None:
    open_board(page)
    problems = problems_of(page)
    rows = page.locator(".board-rows[data-block]").first
    lift(page, rows.locator(".slot").first, minutes=90)
    expect(page.locator(".is-ghost")).to_contain_text("away")
    page.mouse.up()
    expect(page.get_by_label("What")).to_be_focused()
    page.get_by_label("What").fill("Training")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page).to_have_url(re.compile("/today"))
    expect(rows.get_by_text("Training")).to_be_visible()
    assert problems == []


def test_on_a_phone_the_day_is_a_list_in_which_free_time_is_booked(
    new_context: Any, shop: Dashboard
) -> None:
    book(shop, "10:00", customerName="Luis Ortega", notes="Fade 1.5")
    page = new_context(viewport=PHONE).new_page()
    problems = problems_of(page)
    open_board(page)
    agenda = page.get_by_role("region", name="The day as a list")
    expect(agenda.get_by_role("link", name=re.compile("Luis Ortega.*Fade 1.5"))).to_be_visible()
    expect(page.locator("#board")).to_be_hidden()
    assert_fits(page)
    assert serious_problems(page) == []
    agenda.get_by_role("link", name=re.compile("Sam free until 10:00")).click()
    page.wait_for_url("**/bookings/new?barber=barber_1&at=*")
    assert problems == []
