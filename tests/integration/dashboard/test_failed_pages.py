"""The page of failed sends, as a browser without JavaScript sees it, and as htmx does."""

import html
import json
import re
from datetime import timedelta
from urllib.parse import unquote

import pytest
from httpx import Response
from litestar.testing import TestClient

from app.asgi import create_app
from app.dashboard.failed.page import SHOWN, in_words
from app.db import Database
from app.messages.failures import Retried
from app.models.booking import Booking
from tests import factories
from tests.integration.conftest import Client
from tests.support.frozen import FrozenClock
from tests.support.lifecycle import at_once, booking, enqueued, message
from tests.support.staff import HTMX, sign_in
from tests.support.statements import counted


@pytest.fixture
def db(sqlite_db: Database) -> Database:
    """SQLite alone: what is behind these pages runs on both in the tests of its services."""
    return sqlite_db


def fail(db: Database, code: str = "63003", **values: object) -> str:
    """A booking whose reminder failed; returns its job id."""
    with db.write() as session:
        of = factories.booking(session, **values)  # type: ignore[arg-type]
        return factories.message(session, of, "failed", error_code=code, attempts=1).id


def superseded(db: Database, clock: FrozenClock) -> str:
    """A failed reminder after which a newer one went out; returns its job id."""
    job_id = fail(db)
    clock.move(hours=2)
    with db.write() as session:
        row = session.get_one(Booking, job_id.split("-")[0])
        factories.message(session, row, "sent", planned_for=clock.now())
    return job_id


