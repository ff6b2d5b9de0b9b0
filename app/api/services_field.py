"""What is done in one visit, in a body: `serviceId`, or several in `serviceIds`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Annotated, Any, TypeVar

from msgspec import Meta, Struct

from app.errors import FieldError, Invalid
from app.shop import several
from app.web.bodies import Body

ServiceId = Annotated[str, Meta(examples=["haircut"])]
ServiceIds = Annotated[
    list[str],
    Meta(
        description=f"In the place of `serviceId`: {several.MOST} services at the most in one "
        "visit, in their order. Their times and prices add up.",
        examples=[["haircut", "beard-trim"]],
    ),
]

T = TypeVar("T", bound=Struct)


def services_of(data: Body[T], *, is_new: bool = False) -> Body[T]:
    """The body with its services as one, which a new booking has to have."""
    given, wrong = dict(data.given), [*data.wrong]
    ids = given.pop("service_ids", None)
    if ids is not None and "service_id" in given:
        wrong.append(FieldError("serviceIds", "Say either this or “serviceId”."))
    elif ids is not None:
        try:
            given["service_id"] = several.key(ids)
        except ValueError as error:
            wrong.append(FieldError("serviceIds", str(error)))
    elif is_new and "service_id" not in given and not _names(wrong) & {"serviceId", "serviceIds"}:
        wrong.append(FieldError("serviceId", "This is missing."))
    return replace(data, given=given, wrong=wrong)


def _names(wrong: Sequence[FieldError]) -> set[str]:
    return {each.field for each in wrong}


@contextmanager
def as_written(data: Body[Any]) -> Iterator[None]:
    """What is wrong with the services is said of the field that the caller wrote."""
    try:
        yield
    except Invalid as invalid:
        if "service_ids" not in data.given:
            raise
        fields = [("service_ids" if e.field == "service_id" else e.field) for e in invalid.errors]
        errors = zip(fields, invalid.errors, strict=True)
        raise Invalid([FieldError(field, e.message) for field, e in errors]) from None
