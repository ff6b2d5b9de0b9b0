"""The owner's page of texts: what it shows while one types, what it refuses, and its history."""

import re
from datetime import timedelta
from html import unescape

import pytest
from sqlalchemy import select

from app import clock as app_clock
from app.bookings import service
from app.db import Database
from app.messages import saved_texts
from app.messages.languages import ENGLISH
from app.models.message import Message
from tests import factories
from tests.fake_twilio import FakeTwilio
from tests.integration.conftest import Client, body, fill
from tests.support import lifecycle
from tests.support.frozen import FrozenClock
from tests.support.staff import HTMX, sign_in
from tests.support.valkey import Valkey
from tests.support.web import web_client

HERE = "/settings/texts"


def text_of(html: str) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html)))


def typed_in(html: str) -> str:
    match = re.search(r"<textarea[^>]*>\n(.*?)</textarea>", html, re.DOTALL)
    assert match
    return unescape(match[1])


def region(html: str, name: str) -> str:
    """A part of what htmx gets, as one reads it."""
    match = re.search(rf'hx-target="#{name}".*?</hx-partial>', html, re.DOTALL)
    assert match, name
    return text_of(match[0])


def look(owner: Client, text: str, kind: str = "reminder", **fields: str) -> str:
    form = {"text": text, "look": "1", **fields}
    answer = owner.post(f"{HERE}/{kind}", data=form, headers=HTMX)
    assert answer.status_code == 200, answer.text
    return answer.text


def saved(db: Database, kind: str = "reminder") -> str:
    with db.read() as session:
        return saved_texts.read(session, kind).text


@pytest.mark.parametrize("role", ["staff", "viewer"])
def test_only_the_owner_sees_and_changes_texts(
    owner: Client, sqlite_db: Database, role: str
) -> None:
    sign_in(owner, sqlite_db, role)
    assert owner.get(f"{HERE}/reminder").status_code == 403
    assert owner.post(f"{HERE}/reminder", data={"text": "Hi"}).status_code == 403
    assert owner.post(f"{HERE}/reminder/reset").status_code == 403
    assert saved(sqlite_db) == ENGLISH.texts["reminder"]


def test_the_first_text_is_the_reminder_and_a_kind_that_there_is_none_of_is_not_found(
    owner: Client,
) -> None:
    assert typed_in(owner.get(HERE).text) == ENGLISH.texts["reminder"]
    assert owner.get(f"{HERE}/answer").status_code == 404
    assert owner.post(f"{HERE}/birthday", data={"text": "Hi"}).status_code == 404


def test_a_text_is_shown_as_it_will_read_for_the_next_confirmed_booking(
    owner: Client, sqlite_db: Database
) -> None:
    with sqlite_db.write() as session:
        factories.booking(session, customer_name="Off", status="cancelled")
        later = app_clock.now() + timedelta(hours=30)
        factories.booking(session, starts_at=later, customer_name="Later")
        of = factories.booking(session, customer_name="Zoë <b>")
        factories.message(session, of, due_at=app_clock.now() + timedelta(hours=6))
    seen = region(look(owner, "Hi {customerName}, in {timeUntil} at {shopName}"), "seen")
    assert "Hi Zoë <b>, in 4 hours at The barbershop" in seen
    assert "The next booking: Zoë <b>, today 10:00" in seen


def test_without_a_booking_a_sample_is_shown(owner: Client) -> None:
    seen = region(look(owner, "Hi {customerName}, with {barberName}"), "seen")
    assert "Hi Ana Silva, with Sam" in seen
    assert "A sample: nobody is booked yet." in seen


def test_a_look_saves_nothing_and_leaves_the_field_alone(
    owner: Client, sqlite_db: Database
) -> None:
    shown = look(owner, "Another text")
    assert "<textarea" not in shown
    assert saved(sqlite_db) == ENGLISH.texts["reminder"]


def test_without_javascript_the_look_keeps_what_was_typed(owner: Client) -> None:
    answer = owner.post(f"{HERE}/moved", data={"text": "Hi {shopName}\r\nyou", "look": "1"})
    assert answer.status_code == 200
    assert typed_in(answer.text) == "Hi {shopName}\nyou"
    assert "Hi The barbershop you" in text_of(answer.text)


