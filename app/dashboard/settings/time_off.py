"""Settings: days on which the shop is closed, and when a barber is away.

The first is for owners; when a barber is away all staff may enter, as somebody calls in sick
before the owner is up.
"""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import date, time, timedelta
from functools import partial
from typing import Annotated
from zoneinfo import ZoneInfo

from babel import Locale
from litestar import Response, Router, get, post
from litestar.params import FromQuery, PathParameter
from sqlalchemy.orm import Session

from app import clock, db, forms
from app.bookings import availability, strays
from app.bookings.availability import Stray
from app.dashboard.forms import AS_IT_IS, FormState, submit
from app.dashboard.settings.hours import LOOKED_AT, BarberId
from app.dashboard.shell import FormData, PageRequest, page, redirect, run_action, toast
from app.errors import Conflict, FieldError, Invalid, NotFound
from app.models.shop import Barber
from app.models.time_off import Absence
from app.shop import public_holidays, time_off
from app.shop.public_holidays import Holiday
from app.shop.service import shop, time_zone
from app.shop.time_off import AbsenceForm, ClosureForm
from app.web.addresses import ours, with_query

CLOSURES = "/settings/closures"
HOLIDAYS = f"{CLOSURES}/holidays"
ABSENCES = "/settings/barbers/{barber_id:str}/absences"

USUAL = ("Day off", "Holiday", "Sick", "Lunch", "Training")
"""What an absence is often called."""

ItemId = Annotated[
    str, PathParameter(pattern=r"^[a-z]+_[A-Za-z0-9]{1,32}$", description="What is removed.")
]


@dataclass(frozen=True)
class AbsenceLine:
    """An absence with its days; `is_whole` if it is nothing but whole days."""

    absence: Absence
    first_day: date
    last_day: date
    is_whole: bool

    @classmethod
    def of(cls, absence: Absence, zone: ZoneInfo) -> "AbsenceLine":
        first = absence.starts_at.astimezone(zone).date()
        last = (absence.ends_at - timedelta.resolution).astimezone(zone).date()
        whole = clock.midnight(first, zone), clock.midnight(last + timedelta(days=1), zone)
        return cls(absence, first, last, whole == (absence.starts_at, absence.ends_at))


@get(CLOSURES, opt={"access": "owner"}, sync_to_thread=True)
def show_closures(request: PageRequest) -> Response[str]:
    """The closed days to come, and what is booked on them."""
    return _closures(request)


@post(CLOSURES, opt={"access": "owner"}, sync_to_thread=True)
def close(request: PageRequest, form: FormData) -> Response[str]:
    """Close the shop on some days."""

    def act(session: Session) -> Response[str]:
        values = ClosureForm(form).columns()
        [closure] = time_off.add_closures(session, [values], request.user.actor)
        said = f"Closed: {closure.name}.{_lie_in_it(_on_closed_days(session))}"
        return toast(redirect(request, CLOSURES), said)

    return submit(form, act, partial(_closures, request), partial(_refused, request, CLOSURES))


@get(HOLIDAYS, opt={"access": "owner"}, sync_to_thread=True)
def show_holidays(request: PageRequest, region: FromQuery[str] = "") -> Response[str]:
    """The public holidays of the coming year, to close the shop on."""
    with db.database().read() as session:
        row = shop(session)
        offered, closed = _offered(session, region)
    country = row.country or ""
    return page(
        request,
        "settings/holidays.html",
        country=Locale("en").territories.get(country, country),
        region=region,
        regions=public_holidays.regions(country),
        offered=offered,
        closed=closed,
    )


@post(HOLIDAYS, opt={"access": "owner"}, sync_to_thread=True)
def close_on_holidays(request: PageRequest, form: FormData) -> Response[str]:
    """Close the shop on those that are ticked."""
    ticked, region = set(form.getall("day", [])), form.get("region", "")

    def act(session: Session) -> str:
        offered, _ = _offered(session, region)
        chosen = [each for each in offered or () if each.day.isoformat() in ticked]
        if not chosen:
            raise Conflict("none", "Tick the holidays on which the shop is closed.")
        days = [ClosureForm({"name": each.name, "first_day": f"{each.day}"}) for each in chosen]
        time_off.add_closures(session, [each.columns() for each in days], request.user.actor)
        said = f"Closed on {len(chosen)} holiday{'s' if len(chosen) != 1 else ''}."
        return f"{said}{_lie_in_it(_on_closed_days(session))}"

    return run_action(
        request, CLOSURES if ticked else with_query(HOLIDAYS, {"region": region}), act
    )


@post(f"{CLOSURES}/{{closure_id:str}}/remove", opt={"access": "owner"}, sync_to_thread=True)
def reopen(request: PageRequest, closure_id: ItemId) -> Response[str]:
    """Open the shop again on these days."""

    def act(session: Session) -> str:
        removed = time_off.remove_closure(session, closure_id, request.user.actor)
        return f"Open again: {removed.name} is removed."

    return run_action(request, CLOSURES, act)


@get(ABSENCES, opt={"access": "staff"}, sync_to_thread=True)
def show_absences(request: PageRequest, barber_id: BarberId) -> Response[str]:
    """When a barber is away, and what is booked with them then.

    A drag on the board leads here with `from` and `until` (RFC 3339), which are filled in.
    """
    return _absences(request, barber_id)


