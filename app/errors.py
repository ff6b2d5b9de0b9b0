"""What a service may refuse: errors that `web/` turns into problem+json or a page."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class FieldError:
    """One field of a request, by its service name (`customer_phone`), and what is wrong with it.

    `message` is a whole sentence as it stands beside the field: `This is in the past.`
    """

    field: str
    message: str


class Refused(Exception):
    """The parent of all domain errors; `detail` is a sentence for the caller."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class NotFound(Refused):
    """There is no such thing (404)."""


class Conflict(Refused):
    """Right in form, but not possible now (409); `reason` is a short code: `barber_taken`.

    `instead` is what would be possible, as JSON can hold it, if there is something.
    """

    def __init__(self, reason: str, detail: str, instead: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.reason, self.instead = reason, instead


class Invalid(Refused):
    """Fields that are wrong (422)."""

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__("; ".join(f"{error.field}: {error.message}" for error in errors))
        self.errors = errors
