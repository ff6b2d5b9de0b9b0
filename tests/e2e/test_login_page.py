"""The way in, and what surrounds every page, in a real browser."""

import time
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from pyotp import TOTP

from tests.support.accessibility import serious_problems
from tests.support.dashboard import OWNER, PHONE, Dashboard, assert_fits

EMAIL, PASSWORD = OWNER["CHAIRTIME_OWNER_EMAIL"], OWNER["CHAIRTIME_OWNER_PASSWORD"]


@pytest.fixture
def problems(page: Page) -> list[str]:
    """What the browser complained about: errors of the page, and what its policy forbids."""
    violations: list[str] = []
    page.on("console", lambda message: violations.append(message.text))
    page.on("pageerror", lambda error: violations.append(str(error)))
    return violations


def log_in(page: Page, dashboard: Dashboard) -> None:
    page.goto(f"{dashboard.url}/login?next=/styleguide")
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{dashboard.url}/styleguide")


def test_a_wrong_password_is_said_and_the_email_is_kept(page: Page, dashboard: Dashboard) -> None:
    page.goto(f"{dashboard.url}/login")
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password").fill("something else entirely")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_have_text("Email or password is wrong.")
    expect(page.get_by_label("Email")).to_have_value(EMAIL)
    expect(page.get_by_label("Password")).to_be_focused()


def test_the_theme_stays_chosen_and_the_way_out_ends_the_session(
    page: Page, dashboard: Dashboard, problems: list[str]
) -> None:
    log_in(page, dashboard)
    page.get_by_label("account and theme").click()
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.get_by_role("button", name="Dark")).to_have_attribute("aria-pressed", "true")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.get_by_label("account and theme").click()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Log out")).to_be_hidden()
    page.get_by_label("account and theme").click()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    assert "chairtime" not in {cookie["name"] for cookie in page.context.cookies()}
    assert problems == []


def test_everything_around_the_pages_works_without_javascript(
    new_context: Any, dashboard: Dashboard
) -> None:
    page = new_context(java_script_enabled=False).new_page()
    log_in(page, dashboard)
    page.get_by_label("account and theme").click()
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.goto(f"{dashboard.url}/styleguide")
    page.get_by_role("button", name="Ask first").click()
    expect(page.get_by_role("dialog", name="Cancel this booking?")).to_be_visible()
    page.get_by_role("link", name="Keep it").click()
    expect(page.get_by_role("dialog", name="Cancel this booking?")).to_be_hidden()
    page.get_by_label("account and theme").click()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()


def test_a_passkey_is_made_at_a_desk_and_asked_for_and_removed_on_a_phone(
    page: Page, shop: Dashboard, problems: list[str]
) -> None:
    """By the device that Chromium plays; WebAuthn wants a name, which 127.0.0.1 is not."""
    url = shop.url.replace("127.0.0.1", "localhost")
    device = page.context.new_cdp_session(page)
    device.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "internal", "isUserVerified": True}
    options |= {"hasUserVerification": True, "automaticPresenceSimulation": True}
    device.send("WebAuthn.addVirtualAuthenticator", {"options": options})

    def type_password() -> None:
        page.goto(f"{url}/login?next=/account/second-factor")
        page.get_by_label("Email").fill(EMAIL)
        page.get_by_label("Password").fill(PASSWORD)
        page.keyboard.press("Enter")

    type_password()
    page.get_by_label("Name").fill("This laptop")
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_role("status").get_by_role("listitem")).to_have_count(10)
    assert serious_problems(page) == []
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_text("This laptop", exact=True)).to_be_visible()
    page.get_by_label("account and theme").click()
    page.get_by_role("button", name="Log out").click()

    page.set_viewport_size(PHONE)
    type_password()
    expect(page.get_by_role("heading", name="One more step")).to_be_visible()
    assert_fits(page)
    assert serious_problems(page) == []
    page.get_by_role("button", name="Use a passkey").click()
    page.get_by_role("button", name="Remove").click()
    assert_fits(page)
    page.get_by_role("button", name="Remove it").click()
    expect(page.get_by_text("your password alone lets you in")).to_be_visible()
    assert problems == []


