"""A visit from its price to its series, the waiting list, and a new member of the team, wide and on
a phone.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Locator, Page, ViewportSize, expect

from tests.support.dashboard import PHONE, Dashboard, assert_fits, problems_of

SHOP: dict[str, str] = {}  # in UTC
WIDE: ViewportSize = {"width": 1280, "height": 860}
BOTH = pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
TOMORROW = "10:00"


@pytest.fixture
def here(page: Page, shop: Dashboard, size: ViewportSize) -> Iterator[Page]:
    """The owner's page; what the browser complains about is a failure."""
    problems = problems_of(page)
    page.set_viewport_size(size)
    yield page
    assert problems == []


def said(page: Page) -> Locator:
    return page.locator("#toasts")


@BOTH
def test_a_visit_with_a_note_and_a_discount_becomes_a_series_that_is_cancelled_and_not(
    here: Page, shop: Dashboard
) -> None:
    shop.sql("UPDATE service SET price = 20 WHERE id = 'beard-trim'")
    here.goto("/settings/services?change=haircut")
    here.get_by_label("Price").fill("20,00")
    assert_fits(here)
    here.get_by_role("button", name="Save", exact=True).click()
    expect(said(here)).to_contain_text("Saved.")
    day = datetime.now(UTC).date() + timedelta(days=1)
    here.goto(f"/bookings/new?barber=barber_1&at={day}T{TOMORROW}:00Z")
    here.get_by_label("Service").select_option("haircut")
    here.get_by_text("And something else in the same visit").click()
    here.get_by_role("checkbox", name="Beard trim").check()
    here.get_by_label("Phone").fill("+44 7700 900123")
    here.get_by_label("Name").fill("Luis Ortega")
    here.get_by_label("Discount").fill("10%")
    here.get_by_label("Why").fill("Student")
    here.get_by_label("Notes").fill("Fade 1.5")
    expect(here.locator(".sum-total")).to_have_text(re.compile(r"50 min\s+\$36"))
    expect(here.locator("#reminders")).to_contain_text("reminder")
    assert_fits(here)
    here.get_by_role("button", name="Book", exact=True).click()
    expect(here.get_by_role("heading", level=1)).to_contain_text("Haircut and Beard trim")
    expect(here.get_by_text("$40 less $4: Student")).to_be_visible()
    expect(here.get_by_text("Fade 1.5")).to_be_visible()

    here.get_by_role("link", name="Repeat it as a series").click()
    here.get_by_label("Every how many weeks").fill("1")
    here.get_by_label("Visits, with this one").fill("3")
    here.keyboard.press("Enter")
    expect(here.get_by_text("2 more visits")).to_be_visible()
    here.get_by_label("Yes, really").check()
    assert_fits(here)
    here.get_by_role("button", name="Book them").click()
    expect(said(here)).to_contain_text("2 bookings made.")
    here.get_by_role("button", name="Cancel those from here on").click()
    asked = here.get_by_role("dialog")
    expect(asked).to_contain_text("Until then it can be undone.")
    asked.get_by_role("button", name="Cancel 3 bookings").click()
    expect(here.get_by_text("3 bookings, 0 to come.")).to_be_visible()
    said(here).get_by_role("button", name="Undo").click()
    expect(said(here)).to_contain_text("3 bookings confirmed again. The customer was not told.")
    expect(here.get_by_text("3 bookings, 3 to come.")).to_be_visible()
    assert_fits(here)


@BOTH
def test_who_waits_is_counted_beside_the_list_and_given_a_place_by_one_press(
    here: Page, size: ViewportSize
) -> None:
    here.goto("/waiting")
    here.get_by_label("Phone").fill("+44 7700 900555")
    here.get_by_label("Name").fill("Nadia")
    here.get_by_label("Service").select_option("haircut")
    here.get_by_label("First day").fill(f"{datetime.now(UTC).date() + timedelta(days=2)}")
    assert_fits(here)
    here.get_by_role("button", name="Put on the list").click()
    expect(said(here)).to_contain_text("Nadia is on the list.")
    badge = here.locator("#waiting-badge")
    expect(badge).to_have_text("1 waiting")
    assert badge.is_visible() == (size == WIDE)  # on a phone the list is in the menu
    assert_fits(here)
    here.get_by_role("button", name=re.compile("^Book .*, for Nadia")).click()
    expect(said(here)).to_contain_text("Nadia is booked:")
    expect(badge).to_be_empty()


@pytest.mark.parametrize("size", [PHONE], ids=["phone"])
def test_on_a_phone_a_walk_in_of_two_services_is_in_the_chair(here: Page) -> None:
    here.goto("/bookings/walk-in")
    here.get_by_text("And something else in the same visit").click()
    here.get_by_role("checkbox", name="Beard trim").check()
    assert_fits(here)
    here.get_by_role("button", name="Start now").click()
    expect(said(here)).to_contain_text("Walk-in with ")
    agenda = here.locator("#agenda")
    expect(agenda).to_contain_text("Haircut and Beard trim")
    agenda.get_by_text("Came?").click()
    agenda.get_by_role("button", name="Paid").click()
    expect(agenda.locator(".agenda-word")).to_have_text("Paid")
    assert_fits(here)


@BOTH
def test_who_is_invited_by_a_link_chooses_a_password_and_another_when_it_is_forgotten(
    here: Page, size: ViewportSize
) -> None:
    owner = here.context.cookies()
    here.goto("/staff")
    here.get_by_label("Name").fill("Robin Hale")
    here.get_by_label("Email").fill(f"robin-{size['width']}@example.com")
    assert_fits(here)
    here.get_by_role("button", name="Add", exact=True).click()
    link = here.get_by_text(re.compile("/join/")).first
    expect(link).to_be_visible()
    assert_fits(here)
    choose_password(here, link.inner_text(), "several words of my own")

    here.context.clear_cookies()
    here.goto("/login")
    here.get_by_role("link", name="Forgot your password?").click()
    expect(here.get_by_text("Ask the shop’s owner")).to_be_visible()
    assert_fits(here)
    here.context.add_cookies(owner)  # type: ignore[arg-type]  # as they came
    here.goto("/staff")
    here.get_by_role("link", name="Robin Hale").click()
    here.get_by_role("button", name="Make a link").click()
    choose_password(here, link.inner_text(), "other words that nobody knows")


def choose_password(page: Page, link: str, password: str) -> None:
    """As somebody who has got the link, and no session yet; they are signed in then."""
    page.context.clear_cookies()
    page.goto(link)
    page.get_by_label("Password").fill(password)
    assert_fits(page)
    page.get_by_role("button", name="Save and sign in").click()
    page.wait_for_url("**/today")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
