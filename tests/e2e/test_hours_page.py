"""Hours, days off and closed days in a browser: set by the owner, kept to by board and form."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from tests.support.dashboard import PHONE, Dashboard, assert_fits, problems_of

SHOP: dict[str, str] = {}
WIDE: ViewportSize = {"width": 1280, "height": 860}


@pytest.fixture(autouse=True)
def usual_hours(shop: Dashboard) -> Iterator[None]:
    """For the tests of this module's shop that come after."""
    yield
    shop.open("09:00", "19:00")


def book(shop: Dashboard, day: date, at: time) -> str:
    seconds = (datetime.combine(day, at, UTC) - datetime.now(UTC)).total_seconds()
    return str(shop.book(round(seconds), customerName="Ana Silva", barberId="barber_1")["id"])


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_hours_a_day_off_and_a_closed_day_hold_on_the_board_and_in_the_form(
    shop: Dashboard, page: Page, size: ViewportSize
) -> None:
    problems = problems_of(page)
    page.set_viewport_size(size)
    day = datetime.now(UTC).date() + timedelta(days=3)
    booking = book(shop, day, time(13, 15))

    page.goto("/settings/hours")
    page.get_by_label(f"{day:%A}’s break from", exact=True).fill("13:00")
    page.get_by_label(f"{day:%A}’s break until", exact=True).fill("14:00")
    page.keyboard.press("Enter")
    strays = page.get_by_role("form", name="1 booking outside hours")
    expect(strays.get_by_role("link", name="Ana Silva")).to_have_attribute(
        "href", f"/bookings/{booking}"
    )
    expect(page.get_by_label(f"{day:%A}’s break from", exact=True)).to_have_value("13:00")
    assert_fits(page)

    page.goto("/settings/barbers")
    page.get_by_role("link", name="Days off of").first.click()
    page.get_by_label("What").fill("Training")
    page.get_by_label("First day").fill(f"{day}")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("region", name="When")).to_contain_text("Training")
    expect(page.locator("#strays")).to_contain_text("Ana Silva")
    assert_fits(page)
    page.goto(f"/today?date={day}")
    named = page.locator("#column-barber_1 .board-away")  # before the booking, and after it
    expect(named.first).to_have_text("Training")

    page.goto("/settings/closures")
    page.get_by_label("Name").fill("Works")
    page.get_by_label("First day").fill(f"{day + timedelta(days=1)}")
    page.get_by_role("button", name="Close the shop").click()
    expect(page.get_by_role("region", name="Closed days")).to_contain_text("Works")
    assert_fits(page)

    page.goto("/bookings/new")
    page.get_by_label("Phone").fill("+44 7700 900123")
    page.get_by_label("Name").fill("Luis Ortega")
    page.get_by_label("Service").select_option("haircut")
    page.get_by_label("Barber", exact=True).select_option("barber_2")
    page.locator(f"#day-{day + timedelta(days=1)}").check()
    expect(page.locator("#free-times")).to_contain_text("The shop is closed on")
    page.get_by_role("radio", name="Another time").click()
    page.locator("#other_time").fill("10:00")
    expect(page.locator("#time-closed")).to_contain_text("The shop is closed that day: Works.")
    page.get_by_role("button", name="Book", exact=True).click()
    expect(page.get_by_role("heading", name="Luis Ortega")).to_be_visible()
    assert problems == []
