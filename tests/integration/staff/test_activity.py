"""The audit log as the owner's page shows it."""

import ast
import re
from collections.abc import Iterator
from html import unescape
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from app.db import Database
from app.staff import activity, audit
from tests import factories
from tests.integration.conftest import Client
from tests.support.frozen import FrozenClock
from tests.support.staff import add_user, sign_in
from tests.support.valkey import Valkey
from tests.support.web import web_client

APP = Path(__file__).parents[3] / "app"


@pytest.fixture
def client(shop: Database, valkey: Valkey) -> Iterator[Client]:
    """The owner's browser, once on SQLite, once on PostgreSQL."""
    with web_client() as browser:
        sign_in(browser, shop, "owner", "Ola Owner")
        yield browser


def note(db: Database, actor: str, action: str, subject: str, **details: Any) -> None:
    with db.write() as session:
        audit.record(session, actor, action, subject, **details)


def lines(client: Client, address: str = "/activity") -> list[str]:
    """What the rows say, without who signed in."""
    answer = client.get(address)
    assert answer.status_code == 200, answer.text
    rows = re.findall(r"<tr>\s*<td.*?</tr>", answer.text, re.S)
    texts = [" ".join(unescape(re.sub(r"<[^>]+>", " ", row)).split()) for row in rows]
    return [line for line in texts if "Signed in" not in line]


# --- every action has words ---


def recorded() -> Iterator[tuple[str, str]]:
    """Every action that the code records, with where."""
    for path in sorted(APP.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        for function in [each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef)]:
            for call in [each for each in ast.walk(function) if isinstance(each, ast.Call)]:
                if ast.unparse(call.func) == "audit.record":
                    for action in values_of(call.args[2], function):
                        yield action, f"{path.relative_to(APP)}:{call.lineno}"


def values_of(node: ast.expr, within: ast.FunctionDef) -> list[str]:
    """All that an expression can be, as far as this test can tell."""
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    if isinstance(node, ast.IfExp):
        return values_of(node.body, within) + values_of(node.orelse, within)
    if isinstance(node, ast.FormattedValue):
        return values_of(node.value, within)
    if isinstance(node, ast.JoinedStr):
        return ["".join(parts) for parts in product(*(values_of(v, within) for v in node.values))]
    if ast.unparse(node) == "_word(kind)":  # app.shop.catalogue
        return ["service", "barber"]
    assigned = [
        each.value
        for each in ast.walk(within)
        if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == ast.unparse(node)
    ]
    assert assigned, f"write the action plainly in {within.name}: {ast.unparse(node)}"
    return [value for each in assigned for value in values_of(each, within)]


def test_every_action_that_is_recorded_has_words_and_no_other_has() -> None:
    actions = dict(recorded())
    assert len(actions) > 30
    nameless = {action: where for action, where in actions.items() if action not in activity.WORDS}
    assert nameless == {}, "say in app/staff/activity.py what these are in plain words"
    assert activity.WORDS.keys() - actions.keys() == set()


# --- the page ---


def test_each_line_says_who_did_what_to_what_the_newest_first(
    client: Client, shop: Database, clock: FrozenClock
) -> None:
    ben = add_user(shop, "staff", "Ben Roe")
    with shop.write() as session:
        token = factories.api_token(session, name="Website")
        booking = factories.booking(session, customer_name="Luis <Ortega>")
        reply = factories.reply(session, booking, profile_name="Luis")
    times = {"was": "2026-11-23T14:00:00+00:00", "starts_at": "2026-11-24T09:30:00+00:00"}
    note(shop, f"token:{token.id}", "booking.created", booking.id)
    note(shop, f"user:{ben.id}", "booking.rescheduled", booking.id, fields=["starts_at"], **times)
    clock.move(minutes=5)
    fields = ["barber_id", "customer_phone"]
    note(shop, f"user:{ben.id}", "booking.changed", booking.id, fields=fields)
    note(shop, "system", "message.retried", booking.id, job_id=f"{booking.id}-reminder-3")
    note(shop, "customer:reply", "booking.cancelled", booking.id)
    note(shop, f"user:{ben.id}", "reply.handled", reply.sid)
    about = "Luis <Ortega> today 10:00 AM"
    assert lines(client) == [
        "today 12:05 AM Ben Roe Marked as done A message of Luis",
        f"today 12:05 AM Customer, by reply Cancelled {about}",
        f"today 12:05 AM Chairtime Retried reminder 3 {about}",
        f"today 12:05 AM Ben Roe Changed barber, phone {about}",
        "today 12:00 AM Ben Roe Moved from today 2:00 PM to tomorrow 9:30 AM " + about,
        f"today 12:00 AM API token Website Booked {about}",
    ]
    html = client.get("/activity").text
    assert 'title="Monday, November 23, 2026 12:05:00 AM UTC"' in html
    assert f'href="/bookings/{booking.id}"' in html
    assert f'href="/bookings/{booking.id}#chat"' in html
    assert booking.customer_phone not in html


