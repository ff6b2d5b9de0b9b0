"""What stands in addresses of more than one page or resource."""

from collections.abc import Collection, Iterable
from typing import Annotated

from litestar.params import PathParameter

from app.errors import FieldError
from app.web.field_names import WrongFields

BookingId = Annotated[
    str,
    PathParameter(pattern=r"^booking_[A-Za-z0-9]{1,32}$", description="A booking's id."),
]


def refuse_unknown(given: Iterable[str], known: Collection[str]) -> None:
    """Raise WrongFields for parameters of a query that there are not.

    A misspelt filter would otherwise answer with everything.
    """
    unknown = sorted(set(given) - set(known))
    if unknown:
        words = f"This is unknown; known are {', '.join(sorted(known))}."
        raise WrongFields([FieldError(name[:60], words) for name in unknown])
