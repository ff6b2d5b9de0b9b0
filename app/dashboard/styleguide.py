"""Each component in each state, in development only: what designers and visual checks look at."""

from datetime import timedelta
from typing import Any

from litestar import Response, Router, get

from app import clock
from app.dashboard.labels import Reminders, Word, staff_word
from app.dashboard.shell import PageRequest, page
from app.messages.receipt_ranks import ASK_AFTER
from app.models.message import Message
from app.staff.sessions import SignedIn

_COLOURS = ("planned", "due", "sending", "sent", "ok", "bad", "none")
_STATES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("pending", {"later": True}),
    ("pending", {"later": True, "attempts": 2}),
    ("pending", {}),
    ("sending", {}),
    ("uncertain", {}),
    ("sent", {}),
    ("sent", {"delivery_status": "delivered"}),
    ("sent", {"delivery_status": "read"}),
    ("sent", {"asks": len(ASK_AFTER)}),
    ("failed", {}),
    ("cancelled", {}),
    ("skipped", {}),
)


@get("/styleguide", opt={"access": "public"}, sync_to_thread=True)
def show(request: PageRequest) -> Response[str]:
    """The whole style guide."""
    now = clock.now()
    request.scope["user"] = SignedIn("user_0", "Maximiliane Ångström", "owner", "", now)
    messages = [_message(number, state, **given) for number, (state, given) in enumerate(_STATES)]
    return page(
        request,
        "styleguide/page.html",
        words=[staff_word(message, now) for message in messages],
        messages=messages,
        rows={
            "Nothing sent yet": Reminders([_planned(3)]),
            "Half way": Reminders([_done(3), _planned(2)]),
            "Going wrong": Reminders([_done(2), (_message(3, "failed"), 1), _planned(2)]),
            "A month ahead": Reminders([_done(4), _planned(355)]),
            "All done": Reminders([_done(12)]),
            "None": Reminders(),
            "Every state": Reminders([(each, 1) for each in messages]),
        },
        colours=[Word(name, name) for name in _COLOURS],
        errors={"wrong": "Write it with its country code, such as +1 202 555 0123."},
    )


def _message(number: int, state: str, later: bool = False, **values: Any) -> Message:
    due = clock.now() + timedelta(hours=number + 1 if later else -1)
    given = {"attempts": 0, "kind": "reminder", "number": number, "due_at": due}
    return Message(state=state, **(given | values))


def _done(count: int) -> tuple[Message, int]:
    return _message(1, "sent", delivery_status="read"), count


def _planned(count: int) -> tuple[Message, int]:
    return _message(1000, "pending", later=True), count


router = Router("/", route_handlers=[show], include_in_schema=False)
