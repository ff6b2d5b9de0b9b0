import re
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from app.channel import Outcome, OutgoingMessage
from app.messages.languages import ENGLISH
from tests.support.processes import wait_until
from tests.support.simulator import Simulator

NUMBER = "+12025550123"
NAME = "+1 202-555-0123"
VALUES = {
    "firstName": "Luis Ortega",
    "formattedDateTime": "Mon 23 Nov, 18:00",
    "serviceName": "Cut + shave",
    "barberName": "Sam",
    "timeUntil": "4 hours",
}


@pytest.fixture(scope="module")
def _started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    folder = tmp_path_factory.mktemp("simulator")
    with Simulator(folder, SHOP_TIMEZONE="Europe/London") as running:
        yield running


@pytest.fixture
def simulator(_started: Simulator) -> Simulator:
    """One process for all tests, which knows nothing of those before."""
    _started.forget()
    return _started


@pytest.fixture
def problems(page: Page) -> list[str]:
    """What the browser complained about: errors of the page, and what its policy forbids."""
    violations: list[str] = []
    page.on("console", lambda message: violations.append(message.text))
    page.on("pageerror", lambda error: violations.append(str(error)))
    return violations


def send(simulator: Simulator, to: str = NUMBER, text: str | None = None) -> Outcome:
    client = simulator.client()
    body = text or ENGLISH.texts["reminder"].format(**VALUES)
    url = f"{simulator.url}/webhooks/twilio/status/1"
    outcome = client.send(OutgoingMessage(to=to, body=body, status_callback=url))
    client.close()
    return outcome


def statuses(simulator: Simulator, sid: str | None) -> list[str]:
    """What the app was told of a message, each once: what it answers late is told again."""
    forms = [call["form"] for call in simulator.received("/webhooks/twilio/status")]
    return list(dict.fromkeys(each["MessageStatus"] for each in forms if each["MessageSid"] == sid))


def open_chat(page: Page, simulator: Simulator, number: str = NUMBER) -> None:
    page.goto(f"{simulator.url}/simulator/phones/{number[1:]}")


def test_the_empty_page_teaches_how_to_book(
    page: Page, simulator: Simulator, problems: list[str]
) -> None:
    page.goto(f"{simulator.url}/simulator")
    expect(page.get_by_role("heading", name="No messages yet")).to_be_visible()
    curl = page.get_by_label("A booking by curl").inner_text()
    assert curl.startswith(f"curl {simulator.url}/api/bookings")
    assert re.search(r'"scheduledTime": "\d{4}-\d\d-\d\dT\d\d:\d\d:00Z"', curl)
    assert problems == []


def test_a_message_appears_without_a_reload_and_is_read_once_its_chat_is_open(
    page: Page, simulator: Simulator, problems: list[str]
) -> None:
    page.goto(f"{simulator.url}/simulator")
    sid = send(simulator).sid
    row = page.get_by_role("link", name=NAME)
    expect(row).to_contain_text("1 unread")
    row.click()
    chat = page.get_by_role("log", name=f"Chat with {NAME}")
    expect(chat).to_contain_text("📅 Date & Time: Mon 23 Nov, 18:00")
    expect(chat).to_contain_text("Read")
    expect(page.get_by_role("link", name=NAME)).not_to_contain_text("unread")
    send(simulator, text="And another one")
    expect(chat.get_by_role("article")).to_have_count(2)
    expect(chat.get_by_role("article").last).to_be_in_viewport()
    wait_until(lambda: statuses(simulator, sid) == ["sent", "delivered", "read"])
    assert problems == []


def test_what_is_being_typed_survives_the_live_updates(page: Page, simulator: Simulator) -> None:
    open_chat(page, simulator)
    box = page.get_by_label(f"Reply as {NAME}")
    box.fill("running late")
    page.get_by_label("Make messages fail").select_option("lost")
    box.focus()
    send(simulator)
    expect(page.get_by_role("log").get_by_role("article")).to_have_count(1)
    expect(box).to_have_value("running late")
    expect(box).to_be_focused()
    expect(page.get_by_label("Make messages fail")).to_have_value("lost")


def test_a_reply_stays_in_the_chat_and_says_that_it_was_received(
    page: Page, simulator: Simulator
) -> None:
    open_chat(page, simulator)
    page.get_by_label(f"Reply as {NAME}").fill("running 5 min late, sorry")
    page.keyboard.press("Enter")
    bubble = page.get_by_role("log").get_by_role("article")
    expect(bubble).to_contain_text("running 5 min late, sorry")
    expect(bubble).to_contain_text("Received by the app")
    expect(page.get_by_label(f"Reply as {NAME}")).to_be_focused()
    page.get_by_role("button", name="Reply CANCEL").click()
    expect(bubble.last).to_contain_text("CANCEL")


