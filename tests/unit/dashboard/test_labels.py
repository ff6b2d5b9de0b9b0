"""What staff see of a message's state, as a word and as beads."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.dashboard.labels import NOT_DELIVERED_YET, Reminders, Word, beads, booking_word, staff_word
from app.models.message import STATES, Message

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def message(state: str = "pending", number: int = 1, **values: Any) -> Message:
    given = {"kind": "reminder", "attempts": 0, "due_at": NOW + timedelta(hours=1)}
    return Message(state=state, number=number, **(given | values))


def each(messages: list[Message]) -> list[tuple[Message, int]]:
    return [(one, 1) for one in messages]


def rows(done: int, planned: int) -> list[Message]:
    states = ["sent"] * done + ["pending"] * planned
    return [message(state, number) for number, state in enumerate(states, start=1)]


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({}, Word("Planned", "planned")),
        ({"attempts": 2}, Word("Retrying", "sending")),
        ({"due_at": NOW}, Word("Due", "due")),
        ({"state": "sending"}, Word("Sending", "sending")),
        ({"state": "uncertain"}, Word("Checking", "sending")),
        ({"state": "sent"}, Word("Sent", "sent")),
        ({"state": "sent", "delivery_status": "queued"}, Word("Sent", "sent")),
        ({"state": "sent", "delivery_status": "delivered"}, Word("Delivered", "ok")),
        ({"state": "sent", "delivery_status": "read"}, Word("Read", "ok")),
        ({"state": "sent", "asks": 4}, Word("Sent", "sent")),
        ({"state": "sent", "asks": 5}, Word("Not delivered yet", "due", NOT_DELIVERED_YET)),
        ({"state": "sent", "asks": 5, "delivery_status": "read"}, Word("Read", "ok")),
        ({"state": "failed", "delivery_status": "undelivered"}, Word("Failed", "bad")),
        ({"state": "cancelled"}, Word("Cancelled", "none")),
        ({"state": "skipped"}, Word("Skipped", "none")),
    ],
)
def test_each_state_has_its_word_and_its_colour(values: dict[str, Any], word: Word) -> None:
    assert staff_word(message(**values), NOW) == word


def test_there_is_a_word_for_every_state() -> None:
    assert all(staff_word(message(state), NOW).text for state in STATES)
    assert booking_word("no_show") == Word("No-show", "due")


@pytest.mark.parametrize(
    ("done", "planned", "earlier", "shown", "later"),
    [
        (0, 0, 0, "", 0),
        (3, 2, 0, "dddpp", 0),
        (0, 8, 0, "pppppppp", 0),
        (4, 355, 2, "ddpppppp", 351 - 2),
        (12, 0, 4, "dddddddd", 0),
        (12, 1, 5, "dddddddp", 0),
        (1, 20, 0, "dppppppp", 13),
    ],
)
def test_of_many_reminders_the_last_done_and_the_next_planned_are_shown(
    done: int, planned: int, earlier: int, shown: str, later: int
) -> None:
    row = beads(Reminders(each(rows(done, planned))), NOW)
    assert "".join("p" if word.text == "Planned" else "d" for word in row.shown) == shown
    assert (row.earlier, row.later) == (earlier, later)
    assert earlier + len(shown) + later == done + planned


def test_beads_are_in_the_order_of_their_numbers_with_the_summary_in_words() -> None:
    near = [message("sent", delivery_status="read"), message("failed", 2), message(number=4)]
    row = beads(Reminders(each(near)), NOW)
    assert [word.text for word in row.shown] == ["Read", "Failed", "Planned"]
    assert row.summary == "1 read, 1 failed, 1 planned"
    assert beads(Reminders(), NOW).summary == "no reminders"


def test_reminders_that_are_only_counted_are_earlier_or_later_than_those_near_the_present() -> None:
    near = rows(18, 8)[10:]
    rest = [(message(), 300), (message("skipped"), 2), (message("sent"), 5)]
    row = beads(Reminders(each(near), rest), NOW)
    assert [word.text for word in row.shown] == ["Sent"] * 2 + ["Planned"] * 6
    assert (row.earlier, row.later) == (7 + 6, 300 + 2)
    assert row.summary == "2 skipped, 13 sent, 308 planned"
