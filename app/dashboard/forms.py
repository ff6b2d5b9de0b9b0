"""A page with a form: it is saved, or shown again with what was typed and what is wrong."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from litestar import Response
from sqlalchemy.orm import Session

from app import db
from app.dashboard.shell import FormData, PageRequest, redirect, toast
from app.errors import Conflict, Invalid
from app.models.shop import PARTS_JOIN
from app.web.edit_conflicts import ChangedMeanwhile, Difference
from app.web.field_names import first_of_each


@dataclass(frozen=True)
class FormState:
    """How a form is shown: as it is, or again as it was `typed`, with what is wrong by field, and
    with what somebody else has changed meanwhile.
    """

    status: int = 200
    typed: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    differences: Sequence[Difference] = ()

    def context(self, as_it_is: Mapping[str, str]) -> dict[str, Any]:
        """For the page's template; `as_it_is` has all fields, as they are at first."""
        typed = {name: self.typed.get(name, "") for name in as_it_is} if self.typed else as_it_is
        return {
            "status": self.status,
            "typed": typed,
            "errors": self.errors,
            "differences": self.differences,
        }


AS_IT_IS = FormState()

Show = Callable[[FormState], Response[str]]


def submit(
    typed: Mapping[str, str],
    act: Callable[[Session], Response[str]],
    again: Show,
    refused: Callable[[Conflict], Response[str]] | None = None,
) -> Response[str]:
    """Do it in a transaction, and answer with what `act` returns; or show the form `again`.

    `refused` answers a Conflict, if that is not for the error page.
    """
    try:
        with db.database().write() as session:
            return act(session)
    except Invalid as invalid:
        return again(FormState(422, typed, first_of_each(invalid)))
    except ChangedMeanwhile as changed:
        return again(FormState(409, changed.fields, differences=changed.differences))
    except Conflict as conflict:
        if refused is None:
            raise
        return refused(conflict)


def services_in(form: FormData, name: str = "service") -> str:
    """What a form chose as `shop.several` writes it: the service of the field, then what is done
    `also` in the same visit, each once.
    """
    chosen = dict.fromkeys([form.get(name, ""), *form.getall("also", [])])
    return PARTS_JOIN.join(filter(None, chosen))


def saved(request: PageRequest, url: str, is_changed: bool, said: str = "Saved.") -> Response[str]:
    """On to `url`, with a toast that says what was done."""
    return toast(redirect(request, url), said if is_changed else "There was nothing to change.")
