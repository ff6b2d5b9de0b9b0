"""Settings: the shop itself, its reminders, its services and its barbers; for owners."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from litestar import Response, Router, get, post

from app import clock, db
from app.customers import budget
from app.dashboard.settings.catalogue import BarberForms, ServiceForms
from app.dashboard.shell import Form, PageRequest, is_partial, page, redirect, toast
from app.errors import Invalid
from app.models.shop import Shop
from app.reminders import changes as policy
from app.reminders.changes import Draft
from app.settings import settings
from app.shop import changes
from app.shop.service import shop
from app.web import seen
from app.web.names import first_of_each, typed_in
from app.web.seen import ChangedMeanwhile, Difference

SAVED = "Saved."
NOTHING = "There was nothing to change."


@get("/", opt={"access": "owner"}, sync_to_thread=True)
def show_shop(request: PageRequest) -> Response[str]:
    """Name, language, country, time zone and opening hours."""
    return _shop(request)


@post("/", opt={"access": "owner"}, sync_to_thread=True)
def save_shop(request: PageRequest, form: Form) -> Response[str]:
    """Keep them."""
    try:
        with db.database().write() as session:
            seen.check(form, _as_it_is(changes.locked(session)))
            values = changes.read(session, form)
            is_changed = changes.save(session, values, request.user.actor)
    except Invalid as invalid:
        return _shop(request, 422, typed=form, errors=first_of_each(invalid))
    except ChangedMeanwhile as changed:
        return _shop(request, 409, typed=changed.fields, differences=changed.differences)
    return toast(redirect(request, "/settings"), SAVED if is_changed else NOTHING)


@get("/reminders", opt={"access": "owner"}, sync_to_thread=True)
def show_reminders(request: PageRequest) -> Response[str]:
    """The rule for reminders; for htmx, what the rule that is being typed would come to."""
    return _reminders(request, Draft.of_form(request.query_params) if is_partial(request) else None)


@post("/reminders", opt={"access": "owner"}, sync_to_thread=True)
def save_reminders(request: PageRequest, form: Form) -> Response[str]:
    """Keep the rule, for bookings that are made or moved from now on."""
    draft = Draft.of_form(form)
    if "look" in form:
        return _reminders(request, draft)
    try:
        with db.database().write() as session:
            row = changes.locked(session)
            seen.check(form, Draft.of_shop(row).fields)
            is_changed = changes.save(session, policy.read(row, draft), request.user.actor)
    except Invalid as invalid:
        return _reminders(request, draft, 422, errors=first_of_each(invalid))
    except ChangedMeanwhile as changed:
        again = Draft(**changed.fields)
        return _reminders(request, again, 409, differences=changed.differences)
    return toast(redirect(request, "/settings/reminders"), SAVED if is_changed else NOTHING)


def _shop(
    request: PageRequest,
    status: int = 200,
    typed: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
    differences: Sequence[Difference] = (),
) -> Response[str]:
    with db.database().read() as session:
        row = shop(session)
    as_it_is = seen.shown(_as_it_is(row))
    return page(
        request,
        "settings/shop.html",
        status=status,
        typed=typed_in(typed or as_it_is, *as_it_is),
        errors=errors or {},
        differences=differences,
        locales=_options(changes.locales(), row.locale),
        countries=_options(changes.countries(), row.country),
        time_zones=_options(changes.time_zones(), row.time_zone),
        default_zone=settings().shop_timezone,
    )


def _reminders(
    request: PageRequest,
    draft: Draft | None,
    status: int = 200,
    errors: Mapping[str, str] | None = None,
    differences: Sequence[Difference] = (),
) -> Response[str]:
    with db.database().read() as session:
        row = shop(session)
    shown = draft or Draft(**seen.shown(Draft.of_shop(row).fields))
    return page(
        request,
        "settings/reminders.html",
        partial="settings/_reminders_preview.html",
        status=status,
        typed=shown,
        errors=errors or {},
        differences=differences,
        cost_of=partial(budget.cost, row),
        units=[(unit, unit) for unit in policy.UNITS if unit in {"minutes", "hours", shown.unit}],
        **_preview(row, shown),
    )


def _preview(row: Shop, draft: Draft) -> dict[str, Any]:
    """What bookings made now would get, or what is not right yet."""
    try:
        columns = policy.read(row, draft)
    except Invalid as invalid:
        return {"examples": (), "problems": first_of_each(invalid)}
    return {"examples": policy.examples(row, columns, clock.now()), "problems": {}}


def _as_it_is(row: Shop) -> dict[str, str]:
    """What the form shows before anything is typed."""
    return {
        "name": row.name,
        "locale": row.locale,
        "country": row.country or "",
        "time_zone": row.time_zone or "",
        "opens_at": f"{row.opens_at:%H:%M}",
        "closes_at": f"{row.closes_at:%H:%M}",
    }


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