def test_a_saved_text_is_what_the_next_message_says(owner: Client, sqlite_db: Database) -> None:
    text = "Hi {customerName}!\r\n\r\nSee you in {timeUntil}. 😀  \r\n"
    answer = owner.post(f"{HERE}/reminder", data={"text": text})
    assert answer.headers["location"] == f"{HERE}/reminder"
    assert saved(sqlite_db) == "Hi {customerName}!\n\nSee you in {timeUntil}. 😀"
    with sqlite_db.write() as session:
        of = factories.booking(session)
    shown = owner.get(f"/bookings/{of.id}")
    assert "Hi Zoë Ångström! See you in 10 hours. 😀" in text_of(shown.text)


@pytest.mark.parametrize(
    ("text", "problem", "marked", "place"),
    [
        ("", "The text is empty.", None, None),
        ("  \n ", "The text is empty.", None, None),
        (
            "Hi 😀\nsee {tomorow}!",
            "{tomorow} is not a placeholder",
            ("see ", "{tomorow}", "!"),
            (10, 19),
        ),
        ("Hi {", "Braces belong around a placeholder", ("Hi ", "{", ""), (3, 4)),
        (
            "a\n" + "x" * 1030,
            "The text has 1032 characters",
            ("x" * 1022, "x" * 8, ""),
            (1024, 1032),
        ),
        ("{shopName}" * 9, "With the longest names the text would have 1080", None, None),
    ],
)
def test_what_cannot_be_sent_is_refused_with_its_place_marked(
    owner: Client,
    sqlite_db: Database,
    text: str,
    problem: str,
    marked: tuple[str, str, str] | None,
    place: tuple[int, int] | None,
) -> None:
    answer = owner.post(f"{HERE}/reminder", data={"text": text})
    assert answer.status_code == 422
    assert typed_in(answer.text) == text.rstrip()
    assert problem in text_of(answer.text)
    assert problem in region(look(owner, text), "text-notes")
    assert 'aria-invalid="true"' in answer.text
    line = "{}<mark>{}</mark>{}".format(*marked) if marked else "<mark>"
    assert (line in answer.text) is (marked is not None)
    if place:
        assert re.search(rf'data-start="{place[0]}"\s+data-end="{place[1]}"', answer.text)
    assert saved(sqlite_db) == ENGLISH.texts["reminder"]


def test_the_history_tells_who_changed_what_and_gives_the_earlier_text_back(
    owner: Client, sqlite_db: Database, clock: FrozenClock
) -> None:
    sign_in(owner, sqlite_db, name="Ola Owner")
    owner.post(f"{HERE}/cancellation", data={"text": "Gone, {customerName}."})
    clock.move(hours=1)
    owner.post(f"{HERE}/cancellation", data={"text": "Gone, {customerName}.\nCall us."})
    shown = owner.get(f"{HERE}/cancellation").text
    assert text_of(shown).count("Changed by Ola Owner, today") == 2
    newest = shown[shown.index("What was changed") :].split("</details>")[0]
    assert re.findall(r'class="is-(old|new)">.*?</span>(.*?)</p>', newest) == [("new", "Call us.")]
    earlier = re.findall(r"earlier=(\d+)", shown)
    assert typed_in(owner.get(f"{HERE}/cancellation?earlier={earlier[0]}").text) == (
        "Gone, {customerName}."
    )
    assert (
        typed_in(owner.get(f"{HERE}/cancellation?earlier={earlier[1]}").text)
        == (ENGLISH.texts["cancellation"])
    )
    assert (
        typed_in(owner.get(f"{HERE}/reminder?earlier={earlier[0]}").text)
        == ENGLISH.texts["reminder"]
    )
    assert saved(sqlite_db, "cancellation") == "Gone, {customerName}.\nCall us."


def test_the_same_text_again_is_no_change(owner: Client, sqlite_db: Database) -> None:
    owner.post(f"{HERE}/reminder", data={"text": ENGLISH.texts["reminder"].replace("\n", "\r\n")})
    with sqlite_db.read() as session:
        assert saved_texts.history(session, "reminder") == []
        assert not saved_texts.read(session, "reminder").is_own


def test_the_standard_text_comes_back_and_that_is_in_the_history(
    owner: Client, sqlite_db: Database
) -> None:
    assert "Use the standard text" not in owner.get(f"{HERE}/reminder").text
    owner.post(f"{HERE}/reminder", data={"text": "Hi"})
    assert "Use the standard text" in owner.get(f"{HERE}/reminder").text
    assert owner.post(f"{HERE}/reminder/reset").status_code == 303
    assert saved(sqlite_db) == ENGLISH.texts["reminder"]
    with sqlite_db.read() as session:
        newest, _ = saved_texts.history(session, "reminder")
    assert newest.event.details == {"old": "Hi", "new": ENGLISH.texts["reminder"]}


