"""Settings: the shop itself, its reminders, its services and its barbers; for owners."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from litestar import Response, Router, get, post
from sqlalchemy.orm import Session

from app import clock, db
from app.customers import budget
from app.dashboard.forms import AS_IT_IS, FormState, saved, submit
from app.dashboard.settings.catalogue import BarberForms, ServiceForms
from app.dashboard.shell import FormData, PageRequest, is_partial, page
from app.errors import Invalid
from app.messages.languages import LANGUAGES
from app.models.shop import Shop
from app.reminders import changes as policy
from app.reminders import replan
from app.reminders.changes import PolicyForm
from app.settings import settings
from app.shop import changes, money
from app.shop.changes import ShopForm
from app.shop.policy import of_shop
from app.shop.service import shop
from app.web import edit_conflicts
from app.web.field_names import first_of_each

HERE = "/settings"
REMINDERS = "/settings/reminders"


@get("/", opt={"access": "owner"}, sync_to_thread=True)
def show_shop(request: PageRequest) -> Response[str]:
    """Name, language, country, time zone and opening hours."""
    return _shop(request)


@post("/", opt={"access": "owner"}, sync_to_thread=True)
def save_shop(request: PageRequest, form: FormData) -> Response[str]:
    """Keep them."""

    def act(session: Session) -> Response[str]:
        row = changes.locked(session)
        edit_conflicts.check(form, ShopForm.shown(row))
        values = ShopForm(form, row).checked()
        return saved(request, HERE, changes.save(session, values, request.user.actor))

    return submit(form, act, partial(_shop, request))


@get("/reminders", opt={"access": "owner"}, sync_to_thread=True)
def show_reminders(request: PageRequest) -> Response[str]:
    """The rule for reminders; for htmx, what the rule that is being typed would come to."""
    is_typing = is_partial(request)
    return _reminders(request, FormState(typed=request.query_params if is_typing else {}))


@post("/reminders", opt={"access": "owner"}, sync_to_thread=True)
def save_reminders(request: PageRequest, form: FormData) -> Response[str]:
    """Keep the rule, for bookings that are made or moved from now on, or `also` for all others."""
    if "look" in form:
        return _reminders(request, FormState(typed=form))

    def act(session: Session) -> Response[str]:
        row = changes.locked(session)
        edit_conflicts.check(form, PolicyForm.shown(row))
        values = PolicyForm(form, row).columns()
        is_changed = changes.save(session, values, request.user.actor)
        if not form.get("also"):
            return saved(request, REMINDERS, is_changed)
        number = replan.apply(session, of_shop(row), request.user.actor)
        return saved(request, REMINDERS, True, _replanned(number))

    return submit(form, act, partial(_reminders, request))


def _replanned(bookings: int) -> str:
    return f"Saved, also for {bookings} booking{'' if bookings == 1 else 's'} to come."


def _shop(request: PageRequest, state: FormState = AS_IT_IS) -> Response[str]:
    with db.database().read() as session:
        row = shop(session)
    return page(
        request,
        "settings/shop.html",
        **state.context(edit_conflicts.shown(ShopForm.shown(row))),
        locales=_options(changes.locales(), row.locale),
        languages=[each.name for each in LANGUAGES.values()],
        countries=_options(changes.countries(), row.country),
        time_zones=_options(changes.time_zones(), row.time_zone),
        default_zone=settings().shop_timezone,
        currencies=_options(
            {code: f"{name} ({code})" for code, name in money.currencies()}, row.prices_in
        ),
        default_currency=money.currency_of(row),
    )


def _reminders(request: PageRequest, state: FormState) -> Response[str]:
    with db.database().read() as session:
        row = shop(session)
        context = state.context(edit_conflicts.shown(PolicyForm.shown(row)))
        typed = context["typed"]
        preview = _preview(session, row, PolicyForm(typed, row))
    units = {"minutes", "hours", typed["unit"]}
    return page(
        request,
        "settings/reminders.html",
        partial="settings/_reminders_preview.html",
        **context,
        cost_of=partial(budget.cost, row),
        units=[(unit, unit) for unit in policy.UNITS if unit in units],
        is_also=bool(state.typed.get("also")),
        **preview,
    )


def _preview(session: Session, row: Shop, form: PolicyForm) -> dict[str, Any]:
    """What bookings made now would get, and those already booked; or what is not right yet."""
    try:
        columns = form.columns()
        rule = of_shop(Shop(time_zone=row.time_zone, **columns))
        outlook = replan.outlook(session, rule)
    except Invalid as invalid:
        return {"examples": (), "problems": first_of_each(invalid), "outlook": None}
    examples = policy.examples(row, columns, clock.now())
    return {"examples": examples, "problems": {}, "outlook": outlook}


def _options(known: Mapping[str, str], own: str | None) -> list[tuple[str, str]]:
    """What can be chosen, and what the shop has although it is in no list any more."""
    return [*known.items(), *([(own, own)] if own and own not in known else [])]


router = Router(
    "/settings",
    route_handlers=[
        *(show_shop, save_shop, show_reminders, save_reminders),
        *(ServiceForms, BarberForms),
    ],
    include_in_schema=False,
)
