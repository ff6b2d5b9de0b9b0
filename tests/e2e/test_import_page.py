"""The diary of another program comes in by its file, in a browser, with a worker."""

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from tests.support.dashboard import PHONE, Dashboard, assert_fits, problems_of

SHOP: dict[str, str] = {}
WIDE: ViewportSize = {"width": 1280, "height": 860}


def diary() -> str:
    """A day of the past, which says what comes first, and one to come."""
    today = datetime.now(UTC).date()
    days = [(today - timedelta(days=30)).replace(day=20), today + timedelta(days=3)]
    rows = ["Appointment Date;Start Time;Duration;Service;Team member;Client;Mobile;Net sales"]
    rows += [
        f"{day:%d/%m/%Y};{9 + number}:00;45 min;Skin fade;Sam;Client {number};"
        f"+4477009000{number:02};25,00"
        for day in days
        for number in range(8)
    ]
    return "\n".join([*rows, f"{days[1]:%d/%m/%Y};soon;;Skin fade;Sam;Bo;+447700900099;"])


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_a_diary_is_looked_at_then_imported_then_undone(
    shop: Dashboard, page: Page, size: ViewportSize
) -> None:
    problems = problems_of(page)
    page.set_viewport_size(size)
    page.goto("/settings/import")
    page.get_by_label("Bookings, those").check()
    file = {"name": "diary.csv", "mimeType": "text/csv", "buffer": diary().encode("utf-16")}
    page.get_by_label("CSV file").set_input_files(file)  # type: ignore[arg-type]
    page.get_by_role("button", name="Look at the file").click()

    # Nobody here is called Skin fade: what it is, one says, and the file is checked again.
    expect(page.get_by_text("“Skin fade” is no service here.").first).to_be_visible()
    assert_fits(page)
    page.get_by_label("Skin fade").select_option(label="Haircut")
    page.get_by_role("button", name="Check again").click()
    expect(page.get_by_text("8 of these bookings are still to come.")).to_be_visible()
    expect(page.get_by_text("This is not a time of day that can be read").first).to_be_visible()
    assert shop.sql("SELECT count(*) FROM booking") == [(0,)]

    page.get_by_label("No messages for the bookings in this file").check()
    page.get_by_role("button", name="Import 16 bookings").click()
    expect(
        page.get_by_text("16 bookings came in, 0 were here already, 1 stayed out.")
    ).to_be_visible()
    expect(page.get_by_text("They get no reminders.")).to_be_visible()
    assert shop.sql("SELECT status, count(*) FROM booking GROUP BY 1 ORDER BY 1") == [
        ("completed", 8), ("confirmed", 8),
    ]  # fmt: skip
    assert shop.sql("SELECT count(*) FROM plan") == [(0,)]
    assert_fits(page)

    page.get_by_role("button", name="Undo this import").click()
    page.get_by_role("button", name="Undo it").click()
    expect(page.get_by_text("16 bookings were taken back.")).to_be_visible()
    assert shop.sql("SELECT count(*) FROM booking") == [(0,)]
    assert problems == []
