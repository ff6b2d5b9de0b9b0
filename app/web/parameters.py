"""What stands in addresses of more than one page or resource."""

from typing import Annotated

from litestar.params import PathParameter

BookingId = Annotated[
    str,
    PathParameter(pattern=r"^booking_[A-Za-z0-9]{1,32}$", description="A booking's id."),
]
