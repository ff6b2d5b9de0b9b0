"""Failed sends in a real browser: seen live, corrected, retried, by two at once, without script."""

from typing import Any

from playwright.sync_api import Locator, Page, Route, expect

from tests.support.accessibility import serious_problems
from tests.support.dashboard import LONG_NAME, PHONE, Dashboard, assert_fits, live, problems_of
from tests.support.processes import wait_until

SHOP: dict[str, str] = {}
RIGHT = "+12125550142"


def open_failed(page: Page) -> None:
    page.goto("/failed")
    live(page)


def row(page: Page, name: str) -> Locator:
    return page.locator(".failed-row").filter(has_text=name)


def test_a_number_is_corrected_beside_what_was_wrong_with_it(page: Page, shop: Dashboard) -> None:
    problems = problems_of(page)
    open_failed(page)
    badge = page.locator("#failed-badge")
    expect(badge).to_be_empty()
    shop.fail("+12125550199", customerName="Dana Whitfield")
    expect(badge).to_have_text("1 to retry")
    dana = row(page, "Dana Whitfield")
    expect(dana).to_contain_text("+1 212-555-0199")

    dana.get_by_text("Correct the number").click()
    field = dana.get_by_label("Phone")
    field.fill("12 34")
    field.press("Enter")
    expect(dana).to_contain_text("This needs its country code, such as")
    expect(field).to_have_value("12 34")
    expect(field).to_be_focused()

    field.fill(RIGHT)
    dana.get_by_role("button", name="Save and retry").click()
    expect(page.locator("#toasts")).to_contain_text("Number corrected. Retrying now.")
    expect(page.get_by_role("heading", name="Nothing failed")).to_be_visible()
    expect(badge).to_be_empty()
    shop.twilio.wait_for(1, to=RIGHT)
    assert [each for each in problems if "422" not in each] == []


def test_two_browsers_that_retry_at_once_send_one_message(
    page: Page, new_context: Any, shop: Dashboard
) -> None:
    booking = shop.fail()
    number = booking["customerPhone"]
    pages: list[Page] = [page, new_context().new_page()]
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    for each in pages:
        open_failed(each)
        each.route("**/retry", hold)
        with each.expect_request("**/retry"):
            row(each, booking["customerName"]).get_by_role("button", name="Retry").click()
        expect(row(each, booking["customerName"])).to_be_visible()
    assert len(held) == 2
    for route in held:
        route.continue_()
    for each in pages:
        expect(each.get_by_role("heading", name="Nothing failed")).to_be_visible()
    said = sorted(each.locator(".toast-text").inner_text() for each in pages)
    assert said[0].startswith("Not retried: the message is ")
    assert said[1] == "Retrying now."
    shop.twilio.wait_for(1, to=number)
    assert len(shop.twilio.messages(number)) == 1


def test_what_is_being_typed_and_ticked_survives_what_arrives_meanwhile(
    page: Page, shop: Dashboard
) -> None:
    shop.fail(customerName="Dana Whitfield")
    open_failed(page)
    dana = row(page, "Dana Whitfield")
    dana.get_by_role("checkbox", name="Select").check()
    dana.get_by_text("Correct the number").click()
    field = dana.get_by_label("Phone")
    field.fill("+44 7911")
    shop.fail(customerName="Ravi Shah")
    expect(row(page, "Ravi Shah")).to_be_visible()
    expect(field).to_have_value("+44 7911")
    expect(field).to_be_focused()
    expect(dana.get_by_role("checkbox", name="Select")).to_be_checked()


def test_selected_messages_and_all_of_a_reason_are_retried(page: Page, shop: Dashboard) -> None:
    numbers = [shop.fail(customerName=f"Customer {turn}")["customerPhone"] for turn in range(3)]
    open_failed(page)
    page.get_by_role("button", name="Retry selected").click()
    expect(page.locator("#toasts")).to_contain_text("Select the messages to retry first.")
    row(page, "Customer 1").get_by_role("checkbox", name="Select").check()
    page.get_by_role("button", name="Retry selected").click()
    expect(page.locator("#toasts")).to_contain_text("1 retried")
    expect(page.locator(".failed-row")).to_have_count(2)
    shop.twilio.wait_for(1, to=numbers[1])
    page.get_by_role("button", name="Retry all 2").click()
    expect(page.get_by_role("heading", name="Nothing failed")).to_be_visible()
    for number in numbers:
        shop.twilio.wait_for(1, to=number)


