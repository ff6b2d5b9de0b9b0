"""A WhatsApp that needs no account: Twilio's HTTP interface, and a page with the phones.

For development only: `router` is mounted under /simulator when no WhatsApp credentials are set, and
in production it answers 404 even if somebody mounts it.
"""

from typing import Any

from litestar import Request, Router
from litestar.connection import ASGIConnection
from litestar.exceptions import NotFoundException
from litestar.handlers.base import BaseRouteHandler

from app.settings import settings
from app.simulator import api, pages, receipts

__all__ = ["router"]


async def _only_in_development(
    _connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler
) -> None:
    if settings().production or not settings().simulator:
        raise NotFoundException("There is no simulator here")


async def _resume(_: Request[Any, Any, Any]) -> None:
    """A process that was restarted goes on with its receipts at the first request."""
    receipts.start()


router = Router(
    path="/simulator",
    route_handlers=[api.router, pages.router],
    guards=[_only_in_development],
    before_request=_resume,
    opt={"access": "simulator"},
)
