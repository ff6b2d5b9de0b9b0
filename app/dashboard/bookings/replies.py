"""What staff do with a customer's reply: answer it, or tick it off."""

from typing import Annotated

from litestar import Response, Router, post
from litestar.params import PathParameter
from sqlalchemy.orm import Session

from app import db, forms
from app.bookings import service as bookings
from app.bookings.undo import UNDO_FOR
from app.conversations import requests, service
from app.dashboard.forms import FormState, submit
from app.dashboard.shell import FormData, PageRequest, page, redirect, run_action, toast
from app.errors import Conflict, Invalid
from app.web.addresses import ours
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


@post("/bookings/{booking_id:str}/requests/{sid:str}", opt={"access": "staff"}, sync_to_thread=True)
def grant(
    request: PageRequest, booking_id: BookingId, sid: ReplySid, form: FormData
) -> Response[str]:
    """Do what the customer asked for: move it `to` a time, or cancel it if there is none."""
    to, actor = form.get("to", ""), request.user.actor
    onwards = ours(form.get("next", "")) or f"/bookings/{booking_id}"

    def act(session: Session) -> str:
        if not to:
            booking = requests.grant_cancel(session, booking_id, sid, actor)
            seconds = int(UNDO_FOR.total_seconds())
            return f"Cancelled. {booking.customer_name} is told in {seconds} seconds."
        try:
            moment = forms.moment(to)
        except ValueError as error:
            raise Conflict("no_time", str(error)) from None
        booking = requests.grant_move(session, booking_id, sid, moment, actor)
        return f"Moved. {booking.customer_name} is told."

    def again(state: FormState) -> Response[str]:
        problem = next(iter(state.errors.values()))
        return toast(redirect(request, onwards), problem, bad=True)

    def done(session: Session) -> Response[str]:
        undo = None if to else f"/bookings/{booking_id}/undo"
        return toast(redirect(request, onwards), act(session), undo)

    def refused(conflict: Conflict) -> Response[str]:
        return toast(redirect(request, onwards), conflict.detail, bad=True)

    return submit(form, done, again, refused)


@post("/replies/{sid:str}/handled", opt={"access": "staff"}, sync_to_thread=True)
def mark_handled(request: PageRequest, sid: ReplySid) -> Response[str]:
    """Take a reply out of what needs attention."""

    def act(session: Session) -> str:
        service.mark_handled(session, sid, request.user.actor)
        return "Marked as done."

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


router = Router("/", route_handlers=[answer, grant, mark_handled, reopen], include_in_schema=False)