def test_everything_works_without_javascript(new_context: Any, shop: Dashboard) -> None:
    numbers = [shop.fail(customerName=f"Customer {turn}")["customerPhone"] for turn in range(3)]
    page = new_context(java_script_enabled=False).new_page()
    page.goto("/failed")
    expect(page.locator("#live")).to_be_hidden()

    zero = row(page, "Customer 0")
    zero.get_by_text("Correct the number").click()
    zero.get_by_label("Phone").fill("12 34")
    zero.get_by_role("button", name="Save and retry").click()
    expect(zero).to_contain_text("This needs its country code")
    expect(zero.get_by_label("Phone")).to_have_value("12 34")
    zero.get_by_label("Phone").fill("+12125550143")
    zero.get_by_role("button", name="Save and retry").click()
    expect(page.locator("#toasts")).to_contain_text("Number corrected. Retrying now.")
    shop.twilio.wait_for(1, to="+12125550143")

    row(page, "Customer 1").get_by_role("button", name="Retry").click()
    expect(page.locator("#toasts")).to_contain_text("Retrying now.")
    row(page, "Customer 2").get_by_role("checkbox", name="Select").check()
    page.get_by_role("button", name="Retry selected").click()
    expect(page.locator("#toasts")).to_contain_text("1 retried")
    expect(page.get_by_role("heading", name="Nothing failed")).to_be_visible()
    shop.twilio.wait_for(1, to=numbers[2])


def test_long_names_and_open_forms_fit_and_axe_finds_nothing(page: Page, shop: Dashboard) -> None:
    problems = problems_of(page)
    shop.fail(customerName=LONG_NAME)
    open_failed(page)
    row(page, LONG_NAME).get_by_text("Correct the number").click()
    for scheme, width in (("light", 1360), ("dark", 768), ("dark", PHONE["width"])):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.set_viewport_size({"width": width, "height": 844})
        assert_fits(page)
        assert serious_problems(page) == []
    assert problems == []


def test_failures_are_retried_by_keyboard_alone_and_the_focus_goes_on_to_the_next(
    page: Page, shop: Dashboard
) -> None:
    ravi, dana = (shop.fail(customerName=name) for name in ("Ravi Shah", "Dana Whitfield"))
    open_failed(page)
    first = row(page, "Dana Whitfield")
    first.get_by_role("link", name="Dana Whitfield").focus()
    page.keyboard.press("Tab")
    expect(first.get_by_role("button", name="Retry reminder")).to_be_focused()
    page.keyboard.press("Tab")
    expect(first.get_by_role("button", name="Dismiss reminder")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(first.get_by_label("Phone")).to_be_visible()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    expect(first.get_by_role("button", name="Retry reminder")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#toasts")).to_contain_text("Retrying now.")
    shop.twilio.wait_for(1, to=dana["customerPhone"])
    expect(row(page, "Ravi Shah").get_by_role("link", name="Ravi Shah")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    shop.twilio.wait_for(1, to=ravi["customerPhone"])
    expect(page.get_by_role("heading", name="Nothing failed")).to_be_visible()
    expect(page.get_by_role("heading", name="Failed sends")).to_be_focused()


def test_the_board_leads_to_the_field_that_puts_a_number_right_until_it_no_longer_matters(
    page: Page, shop: Dashboard
) -> None:
    shop.fail(customerName="Dana Whitfield")
    page.goto("/today")
    page.get_by_role("link", name="Edit number of Dana Whitfield").click()
    dana = row(page, "Dana Whitfield")
    expect(dana.get_by_label("Phone")).to_be_focused()
    shop.sql("UPDATE booking SET busy_from = datetime('now'), starts_at = datetime('now')")
    page.goto("/failed")
    expect(dana).to_be_hidden()
    page.get_by_text("1 that no longer matters").click()
    expect(dana).to_be_visible()
    page.set_viewport_size(PHONE)
    assert_fits(page)
    page.get_by_role("button", name="Dismiss all").click()
    expect(page.get_by_role("heading", name="Nothing failed")).to_be_visible()


def test_a_failed_reminder_is_retried_by_the_api(shop: Dashboard) -> None:
    booking = shop.fail()
    [failed] = [row for row in shop.reminders(booking) if row["state"] == "failed"]
    path = f"/api/bookings/{booking['id']}/reminders/{failed['number']}/retry"
    assert shop.api.post(path).status_code == 202
    shop.twilio.wait_for(1, booking["customerPhone"])
    wait_until(lambda: "completed" in shop.states(booking))
    assert shop.api.post(path).status_code == 409
