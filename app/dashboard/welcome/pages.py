"""A new shop is set up in five steps, for owners; each can be skipped, and gone back to."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any, Literal

from litestar import Response, Router, get, post
from litestar.params import FromPath, FromQuery
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock, db
from app.bookings import availability, send_now
from app.bookings import service as bookings
from app.bookings.need import Need
from app.customers import budget
from app.dashboard.forms import AS_IT_IS, FormState, submit
from app.dashboard.shell import FormData, PageRequest, is_partial, page, redirect, toast
from app.errors import FieldError, Invalid
from app.models.booking import Booking
from app.models.shop import Shop
from app.models.week import DAYS
from app.reminders import choices
from app.reminders.changes import UNITS, PolicyForm
from app.settings import settings
from app.shop import changes, first_steps, money, weekly_hours
from app.shop.first_steps import STEPS
from app.shop.service import barbers, services, shop
from app.staff import accounts, members
from app.web.field_names import first_of_each

HERE = "/welcome"

Step = Literal["shop", "hours", "services", "reminders", "people"]
Save = Callable[[Session, Mapping[str, str], str], None]

_LOOKED_AHEAD = timedelta(days=14)
_AS_TYPED = ("shop", "reminders")  # steps that show what follows from what is typed
_FICTION = "+44 7700 900123"  # a number that is kept for fiction (Ofcom)


@get(HERE, opt={"access": "owner"}, sync_to_thread=True)
def resume(request: PageRequest) -> Response[str]:
    """Go on with the step that is next; with the first if all are done."""
    with db.database().read() as session:
        following = shop(session).setup_next
    return redirect(request, f"{HERE}/{following or next(iter(STEPS))}")


@get(f"{HERE}/{{step:str}}", opt={"access": "owner"}, sync_to_thread=True)
def show_step(
    request: PageRequest, step: FromPath[Step], zone: FromQuery[str] = ""
) -> Response[str]:
    """One step; for htmx, what would follow from what is typed. `zone` is the browser's."""
    typed = request.query_params if is_partial(request) else {}
    return _step(request, step, FormState(typed=typed), zone)


@post(f"{HERE}/{{step:str}}", opt={"access": "owner"}, sync_to_thread=True)
def save_step(request: PageRequest, step: FromPath[Step], form: FormData) -> Response[str]:
    """Keep what a step says, or leave it out (`skip`), and go on to the next one."""
    if "look" in form:
        return _step(request, step, FormState(typed=form))

    def act(session: Session) -> Response[str]:
        if "skip" not in form:
            _SAVE[step](session, form, request.user.actor)
        following = first_steps.go_on(session, step)
        again = step == "people" and "more" in form
        return redirect(request, f"{HERE}/{step if again else following}")

    return submit(form, act, partial(_step, request, step))


@get(f"{HERE}/ready", opt={"access": "owner"}, sync_to_thread=True)
def show_ready(request: PageRequest) -> Response[str]:
    """What to do first with a shop that is set up."""
    return _ready(request)


@post(f"{HERE}/try", opt={"access": "owner"}, sync_to_thread=True)
def try_it(request: PageRequest, form: FormData) -> Response[str]:
    """Book oneself, and send a reminder at once."""

    def act(session: Session) -> Response[str]:
        booking = _book(session, form, request.user.actor)
        send_now.remind_now(session, booking.id, request.user.actor)
        first_steps.finish(session)
        digits = bookings.phone_of(booking).removeprefix("+")
        is_simulated = settings().simulator and not settings().production
        address = f"/simulator/phones/{digits}" if is_simulated else f"/bookings/{booking.id}"
        return toast(redirect(request, address), "You are booked, and your reminder is on its way.")

    return submit(form, act, partial(_ready, request))


@post(f"{HERE}/finish", opt={"access": "owner"}, sync_to_thread=True)
def finish(request: PageRequest) -> Response[str]:
    """Ask for no further step."""
    with db.database().write() as session:
        first_steps.finish(session)
    return redirect(request, "/today")


def _step(
    request: PageRequest, step: Step, state: FormState = AS_IT_IS, zone: str = ""
) -> Response[str]:
    with db.database().read() as session:
        row = shop(session)
        fields = _fields(session, step, row)
        context = state.context({**fields, **state.typed} if state.typed else fields)
        following = row.setup_next or first_steps.READY
        staff = members.listed(session)
    if step == "shop" and not state.typed:
        context["typed"] = _proposed(context["typed"], zone)
    names = list(STEPS)
    return page(
        request,
        f"welcome/{step}.html",
        partial=f"welcome/_{step}.html" if step in _AS_TYPED else None,
        **context,
        step=step,
        steps=STEPS,
        is_done=lambda name: following not in STEPS or names.index(name) < names.index(following),
        before=names[names.index(step) - 1] if step != names[0] else "",
        following=names[names.index(step) + 1] if step != names[-1] else "",
        **_MORE[step](row, context["typed"], state.errors) if step in _MORE else {},
        staff=staff,
    )


def _fields(session: Session, step: Step, row: Shop) -> dict[str, str]:
    """What the form of a step shows at first."""
    if step == "shop":
        return {name: getattr(row, name) or "" for name in first_steps.PlaceForm.names}
    if step == "hours":
        return first_steps.hours_shown(row.weekly_hours)
    if step == "services":
        return first_steps.catalogue_shown(session)
    if step == "reminders":
        return choices.shown(row)
    return {"name": "", "email": "", "role": "staff", "password": ""}