def text_of(answer: Response) -> str:
    """What one reads: the page without its tags."""
    body = re.sub(r"<(script|template|style).*?</\1>", "", answer.text, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", body)).split())


def said(answer: Response) -> str:
    """The toast that an answer brings, now or with the page after it."""
    if "HX-Trigger" in answer.headers:
        return str(json.loads(answer.headers["HX-Trigger"])["toast"]["text"])
    return str(json.loads(unquote(answer.cookies["chairtime-toast"].strip('"')))["text"])


def test_failures_are_shown_by_reason_with_what_to_do(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    for name in ("Zoë Ångström", "Ben"):
        fail(shop, "63003", customer_name=name)
    fail(shop, "63049")
    clock.move(minutes=3)
    answer = client.get("/failed")
    text = text_of(answer)
    assert answer.status_code == 200
    assert "No WhatsApp on this number 2 failed Call the customer, or correct" in text
    assert "Retry all 2 of “No WhatsApp on this number”" in text
    assert "Zoë Ångström +44 7700 900" in text
    assert "Haircut · today 10:00 AM Reminder 1 · 1 try · failed 3 minutes ago" in text
    assert text.index("No WhatsApp on") < text.index("WhatsApp withheld the message 1 failed")


def test_what_was_given_up_does_not_say_that_it_is_tried_again_by_itself(
    client: Client, shop: Database
) -> None:
    fail(shop, "unreachable")
    text = text_of(client.get("/failed"))
    assert "Could not reach Twilio 1 failed We tried 6 times." in text


def test_nothing_failed_is_said_so(client: Client) -> None:
    answer = client.get("/failed")
    assert "Nothing failed" in text_of(answer)
    assert "Retry" not in answer.text


def test_htmx_gets_the_part_that_changes(client: Client, shop: Database) -> None:
    fail(shop)
    part = client.get("/failed", headers=HTMX).text
    assert part.lstrip().startswith('<div id="failed"')
    assert "<html" not in part


def test_of_many_with_one_reason_only_the_first_are_shown_and_the_rest_by_a_link(
    client: Client, shop: Database
) -> None:
    for _ in range(SHOWN + 3):
        fail(shop)
    fail(shop, "63049")
    page = client.get("/failed").text
    assert page.count('class="failed-row') == SHOWN + 1
    assert f"Show all {SHOWN + 3}" in page
    alone = client.get("/failed?code=63003").text
    assert alone.count('class="failed-row') == SHOWN + 3
    assert "withheld" not in alone
    assert "All reasons" in alone


def test_what_no_longer_matters_is_folded_says_why_and_cannot_be_chosen(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    fail(shop, customer_name="Ada")
    clock.move(minutes=1)
    fail(shop, starts_at=clock.now() + timedelta(minutes=1), customer_name="Late Larry")
    clock.move(minutes=2)
    fail(shop, customer_name="Ben")
    _, _, page = client.get("/failed").text.partition("<main")
    past = page.index('id="failed-past"')
    assert page.index("Ben") < page.index("Ada") < past < page.index("Late Larry")
    assert page.count('class="box"') == 2
    assert "Retry all 2" in page
    assert "The appointment has begun." in page[page.index("Late Larry") :]
    text = text_of(client.get("/failed"))
    assert "2 messages need you." in text
    assert "1 that no longer matters in the last 7 days 1: The appointment has begun" in text
    clock.move(days=8)
    sign_in(client, shop, "staff")
    assert "Late Larry" not in client.get("/failed").text


def test_failed_is_one_number_wherever_it_stands(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    """What a retry would help: badge, the page, the queue and today count the same."""
    for _ in range(2):
        fail(shop)
    for _ in range(17):
        fail(shop, starts_at=clock.now() + timedelta(minutes=1))
    clock.move(minutes=2)
    for address in ("/today", "/failed", "/queue"):
        page = client.get(address)
        assert '<span id="failed-badge" class="badge ">2<' in page.text
    assert "2 messages need you." in text_of(client.get("/failed"))
    assert "Failed 2 failed" in text_of(client.get("/queue"))
    assert "17 that no longer matter" in text_of(client.get("/failed"))


def test_what_no_longer_matters_is_dismissed_at_once_and_stays_in_its_timeline(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    useful = fail(shop)
    over = [fail(shop, starts_at=clock.now() + timedelta(minutes=1)) for _ in range(3)]
    clock.move(minutes=2)

    assert said(client.post("/failed/dismiss")) == "3 dismissed."

    text = text_of(client.get("/failed"))
    assert "no longer matter" not in text
    assert "1 message needs you." in text
    assert [message(shop, each).dismissed_at for each in (useful, *over)] == [
        None, *[clock.now()] * 3
    ]  # fmt: skip
    booking_id = over[0].split("-")[0]
    timeline = text_of(client.get(f"/bookings/{booking_id}"))
    assert "No WhatsApp on this number" in timeline
    assert "Failed send dismissed by Ann Lee: reminder 1" in timeline
    assert said(client.post("/failed/dismiss")) == "There was nothing left to dismiss."


def test_one_that_a_retry_would_help_is_dismissed_put_back_and_retried_all_the_same(
    client: Client, shop: Database
) -> None:
    job_id = fail(shop)
    answer = client.post(f"/messages/{job_id}/dismiss", headers=HTMX)
    assert said(answer) == "Dismissed."
    assert (
        json.loads(answer.headers["HX-Trigger"])["toast"]["undo"] == f"/messages/{job_id}/restore"
    )
    assert "Nothing failed" in text_of(answer)
    again = client.post(f"/messages/{job_id}/dismiss")
    assert said(again) == "It is not failed any more, or was dismissed already."
    assert '<span id="failed-badge" ></span>' in client.get("/failed").text
    assert said(client.post(f"/messages/{job_id}/restore")) == "Back among the failed sends."
    assert "1 message needs you." in text_of(client.get("/failed"))
    client.post(f"/messages/{job_id}/dismiss")
    assert said(client.post(f"/messages/{job_id}/retry")) == "Retrying now."
    row = message(shop, job_id)
    assert (row.state, row.dismissed_at) == ("pending", None)


def test_a_reminder_after_which_a_newer_one_went_out_cannot_be_chosen(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    superseded(shop, clock)
    page = client.get("/failed").text
    assert "A newer reminder is due." in page
    assert 'class="box"' not in page
    assert "Retry all" not in page


def test_one_message_is_retried(client: Client, shop: Database) -> None:
    job_id = fail(shop)
    answer = client.post(f"/messages/{job_id}/retry")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/failed")
    assert said(answer) == "Retrying now."
    assert message(shop, job_id).state == "pending"
    assert enqueued() == [job_id]
    assert "Retrying now." in client.get("/failed").text


def test_htmx_gets_the_new_list_and_the_toast_at_once(client: Client, shop: Database) -> None:
    job_id = fail(shop)
    answer = client.post(f"/messages/{job_id}/retry", headers=HTMX)
    assert answer.status_code == 200
    assert said(answer) == "Retrying now."
    assert "Nothing failed" in answer.text


def test_who_retried_what_is_told_on_the_bookings_page(client: Client, shop: Database) -> None:
    job_id = fail(shop)
    client.post(f"/messages/{job_id}/retry")
    page = client.get(f"/bookings/{job_id.split('-')[0]}").text
    assert re.search(r"<b>Retried</b> by Ann Lee:\s+reminder 1", page)


def test_a_retry_from_a_bookings_page_goes_back_there(client: Client, shop: Database) -> None:
    job_id = fail(shop)
    address = f"/messages/{job_id}/retry"
    onwards = {"next": "/bookings/booking_1?x=1"}
    assert client.post(address, data=onwards).headers["Location"] == onwards["next"]


@pytest.mark.parametrize(
    "evil",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        "/a\r\nSet-Cookie: x=1",
        "evil",
        "/ä",
    ],
)
def test_nobody_is_sent_to_another_site(client: Client, shop: Database, evil: str) -> None:
    answer = client.post(f"/messages/{fail(shop)}/retry", data={"next": evil})
    assert answer.headers["Location"] == "/failed"


def test_a_retry_of_what_is_no_longer_useful_says_why_not(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    late = fail(shop, starts_at=clock.now() + timedelta(minutes=1))
    clock.move(minutes=2)
    answer = client.post(f"/messages/{late}/retry")
    assert answer.status_code == 303
    assert said(answer) == "Not retried: the appointment has begun."
    assert message(shop, late).state == "failed"


def test_what_is_selected_is_retried_and_what_cannot_be_is_counted_with_its_reason(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    late = fail(shop, starts_at=clock.now() + timedelta(minutes=1))
    clock.move(minutes=2)
    chosen, other = [fail(shop), fail(shop, "63049")], fail(shop)
    answer = client.post("/failed/retry", data={"id": [*chosen, late, chosen[0]]})
    assert said(answer) == "2 retried · 1 not: the appointment has begun"
    assert [message(shop, each).state for each in (*chosen, other)] == [
        "pending",
        "pending",
        "failed",
    ]
    assert sorted(enqueued()) == sorted(chosen)


def test_all_of_a_reason_are_retried_whatever_is_selected_or_shown(
    client: Client, shop: Database
) -> None:
    all_of_it = [fail(shop) for _ in range(SHOWN + 4)]
    other = fail(shop, "63049")
    answer = client.post("/failed/retry", data={"code": "63003", "id": other})
    assert said(answer) == f"{SHOWN + 4} retried"
    assert {message(shop, each).state for each in all_of_it} == {"pending"}
    assert message(shop, other).state == "failed"


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({}, "Select the messages to retry first."),
        ({"id": "%00"}, "Select the messages to retry first."),
        ({"id": "booking_1-reminder-1"}, "1 not: there is no such message"),
        ({"code": "none"}, "Nothing is left to retry."),
    ],
)
def test_a_form_that_chooses_nothing_changes_nothing(
    client: Client, form: dict[str, str], expected: str
) -> None:
    assert said(client.post("/failed/retry", data=form)) == expected


def test_two_people_who_retry_at_once_cause_one_send(client: Client, shop: Database) -> None:
    job_id = fail(shop)
    with TestClient(create_app(), raise_server_exceptions=False) as other:
        sign_in(other, shop, "owner", "Ben")
        answers = at_once(
            lambda: client.post(f"/messages/{job_id}/retry"),
            lambda: other.post(f"/messages/{job_id}/retry"),
        )
    texts = sorted(said(answer) for answer in answers)
    assert texts[1] == "Retrying now."
    assert texts[0].startswith("Not retried: ")
    assert enqueued() == [job_id]


def test_a_number_is_corrected_and_retried_in_one_step(client: Client, shop: Database) -> None:
    job_id = fail(shop)
    answer = client.post(f"/messages/{job_id}/correct", data={"phone": "+44 7700 900 999"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/failed")
    assert said(answer) == "Number corrected. Retrying now."
    assert booking(shop, job_id.split("-")[0]).customer_phone == "+447700900999"
    assert enqueued() == [job_id]


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_a_wrong_number_is_explained_beside_its_field_and_what_was_typed_stays(
    client: Client, shop: Database, headers: dict[str, str]
) -> None:
    job_id = fail(shop)
    for _ in range(SHOWN):
        fail(shop)
    typed = "12 <b>3"
    answer = client.post(f"/messages/{job_id}/correct", data={"phone": typed}, headers=headers)
    assert answer.status_code == 422
    assert "This is not a phone number, such as +442079460958." in answer.text
    assert f'value="{html.escape(typed)}"' in answer.text
    assert f'aria-describedby="phone-{job_id}-problem"' in answer.text
    assert re.search(rf'<details[^>]* id="correct-{job_id}"\s+open\s+hx-morph-skip>', answer.text)
    assert ("<html" in answer.text) == (not headers)
    assert answer.headers["HX-Retarget"] == f"#correct-{job_id}"
    assert message(shop, job_id).state == "failed"


def test_a_number_is_kept_when_a_newer_reminder_has_taken_the_place_of_the_failed_one(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    job_id = superseded(shop, clock)
    assert ">Save</button>" in client.get("/failed").text
    answer = client.post(f"/messages/{job_id}/correct", data={"phone": "+447700900999"})
    assert said(answer) == "Number corrected. Not retried: a newer reminder is due."
    assert booking(shop, job_id.split("-")[0]).customer_phone == "+447700900999"


def test_a_correction_that_nothing_can_be_sent_for_changes_nothing_and_says_why(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    job_id = fail(shop, starts_at=clock.now() + timedelta(minutes=1))
    before = booking(shop, job_id.split("-")[0]).customer_phone
    clock.move(minutes=2)
    answer = client.post(f"/messages/{job_id}/correct", data={"phone": "+447700900999"})
    assert said(answer).startswith("Not retried: ")
    assert booking(shop, job_id.split("-")[0]).customer_phone == before


def test_a_link_to_one_of_many_finds_it_shown_and_ready_to_be_corrected(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    job_id = fail(shop)
    clock.move(minutes=1)
    for _ in range(SHOWN):
        fail(shop)
    opened = re.compile(rf'id="correct-{job_id}"\s+open\s+hx-morph-skip>')
    assert f'id="{job_id}"' not in client.get("/failed").text
    page = client.get(f"/failed?message={job_id}").text
    assert opened.search(page)
    assert f'hx-get="/failed?message={job_id}"' in page
    assert client.get("/failed?message=%22%3E%3Cscript%3E").status_code == 200


def test_only_a_problem_of_the_number_offers_to_correct_it(client: Client, shop: Database) -> None:
    fail(shop, "63049")
    assert "Correct the number" not in client.get("/failed").text
    fail(shop, "21211")
    assert "Correct the number" in client.get("/failed").text


@pytest.mark.parametrize(
    "job_id",
    ["booking_1-reminder-1", "nothing", "a%00b-reminder-1", "booking_1-reminder-9999999999"],
)
@pytest.mark.parametrize("verb", ["retry", "correct"])
def test_a_message_that_there_is_not_is_a_404(client: Client, job_id: str, verb: str) -> None:
    answer = client.post(f"/messages/{job_id}/{verb}", data={"phone": "+447700900999"})
    assert answer.status_code == 404


def test_a_viewer_may_look_and_change_nothing(shop: Database, client: Client) -> None:
    job_id = fail(shop)
    sign_in(client, shop, "viewer")
    page = client.get("/failed").text
    assert "No WhatsApp on this number" in page
    assert "/retry" not in page
    assert "Correct the number" not in page
    assert "dismiss" not in page
    of_one = [f"/messages/{job_id}/{verb}" for verb in ("retry", "correct", "dismiss", "restore")]
    for address in ("/failed/retry", "/failed/dismiss", *of_one):
        assert client.post(address, data={"id": job_id, "phone": "1"}).status_code == 403, address
    assert message(shop, job_id).state == "failed"


def test_nobody_sees_or_changes_anything_without_a_session(client: Client, shop: Database) -> None:
    job_id = fail(shop)
    client.cookies.delete("chairtime")
    assert client.get("/failed").headers["Location"] == "/login?next=%2Ffailed"
    for address in ("/failed/retry", f"/messages/{job_id}/retry", f"/messages/{job_id}/correct"):
        assert client.post(address).status_code == 401
    assert message(shop, job_id).state == "failed"


def test_another_site_cannot_retry_anything(client: Client, shop: Database) -> None:
    job_id = fail(shop)
    evil = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    assert client.post(f"/messages/{job_id}/retry", headers=evil).status_code == 403
    assert message(shop, job_id).state == "failed"


def test_names_and_codes_are_shown_as_text(client: Client, shop: Database) -> None:
    fail(shop, customer_name="<img src=x onerror=alert(1)>")
    fail(shop, "<svg onload=alert(1)>", customer_name="'\"><script>alert(1)</script>")
    page = client.get("/failed").text
    for evil in ("<img src=x", "<svg onload", "<script>alert"):
        assert evil not in page
    assert (
        client.get("/failed?code=%3Cscript%3Ealert(1)%3C/script%3E").text.count("<script>alert")
        == 0
    )


def test_the_page_takes_as_many_statements_for_many_as_for_few(
    client: Client, shop: Database
) -> None:
    def statements() -> int:
        with counted(shop) as executed:
            assert client.get("/failed").status_code == 200
        return len(executed)

    fail(shop)
    statements()
    few = statements()
    for turn in range(12):
        fail(shop, ("63003", "63049", "21211")[turn % 3])
    assert statements() == few <= 15


def test_what_came_of_it_in_words() -> None:
    assert in_words(Retried(2, {"The appointment has begun.": 1})) == (
        "2 retried · 1 not: the appointment has begun"
    )
    assert in_words(Retried(0, {"The booking was moved.": 2})) == "2 not: the booking was moved"
    assert in_words(Retried(3, {})) == "3 retried"