def test_an_app_asks_for_codes_a_session_ends_elsewhere_and_a_token_is_shown_once_on_a_phone(
    new_context: Any, shop: Dashboard
) -> None:
    phone, desk = (
        new_context(storage_state=shop.log_in(), base_url=shop.url).new_page() for _ in range(2)
    )
    phone.set_viewport_size(PHONE)
    phone.goto("/account/second-factor")
    phone.get_by_role("button", name="Set up an app").click()
    app = TOTP(phone.locator("#app code").inner_text())
    phone.get_by_label("Code that the app shows").fill(app.now())
    assert_fits(phone)
    phone.get_by_role("button", name="Turn on").click()
    expect(phone.get_by_role("status").get_by_role("listitem")).to_have_count(10)
    assert_fits(phone)
    phone.reload()
    expect(phone.get_by_role("heading", name="Second factor").first).to_be_visible()
    expect(phone.locator(".codes")).to_have_count(0)

    phone.goto("/account")
    assert_fits(phone)
    phone.get_by_role("button", name="End the session of").first.click()  # the newest is first
    desk.goto("/settings/tokens")
    desk.get_by_label("Email").fill(EMAIL)
    desk.get_by_label("Password").fill(PASSWORD)
    desk.get_by_role("button", name="Log in").click()
    desk.get_by_label("Code from your authenticator app").fill(app.at(time.time() + 30))
    desk.get_by_role("button", name="Log in").click()
    expect(desk.get_by_role("heading", name="New token")).to_be_visible()

    phone.goto("/settings/tokens")
    phone.get_by_label("For which program").fill("Booking form")
    phone.get_by_role("button", name="Make token").click()
    made = phone.get_by_role("status", name="Booking form: copy its token now")
    assert_fits(phone)
    bearer = {"Authorization": f"Bearer {made.locator('code').inner_text()}"}
    assert shop.api.get("/api/bookings", headers=bearer).status_code == 200
    phone.reload()  # which asks for no second one
    expect(made).to_have_count(0)
    expect(phone.get_by_role("listitem").filter(has_text="Booking form")).to_have_count(1)
    phone.get_by_role("listitem").filter(has_text="Booking form").get_by_role("button").click()
    phone.get_by_role("button", name="Revoke it").click()
    expect(phone.locator(".item.is-off")).to_contain_text("Revoked")
    assert shop.api.get("/api/bookings", headers=bearer).status_code == 401


def test_a_dialog_holds_the_focus_and_gives_it_back(page: Page, dashboard: Dashboard) -> None:
    page.goto(f"{dashboard.url}/styleguide")
    opener = page.get_by_role("button", name="Ask first")
    opener.focus()
    page.keyboard.press("Space")
    dialog = page.get_by_role("dialog", name="Cancel this booking?")
    expect(dialog.get_by_role("link", name="Keep it")).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(opener).to_be_focused()
    opener.click()
    dialog.get_by_role("link", name="Keep it").click()
    expect(dialog).to_be_hidden()


def test_a_toast_is_announced_can_be_dismissed_and_goes_by_itself(
    page: Page, dashboard: Dashboard
) -> None:
    page.clock.install()
    page.goto(f"{dashboard.url}/styleguide")
    status = page.locator("#toasts")
    expect(status).to_have_attribute("aria-live", "polite")
    page.get_by_role("button", name="Toast with undo").click()
    expect(status).to_contain_text("Booking cancelled.")
    expect(status.get_by_role("button", name="Undo")).to_be_visible()
    page.clock.fast_forward(10_100)
    expect(status.locator(".toast")).to_have_count(0)
    page.get_by_role("button", name="Toast of a failure").click()
    status.get_by_role("button", name="Dismiss").click()
    expect(status.locator(".toast")).to_have_count(0)


def test_nothing_is_cut_off_at_any_width(page: Page, dashboard: Dashboard) -> None:
    for width in (320, 390, 768, 1360):
        page.set_viewport_size({"width": width, "height": 844})
        for path in ("/login", "/styleguide", "/nothing"):
            page.goto(dashboard.url + path)
            assert_fits(page)


def test_the_skip_link_leads_past_the_navigation(page: Page, dashboard: Dashboard) -> None:
    page.goto(f"{dashboard.url}/styleguide")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Previous day")).to_be_focused()
