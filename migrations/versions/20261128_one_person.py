"""Who a person is, however their number is written, beside each number; and names to search by.

What is known of the same person under several numbers becomes one row. No opt-out is lost.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

from app.db import UtcDateTime
from app.models import folding, identity

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

BOOKING = sa.table(
    "booking",
    *(sa.column(name) for name in ("id", "customer_phone", "customer_name")),
    *(sa.column(name) for name in ("person", "spellings", "name_folded")),
)
REPLY = sa.table("reply", *(sa.column(name) for name in ("sid", "sender", "person")))
MESSAGE = sa.table("message", *(sa.column(name) for name in ("id", "sending_to")))
CUSTOMER = sa.table(
    "customer",
    *(sa.column(name) for name in ("address", "whatsapp", "profile_name", "consent")),
    *(sa.column(name) for name in ("consent_how", "opted_out_how")),
    *(sa.column(name, UtcDateTime()) for name in ("consent_at", "opted_out_at", "written_at")),
)
MONTHLY_SENT = sa.table(
    "monthly_sent", *(sa.column(name) for name in ("month", "address", "messages"))
)
PARTS = {"customer_name": "name_folded", "customer_phone": "spellings"}
AT_ONCE = 1_000


def upgrade() -> None:
    op.add_column("booking", sa.Column("person", sa.String(length=20), nullable=True))
    op.add_column("booking", sa.Column("spellings", sa.String(length=50), nullable=True))
    op.add_column("booking", sa.Column("name_folded", sa.Text(), nullable=True))
    op.add_column("reply", sa.Column("person", sa.String(length=64), nullable=True))
    op.add_column("customer", sa.Column("whatsapp", sa.String(length=20), nullable=True))
    _fill(BOOKING, "id", ("customer_phone", "customer_name"), _of_booking)
    _fill(REPLY, "sid", ("sender",), lambda row: {"person": identity.person_of(row["sender"])})
    _merge_customers()
    _merge_counters()
    _rename_in_flight()
    with op.batch_alter_table("booking") as booking:
        for name in ("person", "spellings", "name_folded"):
            booking.alter_column(name, nullable=False)
    with op.batch_alter_table("reply") as reply:
        reply.alter_column("person", nullable=False)
    for table in ("customer", "monthly_sent"):
        op.execute(f"ALTER TABLE {table} RENAME COLUMN address TO person")
    _replace_index("booking", "starts_at", "customer_phone", "person")
    _replace_index("reply", "received_at", "sender", "person")
    _replace_parts(PARTS)


def downgrade() -> None:
    """What was merged stays so, under the number by which WhatsApp knows the person."""
    _replace_parts({new: old for old, new in PARTS.items()})
    _replace_index("reply", "received_at", "person", "sender")
    _replace_index("booking", "starts_at", "person", "customer_phone")
    for table in ("customer", "monthly_sent"):
        op.execute(f"ALTER TABLE {table} RENAME COLUMN person TO address")
    _name_customers_as_before()
    with op.batch_alter_table("customer") as customer:
        customer.drop_column("whatsapp")
    with op.batch_alter_table("reply") as reply:
        reply.drop_column("person")
    with op.batch_alter_table("booking") as booking:
        for name in ("person", "spellings", "name_folded"):
            booking.drop_column(name)


def _of_booking(row: Mapping[str, Any]) -> dict[str, str]:
    written = identity.spellings(row["customer_phone"])
    return {
        "person": written[0],
        "spellings": " ".join(written),
        "name_folded": folding.fold(row["customer_name"]),
    }


def _fill(table: sa.TableClause, key: str, read: Sequence[str], derived: Any) -> None:
    """Set what is `derived` from the columns `read`, in each row."""
    connection = op.get_bind()
    columns = [table.c[name] for name in (key, *read)]
    rows = connection.execute(sa.select(*columns)).mappings().all()
    changes = [{"of_row": row[key], **derived(row)} for row in rows]
    if not changes:
        return
    set_to = {name: sa.bindparam(name) for name in changes[0] if name != "of_row"}
    statement = table.update().where(table.c[key] == sa.bindparam("of_row")).values(set_to)
    for start in range(0, len(changes), AT_ONCE):
        connection.execute(statement, changes[start : start + AT_ONCE])


def _merge_customers() -> None:
    people: dict[str, list[Mapping[str, Any]]] = {}
    connection = op.get_bind()
    for row in connection.execute(sa.select(CUSTOMER)).mappings().all():
        people.setdefault(identity.person_of(row["address"]), []).append(row)
    merged = [_merged(person, rows) for person, rows in people.items()]
    connection.execute(CUSTOMER.delete())
    if merged:
        connection.execute(CUSTOMER.insert(), merged)


def _merged(person: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One row of several: a STOP and a no count, whatever was said under another number."""
    wrote = max(_with(rows, "written_at"), key=lambda row: row["written_at"], default=None)
    opted_out = min(_with(rows, "opted_out_at"), key=_order_of_stop, default=None)
    said = min(_with(rows, "consent_at"), key=_order_of_consent, default=None)
    has_number = wrote is not None and wrote["address"].startswith("+")
    return {
        "address": person,
        "whatsapp": wrote["address"] if wrote and has_number else None,
        **_taken(wrote or rows[0], "profile_name"),
        **_taken(wrote, "written_at"),
        **_taken(opted_out, "opted_out_at", "opted_out_how"),
        **_taken(said, "consent", "consent_at", "consent_how"),
    }


