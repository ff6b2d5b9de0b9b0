"""The night in which the clock is put back, in a real browser."""

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page, expect

from tests.support.dashboard import Dashboard, live, problems_of

ZONE = ZoneInfo("Europe/Berlin")
SHOP = {"SHOP_TIMEZONE": ZONE.key}


def next_night() -> date:
    """The next last Sunday of October."""
    today = datetime.now(UTC).date()
    sundays = (date(year, 10, 31) for year in (today.year, today.year + 1))
    last = (day - timedelta(days=(day.weekday() + 1) % 7) for day in sundays)
    return next(day for day in last if day > today + timedelta(days=1))


NIGHT = next_night()


def at(clock: str, fold: int) -> datetime:
    """That time of the night, by its first or its second turn."""
    return datetime.combine(NIGHT, time.fromisoformat(clock).replace(fold=fold), ZONE)


@pytest.fixture(autouse=True)
def open_all_night(shop: Dashboard) -> None:
    shop.open("18:00", "05:00")
    shop.sql("UPDATE shop SET at_most = 1")


def test_the_second_of_two_same_times_is_chosen_kept_and_booked(
    page: Page, shop: Dashboard
) -> None:
    problems = problems_of(page)
    free_place = f"{at('02:30', 1).astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    page.goto(f"/bookings/new?barber=barber_1&at={free_place}")
    page.get_by_label("Phone").fill("+44 7700 900123")
    page.get_by_label("Name").fill("Luis Ortega")
    page.get_by_label("Service").select_option("haircut")
    second = page.get_by_role("radio", name="2:30 AM CET", exact=True)
    expect(second).to_be_checked()
    expect(page.get_by_role("radio", name="2:30 AM CEST", exact=True)).not_to_be_checked()
    expect(page.locator("#turns")).to_have_count(0)
    page.locator("#day-other").check()
    page.locator("#other_day").fill(f"{NIGHT - timedelta(days=1)}")
    expect(page.get_by_role("radio", name="2:30 AM", exact=True)).to_be_checked()
    page.locator("#other_day").fill(f"{NIGHT}")
    page.get_by_role("radio", name="2:30 AM CET", exact=True).check()
    page.get_by_label("Service").select_option("beard-trim")
    expect(page.locator("#first-message")).to_contain_text("at 2:30 AM CET")
    expect(second).to_be_checked()
    page.get_by_role("button", name="Book", exact=True).click()
    expect(page.get_by_role("heading", name="Luis Ortega")).to_be_visible()
    [booking] = shop.api.get("/api/bookings").json()["items"]
    assert datetime.fromisoformat(booking["scheduledTime"]) == at("02:30", 1).astimezone(UTC)
    assert problems == []


def test_a_move_on_the_board_goes_through_both_turns(page: Page, shop: Dashboard) -> None:
    booking = shop.book(0, scheduledTime=at("02:45", 0).isoformat())
    page.goto(f"/today?date={NIGHT}")
    live(page)
    page.locator(f"#block-{booking['id']} .block-open").focus()
    said = page.locator("#board-status")
    page.keyboard.press("m")
    expect(said).to_contain_text(re.compile(r"2:45.AM GMT\+2"))
    page.keyboard.press("ArrowDown")
    expect(said).to_have_text(re.compile(r"^2:00.AM GMT\+1, Sam$"))
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(re.compile(r"2:45 AM CEST.*2:00 AM CET", re.DOTALL))
    dialog.get_by_role("button", name="Move booking").click()
    expect(dialog).to_be_hidden()
    time = shop.api.get(f"/api/bookings/{booking['id']}").json()["scheduledTime"]
    assert datetime.fromisoformat(time) == at("02:00", 1).astimezone(UTC)