def test_a_template_is_named_as_what_is_sent_in_truth(
    owner: Client, sqlite_db: Database, configure: object
) -> None:
    sid = "HX" + "a" * 32
    configure(WHATSAPP_REMINDER_CONTENT_SID=sid)  # type: ignore[operator]
    with web_client() as other:
        sign_in(other, sqlite_db)
        shown = text_of(other.get(f"{HERE}/reminder").text)
        assert f"WhatsApp sends the words of the approved template {sid}, not these." in shown
        assert sid not in other.get(f"{HERE}/moved").text


def kinds_of(db: Database, booking_id: str) -> list[tuple[str, str]]:
    with db.read() as session:
        rows = session.scalars(
            select(Message)
            .where(Message.booking_id == booking_id, Message.kind != "reminder")
            .order_by(Message.id)
        )
        return [(row.kind, row.state) for row in rows]


def switch_on(db: Database, *kinds: str) -> None:
    with db.write() as session:
        for kind in kinds:
            saved_texts.save(session, kind, saved_texts.read(session, kind).text, True, "system")


def test_confirmation_and_new_time_are_switched_on_and_off_on_their_pages(
    owner: Client, sqlite_db: Database
) -> None:
    text = ENGLISH.texts["confirmation"]
    assert "Confirmation off" in text_of(owner.get(f"{HERE}/confirmation").text)
    owner.post(f"{HERE}/confirmation", data={"text": text, "is_on": "1"})
    with sqlite_db.read() as session:
        assert saved_texts.read(session, "confirmation").is_on
        assert not saved_texts.read(session, "moved").is_on
    owner.post(f"{HERE}/confirmation", data={"text": text})
    shown = text_of(owner.get(f"{HERE}/confirmation").text)
    assert "Switched off by Ann Lee" in shown
    assert "Switched on by Ann Lee" in shown


def test_a_booking_is_confirmed_and_a_move_is_told_at_once_if_the_shop_wants_it(
    api: Client, shop: Database, twilio: FakeTwilio
) -> None:
    switch_on(shop, "confirmation", "moved")
    booking_id = api.post("/api/bookings", json=body()).json()["id"]
    lifecycle.work()
    assert kinds_of(shop, booking_id) == [("confirmation", "sent")]
    here = f"/api/bookings/{booking_id}"
    assert api.patch(here, json={"customerName": "Ana S."}).status_code == 200
    assert api.patch(here, json={"scheduledTime": "2026-11-23T12:00:00Z"}).status_code == 200
    lifecycle.work()
    assert kinds_of(shop, booking_id) == [("confirmation", "sent"), ("moved", "sent")]
    said = [message.body for message in twilio.messages()]
    assert "Your appointment is booked." in said[0]
    assert "Your appointment has a new time." in said[1]
    assert "12:00 PM" in said[1]


def test_nothing_is_told_of_a_booking_that_was_there_already_or_while_it_is_switched_off(
    sqlite_api: Client, sqlite_db: Database
) -> None:
    first = sqlite_api.post("/api/bookings", json=body()).json()["id"]
    switch_on(sqlite_db, "confirmation")
    assert sqlite_api.post("/api/bookings", json=body()).status_code == 200
    later = {"scheduledTime": "2026-11-23T12:00:00Z"}
    sqlite_api.patch(f"/api/bookings/{first}", json=later)
    assert kinds_of(sqlite_db, first) == []


def test_a_move_takes_back_a_confirmation_that_has_not_gone_out(
    sqlite_db: Database, clock: FrozenClock, valkey: Valkey
) -> None:
    fill(sqlite_db)
    switch_on(sqlite_db, "confirmation", "moved")
    booking_id = lifecycle.book(sqlite_db)
    lifecycle.move(sqlite_db, booking_id, hours=12)
    assert kinds_of(sqlite_db, booking_id) == [("confirmation", "cancelled"), ("moved", "pending")]
    with sqlite_db.write() as session:
        service.cancel(session, booking_id, "system")
    assert ("moved", "cancelled") in kinds_of(sqlite_db, booking_id)
