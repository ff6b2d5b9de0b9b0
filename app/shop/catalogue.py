"""What can be booked, and with whom: services and barbers, as the shop's owner keeps them.

A service or barber is never deleted, as old bookings are of them: it is switched off. Its id is
made from its first name and stays, as bookings and the API's callers go by it.
"""

import re
import unicodedata
from collections.abc import Container, Mapping, Sequence
from itertools import chain, count
from typing import cast

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import clock
from app.errors import Conflict, NotFound
from app.forms import Form, field, whole_number
from app.models.booking import Booking
from app.models.shop import Barber, Service, Shop
from app.staff import audit
from app.staff.accounts import clean_name

CatalogueItem = Service | Barber
Kind = type[Service] | type[Barber]

SHORTEST, LONGEST = 5, 720
"""Minutes of a service, as the table has them."""

_LONGEST_SLUG = 34  # leaves room for a number behind it


class BarberForm(Form):
    """The form of a barber; `others` are those whose names are taken."""

    def __init__(self, given: Mapping[str, str], others: Sequence[CatalogueItem] = ()) -> None:
        super().__init__(given)
        self._others = others

    @field
    def name(self, typed: str) -> str:
        name = clean_name(typed)
        for other in self._others:
            if other.name.casefold() == name.casefold():
                hint = "" if other.active else ", but it is switched off: switch it on again"
                raise ValueError(f"There is a {_word(type(other))} of this name{hint}.")
        return name


class ServiceForm(BarberForm):
    """The form of a service."""

    @field
    def minutes(self, typed: str) -> int:
        hint = f"This must be a whole number of minutes, from {SHORTEST} to {LONGEST}."
        return whole_number(typed, SHORTEST, LONGEST, hint)


def form_of(kind: Kind) -> type[BarberForm]:
    """The form of one of a kind."""
    return ServiceForm if kind is Service else BarberForm


def listed(session: Session, kind: Kind) -> Sequence[CatalogueItem]:
    """All of a kind in the shop's order; those that are switched off come last."""
    order = kind.active.desc(), kind.position, kind.id
    return cast(Sequence[CatalogueItem], session.scalars(select(kind).order_by(*order)).all())


def add(session: Session, kind: Kind, typed: Mapping[str, str], actor: str) -> CatalogueItem:
    """Add one, after those that are there. Raises Invalid."""
    others = _locked(session, kind)
    values = form_of(kind)(typed, others).checked()
    new = kind(
        id=_new_id(kind, values["name"], {each.id for each in others}),
        position=len(others) + 1,
        active=True,
        **values,
    )
    session.add(new)
    session.flush()
    _renumber(listed(session, kind))
    audit.record(session, actor, f"{_word(kind)}.added", _subject(new), **values)
    return new


def change(
    session: Session, kind: Kind, id: str, typed: Mapping[str, str], actor: str
) -> tuple[CatalogueItem, bool]:
    """Change what was typed; False if that is how it is. Raises NotFound and Invalid.

    Bookings that there are keep their length.
    """
    every = _locked(session, kind)
    item = _one(every, id)
    others = [each for each in every if each is not item]
    values = form_of(kind)(typed, others).checked()
    old = {name: getattr(item, name) for name in values}
    changes = {name: [old[name], new] for name, new in values.items() if new != old[name]}
    for name in changes:
        setattr(item, name, values[name])
    if changes:
        audit.record(session, actor, f"{_word(kind)}.changed", _subject(item), **changes)
    return item, bool(changes)


def move(session: Session, kind: Kind, id: str, by: int, actor: str) -> CatalogueItem:
    """Move it by so many places among those that are on. Raises NotFound."""
    every = list(_locked(session, kind))
    item = _one(every, id)
    old = every.index(item)
    new = max(0, min(old + by, sum(each.active for each in every) - 1))
    if item.active and new != old:
        every.insert(new, every.pop(old))
        _renumber(every)
        position = [old + 1, new + 1]
        audit.record(session, actor, f"{_word(kind)}.moved", _subject(item), position=position)
    return item


def switch(session: Session, kind: Kind, id: str, is_on: bool, actor: str) -> CatalogueItem:
    """Offer it from now on, or no more; what is booked stays.

    Raises NotFound, and Conflict `last_one`.
    """
    every = _locked(session, kind)
    item = _one(every, id)
    if item.active == is_on:
        return item
    if not is_on and sum(each.active for each in every) == 1:
        raise Conflict("last_one", f"{item.name} is the only {_word(kind)} that can be booked.")
    item.active = is_on
    session.flush()
    _renumber(listed(session, kind))
    action = "switched_on" if is_on else "switched_off"
    audit.record(session, actor, f"{_word(kind)}.{action}", _subject(item))
    return item


def upcoming(session: Session) -> dict[str, int]:
    """How many bookings each barber still has, by id; those who have none are left out."""
    still = (Booking.status == "confirmed") & (Booking.starts_at > clock.now())
    query = select(Booking.barber_id, func.count()).where(still).group_by(Booking.barber_id)
    return dict(session.execute(query).all())


def _locked(session: Session, kind: Kind) -> Sequence[CatalogueItem]:
    """All of a kind; who changes the shop at the same time waits."""
    session.get_one(Shop, 1, with_for_update=True)
    return listed(session, kind)


def _one(every: Sequence[CatalogueItem], id: str) -> CatalogueItem:
    for each in every:
        if each.id == id:
            return each
    raise NotFound("There is no such thing in this shop.")


def _new_id(kind: Kind, name: str, taken: Container[str]) -> str:
    """`beard-trim`, or if that is taken `beard-trim-2`."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub("[^a-z0-9]+", "-", plain)[:_LONGEST_SLUG].strip("-") or _word(kind)
    numbered = (f"{slug}-{number}" for number in count(2))
    return next(each for each in chain([slug], numbered) if each not in taken)


def _renumber(every: Sequence[CatalogueItem]) -> None:
    for position, each in enumerate(every, start=1):
        each.position = position


def _word(kind: Kind) -> str:
    return kind.__tablename__


def _subject(item: CatalogueItem) -> str:
    """As the audit log names it: `service:haircut`."""
    return f"{_word(type(item))}:{item.id}"