def test_what_is_no_booking_is_called_by_its_name_and_leads_to_its_page(
    client: Client, shop: Database
) -> None:
    ben, ida = add_user(shop, "staff", "Ben Roe"), add_user(shop, "owner", "Ida Fox")
    by = f"user:{ida.id}"
    note(shop, by, "user.password_changed", ida.id)
    note(shop, by, "shop.changed", "shop", opens_at=["09:00", "08:30"], country=[None, "GB"])
    note(shop, by, "user.changed", ben.id, role=["staff", "viewer"])
    note(shop, by, "service.switched_off", "service:haircut")
    note(shop, by, "text.changed", "text:reminder", old="Hello, a long text", new="Hi")
    note(shop, by, "token.revoked", "token_gone")
    note(shop, by, "sending.paused", "sending")
    note(shop, "user:user_gone", "service.added", "service:gone", id="gone", minutes=30)
    said = [line.partition("AM ")[2] for line in lines(client)]
    assert said == [
        "A former member Added minutes: 30 service:gone",
        "Ida Fox Paused Sending",
        "Ida Fox Revoked An API token",
        "Ida Fox Changed The text “reminder”",
        "Ida Fox Switched off Haircut",
        "Ida Fox Changed role: staff → viewer Ben Roe",
        "Ida Fox Changed opens at: 09:00 → 08:30, country: none → GB Settings",
        "Ida Fox Own password changed",
    ]
    html = client.get("/activity").text
    for address in (
        f"/staff?member={ben.id}#member",
        "/settings/services#haircut",
        "/settings/texts/reminder",
        "/queue",
    ):
        assert f'href="{address}"' in html


def test_an_action_of_an_older_version_is_shown_as_it_was_recorded(
    client: Client, shop: Database
) -> None:
    note(shop, "system", "booking.painted", "booking_gone", colour="red")
    assert [line.partition("AM ")[2] for line in lines(client)] == [
        "Chairtime booking.painted colour: red booking_gone"
    ]


def test_the_lines_can_be_those_of_a_person_or_of_a_booking_with_its_replies(
    client: Client, shop: Database
) -> None:
    ben = add_user(shop, "staff", "Ben Roe")
    with shop.write() as session:
        booking = factories.booking(session)
        other = factories.booking(session)
        reply = factories.reply(session, booking)
    for actor, action, subject in (
        ("system", "booking.created", booking.id),
        (f"user:{ben.id}", "booking.created", other.id),
        (f"user:{ben.id}", "reply.handled", reply.sid),
    ):
        note(shop, actor, action, subject)
    whole, of_ben = lines(client), lines(client, f"/activity?who=user:{ben.id}")
    assert len(whole) == 3
    assert of_ben == whole[:2]
    assert lines(client, f"/activity?about={booking.id}") == [whole[0], whole[2]]
    assert lines(client, f"/activity?about={booking.id}&who=user:{ben.id}") == whole[:1]
    assert lines(client, "/activity?about=booking_nobodys") == []
    assert "Nothing found" in client.get("/activity?about=booking_nobodys").text


def test_each_line_is_on_one_page_and_the_filter_goes_with_the_pages(
    client: Client, shop: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activity, "PAGE", 3)
    for turn in range(7):
        note(shop, "customer:reply", "booking.cancelled", f"booking_{turn}")
        note(shop, "system", "booking.created", "booking_x")
    assert found_by_pages(client, "/activity?who=customer:reply") == [
        f"booking_{turn}" for turn in reversed(range(7))
    ]
    assert len(found_by_pages(client, "/activity?about=booking_x")) == 7


def test_for_one_person_so_many_lines_are_looked_through_and_the_next_page_goes_on(
    client: Client, shop: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activity, "LOOK_BACK", 10)
    note(shop, "customer:reply", "booking.cancelled", "booking_old")
    for _ in range(25):
        note(shop, "system", "booking.created", "booking_x")
    first = client.get("/activity?who=customer:reply")
    assert "Look further back" in first.text
    assert "Nothing in this part of the log is by this person" in first.text
    assert found_by_pages(client, "/activity?who=customer:reply") == ["booking_old"]


def found_by_pages(client: Client, address: str) -> list[str]:
    """The subjects of all lines, by the links to older ones."""
    ids = []
    for _ in range(20):
        ids += [line.split()[-1] for line in lines(client, address)]
        older = re.search(r'is-later"\s+href="([^"]+)"', client.get(address).text)
        if not older:
            return ids
        address = unescape(older[1])
    raise AssertionError("the pages do not end")


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("who=user:nobody", "There is nobody of that id."),
        ("about=" + "x" * 81, "This must be an id, of at most 80 visible characters."),
        ("about=a%01b", "This must be an id, of at most 80 visible characters."),
        ("before=x", "This link is too old or incomplete: start from the first page."),
        ("before=" + "9" * 19, "This link is too old or incomplete: start from the first page."),
    ],
)
def test_filters_that_do_not_work_are_said_to_be_so(
    owner: Client, query: str, problem: str
) -> None:
    answer = owner.get(f"/activity?{query}")
    assert answer.status_code == 422
    assert problem in answer.text


def test_the_page_is_in_the_owners_navigation_alone(owner: Client, sqlite_db: Database) -> None:
    assert owner.get("/today").text.count('href="/activity"') == 2  # also behind the round button
    sign_in(owner, sqlite_db, "staff")
    assert "/activity" not in owner.get("/today").text
    assert owner.get("/activity", headers={"Accept": "text/html"}).status_code == 403


def test_a_bookings_page_leads_its_owner_to_what_was_done_to_it(
    owner: Client, sqlite_db: Database
) -> None:
    with sqlite_db.write() as session:
        booking = factories.booking(session)
    address = f"/activity?about={booking.id}"
    assert f'href="{address}"' in owner.get(f"/bookings/{booking.id}").text
    sign_in(owner, sqlite_db, "staff")
    assert "/activity" not in owner.get(f"/bookings/{booking.id}").text


def test_what_the_owner_does_on_a_page_is_there(owner: Client, sqlite_db: Database) -> None:
    with sqlite_db.write() as session:
        booking = factories.booking(session)
        factories.message(session, booking)
    owner.post(f"/bookings/{booking.id}/cancel")
    owner.post("/queue/pause")
    said = [line.partition("AM ")[2] for line in lines(owner)]
    assert said[0].endswith("Paused Sending")
    assert "Cancelled" in said[1]
