"""What stands in addresses of more than one page or resource."""

from functools import cache
from typing import Annotated, Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.params import PathParameter, QueryParameter

from app.errors import FieldError
from app.web.field_names import WrongFields

JOB_ID = r"^booking_[A-Za-z0-9]{1,32}-[a-z]{1,20}-[0-9]{1,9}$"
BookingId = Annotated[
    str,
    PathParameter(pattern=r"^booking_[A-Za-z0-9]{1,32}$", description="A booking's id."),
]

JobId = Annotated[
    str,
    PathParameter(pattern=JOB_ID, description="A message's job id."),
]

_Connection = ASGIConnection[Any, Any, Any, Any]


def only_known(connection: _Connection) -> None:
    """A part of a guard, for `/api`: raise WrongFields for parameters that a query may not have.

    A misspelt filter would otherwise answer with everything.
    """
    if not connection.scope["query_string"] or not connection.scope["path"].startswith("/api/"):
        return
    known = _known(connection.scope["route_handler"])
    unknown = sorted(set(connection.query_params) - set(known))
    if unknown:
        words = f"This is unknown; known are {', '.join(known)}." if known else "This is unknown."
        raise WrongFields([FieldError(name[:60], words) for name in unknown])


@cache
def _known(handler: BaseRouteHandler) -> list[str]:
    """The parameters of a query that a handler takes, as callers write them."""
    parameters = handler.parsed_fn_signature.parameters
    known = {name: each.kwarg_definition for name, each in parameters.items()}
    return sorted(
        each.name or name for name, each in known.items() if isinstance(each, QueryParameter)
    )
