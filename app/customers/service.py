"""Consent, opt-outs, the 24 hours in which free text may be sent, and how much somebody got.

An `address` is a number in any of its spellings, or the id of somebody who hides theirs: all that
is kept is kept for the person.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any, Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import clock, outbox
from app.db import dialect
from app.models.booking import Booking
from app.models.customer import Customer, MonthlySent
from app.models.identity import person_of
from app.rows import insert, table_of

ConsentHow = Literal["form", "api", "reply"]
OptOutHow = Literal["reply", "twilio", "staff"]

WINDOW = timedelta(hours=24) - timedelta(minutes=5)
"""How long free text may be sent after somebody wrote: WhatsApp's 24 hours (Twilio error 63016),
less what a message may be on its way."""


def find(session: Session, address: str | None) -> Customer | None:
    """What is known of an address, None if nothing is, as of who has none."""
    if address is None:
        return None
    return session.get(Customer, person_of(address), populate_existing=True)


def find_all(session: Session, addresses: Sequence[str]) -> dict[str, Customer]:
    """What is known of each of these, by person."""
    people = {person_of(address) for address in addresses}
    rows = session.scalars(select(Customer).where(Customer.person.in_(people)))
    return {row.person: row for row in rows}


def imported(session: Session, customer_id: str) -> Customer | None:
    """Who was imported, by their own id."""
    return session.scalars(select(Customer).where(Customer.id == customer_id)).one_or_none()


def sent_this_month(session: Session, address: str) -> int:
    """How many messages this address got since the month (UTC) began."""
    key = (month_of(clock.now()), person_of(address))
    row = session.get(MonthlySent, key, populate_existing=True)
    return row.messages if row else 0


def note_consent(session: Session, address: str, given: bool, how: ConsentHow) -> bool:
    """Keep whether somebody agreed to get messages, when that was said, and how.

    Returns whether it is news: who says the same again has said it when they first did.
    """
    known = find(session, address)
    if known is not None and known.consent is given:
        return False
    _put(session, address, consent=given, consent_at=clock.now(), consent_how=how)
    return True


def opt_out(session: Session, address: str, how: OptOutHow) -> None:
    """Send this address nothing any more; the first time is kept."""
    known = find(session, address)
    if known is None or known.opted_out_at is None:
        _put(session, address, opted_out_at=clock.now(), opted_out_how=how)
        outbox.note(session, "customer.opted_out", person=person_of(address))


def opt_in(session: Session, address: str) -> None:
    """Send to this address again."""
    _put(session, address, opted_out_at=None, opted_out_how=None)


def note_written(session: Session, address: str, profile_name: str | None, at: datetime) -> None:
    """Somebody wrote to us at `at`; what was noted for a later time stays."""
    statement = insert(session, Customer).values(
        person=person_of(address), profile_name=profile_name, written_at=at
    )
    later = func.coalesce(Customer.written_at, at) <= at
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["person"],
            set_={"written_at": at, "profile_name": profile_name},
            where=later,
        )
    )


def note_spelling(session: Session, number: str) -> None:
    """WhatsApp itself has called somebody by this number (E.164): messages go there from now on."""
    known = find(session, number)
    if known is None or known.whatsapp != number:
        _put(session, number, whatsapp=number)


def carry(session: Session, was: str, number: str) -> None:
    """Somebody has another number now: what they said about messages holds there too, as do notes
    and their language.

    A STOP is never lost; Twilio's block is of the old number (Twilio error 21610), the wish is not.
    """
    known, theirs = find(session, was), find(session, number)
    if known is None or person_of(was) == person_of(number):
        return
    values: dict[str, Any] = {}
    if known.opted_out_at and not (theirs and theirs.opted_out_at):
        how = "reply" if known.opted_out_how == "twilio" else known.opted_out_how
        values |= {"opted_out_at": known.opted_out_at, "opted_out_how": how}
    if known.consent is not None and (theirs is None or theirs.consent is None):
        names = ("consent", "consent_at", "consent_how")
        values |= {name: getattr(known, name) for name in names}
    for name in ("notes", "language"):
        if getattr(known, name) and not (theirs and getattr(theirs, name)):
            values[name] = getattr(known, name)
    if values:
        _put(session, number, **values)


def introduce(session: Session, who: Mapping[str, Any]) -> None:
    """Say who has the number `who["phone"]`, by the columns of Customer; unless that is known: of a
    customer by their bookings, of who was imported by their name.
    """
    known = find(session, who["phone"])
    is_customer = select(Booking.id).where(Booking.person == person_of(who["phone"])).limit(1)
    if (known is None or known.name is None) and session.scalar(is_customer) is None:
        _put(session, who["phone"], **who)


def put_notes(session: Session, address: str, notes: str | None) -> bool:
    """Keep what staff want to remember of somebody; False if that is how it is."""
    known = find(session, address)
    if (known.notes if known else None) == notes:
        return False
    _put(session, address, notes=notes)
    return True


def put_language(session: Session, address: str, code: str | None) -> bool:
    """Keep in which language somebody is written to; None: the shop's. False if it is that one."""
    known = find(session, address)
    if (known.language if known else None) == code:
        return False
    _put(session, address, language=code)
    return True


def window_closes(known: Customer | None) -> datetime | None:
    """Until when free text may be sent to somebody; None if they never wrote."""
    return known.written_at + WINDOW if known and known.written_at else None


def count_sent(session: Session, address: str, at: datetime, change: int) -> None:
    """One message more (or less: `change` is -1) that was sent to this address at `at`."""
    values = {"month": month_of(at), "person": person_of(address), "messages": change}
    session.connection().execute(_counting(dialect(session)), values)


@cache
def _counting(dialect: Any) -> Any:
    table = table_of(MonthlySent)
    statement = dialect.insert(table)
    more = table.c.messages + statement.excluded.messages
    return statement.on_conflict_do_update(
        index_elements=["month", "person"], set_={"messages": more}
    )


def month_of(at: datetime) -> date:
    """The first day of the month, in UTC, that `at` belongs to."""
    return at.date().replace(day=1)


def _put(session: Session, address: str, **values: Any) -> None:
    values["updated_at"] = clock.now()
    statement = insert(session, Customer).values(person=person_of(address), **values)
    session.execute(statement.on_conflict_do_update(index_elements=["person"], set_=values))
