"""Two owners who have one page of the settings open: the second is told what the first saved."""

import re
from collections.abc import Iterator
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.db import Database
from app.web import edit_conflicts
from tests.integration.conftest import Client
from tests.support.staff import sign_in
from tests.support.valkey import Valkey
from tests.support.web import web_client

PAGES = [
    # where the form is and goes, what the first types and the second, what the second is told
    (
        *("/settings", "/settings", {"country": "GB"}, {"name": "Salon"}),
        "Country: was empty, is now GB.",
    ),
    (
        *("/settings/hours", "/settings/hours"),
        *({"monday_closes": "20:00"}, {"friday_opens": "10:00"}),
        "Monday closes: was 19:00, is now 20:00.",
    ),
    (
        *("/settings/reminders", "/settings/reminders", {"every": "3"}, {"at_most": "5"}),
        "One every: was 2, is now 3.",
    ),
    (
        *("/settings/customers", "/settings/customers/budget"),
        *({"budget_per_month": "900"}, {"budget_per_customer": "9"}),
        "Messages of the whole shop: was empty, is now 900.",
    ),
    (
        *("/settings/services?change=haircut", "/settings/services/haircut"),
        *({"minutes": "45"}, {"name": "Long haircut"}),
        "Minutes: was 30, is now 45.",
    ),
    (
        *("/settings/texts/words", "/settings/texts/words"),
        *({"cancel_words": "storno"}, {"cancel_words": "anular"}),
        "More words: was empty, is now storno.",
    ),
    (
        *("/settings/texts/moved", "/settings/texts/moved"),
        *({"text": "At {formattedDateTime}, then.", "is_on": "1"}, {"text": "We moved you."}),
        "Taken out:We look forward to seeing you! 💯 The message is switched on now.",
    ),
    (
        *("/settings/texts/moved", "/settings/texts/moved"),
        *({"text": "At {formattedDateTime}, then."}, {"is_on": "1"}),
        "Put in:At {formattedDateTime}, then.Taken out:Hello {firstName}! 👋",
    ),
]


@pytest.fixture
def owner(shop: Database, valkey: Valkey) -> Iterator[Client]:
    with web_client() as client:
        sign_in(client, shop, "owner")
        yield client


def form_of(html: str, action: str) -> dict[str, str]:
    """The fields of a form as they stand there."""
    form = html.partition(f'action="{action}"')[2].partition("</form>")[0]
    inputs = re.findall(r"<input\b[^>]*>", form)
    fields = {
        name_of(each): value_of(each)
        for each in inputs
        if not re.search('type="(radio|checkbox)"', each) or "checked" in each
    }
    texts = re.findall(r'<textarea[^>]*\bname="(\w+)"[^>]*>\n(.*?)</textarea>', form, re.S)
    fields |= {name: unescape(text) for name, text in texts}
    for name, options in re.findall(r'<select[^>]*\bname="(\w+)"[^>]*>(.*?)</select>', form, re.S):
        fields[name] = next(iter(re.findall(r'value="([^"]*)" selected', options)), "")
    return fields


def name_of(element: str) -> str:
    [name] = re.findall(r'\bname="([^"]*)"', element)
    return str(name)


def value_of(element: str) -> str:
    return unescape(next(iter(re.findall(r'\bvalue="([^"]*)"', element)), ""))


def text_of(html: str) -> str:
    return unescape(" ".join(re.sub("<[^>]+>", "", html).split()))


@pytest.mark.parametrize(("where", "action", "first", "second", "told"), PAGES)
def test_the_second_owner_who_saves_is_told_what_the_first_saved(
    owner: Client, where: str, action: str, first: dict[str, str], second: dict[str, str], told: str
) -> None:
    opened = form_of(owner.get(where).text, action)
    assert owner.post(action, data={**opened, **first}).status_code == 303
    refused = owner.post(action, data={**opened, **second})
    assert refused.status_code == 409, refused.text
    assert "Somebody else has saved this meanwhile." in refused.text
    assert told in text_of(refused.text)
    assert form_of(owner.get(where).text, action) == {
        **opened,
        **first,
        "seen": form_of(refused.text, action)["seen"],
    }, "nothing of the second is kept yet"
    again = form_of(refused.text, action)
    assert again == {**opened, **first, **second, "seen": again["seen"]}
    assert owner.post(action, data=again).status_code == 303
    kept = form_of(owner.get(where).text, action)
    assert {**kept, "seen": ""} == {**opened, **first, **second, "seen": ""}


@pytest.mark.parametrize(("where", "action", "first", "second", "told"), PAGES[:4])
def test_what_is_wrong_meanwhile_hides_no_change(
    owner: Client, where: str, action: str, first: dict[str, str], second: dict[str, str], told: str
) -> None:
    opened = form_of(owner.get(where).text, action)
    wrong = dict.fromkeys(second, "x" * 200)
    shown = owner.post(action, data={**opened, **wrong})
    assert shown.status_code == 422
    assert owner.post(action, data={**opened, **first}).status_code == 303
    refused = owner.post(action, data={**form_of(shown.text, action), **second})
    assert refused.status_code == 409
    assert told in text_of(refused.text)


@pytest.mark.parametrize(("where", "action", "first", "second", "told"), PAGES)
def test_who_saves_what_the_first_saved_too_is_told_nothing(
    owner: Client, where: str, action: str, first: dict[str, str], second: dict[str, str], told: str
) -> None:
    opened = form_of(owner.get(where).text, action)
    owner.post(action, data={**opened, **first})
    assert owner.post(action, data={**opened, **first}).status_code == 303


fields = st.fixed_dictionaries({name: st.sampled_from(["", "1", "2"]) for name in "abc"})


@given(was=fields, now=fields, typed=fields)
def test_what_was_typed_is_kept_and_what_was_left_alone_is_as_it_is_now(
    was: dict[str, str], now: dict[str, str], typed: dict[str, str]
) -> None:
    merged, differences = edit_conflicts.merged(typed, edit_conflicts.pack(was), now)
    for name in "abc":
        assert merged[name] == (now[name] if typed[name] == was[name] else typed[name])
    assert {each.name: (each.was, each.now) for each in differences} == {
        name: (was[name], now[name]) for name in "abc" if was[name] != now[name]
    }
