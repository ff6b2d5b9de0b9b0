"""The button that fills a new shop with a demo's bookings, where no message reaches anybody."""

from litestar import Response, Router, post
from sqlalchemy.orm import Session

from app.dashboard.shell import PageRequest, run_action
from app.demo import fill_shop
from app.errors import Conflict
from app.run.trouble import Trouble
from app.settings import settings
from app.shop import first_steps


@post("/welcome/demo", opt={"access": "owner"}, sync_to_thread=True)
def fill(request: PageRequest) -> Response[str]:
    """Fill the shop, if it has no booking yet."""

    def act(session: Session) -> str:
        try:
            number = fill_shop.fill(session, settings(), add=False)
        except Trouble as trouble:
            raise Conflict("no_demo", f"{trouble}") from None
        first_steps.finish(session)
        return f"{number} bookings of a demo are here, with their reminders."

    return run_action(request, "/today", act)


router = Router("/", route_handlers=[fill], include_in_schema=False)