def _with(rows: Iterable[Mapping[str, Any]], name: str) -> list[Mapping[str, Any]]:
    return [row for row in rows if row[name] is not None]


def _order_of_stop(row: Mapping[str, Any]) -> tuple[bool, Any]:
    """Twilio's own block first: nobody here can lift it (Twilio error 21610)."""
    return row["opted_out_how"] != "twilio", row["opted_out_at"]


def _order_of_consent(row: Mapping[str, Any]) -> tuple[bool, float]:
    """A no first, and then what was said last."""
    return bool(row["consent"]), -row["consent_at"].timestamp()


def _taken(row: Mapping[str, Any] | None, *columns: str) -> dict[str, Any]:
    return {name: row[name] if row else None for name in columns}


def _merge_counters() -> None:
    connection, sums = op.get_bind(), dict[tuple[Any, str], int]()
    for row in connection.execute(sa.select(MONTHLY_SENT)).mappings().all():
        key = (row["month"], identity.person_of(row["address"]))
        sums[key] = sums.get(key, 0) + row["messages"]
    connection.execute(MONTHLY_SENT.delete())
    rows = [
        {"month": month, "address": person, "messages": messages}
        for (month, person), messages in sums.items()
    ]
    if rows:
        connection.execute(MONTHLY_SENT.insert(), rows)


def _rename_in_flight() -> None:
    """If two are on their way to one person by now, the second keeps its number until it ends."""
    connection = op.get_bind()
    is_in_flight = MESSAGE.c.sending_to.is_not(None)
    rows = connection.execute(sa.select(MESSAGE).where(is_in_flight)).mappings().all()
    taken = {row["sending_to"] for row in rows}
    for row in rows:
        person = identity.person_of(row["sending_to"])
        if person not in taken:
            taken.add(person)
            is_it = MESSAGE.c.id == row["id"]
            connection.execute(MESSAGE.update().where(is_it).values(sending_to=person))


def _name_customers_as_before() -> None:
    by_whatsapp = CUSTOMER.c.whatsapp.is_not(None)
    op.execute(CUSTOMER.update().where(by_whatsapp).values(address=CUSTOMER.c.whatsapp))


def _replace_index(table: str, time: str, old: str, new: str) -> None:
    op.drop_index(f"ix_{table}_{old}_{time}", table)
    op.create_index(f"ix_{table}_{new}_{time}", table, [new, time])


def _replace_parts(columns: Mapping[str, str]) -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for old, new in columns.items():
        op.drop_index(f"ix_booking_{old}_parts", "booking")
        op.create_index(
            f"ix_booking_{new}_parts",
            "booking",
            [new],
            postgresql_using="gin",
            postgresql_ops={new: "gin_trgm_ops"},
        )