@post(ABSENCES, opt={"access": "staff"}, sync_to_thread=True)
def add_absence(request: PageRequest, barber_id: BarberId, form: FormData) -> Response[str]:
    """Note when a barber is away."""
    here = _address(barber_id)

    def act(session: Session) -> Response[str]:
        values = AbsenceForm(form, time_zone(shop(session))).columns()
        absence = time_off.add_absence(session, barber_id, values, request.user.actor)
        said = f"Noted: {absence.name}."
        if in_it := _while_away(session, barber_id):
            return toast(redirect(request, here), f"{said}{_lie_in_it(in_it)}")
        return toast(redirect(request, ours(form.get("next", "")) or here), said)

    again = partial(_absences, request, barber_id)
    return submit(form, act, again, partial(_refused, request, here))


@post(f"{ABSENCES}/{{absence_id:str}}/remove", opt={"access": "staff"}, sync_to_thread=True)
def remove_absence(request: PageRequest, barber_id: BarberId, absence_id: ItemId) -> Response[str]:
    """Take an absence back."""

    def act(session: Session) -> str:
        actor = request.user.actor
        removed = time_off.remove_absence(session, barber_id, absence_id, actor)
        return f"{removed.name} is removed."

    return run_action(request, _address(barber_id), act)


def _closures(request: PageRequest, state: FormState = AS_IT_IS) -> Response[str]:
    with db.database().read() as session:
        row = shop(session)
        today = clock.now().astimezone(time_zone(row)).date()
        listed = time_off.closures(session, today)
        outside = _on_closed_days(session)
        instead = strays.instead(session, outside)
    return page(
        request,
        "settings/closures.html",
        **state.context(dict.fromkeys(ClosureForm.names, "")),
        closures=listed,
        strays=outside,
        instead=instead,
    )


def _offered(session: Session, region: str) -> tuple[Sequence[Holiday] | None, Set[date]]:
    """The holidays to come, None if nobody knows the country's; and on which of them the shop is
    closed already. Raises Invalid.
    """
    row = shop(session)
    if not row.country:
        return None, set()
    if region and region not in public_holidays.regions(row.country):
        raise Invalid([FieldError("region", "This must be one of the list.")])
    today = clock.now().astimezone(time_zone(row)).date()
    offered = public_holidays.coming(row.country, region, row.locale, today)
    closures = time_off.closures(session, today)
    closed = {
        each.day
        for each in offered or ()
        if any(closure.first_day <= each.day <= closure.last_day for closure in closures)
    }
    return offered, closed


def _absences(request: PageRequest, barber_id: str, state: FormState = AS_IT_IS) -> Response[str]:
    with db.database().read() as session:
        zone = time_zone(shop(session))
        barber = session.get(Barber, barber_id)
        if barber is None:
            raise NotFound("There is no such barber.")
        drawn = _drawn(request, zone)
        back = f"/today?date={drawn['first_day']}" if drawn else state.typed.get("next", "")
        lines = [AbsenceLine.of(each, zone) for each in time_off.absences(session, barber_id)]
        outside = _while_away(session, barber_id)
        instead = strays.instead(session, outside)
    return page(
        request,
        "settings/absences.html",
        **state.context(dict.fromkeys(AbsenceForm.names, "") | drawn),
        barber=barber,
        back=back,
        lines=lines,
        strays=outside,
        instead=instead,
        usual=USUAL,
    )


def _drawn(request: PageRequest, zone: ZoneInfo) -> dict[str, str]:
    """The fields of AbsenceForm for what was drawn on the board; none for times that are none."""
    asked = request.query_params
    try:
        begins, ends = (
            forms.moment(asked.get(name, "")).astimezone(zone) for name in ("from", "until")
        )
    except (ValueError, OverflowError):
        return {}
    last = (ends - timedelta.resolution).date()
    return {
        "first_day": begins.date().isoformat(),
        "from_time": f"{begins:%H:%M}",
        "last_day": "" if last == begins.date() else last.isoformat(),
        "until_time": f"{ends:%H:%M}" if ends.time() != time() else "",
    }


def _on_closed_days(session: Session) -> list[Stray]:
    return [each for each in availability.strays(session, most=LOOKED_AT) if each.why.closed]


def _while_away(session: Session, barber_id: str) -> list[Stray]:
    outside = availability.strays(session, barber_id, LOOKED_AT)
    return [each for each in outside if each.why.away]


def _lie_in_it(outside: list[Stray]) -> str:
    if not outside:
        return ""
    return f" Look at {len(outside)} booking{'s' if len(outside) != 1 else ''} below."


def _refused(request: PageRequest, address: str, conflict: Conflict) -> Response[str]:
    return toast(redirect(request, address), conflict.detail, bad=True)


def _address(barber_id: str) -> str:
    return f"/settings/barbers/{barber_id}/absences"


router = Router(
    "/",
    route_handlers=[
        *(show_closures, close, show_holidays, close_on_holidays, reopen),
        *(show_absences, add_absence, remove_absence),
    ],
    include_in_schema=False,
)
