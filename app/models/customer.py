"""Tables of what is known of a customer, by who they are (`identity.person_of`)."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, UtcDateTime

CONSENTS = ("form", "api", "reply")
OPT_OUTS = ("reply", "twilio", "staff")


class Customer(Base):
    """What is known of a person: of a phone number, or of the id of somebody who hides theirs.

    `whatsapp` is their number as WhatsApp itself spelled it (E.164); messages go there. No row, or
    an empty `consent`, means that the shop vouches for the customer's consent. `written_at` is when
    they last wrote: free text may be sent to them for 24 hours from then. `notes` are
    what staff want to remember of the person. `language` is the code of the one they are written to
    in (`app.messages.languages`); empty: the shop's.

    Who they are says their latest booking. Of who was imported and has none yet, it says `name`,
    `phone` (E.164, as it was written) and `email`; `id` is theirs then, for no phone number is in
    an address. `updated_at` is when any of this last changed but `written_at`; empty if it was not
    noted yet.
    """

    __tablename__ = "customer"
    __table_args__ = (
        CheckConstraint(f"consent_how IN {CONSENTS}", name="consent_how"),
        CheckConstraint(f"opted_out_how IN {OPT_OUTS}", name="opted_out_how"),
        CheckConstraint(
            "(consent IS NULL) = (consent_at IS NULL)"
            " AND (consent IS NULL) = (consent_how IS NULL)",
            name="consent",
        ),
        CheckConstraint("(opted_out_at IS NULL) = (opted_out_how IS NULL)", name="opted_out"),
        CheckConstraint(
            "(id IS NULL) = (name IS NULL) AND (id IS NULL) = (phone IS NULL)"
            " AND (id IS NULL) = (name_folded IS NULL)",
            name="imported",
        ),
    )

    person: Mapped[str] = mapped_column(String(64), primary_key=True)
    whatsapp: Mapped[str | None] = mapped_column(String(20))
    profile_name: Mapped[str | None] = mapped_column(String(100))
    consent: Mapped[bool | None]
    consent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    consent_how: Mapped[str | None] = mapped_column(String(10))
    opted_out_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    opted_out_how: Mapped[str | None] = mapped_column(String(10))
    written_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    notes: Mapped[str | None] = mapped_column(Text)
    language: Mapped[str | None] = mapped_column(String(10))
    id: Mapped[str | None] = mapped_column(String(40), unique=True)
    name: Mapped[str | None] = mapped_column(String(100))
    name_folded: Mapped[str | None] = mapped_column(Text)
    phone: Mapped[str | None] = mapped_column(String(20))
    email: Mapped[str | None] = mapped_column(String(254))
    updated_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)


class MonthlySent(Base):
    """How many messages a person got in a month (its first day, UTC), for the budget."""

    __tablename__ = "monthly_sent"

    month: Mapped[date] = mapped_column(primary_key=True)
    person: Mapped[str] = mapped_column(String(64), primary_key=True)
    messages: Mapped[int]
