"""Settings: the services that can be booked, and the barbers. Both are kept in the same way."""

from functools import partial
from typing import Annotated, ClassVar

from litestar import Controller, Response, get, post
from litestar.params import FromQuery, PathParameter
from sqlalchemy.orm import Session

from app import db
from app.dashboard.forms import AS_IT_IS, FormState, saved, submit
from app.dashboard.shell import FormData, PageRequest, page, redirect, run_action, toast
from app.models.shop import COLOURS, Barber, Service
from app.shop import catalogue, changes, money
from app.shop.catalogue import ServiceForm
from app.shop.service import shop
from app.web import edit_conflicts

ItemId = Annotated[
    str, PathParameter(pattern=r"^[A-Za-z0-9_-]{1,40}$", description="A service or a barber.")
]


def _typed(form: FormData) -> dict[str, str]:
    """The form, with the barbers that are ticked as one text."""
    return {
        name: ",".join(form.getall(name)) if name == "barber_ids" else form[name] for name in form
    }


class _Forms(Controller):
    """The page of one kind: in `/settings{path}?change=haircut` that one is open to be changed."""

    kind: ClassVar[catalogue.Kind]

    @get("/", opt={"access": "owner"}, sync_to_thread=True)
    def show(self, request: PageRequest, change: FromQuery[str] = "") -> Response[str]:
        """All of them, and the form to add one."""
        return self._show(request, change)

    @post("/", opt={"access": "owner"}, sync_to_thread=True)
    def add(self, request: PageRequest, form: FormData) -> Response[str]:
        """Add one."""

        typed = _typed(form)

        def act(session: Session) -> Response[str]:
            added = catalogue.add(session, self.kind, typed, request.user.actor)
            onwards = redirect(request, self._address(added.id))
            return toast(onwards, f"{added.name} can be booked now.")

        return submit(typed, act, partial(self._show, request, ""))

    @post("/{item_id:str}", opt={"access": "owner"}, sync_to_thread=True)
    def change(self, request: PageRequest, item_id: ItemId, form: FormData) -> Response[str]:
        """Rename it, or change what else it is made of."""
        typed = _typed(form)

        def act(session: Session) -> Response[str]:
            changes.locked(session)
            for now in catalogue.listed(session, self.kind):
                if now.id == item_id:
                    edit_conflicts.check(typed, catalogue.shown(session, now))
            _, is_changed = catalogue.change(session, self.kind, item_id, typed, request.user.actor)
            return saved(request, self._address(item_id), is_changed)

        return submit(typed, act, partial(self._show, request, item_id))

    @post("/{item_id:str}/move", opt={"access": "owner"}, sync_to_thread=True)
    def move(self, request: PageRequest, item_id: ItemId, form: FormData) -> Response[str]:
        """Move it one place up, or down."""
        by = -1 if form.get("to") == "up" else 1

        def act(session: Session) -> str:
            moved = catalogue.move(session, self.kind, item_id, by, request.user.actor)
            return f"{moved.name} is number {moved.position} now."

        return run_action(request, self._address(item_id), act)

    @post("/{item_id:str}/switch-off", opt={"access": "owner"}, sync_to_thread=True)
    def switch_off(self, request: PageRequest, item_id: ItemId) -> Response[str]:
        """Offer it no more; what is booked stays."""

        def act(session: Session) -> str:
            off = catalogue.switch(session, self.kind, item_id, False, request.user.actor)
            number = catalogue.upcoming(session).get(item_id, 0) if self.kind is Barber else 0
            stays = f" {number} booking{'s' if number != 1 else ''} to come stay." if number else ""
            return f"{off.name} is switched off.{stays}"

        return run_action(request, self._address(item_id), act)

    @post("/{item_id:str}/switch-on", opt={"access": "owner"}, sync_to_thread=True)
    def switch_on(self, request: PageRequest, item_id: ItemId) -> Response[str]:
        """Offer it again."""

        def act(session: Session) -> str:
            on = catalogue.switch(session, self.kind, item_id, True, request.user.actor)
            return f"{on.name} can be booked again."

        return run_action(request, self._address(item_id), act)

    def _show(
        self, request: PageRequest, changed_id: str = "", state: FormState = AS_IT_IS
    ) -> Response[str]:
        with db.database().read() as session:
            listed = catalogue.listed(session, self.kind)
            upcoming = catalogue.upcoming(session) if self.kind is Barber else {}
            opened = [
                edit_conflicts.shown(catalogue.shown(session, each))
                for each in listed
                if each.id == changed_id
            ]
            barbers = catalogue.listed(session, Barber)
            done_by = {each.id: catalogue.doers(session, each.id) for each in listed}
            currency = money.currency_of(shop(session))
        empty = dict.fromkeys((*ServiceForm.names, edit_conflicts.FIELD), "")
        empty["barber_ids"] = ",".join(each.id for each in barbers)
        return page(
            request,
            "settings/catalogue.html",
            **state.context(opened[0] if opened else empty),
            address=f"/settings{self.path}",
            kind=self.kind.__tablename__,
            items=listed,
            upcoming=upcoming,
            changed_id=changed_id,
            minutes=(catalogue.SHORTEST, catalogue.LONGEST),
            longest_buffer=catalogue.LONGEST_BUFFER,
            barbers=barbers,
            done_by=done_by,
            currency=currency,
            colours=COLOURS,
        )

    def _address(self, item_id: str) -> str:
        """The list, from this one on: so who uses the keyboard goes on where they were."""
        return f"/settings{self.path}#{item_id}"


class ServiceForms(_Forms):
    """Services: how long each takes, what it costs, who does it."""

    path = "/services"
    kind = Service


class BarberForms(_Forms):
    """Barbers; each may have bookings to come."""

    path = "/barbers"
    kind = Barber
