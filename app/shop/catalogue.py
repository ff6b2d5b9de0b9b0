"""What can be booked, and with whom: services and barbers, as the shop's owner keeps them.

A service or barber that was ever booked is never deleted: it is switched off. Its id is
made from its first name and stays, as bookings and the API's callers go by it.
"""

import re
import unicodedata
from collections.abc import Collection, Container, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import chain, count
from typing import Any, cast

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app import clock
from app.clock import USABLE_HINT
from app.db import Base
from app.errors import Conflict, FieldError, Invalid, NotFound
from app.forms import Form, as_typed, field, one_of, whole_number
from app.models.booking import Booking
from app.models.shop import ANY_BARBER, COLOURS, Barber, Service, ServiceBarber, Shop
from app.rows import table_of
from app.shop import money, several
from app.shop.money import Price
from app.shop.service import shop
from app.staff import audit
from app.staff.accounts import clean_name

CatalogueItem = Service | Barber
Kind = type[Service] | type[Barber]

SHORTEST, LONGEST = 5, 720
"""Minutes of a service, as the table has them."""
LONGEST_BUFFER = 120
"""Minutes that are kept free before or after one, likewise."""

_LONGEST_SLUG = 34  # leaves room for a number behind it


class BarberForm(Form):
    """The form of a barber; `others` are those whose names are taken."""

    def __init__(self, given: Mapping[str, Any], others: Sequence[CatalogueItem] = ()) -> None:
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
    """The form of a service; `currency` is the shop's, `barbers` are all that there are, by id.

    A page gives the barbers as one text with commas between, the API as a list.
    """

    def __init__(
        self,
        given: Mapping[str, Any],
        others: Sequence[CatalogueItem] = (),
        currency: str = "",
        barbers: Collection[str] = (),
    ) -> None:
        super().__init__(given, others)
        self._currency, self._barbers = currency, barbers

    @field
    def price(self, given: str | Price | None) -> Decimal | None:
        return money.read(given, self._currency)

    @field
    def colour(self, typed: str | None) -> str | None:
        return one_of(typed or "", ("", *COLOURS)) or None

    @field
    def barber_ids(self, given: str | Sequence[str]) -> list[str]:
        """Who does it; in the order of their ids, and empty if everybody does."""
        chosen = set(given.split(",") if isinstance(given, str) else given) - {""}
        if not chosen:
            raise ValueError("Choose at least one barber.")
        if chosen - set(self._barbers):
            raise ValueError(f"There is no barber {min(chosen - set(self._barbers))!r}.")
        return [] if chosen == set(self._barbers) else sorted(chosen)

    @field
    def minutes(self, typed: str) -> int:
        hint = f"This must be a whole number of minutes, from {SHORTEST} to {LONGEST}."
        return whole_number(str(typed), SHORTEST, LONGEST, hint)

    @field
    def buffer_minutes_before(self, typed: str | int) -> int | None:
        """Minutes that the barber is kept free before it; None for none."""
        return _buffer(typed)

    @field
    def buffer_minutes(self, typed: str | int) -> int | None:
        return _buffer(typed)


def _buffer(typed: str | int) -> int | None:
    hint = f"This must be a whole number of minutes, from 0 to {LONGEST_BUFFER}."
    return whole_number(str(typed or 0), 0, LONGEST_BUFFER, hint) or None


def form(
    session: Session, kind: Kind, given: Mapping[str, Any], others: Sequence[CatalogueItem] = ()
) -> BarberForm:
    """The form of one of a kind, by this shop's rules."""
    if kind is not Service:
        return BarberForm(given, others)
    barbers = [each.id for each in listed(session, Barber)]
    given = {"barber_ids": barbers, **given}
    return ServiceForm(given, others, money.currency_of(shop(session)), barbers)


def shown(session: Session, item: CatalogueItem) -> dict[str, str]:
    """The fields of its form as they are."""
    if isinstance(item, Barber):
        return BarberForm.shown(item)
    columns = {
        name: as_typed(getattr(item, name)) for name in ServiceForm.names if name != "barber_ids"
    }
    return {**columns, "barber_ids": ",".join(doers(session, item.id))}


def wrong(session: Session, kind: Kind, given: Mapping[str, Any], id: str = "") -> list[FieldError]:
    """All that is wrong with these fields of one of a kind, `id` of one that is there."""
    others = [each for each in listed(session, kind) if each.id != id]
    try:
        form(session, kind, given, others).checked(given.keys())
    except Invalid as invalid:
        return invalid.errors
    return []


def doers(session: Session, service_id: str) -> list[str]:
    """The barbers who do a service, in the shop's order."""
    some = select(ServiceBarber.barber_id).where(ServiceBarber.service_id == service_id)
    chosen = set(session.scalars(some))
    return [each.id for each in listed(session, Barber) if not chosen or each.id in chosen]


def listed(
    session: Session, kind: Kind, updated_since: datetime | None = None
) -> Sequence[CatalogueItem]:
    """All of a kind in the shop's order; those that are switched off come last.

    `updated_since`: those that were made or changed then or later. Raises Invalid for a time that
    is none.
    """
    if not clock.is_usable(updated_since):
        raise Invalid([FieldError("updatedSince", USABLE_HINT)])
    every = [each for each in booked(session, kind) if getattr(each, "parts", None) is None]
    if updated_since is None:
        return every
    return [each for each in every if each.updated_at and each.updated_at >= updated_since]


