"""The queue in a real browser: live figures, a question that stays open, a worker that is gone."""

from playwright.sync_api import Locator, Page, expect

from tests.support.accessibility import serious_problems
from tests.support.dashboard import LONG_NAME, PHONE, Dashboard, assert_fits, live, problems_of

SHOP: dict[str, str] = {}


def count(page: Page, word: str) -> Locator:
    return page.locator(".count").filter(has_text=word).locator("b")


def test_the_figures_follow_what_is_booked_and_sent_while_a_question_stays_open(
    page: Page, shop: Dashboard
) -> None:
    problems = problems_of(page)
    page.goto("/queue")
    live(page)
    expect(page.locator(".workers")).to_contain_text("pid")
    page.get_by_role("button", name="Pause sending").click()
    question = page.get_by_role("dialog", name="Pause sending for everyone?")
    booking = shop.book(20_000, customerName="Luis Ortega")
    expect(count(page, "Planned")).to_have_text("2")
    expect(question).to_be_visible()
    question.get_by_role("link", name="Keep sending").click()
    expect(question).to_be_hidden()
    expect(page.locator("#ahead")).to_contain_text("Luis Ortega")
    expect(page.locator(".due")).to_contain_text("Luis Ortega")
    shop.remind(booking)
    expect(count(page, "Sent")).to_have_text("1")
    expect(page.locator(".chart")).to_contain_text("1 sent")
    expect(page.locator(".chart rect")).to_have_count(1)
    assert problems == []


def test_a_worker_that_is_gone_is_a_warning_on_every_page(page: Page, shop: Dashboard) -> None:
    page.goto("/queue")
    live(page)
    expect(page.locator(".workers")).to_contain_text("pid")
    shop.kill_worker()
    shop.sql("UPDATE worker SET seen_at = datetime('now', '-61 seconds')")
    expect(page.locator("#banner")).to_contain_text("No worker is running")
    expect(page.locator(".no-worker")).to_contain_text("Nothing is sent until one runs.")
    shop.start_worker()
    expect(page.locator("#banner")).not_to_contain_text("No worker")
    expect(page.locator(".workers")).to_contain_text("pid")


def test_long_names_and_the_question_fit_and_axe_finds_nothing(page: Page, shop: Dashboard) -> None:
    problems = problems_of(page)
    shop.fail(customerName=LONG_NAME)
    page.goto("/queue")
    expect(page.locator("#queue")).to_contain_text("No WhatsApp on this number")
    for scheme, width in (("light", 1360), ("dark", 768), ("dark", PHONE["width"])):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.set_viewport_size({"width": width, "height": 844})
        assert_fits(page)
        assert serious_problems(page) == []
    page.get_by_role("button", name="Pause sending").click()
    assert serious_problems(page) == []
    assert problems == []
