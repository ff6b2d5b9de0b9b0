"""The owner's page of what the shop's messages may cost, and of the words that cancel."""

from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any

from litestar import Response, Router, get, post

from app import db
from app.conversations import cancel_words
from app.customers import budget
from app.dashboard.shell import Form, PageRequest, page, redirect, toast
from app.errors import Invalid
from app.models.shop import Shop
from app.shop import changes
from app.shop import service as shop_service
from app.web import seen
from app.web.names import first_of_each
from app.web.seen import ChangedMeanwhile, Difference

HERE = "/settings/customers"

_BUDGET = {"budget_per_month", "budget_per_customer", "message_price", "currency"}
_WORDS = {"cancel_words"}


@get(HERE, opt={"access": "owner"}, sync_to_thread=True)
def show(request: PageRequest) -> Response[str]:
    """The month so far, its budgets, the price of a message, and the words that cancel."""
    return _show(request)


@post(f"{HERE}/budget", opt={"access": "owner"}, sync_to_thread=True)
def save_budget(request: PageRequest, form: Form) -> Response[str]:
    """Set the budgets and the price."""
    return _save(request, form, budget.read, _BUDGET)


@post(f"{HERE}/words", opt={"access": "owner"}, sync_to_thread=True)
def save_words(request: PageRequest, form: Form) -> Response[str]:
    """Set the words that cancel beside "cancel"."""
    return _save(request, form, _words, _WORDS)


def _save(
    request: PageRequest,
    typed: Mapping[str, str],
    read: Callable[[Mapping[str, str]], Any],
    names: Set[str],
) -> Response[str]:
    """Save the columns that `read` finds; what is wrong is shown beside what was typed.

    `names` are the fields of this form.
    """
    try:
        values = read(typed)
    except Invalid as invalid:
        return _show(request, 422, typed=typed, errors=first_of_each(invalid))
    try:
        with db.database().write() as session:
            now = _values(changes.locked(session))
            seen.check(typed, {name: now[name] for name in names})
            is_changed = changes.save(session, values, request.user.actor)
    except ChangedMeanwhile as changed:
        return _show(request, 409, typed=changed.fields, differences=changed.differences)
    return toast(
        redirect(request, HERE), "Saved." if is_changed else "There was nothing to change."
    )


def _words(typed: Mapping[str, str]) -> dict[str, str | None]:
    return {"cancel_words": cancel_words.read(typed.get("cancel_words", ""))}


def _show(
    request: PageRequest,
    status: int = 200,
    typed: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
    differences: Sequence[Difference] = (),
) -> Response[str]:
    with db.database().read() as session:
        row = shop_service.shop(session)
        month, most = budget.this_month(session), budget.most_to_one(session)
    return page(
        request,
        "settings/costs.html",
        status=status,
        values={**_values(row), **(typed or {})},
        seen_budget=_seen(row, _BUDGET, typed),
        seen_words=_seen(row, _WORDS, typed),
        errors=errors or {},
        differences=differences,
        month=month,
        most=most,
        cost=budget.cost(row, month.sent),
        price=budget.cost(row, 1),
        currencies=[
            ("", "No price"),
            *((code, f"{name} ({code})") for code, name in budget.currencies()),
        ],
        next_month=budget.ends_at(),
    )


def _values(row: Shop) -> dict[str, str]:
    """The forms' fields as they are."""
    names = ("budget_per_customer", "budget_per_month", "currency", "cancel_words")
    found = {name: str(getattr(row, name) or "") for name in names}
    price = "" if row.message_price is None else f"{row.message_price.normalize():f}"
    return {**found, "message_price": price}


def _seen(row: Shop, names: Set[str], typed: Mapping[str, str] | None) -> str:
    """What a form carries of its fields: while it is not saved, what it had."""
    if typed and names & typed.keys():
        return typed.get(seen.FIELD, "")
    now = _values(row)
    return seen.pack({name: now[name] for name in names})


router = Router("/", route_handlers=[show, save_budget, save_words], include_in_schema=False)
