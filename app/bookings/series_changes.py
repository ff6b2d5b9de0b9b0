"""What is done to bookings of a series together: to those from one on, or to all to come."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import Any, Literal, get_args

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from app import clock, forms
from app.bookings import series, service, undo
from app.bookings.fields import FARTHEST
from app.bookings.need import Need
from app.bookings.series import Visit
from app.errors import Conflict
from app.forms import Form, field
from app.models.booking import Booking
from app.shop import service as shop_service
from app.shop.service import shop, time_zone

Scope = Literal["rest", "all"]
"""Those from a booking on, with it; or all of its series."""
SCOPES: tuple[Scope, ...] = get_args(Scope)


class MoveForm(Form):
    """Where a booking of a series goes, and the others with it: by as many days, to that time."""

    @field
    def day(self, typed: str) -> date:
        day = forms.day(typed)
        if abs(day - clock.now().date()) > FARTHEST:
            raise ValueError(f"This is more than {FARTHEST.days} days away.")
        return day

    @field
    def time(self, typed: str) -> time:
        return forms.time_of_day(typed)

    @field
    def barber(self, typed: str) -> str:
        return typed

    @field
    def service(self, typed: str) -> str:
        return typed


def scope_of(typed: str) -> Scope:
    """What was typed; those from here on if it is nothing that is known."""
    return "all" if typed == "all" else "rest"


def of(session: Session, booking: Booking) -> Sequence[Booking]:
    """All of its series by time, with services and barbers; none for one that is of none."""
    if booking.series_id is None:
        return []
    return session.scalars(
        select(Booking)
        .where(Booking.series_id == booking.series_id)
        .order_by(Booking.starts_at, Booking.id)
        .options(joinedload(Booking.service), joinedload(Booking.barber))
    ).all()


def to_come(session: Session, booking: Booking, scope: Scope) -> list[Booking]:
    """Those of the scope that are confirmed and have not begun."""
    since = booking.starts_at if scope == "rest" else clock.now()
    return [
        each
        for each in of(session, booking)
        if each.status == "confirmed" and each.starts_at > clock.now() and each.starts_at >= since
    ]


def cancel(
    session: Session, booking_id: str, scope: Scope, actor: str, *, told: bool
) -> list[Booking]:
    """Cancel those of the scope, at one moment; a customer who is `told` already gets no messages
    of it.

    Raises NotFound, and Conflict `none_to_come`.
    """
    chosen = _some(to_come(session, service.get(session, booking_id), scope))
    with clock.at(clock.now()):
        return [
            service.cancel(session, each.id, actor, undo.UNDO_FOR, told=told) for each in chosen
        ]


def undo_cancel(
    session: Session, booking_id: str, cancelled_at: datetime, actor: str
) -> tuple[list[Booking], list[Conflict]]:
    """Confirm those of its series again that were cancelled at that moment, and why not the others.

    Raises NotFound, and Conflict if none can be: as `undo.undo_cancel`, or `none_cancelled`.
    """
    chosen = [
        each
        for each in of(session, service.get(session, booking_id))
        if each.status == "cancelled" and each.updated_at == cancelled_at
    ]
    done, refused = list[Booking](), list[Conflict]()
    for each in chosen:
        try:
            done.append(undo.undo_cancel(session, each.id, actor))
        except Conflict as conflict:  # found before anything was changed
            refused.append(conflict)
    if not done:
        raise (refused or [Conflict("none_cancelled", "There is nothing to undo any more.")])[0]
    return done, refused


def as_it_is(session: Session, booking: Booking) -> dict[str, str]:
    """The fields of MoveForm as the booking has them."""
    local = booking.starts_at.astimezone(time_zone(shop(session)))
    where = {"barber": booking.barber_id, "service": booking.service_id}
    return {"day": f"{local:%Y-%m-%d}", "time": f"{local:%H:%M}", **where}


def moved(
    session: Session, booking: Booking, scope: Scope, typed: Mapping[str, Any]
) -> list[Visit]:
    """Where those of the scope would go. Those of them that stand in each other's way do not.

    Raises Invalid, and Conflict `none_to_come` and `barber_left`.
    """
    values = MoveForm(typed).checked()
    zone = time_zone(shop(session))
    chosen = _some(to_come(session, booking, scope))
    further = values["day"] - booking.starts_at.astimezone(zone).date()
    barber = series.barber_of(session, values["barber"])
    wanted = [
        (
            each.id,
            clock.first_moment(
                each.starts_at.astimezone(zone).date() + further, values["time"], zone
            ),
            each,
        )
        for each in chosen
    ]
    ahead = [each for each in wanted if each[1] > clock.now()]
    need = _need(session, booking, values["service"])
    theirs = frozenset(each.id for each in chosen)
    return series.looked_at(session, barber, need, ahead, theirs)


def move(
    session: Session,
    booking_id: str,
    typed: Mapping[str, Any],
    chosen: Mapping[str, datetime],
    actor: str,
    agreed: int | None = None,
) -> list[Booking]:
    """Move bookings of its series, each by its id to its time: all of them or, when one fails,
    none. `typed` says with whom, and what, if that changes.

    Raises what `service.change` raises, and Conflict `outside_hours`, `none_chosen` and
    `not_of_series`.
    """
    booking = service.get(session, booking_id)
    values = MoveForm(typed).checked()
    theirs = {each.id: each for each in of(session, booking)}
    if not chosen:
        raise Conflict("none_chosen", "Every booking is left as it is: choose a time for one.")
    if chosen.keys() - theirs.keys():
        raise Conflict("not_of_series", "One of these bookings is not of this series.")
    is_later = any(at > theirs[id].starts_at for id, at in chosen.items())
    now, names = as_it_is(session, booking), {"barber": "barber_id", "service": "service_id"}
    places = {name: values[each] for each, name in names.items() if values[each] != now[each]}
    done = []
    # Each goes where none of the others is any more.
    for id, at in sorted(chosen.items(), key=lambda each: each[1], reverse=is_later):
        changes = {**places, "scheduled_time": at}
        done.append(service.change(session, id, changes, actor, agreed))
        series.check_free(session, done[-1])
    return done


def _some(bookings: list[Booking]) -> list[Booking]:
    if not bookings:
        raise Conflict("none_to_come", "None of these bookings is still to come.")
    return bookings


def _need(session: Session, booking: Booking, service_id: str) -> Need:
    chosen = shop_service.service(session, service_id)
    if chosen is None or service_id == booking.service_id:
        return Need.of_booking(booking)
    return Need.of_service(chosen)