def booked(session: Session, kind: Kind) -> Sequence[CatalogueItem]:
    """The same with what is several services in one visit: all that a booking may have."""
    order = kind.active.desc(), kind.position, kind.id
    return cast(Sequence[CatalogueItem], session.scalars(select(kind).order_by(*order)).all())


def add(session: Session, kind: Kind, typed: Mapping[str, Any], actor: str) -> CatalogueItem:
    """Add one, after those that are there. Raises Invalid."""
    others = _locked(session, kind)
    values = form(session, kind, typed, others).checked()
    barbers = values.pop("barber_ids", [])
    new = kind(
        id=_new_id(kind, values["name"], {ANY_BARBER, *(each.id for each in others)}),
        position=len(others) + 1,
        active=True,
        **values,
    )
    session.add(new)
    session.flush()
    _set_doers(session, new, barbers)
    _fix_currency(session, values)
    _renumber(listed(session, kind))
    given = {name: value for name, value in _plain(values).items() if value is not None}
    audit.record(session, actor, f"{_word(kind)}.added", _subject(new), **given)
    return new


def change(
    session: Session, kind: Kind, id: str, typed: Mapping[str, Any], actor: str
) -> tuple[CatalogueItem, bool]:
    """Change what was typed; False if that is how it is. Raises NotFound and Invalid.

    Bookings that there are keep their length.
    """
    every = _locked(session, kind)
    item = _one(every, id)
    others = [each for each in every if each is not item]
    values = form(session, kind, typed, others).checked()
    barbers = values.pop("barber_ids", [])
    old = {name: getattr(item, name) for name in values}
    changes: dict[str, Any] = {
        name: [old[name], new] for name, new in values.items() if new != old[name]
    }
    for name in changes:
        setattr(item, name, values[name])
    if _set_doers(session, item, barbers):
        changes["barber_ids"] = ", ".join(barbers) or "all"
    _fix_currency(session, values)
    if changes and isinstance(item, Service):
        several.follow(session, item)
    if changes:
        audit.record(session, actor, f"{_word(kind)}.changed", _subject(item), **_plain(changes))
    return item, bool(changes)


def remove(session: Session, kind: Kind, id: str, actor: str) -> CatalogueItem | None:
    """Delete one that was never booked, and switch off any other; returns it if it is still there.

    Raises NotFound, and Conflict `last_one`.
    """
    every = _locked(session, kind)
    item = _one(every, id)
    _check_not_last(every, item)
    if _is_used(session, kind, id) or (kind is Service and several.has_part(session, id)):
        return switch(session, kind, id, False, actor)
    its_rows = ServiceBarber.service_id if kind is Service else ServiceBarber.barber_id
    session.execute(delete(ServiceBarber).where(its_rows == id))
    session.delete(item)
    session.flush()
    _renumber(listed(session, kind))
    audit.record(session, actor, f"{_word(kind)}.deleted", _subject(item), name=item.name)
    return None


def _is_used(session: Session, kind: Kind, id: str) -> bool:
    """Whether any row but those of who does what is of it: a booking, an absence, a calendar."""
    keys = {key for table in Base.metadata.tables.values() for key in table.foreign_keys}
    theirs = [
        key.parent
        for key in keys
        if key.column.table is table_of(kind) and key.parent.table is not table_of(ServiceBarber)
    ]
    return any(
        session.scalar(select(each).where(each == id).limit(1)) is not None for each in theirs
    )


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
    if not is_on:
        _check_not_last(every, item)
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


def get(session: Session, kind: Kind, id: str) -> CatalogueItem:
    """Raises NotFound."""
    return _one(booked(session, kind), id)


def _one(every: Sequence[CatalogueItem], id: str) -> CatalogueItem:
    for each in every:
        if each.id == id:
            return each
    raise NotFound("There is no such thing in this shop.")


def _check_not_last(every: Sequence[CatalogueItem], item: CatalogueItem) -> None:
    """Raises Conflict `last_one`."""
    if item.active and sum(each.active for each in every) == 1:
        kind = _word(type(item))
        raise Conflict("last_one", f"{item.name} is the only {kind} that can be booked.")


def _set_doers(session: Session, item: CatalogueItem, barbers: Sequence[str]) -> bool:
    """Keep who does it, nobody for everybody; whether that is a change."""
    its = ServiceBarber.service_id == item.id
    if not isinstance(item, Service):
        return False
    if sorted(session.scalars(select(ServiceBarber.barber_id).where(its))) == list(barbers):
        return False
    session.execute(delete(ServiceBarber).where(its))
    session.add_all(ServiceBarber(service_id=item.id, barber_id=each) for each in barbers)
    item.updated_at = clock.now()
    session.flush()
    return True


def _fix_currency(session: Session, values: Mapping[str, Any]) -> None:
    """With the first price the shop's currency is set: its country alone changes no price."""
    row = session.get_one(Shop, 1)
    if values.get("price") is not None and row.prices_in is None:
        row.prices_in = money.currency_of(row)
        session.flush()


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON can hold it."""

    def plain(value: Any) -> Any:
        if isinstance(value, list):
            return [plain(each) for each in value]
        return as_typed(value) if isinstance(value, Decimal) else value

    return {name: plain(value) for name, value in values.items()}


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