def test_a_number_can_be_made_to_fail_and_the_chat_tells_what_happened(
    page: Page, simulator: Simulator
) -> None:
    open_chat(page, simulator)
    page.get_by_label("Make messages fail").select_option("refused-63003")
    page.get_by_label("For how many messages").fill("2")
    page.get_by_role("button", name="Make it fail").click()
    wrong = page.get_by_role("region", name="What goes wrong")
    expect(wrong).to_contain_text("for the next 2 messages")
    assert send(simulator).code == "63003"
    expect(wrong).to_contain_text("for the next message")
    expect(page.get_by_role("log")).to_contain_text("Refused: 63003 · No WhatsApp on this number")
    page.get_by_role("button", name=f"Switch off for {NAME}").click()
    expect(wrong).to_contain_text("Nothing: every message arrives.")
    assert send(simulator).kind == "accepted"


def test_a_wrong_number_is_explained_beside_the_field_and_kept(
    page: Page, simulator: Simulator, problems: list[str]
) -> None:
    page.goto(f"{simulator.url}/simulator")
    page.get_by_label("Add a phone").fill("07911 123456")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("country code")
    expect(page.get_by_label("Add a phone")).to_have_value("07911 123456")
    expect(page.get_by_label("Add a phone")).to_be_focused()
    page.get_by_label("Add a phone").fill("+44 7911 123456")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("heading", name="+44 7911 123456")).to_be_visible()
    assert [each for each in problems if "422" not in each] == []


def test_the_page_works_by_reload_without_javascript(
    browser: Browser, simulator: Simulator
) -> None:
    page = browser.new_context(java_script_enabled=False).new_page()
    sid = send(simulator).sid
    wait_until(lambda: statuses(simulator, sid) == ["sent", "delivered"])
    page.goto(f"{simulator.url}/simulator")
    page.get_by_role("link", name=NAME).click()
    page.get_by_label(f"Reply as {NAME}").fill("On my way")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_role("log")).to_contain_text("On my way")
    wait_until(lambda: statuses(simulator, sid) == ["sent", "delivered", "read"])
    wait_until(lambda: "Received by the app" in httpx.get(page.url).text)
    page.reload()
    expect(page.get_by_role("log")).to_contain_text("Read")
    expect(page.get_by_role("log")).to_contain_text("Received by the app")
    page.context.close()


def test_the_page_goes_on_by_itself_when_the_server_comes_back(
    page: Page, simulator: Simulator
) -> None:
    send(simulator, text="Before")
    open_chat(page, simulator)
    with page.expect_event("requestfailed"):
        simulator.stop()
    expect(page.get_by_role("log")).to_contain_text("Before")
    simulator.start()
    send(simulator, text="After")
    expect(page.get_by_role("log")).to_contain_text("After")
    expect(page.get_by_role("log")).to_contain_text("Before")


def test_live_updates_do_not_multiply(page: Page, simulator: Simulator) -> None:
    page.clock.install()
    open_chat(page, simulator)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for _ in range(4):
        with page.expect_response("**/simulator/**"):
            page.clock.run_for(1500)
    assert len(asked) <= 6  # each would be two the next time


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 768, 1360])
def test_nothing_is_cut_off_at_any_width(
    browser: Browser, simulator: Simulator, scheme: str, width: int
) -> None:
    page = browser.new_context(
        color_scheme=scheme,
        viewport={"width": width, "height": 844},  # type: ignore[arg-type]
    ).new_page()
    send(simulator, text="A-very-long-word" * 30)
    httpx.post(f"{simulator.url}/simulator/faults", data={"fault": "lost_silent", "target": "*"})
    for path in ("", f"/phones/{NUMBER[1:]}"):
        page.goto(f"{simulator.url}/simulator{path}")
        assert page.evaluate("document.documentElement.scrollWidth") == width
    page.context.close()


def test_the_page_can_be_used_by_keyboard_alone(page: Page, simulator: Simulator) -> None:
    send(simulator)
    page.goto(f"{simulator.url}/simulator")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name=NAME)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=NAME)).to_be_visible()
    log = page.get_by_role("log")
    answer = log.get_by_role("link", name="Answer")  # there once the message was delivered
    expect(answer).to_have_count(1)
    log.focus()
    page.keyboard.press("Tab")
    expect(answer).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_label(f"Reply as {NAME}")).to_be_focused()