def _proposed(typed: Mapping[str, str], zone: str) -> dict[str, str]:
    """With the browser's time zone, and its country, where none is chosen yet."""
    zone = zone if zone in changes.time_zones() else ""
    chosen = typed["time_zone"] or zone
    country = typed["country"] or first_steps.country_of(chosen)
    return {**typed, "time_zone": chosen, "country": country}


def _of_place(row: Shop, typed: Mapping[str, str], _: Mapping[str, str]) -> dict[str, Any]:
    country = typed["country"] if typed["country"] in changes.countries() else ""
    locale = first_steps.locale_of(country) or row.locale
    zone = typed["time_zone"] if typed["time_zone"] in changes.time_zones() else row.time_zone
    like = _as_it_would_be(row, country=country or None, locale=locale, time_zone=zone)
    currency = money.currency_of(like)
    return {
        "countries": list(changes.countries().items()),
        "time_zones": list(changes.time_zones().items()),
        "like": like,
        "language": changes.locales().get(locale, locale),
        "price": money.words(Decimal("24.50"), currency, locale),
    }


def _as_it_would_be(row: Shop, **values: Any) -> Shop:
    """A shop as it would be, which is in no database."""
    names = ("country", "locale", "time_zone", "prices_in")
    return Shop(**{name: getattr(row, name) for name in names} | values)


def _of_hours(row: Shop, _: Mapping[str, str], __: Mapping[str, str]) -> dict[str, Any]:
    return {"days": DAYS, "is_simple": first_steps.is_simple(row.weekly_hours)}


def _of_services(row: Shop, typed: Mapping[str, str], _: Mapping[str, str]) -> dict[str, Any]:
    return {
        "barbers": [number for number, _ in first_steps.rows_of(typed, "barber")],
        "services": [number for number, _ in first_steps.rows_of(typed, "service")],
        "currency": money.currency_of(row),
    }


def _of_reminders(row: Shop, typed: Mapping[str, str], _: Mapping[str, str]) -> dict[str, Any]:
    meant, problems = None, {}
    try:
        meant = choices.look(row, typed, clock.now())
    except Invalid as invalid:
        problems = first_of_each(invalid)
    return {
        "choices": choices.CHOICES,
        "units": [(unit, unit) for unit in UNITS if unit != "seconds" or typed["unit"] == unit],
        "meant": meant,
        "problems": problems,
        "cost_of": partial(budget.cost, row),
    }


def _ready(request: PageRequest, state: FormState = AS_IT_IS) -> Response[str]:
    with db.database().read() as session:
        is_empty = session.scalar(select(Booking.id).limit(1)) is None
        row = shop(session)
    is_simulated = settings().simulator and not settings().production
    phone = _FICTION if is_simulated else ""
    return page(
        request,
        "welcome/ready.html",
        **state.context({"name": request.user.name, "phone": phone}),
        steps=STEPS,
        step="",
        is_done=lambda _: True,
        is_simulated=is_simulated,
        can_fill=is_simulated and is_empty,
        country=row.country,
    )


def _save_place(session: Session, typed: Mapping[str, str], actor: str) -> None:
    row = changes.locked(session)
    changes.save(session, first_steps.PlaceForm(typed).columns(row), actor)


def _save_hours(session: Session, typed: Mapping[str, str], actor: str) -> None:
    weekly_hours.save(session, None, first_steps.hours_typed(typed), actor)


def _save_reminders(session: Session, typed: Mapping[str, str], actor: str) -> None:
    row = changes.locked(session)
    values = PolicyForm(choices.policy_of(typed), row).columns()
    changes.save(session, values, actor)


def _save_people(session: Session, typed: Mapping[str, str], actor: str) -> None:
    """Nobody, if nothing is typed."""
    email, name, password = (typed.get(each, "") for each in ("email", "name", "password"))
    if email.strip() or name.strip() or password:
        accounts.add(session, email, name, typed.get("role", ""), password, actor)


def _book(session: Session, typed: Mapping[str, str], actor: str) -> Booking:
    """At the first free time that is not just now. Raises Invalid."""
    service, everybody = services(session)[0], barbers(session)
    since = clock.now() + timedelta(hours=3)
    free = availability.free_between(
        session, everybody, Need.of_service(service), since, since + _LOOKED_AHEAD
    )
    times = [(at, barber_id) for barber_id, found in free.items() for at in found[:1]]
    if not times:
        says = "The shop has no free time in the next two weeks: look at its hours."
        raise Invalid([FieldError("phone", says)])
    at, barber_id = min(times)
    fields = {
        "customer_name": typed.get("name", ""),
        "customer_phone": typed.get("phone", ""),
        "service_id": service.id,
        "barber_id": barber_id,
        "scheduled_time": at,
        "whatsapp_consent": True,
    }
    return _booked(session, fields, actor)


def _booked(session: Session, fields: Mapping[str, Any], actor: str) -> Booking:
    """Raises Invalid, with the names of the form's fields."""
    try:
        return bookings.create(session, fields, actor)[0]
    except Invalid as invalid:
        short = [FieldError(e.field.removeprefix("customer_"), e.message) for e in invalid.errors]
        raise Invalid(short) from None


_MORE: Mapping[str, Callable[[Shop, Mapping[str, str], Mapping[str, str]], dict[str, Any]]] = {
    "shop": _of_place,
    "hours": _of_hours,
    "services": _of_services,
    "reminders": _of_reminders,
}
_SAVE: Mapping[str, Save] = {
    "shop": _save_place,
    "hours": _save_hours,
    "services": first_steps.save_catalogue,
    "reminders": _save_reminders,
    "people": _save_people,
}

router = Router(
    "/",
    route_handlers=[resume, show_ready, show_step, save_step, try_it, finish],
    include_in_schema=False,
)
