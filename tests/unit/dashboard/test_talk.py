"""Which turns a conversation is told in."""

from datetime import UTC, datetime, timedelta

from app.conversations.service import ChatLine
from app.dashboard.bookings import talk
from app.models.conversation import Reply
from app.models.message import Message

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def ours(hours: int, kind: str = "reminder", **values: object) -> ChatLine:
    message = Message(id=f"b-{kind}-{hours}", kind=kind, state="sent", **values)
    return ChatLine(NOW + timedelta(hours=hours), "Hello!", message=message)


def theirs(hours: int) -> ChatLine:
    return ChatLine(NOW + timedelta(hours=hours), "Parking?", reply=Reply(sid=f"SM{hours}"))


def summaries(*lines: ChatLine) -> list[str]:
    return [turn.summary for turn in talk.turns_of(lines, NOW)]


def test_reminders_that_follow_each_other_are_one_turn_until_somebody_says_something() -> None:
    read = {"delivery_status": "read"}
    lines = [ours(1, **read), ours(2, **read), theirs(3), ours(4), ours(5, "answer"), ours(6)]
    assert summaries(*lines) == [
        "2 reminders, all read",
        "",
        "1 reminder, sent",
        "",
        "1 reminder, sent",
    ]


def test_a_run_says_how_many_there_are_of_each_word() -> None:
    states = ("read", "delivered", "read")
    lines = [ours(hours, delivery_status=each) for hours, each in enumerate(states)]
    assert summaries(*lines) == ["3 reminders: 2 read, 1 delivered"]
    [turn] = talk.turns_of(lines, NOW)
    assert (turn.key, turn.at) == ("b-reminder-0", NOW)


def test_nothing_said_is_no_turn() -> None:
    assert talk.turns_of([], NOW) == []
