"""Fields and parameters that several resources have."""

from typing import Annotated

from litestar.params import QueryParameter
from msgspec import Meta

Name = Annotated[str, Meta(description="1 to 100 characters.", examples=["Ana Silva"])]
Email = Annotated[str | None, Meta(examples=["ana@example.com"])]
Phone = Annotated[
    str,
    Meta(
        description="With country code, or of the shop's own country; kept as E.164.",
        examples=["+44 20 7946 0958"],
    ),
]
Notes = Annotated[
    str | None,
    Meta(
        description="What staff want to remember of it: 500 characters at the most, in lines.",
        examples=["Fade 1.5"],
    ),
]
UpdatedSince = Annotated[
    str | None,
    QueryParameter(
        name="updatedSince",
        description="Those that were made or changed then or later.",
        schema_extra={"format": "date-time"},
    ),
]
