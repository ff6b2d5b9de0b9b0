"""A customer's request that staff grant by one press: their booking is cancelled, or moved and they
are told.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy.orm import Session

from app import clock
from app.bookings import any_barber, availability, service
from app.bookings.need import Need
from app.bookings.series import check_free
from app.bookings.undo import UNDO_FOR
from app.conversations import service as conversations
from app.conversations.wishes import wish_of
from app.errors import Conflict
from app.models.booking import Booking
from app.models.conversation import Reply
from app.models.shop import Barber
from app.shop import service as shop_service
from app.shop.service import shop, time_zone


@dataclass(frozen=True)
class Request:
    """What a `reply` seems to ask for of a booking that is to come: to cancel it, or to move it
    `to` a time (UTC), which may not be free; `somebody_else` is then who is.
    """

    reply: Reply
    kind: Literal["cancel", "move"]
    to: datetime | None = None
    is_free: bool = True
    somebody_else: Barber | None = None


def request_of(session: Session, booking: Booking, replies: Sequence[Reply]) -> Request | None:
    """What the last of the replies (oldest first) asks for, if nobody has looked after it yet."""
    last = replies[-1] if replies else None
    is_open = booking.status == "confirmed" and booking.starts_at > clock.now()
    if last is None or not is_open or not last.needs_attention:
        return None
    wish = wish_of(last.body, shop(session).cancel_words)
    if wish is None or wish.kind == "cancel":
        return Request(last, "cancel") if wish else None
    if wish.by:
        times = [booking.starts_at + wish.by]
    else:
        zone = time_zone(shop(session))
        day = booking.starts_at.astimezone(zone).date()
        times = [clock.first_moment(day, each, zone) for each in wish.times]
    ahead = [each for each in times if each > clock.now() and each != booking.starts_at]
    if not ahead:
        return None
    free = next((each for each in ahead if _is_free(session, booking, each)), None)
    if free is not None:
        return Request(last, "move", free)
    place = booking.service_id, booking.barber_id, Need.of_booking(booking), ahead[0]
    return Request(last, "move", ahead[0], False, any_barber.somebody_else(session, *place))


def grant_cancel(session: Session, booking_id: str, sid: str, actor: str) -> Booking:
    """Cancel it, as `service.cancel` does with time to undo it; the reply is looked after.

    Raises what that raises, and NotFound for the reply.
    """
    booking = service.cancel(session, booking_id, actor, UNDO_FOR)
    conversations.mark_handled(session, sid, actor)
    return booking


def grant_move(session: Session, booking_id: str, sid: str, to: datetime, actor: str) -> Booking:
    """Move it to that time (aware), tell them, and the reply is looked after.

    Raises what `service.change` raises, Conflict `outside_hours`, and NotFound for the reply.
    """
    before = service.get(session, booking_id).starts_at
    booking = service.change(session, booking_id, {"scheduled_time": to}, actor, tell=True)
    if booking.starts_at == before:
        raise Conflict("moved_meanwhile", "The booking is at that time already.")
    check_free(session, booking)
    conversations.mark_handled(session, sid, actor)
    return booking


def _is_free(session: Session, booking: Booking, at: datetime) -> bool:
    need = Need.of_booking(booking)
    barber = shop_service.barber(session, booking.barber_id)
    others = availability.overlapping(booking.barber_id, *need.busy(at), but=booking.id)
    is_taken = session.scalars(others.limit(1)).one_or_none() is not None
    return not is_taken and availability.outside(session, barber, at, at + need.length) is None
