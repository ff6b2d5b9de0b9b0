"""Who was imported and has not booked yet: who they are stands in what is known of their number."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from app import clock
from app.customers import service as customers
from app.models.customer import Customer
from app.models.folding import fold
from app.models.identity import person_of

_WHO = ("id", "name", "name_folded", "phone", "email")


def rename(session: Session, known: Customer, values: Mapping[str, Any]) -> list[str]:
    """Give them the name and the email of `values`, if these are others; which have changed."""
    changed = [
        name
        for name in ("name", "email")
        if name in values and values[name] != getattr(known, name)
    ]
    for name in changed:
        setattr(known, name, values[name])
    if changed:
        known.name_folded = fold(known.name or "")
        known.updated_at = clock.now()
        session.flush()
    return changed


def renumber(session: Session, known: Customer, number: str) -> None:
    """They have another number (E.164). Who has that already is who they are from then on.

    What was said about messages goes along, as do notes; what a stranger may have said under the
    old number stays with that.
    """
    who = {name: getattr(known, name) for name in _WHO}
    if person_of(number) == known.person:
        known.phone, known.updated_at = number, clock.now()
        session.flush()
        return
    for name in _WHO:
        setattr(known, name, None)
    session.flush()  # the id is nobody else's
    customers.carry(session, str(who["phone"]), number)
    customers.introduce(session, {**who, "phone": number})
