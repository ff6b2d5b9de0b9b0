"""What is done with bookings that lie outside of hours, on closed days or while a barber is away.

`stray-…` is the field of a booking: empty to keep it, `cancel`, or a barber's id and a time.
"""

from litestar import Response, Router, post
from sqlalchemy.orm import Session

from app import forms
from app.bookings import strays
from app.bookings.strays import Move
from app.dashboard.shell import FormData, PageRequest, run_action
from app.errors import Conflict
from app.web.addresses import ours

_FIELD = "stray-"


@post("/strays", opt={"access": "staff"}, sync_to_thread=True)
def settle(request: PageRequest, form: FormData) -> Response[str]:
    """Move and cancel those for which that was chosen, and back to the page that listed them."""

    def act(session: Session) -> str:
        chosen = {
            name.removeprefix(_FIELD): _choice(text)
            for name, text in form.items()
            if name.startswith(_FIELD) and text
        }
        if not chosen:
            return "All are kept as they are."
        done = strays.settle(session, chosen, request.user.actor)
        return f"{done.moved} moved, {done.cancelled} cancelled."

    return run_action(request, ours(form.get("next", "")) or "/bookings", act)


def _choice(text: str) -> Move | None:
    """None to cancel it. Raises Conflict `no_choice`."""
    if text == "cancel":
        return None
    barber_id, _, at = text.partition(" ")
    try:
        return Move(forms.moment(at), barber_id)
    except ValueError:
        raise Conflict("no_choice", "Choose for each: keep, move or cancel.") from None


router = Router("/", route_handlers=[settle], include_in_schema=False)
