"""What staff do with a customer's reply: answer it, or tick it off."""

from typing import Annotated

from litestar import Response, Router, post
from litestar.params import PathParameter
from sqlalchemy.orm import Session

from app import db
from app.bookings import service as bookings
from app.conversations import service
from app.dashboard.shell import FormData, PageRequest, page, run_action
from app.errors import Invalid
from app.web.parameters import BookingId

ReplySid = Annotated[str, PathParameter(pattern=r"^[A-Za-z0-9]{1,34}$", description="Its SID.")]


@post("/bookings/{booking_id:str}/answer", opt={"access": "staff"}, sync_to_thread=True)
def answer(request: PageRequest, booking_id: BookingId, form: FormData) -> Response[str]:
    """Send staff's own words; what is wrong with them stands beside them."""
    text = form.get("text", "")

    def act(session: Session) -> str:
        service.answer(session, booking_id, text, request.user.actor)
        return "Your answer is on its way."

    try:
        return run_action(request, f"/bookings/{booking_id}", act)
    except Invalid as invalid:
        return _again(request, booking_id, text, invalid.errors[0].message)


@post("/replies/{sid:str}/handled", opt={"access": "staff"}, sync_to_thread=True)
def mark_handled(request: PageRequest, sid: ReplySid) -> Response[str]:
    """Take a reply out of what needs attention."""

    def act(session: Session) -> str:
        service.mark_handled(session, sid, request.user.actor)
        return "Marked as looked after."

    return run_action(request, "/today", act, f"/replies/{sid}/reopen")


@post("/replies/{sid:str}/reopen", opt={"access": "staff"}, sync_to_thread=True)
def reopen(request: PageRequest, sid: ReplySid) -> Response[str]:
    """Put it back."""

    def act(session: Session) -> str:
        service.reopen(session, sid, request.user.actor)
        return "Back in “Needs attention”."

    return run_action(request, "/today", act)


def _again(request: PageRequest, booking_id: str, text: str, problem: str) -> Response[str]:
    with db.database().read() as session:
        booking = bookings.get(session, booking_id)
        chat = service.chat(session, booking)
    return page(
        request,
        "bookings/answer.html",
        partial="bookings/_answer.html",
        status=422,
        booking=booking,
        chat=chat,
        max_answer=service.MAX_ANSWER,
        typed=text,
        errors={"text": problem},
    )


router = Router("/", route_handlers=[answer, mark_handled, reopen], include_in_schema=False)
