"""Settings: private links by which a phone's calendar shows the bookings."""

from typing import Annotated, NamedTuple

from litestar import Response, Router, get, post
from litestar.params import PathParameter
from sqlalchemy.orm import Session

from app import db
from app.dashboard.shell import PageRequest, page, run_action
from app.integrations import calendars
from app.integrations.calendars import WHOLE_SHOP
from app.shop import service as shop_service

HERE = "/settings/calendars"

Subject = Annotated[
    str,
    PathParameter(pattern=r"^[A-Za-z0-9_-]{1,40}$", description="A barber's id, or `shop`."),
]


class Line(NamedTuple):
    """Whose calendar it is, and its links, if it has any."""

    subject: str
    name: str
    link: str | None
    webcal: str | None
    qr: str | None


@get(HERE, opt={"access": "owner"}, sync_to_thread=True)
def show(request: PageRequest) -> Response[str]:
    """The shop and each barber, with the links that there are."""
    with db.database().read() as session:
        lines = _lines(session)
    return page(request, "settings/calendars.html", lines=lines)


@post(f"{HERE}/{{subject:str}}", opt={"access": "owner"}, sync_to_thread=True)
def make(request: PageRequest, subject: Subject) -> Response[str]:
    """Make a link."""

    def act(session: Session) -> str:
        calendars.make(session, subject, request.user.actor)
        return "The link is made."

    return run_action(request, f"{HERE}#{subject}", act)


@post(f"{HERE}/{{subject:str}}/renew", opt={"access": "owner"}, sync_to_thread=True)
def renew(request: PageRequest, subject: Subject) -> Response[str]:
    """Another link; the old one ends."""

    def act(session: Session) -> str:
        calendars.renew(session, subject, request.user.actor)
        return "There is a new link. The old one shows nothing any more."

    return run_action(request, f"{HERE}#{subject}", act)


@post(f"{HERE}/{{subject:str}}/remove", opt={"access": "owner"}, sync_to_thread=True)
def remove(request: PageRequest, subject: Subject) -> Response[str]:
    """End the link."""

    def act(session: Session) -> str:
        calendars.remove(session, subject, request.user.actor)
        return "The link is removed. It shows nothing any more."

    return run_action(request, HERE, act)


def _lines(session: Session) -> list[Line]:
    feeds = calendars.all_feeds(session)
    barbers = [each for each in shop_service.barbers(session) if each.active or each.id in feeds]
    names = {WHOLE_SHOP: "The whole shop", **{each.id: each.name for each in barbers}}
    lines = []
    for subject, name in names.items():
        feed = feeds.get(subject)
        link, webcal = calendars.addresses(feed) if feed else (None, None)
        lines.append(Line(subject, name, link, webcal, calendars.qr(webcal) if webcal else None))
    return lines


router = Router("/", route_handlers=[show, make, renew, remove], include_in_schema=False)
