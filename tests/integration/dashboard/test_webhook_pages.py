"""Settings: where other programs listen, for owners."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from httpx import Response

from app.api import events
from app.db import Database
from app.integrations.courier import Rounds
from app.models.integration import WebhookDelivery, WebhookEndpoint
from app.outbox import TYPES
from tests.integration.conftest import Client
from tests.support.frozen import FrozenClock
from tests.support.receiver import Receiver
from tests.support.staff import sign_in
from tests.support.web import said

HERE = "/settings/webhooks"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as listening:
        listening.status = 202
        yield listening


def send() -> None:
    rounds = Rounds(events.bodies)
    while rounds.round():
        rounds.wait()
    rounds.finish()


def add(owner: Client, url: str, *types: str) -> str:
    """Adds a webhook, and returns the address of its page."""
    answer = owner.post(HERE, data={"url": url, "events": list(types or TYPES)})
    assert answer.status_code == 303, answer.text
    return str(answer.headers["Location"])


def test_a_webhook_is_added_and_its_secret_is_shown_once(owner: Client) -> None:
    assert "No program is told yet" in owner.get(HERE).text
    address = add(owner, "https://example.com/hook", "booking.created")
    first, second = owner.get(address).text, owner.get(address).text
    assert re.search(r"<code>whsec_[^<]{44}</code>", first)
    assert "whsec_" not in second
    page = owner.get(HERE).text
    assert "example.com" in page
    assert "Told of 1 of 13 events" in page


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        ({"url": "http://example.com/x", "events": ["booking.created"]}, "must begin with https"),
        ({"url": "https://10.0.0.1/x", "events": ["booking.created"]}, "a private address is not"),
        ({"url": "https://example.com/x", "events": []}, "Choose at least one event."),
        ({"url": "https://example.com/x", "events": ["booking.none"]}, "booking.none is none of"),
    ],
)  # fmt: skip
def test_what_is_wrong_stands_beside_what_was_typed(
    owner: Client, typed: dict[str, list[str]], problem: str
) -> None:
    answer = owner.post(HERE, data=typed)
    assert answer.status_code == 422
    assert problem in answer.text
    assert f'value="{typed["url"]}"' in answer.text
    address = add(owner, "https://example.com/before", "booking.created")
    answer = owner.post(address, data=typed)
    assert answer.status_code == 422
    assert problem in answer.text


def test_an_example_shows_what_was_sent_and_what_was_answered(
    owner: Client, receiver: Receiver
) -> None:
    address = add(owner, receiver.url, "booking.created")
    answer = owner.post(f"{address}/example", data={"type": "message.failed"})
    delivery = answer.headers["Location"]
    waiting = owner.get(delivery).text
    assert "On its way" in waiting
    assert "hx-get" in waiting.partition('id="delivery"')[2].partition(">")[0]
    send()
    page = owner.get(delivery).text
    assert "Taken" in page
    assert "202" in page
    assert "webhook-signature: v1," in page
    assert "&#34;type&#34;: &#34;message.failed&#34;" in page
    assert "hx-get" not in page.partition('id="delivery"')[2].partition(">")[0]
    assert "example" in owner.get(address).text

    receiver.status = 500
    assert said(owner, owner.post(f"{delivery}/resend")) == "It is sent again."
    send()
    page = owner.get(delivery).text
    assert "Not taken yet" in page
    assert "It has a problem of its own." in page
    assert said(owner, owner.post(f"{delivery}/resend")) == "It is still being tried."
    assert owner.post(f"{address}/example", data={"type": "none"}).status_code == 422


def test_it_is_changed_switched_off_and_removed(owner: Client) -> None:
    address = add(owner, "https://example.com/hook")
    changed = {"url": "https://example.org/hook", "events": ["reply.received"]}
    assert said(owner, owner.post(address, data=changed)) == "Saved."
    assert said(owner, owner.post(address, data=changed)) == "There was nothing to change."
    assert said(owner, owner.post(f"{address}/switch-off")) == "It is told nothing now."
    refused = owner.post(f"{address}/example", data={"type": "reply.received"})
    assert said(owner, refused) == "This webhook is switched off: switch it on first."
    assert said(owner, owner.post(f"{address}/switch-on")) == "It is told what happens."
    renewed = owner.post(f"{address}/secret")
    assert "whsec_" in owner.get(renewed.headers["Location"]).text
    assert said(owner, owner.post(f"{address}/remove")) == "The webhook is removed."
    assert owner.get(address).status_code == 404
    activity = owner.get("/activity").text
    for words in ("Added", "Changed", "Got a new secret", "Removed"):
        assert words in activity


def test_one_that_was_given_up_is_told_to_owners_on_every_page(
    owner: Client, sqlite_shop: Database, clock: FrozenClock
) -> None:
    address = add(owner, "https://example.com/hook")
    assert "is told nothing any more" not in owner.get("/today").text
    with sqlite_shop.write() as session:
        endpoint = session.get_one(WebhookEndpoint, address.rpartition("/")[2])
        endpoint.active, endpoint.switched_off_at = False, clock.now()
        endpoint.failing_since = clock.now() - timedelta(days=7)
    for page in ("/today", "/failed"):
        assert "<strong>example.com</strong> is told nothing any more" in owner.get(page).text
    assert "Switched off: it failed for long" in owner.get(HERE).text
    assert "as it had taken nothing since" in owner.get(address).text
    sign_in(owner, sqlite_shop, "staff")
    assert "is told nothing any more" not in owner.get("/today").text
    sign_in(owner, sqlite_shop, "owner")
    owner.post(f"{address}/switch-on")
    assert "is told nothing any more" not in owner.get("/today").text


def test_many_deliveries_are_shown_page_by_page(
    owner: Client, sqlite_shop: Database, clock: FrozenClock
) -> None:
    address = add(owner, "https://example.com/hook")
    for _ in range(31):
        owner.post(f"{address}/example", data={"type": "booking.created"})
    with sqlite_shop.write() as session:
        for each in session.query(WebhookDelivery):
            each.state = "failed"
    first = owner.get(address).text
    assert first.count("Given up") == 30
    [older] = re.findall(rf'href="{address}(\?before=\d+)"', first)
    assert owner.get(address + older).text.count("Given up") == 1
    assert owner.get(f"{address}?before=x").text.count("Given up") == 30


def test_too_many_are_refused_in_words(owner: Client) -> None:
    for number in range(20):
        add(owner, f"https://example.com/{number}")
    answer: Response = owner.post(HERE, data={"url": "https://example.com/x", "events": TYPES})
    assert answer.status_code == 409
    assert "There are 20 webhooks already" in answer.text


def test_staff_see_none_of_it(desk: Client) -> None:
    assert desk.get(HERE).status_code == 403
    assert "Webhooks" not in desk.get("/today").text
