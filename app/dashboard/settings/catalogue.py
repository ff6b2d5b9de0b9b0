"""Settings: the services that can be booked, and the barbers. Both are kept in the same way."""

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar

from litestar import Controller, Response, get, post
from litestar.params import FromQuery, PathParameter
from sqlalchemy.orm import Session

from app import db
from app.dashboard.shell import Form, PageRequest, carry_out, page, redirect, toast
from app.errors import Invalid
from app.models.shop import Barber, Service
from app.shop import catalogue, changes
from app.web import seen
from app.web.names import first_of_each, typed_in
from app.web.seen import ChangedMeanwhile, Difference

OfferId = Annotated[
    str, PathParameter(pattern=r"^[A-Za-z0-9_-]{1,40}$", description="A service or a barber.")
]


class _Forms(Controller):
    """The page of one kind: in `/settings{path}?change=haircut` that one is open to be changed."""

    kind: ClassVar[catalogue.Kind]

    @get("/", opt={"access": "owner"}, sync_to_thread=True)
    def show(self, request: PageRequest, change: FromQuery[str] = "") -> Response[str]:
        """All of them, and the form to add one."""
        return self._show(request, change)

    @post("/", opt={"access": "owner"}, sync_to_thread=True)
    def add(self, request: PageRequest, form: Form) -> Response[str]:
        """Add one."""
        try:
            with db.database().write() as session:
                added = catalogue.add(session, self.kind, form, request.user.actor)
        except Invalid as invalid:
            return self._show(request, status=422, typed=form, errors=first_of_each(invalid))
        return toast(redirect(request, self._address(added.id)), f"{added.name} can be booked now.")

    @post("/{offer_id:str}", opt={"access": "owner"}, sync_to_thread=True)
    def change(self, request: PageRequest, offer_id: OfferId, form: Form) -> Response[str]:
        """Rename it, or change its length."""
        try:
            with db.database().write() as session:
                changes.locked(session)
                for now in catalogue.listed(session, self.kind):
                    if now.id == offer_id:
                        seen.check(form, _fields(now))
                _, is_changed = catalogue.change(
                    session, self.kind, offer_id, form, request.user.actor
                )
        except Invalid as invalid:
            return self._show(request, offer_id, 422, typed=form, errors=first_of_each(invalid))
        except ChangedMeanwhile as changed:
            return self._show(
                request, offer_id, 409, typed=changed.fields, differences=changed.differences
            )
        said = "Saved." if is_changed else "There was nothing to change."
        return toast(redirect(request, self._address(offer_id)), said)

    @post("/{offer_id:str}/move", opt={"access": "owner"}, sync_to_thread=True)
    def move(self, request: PageRequest, offer_id: OfferId, form: Form) -> Response[str]:
        """Move it one place up, or down."""
        by = -1 if form.get("to") == "up" else 1

        def act(session: Session) -> str:
            moved = catalogue.move(session, self.kind, offer_id, by, request.user.actor)
            return f"{moved.name} is number {moved.position} now."

        return carry_out(request, self._address(offer_id), act)

    @post("/{offer_id:str}/switch-off", opt={"access": "owner"}, sync_to_thread=True)
    def switch_off(self, request: PageRequest, offer_id: OfferId) -> Response[str]:
        """Offer it no more; what is booked stays."""

        def act(session: Session) -> str:
            off = catalogue.switch(session, self.kind, offer_id, False, request.user.actor)
            number = catalogue.upcoming(session).get(offer_id, 0) if self.kind is Barber else 0
            stays = f" {number} booking{'s' if number != 1 else ''} to come stay." if number else ""
            return f"{off.name} is switched off.{stays}"

        return carry_out(request, self._address(offer_id), act)

    @post("/{offer_id:str}/switch-on", opt={"access": "owner"}, sync_to_thread=True)
    def switch_on(self, request: PageRequest, offer_id: OfferId) -> Response[str]:
        """Offer it again."""

        def act(session: Session) -> str:
            on = catalogue.switch(session, self.kind, offer_id, True, request.user.actor)
            return f"{on.name} can be booked again."

        return carry_out(request, self._address(offer_id), act)

    def _show(
        self,
        request: PageRequest,
        changed_id: str = "",
        status: int = 200,
        typed: Mapping[str, str] | None = None,
        errors: Mapping[str, str] | None = None,
        differences: Sequence[Difference] = (),
    ) -> Response[str]:
        with db.database().read() as session:
            found = catalogue.listed(session, self.kind)
            upcoming = catalogue.upcoming(session) if self.kind is Barber else {}
        as_it_is = (seen.shown(_fields(each)) for each in found if each.id == changed_id)
        return page(
            request,
            "settings/catalogue.html",
            status=status,
            address=f"/settings{self.path}",
            kind=self.kind.__tablename__,
            offers=found,
            upcoming=upcoming,
            changed_id=changed_id,
            typed=typed_in(typed or next(as_it_is, {}), "name", "minutes", seen.FIELD),
            errors=errors or {},
            differences=differences,
            minutes=(catalogue.SHORTEST, catalogue.LONGEST),
        )

    def _address(self, offer_id: str) -> str:
        """The list, from this one on: so who uses the keyboard goes on where they were."""
        return f"/settings{self.path}#{offer_id}"


def _fields(offer: catalogue.Offer) -> dict[str, str]:
    """What the form of one shows."""
    minutes = {"minutes": str(offer.minutes)} if isinstance(offer, Service) else {}
    return {"name": offer.name, **minutes}


class ServiceForms(_Forms):
    """Services, with how long each takes."""

    path = "/services"
    kind = Service


class BarberForms(_Forms):
    """Barbers; each may have bookings to come."""

    path = "/barbers"
    kind = Barber
