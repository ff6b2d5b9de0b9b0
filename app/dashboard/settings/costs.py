"""The owner's page of what the shop's messages may cost, and of the words that cancel."""

from functools import partial

from litestar import Response, Router, get, post
from sqlalchemy.orm import Session

from app import db
from app.conversations.cancel_words import WordsForm
from app.customers import budget
from app.customers.budget import BudgetForm
from app.dashboard.forms import AS_IT_IS, FormState, saved, submit
from app.dashboard.shell import FormData, PageRequest, page
from app.models.shop import Shop
from app.shop import changes, money
from app.shop import service as shop_service
from app.web import edit_conflicts

HERE = "/settings/customers"


@get(HERE, opt={"access": "owner"}, sync_to_thread=True)
def show(request: PageRequest) -> Response[str]:
    """The month so far, its budgets, the price of a message, and the words that cancel."""
    return _show(request)


@post(f"{HERE}/budget", opt={"access": "owner"}, sync_to_thread=True)
def save_budget(request: PageRequest, form: FormData) -> Response[str]:
    """Set the budgets and the price."""
    return _save(request, BudgetForm(form))


@post(f"{HERE}/words", opt={"access": "owner"}, sync_to_thread=True)
def save_words(request: PageRequest, form: FormData) -> Response[str]:
    """Set the words that cancel beside "cancel"."""
    return _save(request, WordsForm(form))


def _save(request: PageRequest, form: BudgetForm | WordsForm) -> Response[str]:
    """Save the columns of one of the page's forms."""

    def act(session: Session) -> Response[str]:
        values = form.checked()
        edit_conflicts.check(form.given, form.shown(changes.locked(session)))
        return saved(request, HERE, changes.save(session, values, request.user.actor))

    return submit(form.given, act, partial(_show, request))


def _show(request: PageRequest, state: FormState = AS_IT_IS) -> Response[str]:
    with db.database().read() as session:
        row = shop_service.shop(session)
        month, most = budget.this_month(session), budget.most_to_one(session)
    return page(
        request,
        "settings/costs.html",
        status=state.status,
        values={**BudgetForm.shown(row), **WordsForm.shown(row), **state.typed},
        seen_budget=_seen(row, BudgetForm, state),
        seen_words=_seen(row, WordsForm, state),
        errors=state.errors,
        differences=state.differences,
        month=month,
        most=most,
        cost=budget.cost(row, month.sent),
        price=budget.cost(row, 1),
        currencies=[
            ("", "No currency"),
            *((code, f"{name} ({code})") for code, name in money.currencies()),
        ],
        next_month=budget.ends_at(),
    )


def _seen(row: Shop, form: type[BudgetForm] | type[WordsForm], state: FormState) -> str:
    """What a form carries of its fields: while it is not saved, what it had."""
    if set(form.names) & state.typed.keys():
        return state.typed.get(edit_conflicts.FIELD, "")
    return edit_conflicts.pack(form.shown(row))


router = Router("/", route_handlers=[show, save_budget, save_words], include_in_schema=False)
