"""The owner's page of what the shop's messages may cost."""

from functools import partial

from litestar import Response, Router, get, post
from sqlalchemy.orm import Session

from app import db
from app.customers import budget
from app.customers.budget import BudgetForm
from app.dashboard.forms import AS_IT_IS, FormState, saved, submit
from app.dashboard.shell import FormData, PageRequest, page
from app.shop import changes, money
from app.shop import service as shop_service
from app.web import edit_conflicts

HERE = "/settings/customers"


@get(HERE, opt={"access": "owner"}, sync_to_thread=True)
def show(request: PageRequest) -> Response[str]:
    """The month so far, its budgets, and the price of a message."""
    return _show(request)


@post(f"{HERE}/budget", opt={"access": "owner"}, sync_to_thread=True)
def save_budget(request: PageRequest, form: FormData) -> Response[str]:
    """Set the budgets and the price."""
    typed = BudgetForm(form)

    def act(session: Session) -> Response[str]:
        values = typed.checked()
        edit_conflicts.check(form, typed.shown(changes.locked(session)))
        return saved(request, HERE, changes.save(session, values, request.user.actor))

    return submit(form, act, partial(_show, request))


def _show(request: PageRequest, state: FormState = AS_IT_IS) -> Response[str]:
    with db.database().read() as session:
        row = shop_service.shop(session)
        month, most = budget.this_month(session), budget.most_to_one(session)
    return page(
        request,
        "settings/costs.html",
        **state.context(edit_conflicts.shown(BudgetForm.shown(row))),
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


router = Router("/", route_handlers=[show, save_budget], include_in_schema=False)
