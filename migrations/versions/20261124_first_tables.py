"""The first tables, with the rows that every shop starts with."""

from datetime import time

import sqlalchemy as sa
from alembic import op

from app.db import UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "api_token",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("scope", sa.String(length=10), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("last_used_at", UtcDateTime(), nullable=True),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint("scope IN ('read', 'write')", name=op.f("ck_api_token_scope")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_token")),
        sa.UniqueConstraint("digest", name=op.f("uq_api_token_digest")),
    )
    op.create_table(
        "audit_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("actor", sa.String(length=120), nullable=False),
        sa.Column("action", sa.String(length=60), nullable=False),
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_event")),
    )
    with op.batch_alter_table("audit_event", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_audit_event_subject_id"), ["subject", "id"], unique=False
        )

    op.create_table(
        "barber",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_barber")),
    )
    op.create_table(
        "daily_sent",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("messages", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_daily_sent")),
    )
    op.create_table(
        "sending",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("paused_at", UtcDateTime(), nullable=True),
        sa.Column("paused_by", sa.String(length=120), nullable=True),
        sa.Column("breaker_code", sa.String(length=32), nullable=True),
        sa.Column("breaker_at", UtcDateTime(), nullable=True),
        sa.Column("probe_at", UtcDateTime(), nullable=True),
        sa.Column("probes", sa.Integer(), nullable=False),
        sa.Column("slow_until", UtcDateTime(), nullable=True),
        sa.CheckConstraint("id = 1", name=op.f("ck_sending_single_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sending")),
    )
    op.create_table(
        "service",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.CheckConstraint("minutes BETWEEN 5 AND 720", name=op.f("ck_service_minutes")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service")),
    )
    op.create_table(
        "shop",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("locale", sa.String(length=20), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=True),
        sa.Column("time_zone", sa.String(length=64), nullable=True),
        sa.Column("reminder_every", sa.Integer(), nullable=True),
        sa.Column("count_from", sa.String(length=20), nullable=False),
        sa.Column("within", sa.Integer(), nullable=True),
        sa.Column("at_most", sa.Integer(), nullable=True),
        sa.Column("quiet_from", sa.Time(), nullable=True),
        sa.Column("quiet_until", sa.Time(), nullable=True),
        sa.Column("opens_at", sa.Time(), nullable=False),
        sa.Column("closes_at", sa.Time(), nullable=False),
        sa.Column("reminder_text", sa.Text(), nullable=True),
        sa.Column("cancellation_text", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "count_from IN ('booking', 'appointment')", name=op.f("ck_shop_count_from")
        ),
        sa.CheckConstraint(
            "(quiet_from IS NULL) = (quiet_until IS NULL)", name=op.f("ck_shop_quiet_hours")
        ),
        sa.CheckConstraint("id = 1", name=op.f("ck_shop_single_row")),
        sa.CheckConstraint("opens_at < closes_at", name=op.f("ck_shop_opening_hours")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shop")),
    )
    op.create_table(
        "staff_user",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.Column("password_hash", sa.String(length=200), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("disabled_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint("role IN ('owner', 'staff', 'viewer')", name=op.f("ck_staff_user_role")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_user")),
        sa.UniqueConstraint("email", name=op.f("uq_staff_user_email")),
    )
    op.create_table(
        "worker",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("host", sa.String(length=100), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("threads", sa.Integer(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_worker")),
    )
    op.create_table(
        "booking",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("customer_name", sa.String(length=100), nullable=False),
        sa.Column("customer_email", sa.String(length=254), nullable=True),
        sa.Column("customer_phone", sa.String(length=20), nullable=False),
        sa.Column("service_id", sa.String(length=40), nullable=False),
        sa.Column("barber_id", sa.String(length=40), nullable=False),
        sa.Column("starts_at", UtcDateTime(), nullable=False),
        sa.Column("ends_at", UtcDateTime(), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("customer_phone LIKE '+%'", name=op.f("ck_booking_phone_e164")),
        sa.CheckConstraint(
            "status IN ('confirmed', 'cancelled', 'completed', 'no_show')",
            name=op.f("ck_booking_status"),
        ),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_booking_length")),
        sa.ForeignKeyConstraint(["barber_id"], ["barber.id"], name=op.f("fk_booking_barber_id")),
        sa.ForeignKeyConstraint(["service_id"], ["service.id"], name=op.f("fk_booking_service_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_booking")),
    )
    with op.batch_alter_table("booking", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_booking_barber_id_starts_at"), ["barber_id", "starts_at"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_booking_customer_phone_starts_at"),
            ["customer_phone", "starts_at"],
            unique=False,
        )
        batch_op.create_index(
            batch_op.f("ix_booking_starts_at_id"), ["starts_at", "id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_booking_status_starts_at_id"),
            ["status", "starts_at", "id"],
            unique=False,
        )
        batch_op.create_index(
            "uq_booking_same",
            ["customer_phone", "service_id", "barber_id", "starts_at"],
            unique=True,
            postgresql_where=sa.text("status = 'confirmed'"),
            sqlite_where=sa.text("status = 'confirmed'"),
        )

    op.create_table(
        "idempotency_key",
        sa.Column("token_id", sa.String(length=40), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("request_digest", sa.String(length=64), nullable=False),
        sa.Column("status_code", sa.Integer(), nullable=False),
        sa.Column("answer", sa.JSON(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["token_id"], ["api_token.id"], name=op.f("fk_idempotency_key_token_id")
        ),
        sa.PrimaryKeyConstraint("token_id", "key", name=op.f("pk_idempotency_key")),
    )
    with op.batch_alter_table("idempotency_key", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_idempotency_key_created_at"), ["created_at"], unique=False
        )

    op.create_table(
        "message",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("booking_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("planned_for", UtcDateTime(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("fed_at", UtcDateTime(), nullable=True),
        sa.Column("attempt_id", sa.String(length=36), nullable=True),
        sa.Column("sending_to", sa.String(length=20), nullable=True),
        sa.Column("lease_until", UtcDateTime(), nullable=True),
        sa.Column("check_at", UtcDateTime(), nullable=True),
        sa.Column("checks", sa.Integer(), nullable=False),
        sa.Column("verify_first", sa.Boolean(), nullable=False),
        sa.Column("cancel_reason", sa.String(length=40), nullable=True),
        sa.Column("sid", sa.String(length=34), nullable=True),
        sa.Column("sent_at", UtcDateTime(), nullable=True),
        sa.Column("delivery_status", sa.String(length=20), nullable=True),
        sa.Column("delivery_rank", sa.Integer(), nullable=False),
        sa.Column("error_code", sa.String(length=32), nullable=True),
        sa.Column("doubled", sa.Boolean(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "(state = 'sending') = (lease_until IS NOT NULL)", name=op.f("ck_message_lease")
        ),
        sa.CheckConstraint(
            "(state = 'sent') = (sid IS NOT NULL AND sent_at IS NOT NULL)",
            name=op.f("ck_message_sent_has_sid"),
        ),
        sa.CheckConstraint(
            "(state IN ('failed', 'cancelled', 'skipped')) = (reason IS NOT NULL)",
            name=op.f("ck_message_reason"),
        ),
        sa.CheckConstraint(
            "(state IN ('sending', 'uncertain'))"
            " = (sending_to IS NOT NULL AND attempt_id IS NOT NULL)",
            name=op.f("ck_message_in_flight"),
        ),
        sa.CheckConstraint(
            "check_at IS NULL OR state = 'uncertain' OR reason = 'unresolved'",
            name=op.f("ck_message_check_unsettled"),
        ),
        sa.CheckConstraint(
            "id = booking_id || '-' || kind || '-' || number", name=op.f("ck_message_job_id")
        ),
        sa.CheckConstraint("kind IN ('reminder', 'cancellation')", name=op.f("ck_message_kind")),
        sa.CheckConstraint(
            "state <> 'uncertain' OR check_at IS NOT NULL", name=op.f("ck_message_check")
        ),
        sa.CheckConstraint(
            "state IN ('pending', 'sending', 'uncertain', 'sent',"
            " 'failed', 'cancelled', 'skipped')",
            name=op.f("ck_message_state"),
        ),
        sa.CheckConstraint("number > 0", name=op.f("ck_message_number")),
        sa.ForeignKeyConstraint(["booking_id"], ["booking.id"], name=op.f("fk_message_booking_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message")),
        sa.UniqueConstraint(
            "booking_id", "kind", "number", name=op.f("uq_message_booking_id_kind_number")
        ),
    )
    with op.batch_alter_table("message", schema=None) as batch_op:
        batch_op.create_index(
            "ix_message_check",
            ["check_at"],
            unique=False,
            postgresql_where=sa.text("check_at IS NOT NULL"),
            sqlite_where=sa.text("check_at IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_message_due",
            ["due_at"],
            unique=False,
            postgresql_where=sa.text("state = 'pending'"),
            sqlite_where=sa.text("state = 'pending'"),
        )
        batch_op.create_index(
            "ix_message_failed",
            ["updated_at"],
            unique=False,
            postgresql_where=sa.text("state = 'failed'"),
            sqlite_where=sa.text("state = 'failed'"),
        )
        batch_op.create_index(
            "ix_message_lease",
            ["lease_until"],
            unique=False,
            postgresql_where=sa.text("state = 'sending'"),
            sqlite_where=sa.text("state = 'sending'"),
        )
        batch_op.create_index(
            "ix_message_revoked",
            ["due_at"],
            unique=False,
            postgresql_where=sa.text("state = 'cancelled' AND fed_at IS NOT NULL"),
            sqlite_where=sa.text("state = 'cancelled' AND fed_at IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_message_sent",
            ["sent_at"],
            unique=False,
            postgresql_where=sa.text("state = 'sent'"),
            sqlite_where=sa.text("state = 'sent'"),
        )
        batch_op.create_index(
            "uq_message_in_flight",
            ["sending_to"],
            unique=True,
            postgresql_where=sa.text("sending_to IS NOT NULL"),
            sqlite_where=sa.text("sending_to IS NOT NULL"),
        )
        batch_op.create_index(
            "uq_message_slot",
            ["booking_id", "planned_for"],
            unique=True,
            postgresql_where=sa.text(
                "kind = 'reminder' AND state IN ('pending', 'sending', 'uncertain', 'sent')"
            ),
            sqlite_where=sa.text(
                "kind = 'reminder' AND state IN ('pending', 'sending', 'uncertain', 'sent')"
            ),
        )

    op.create_table(
        "attempt",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("message_id", sa.String(length=80), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("sent_to", sa.String(length=20), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("outcome", sa.String(length=20), nullable=True),
        sa.Column("sid", sa.String(length=34), nullable=True),
        sa.Column("error_code", sa.String(length=32), nullable=True),
        sa.Column("error_detail", sa.String(length=300), nullable=True),
        sa.CheckConstraint(
            "outcome IN ('accepted', 'refused', 'not_sent', 'undelivered')",
            name=op.f("ck_attempt_outcome"),
        ),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"], name=op.f("fk_attempt_message_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempt")),
        sa.UniqueConstraint("message_id", "number", name=op.f("uq_attempt_message_id_number")),
        sa.UniqueConstraint("sid", name=op.f("uq_attempt_sid")),
    )
    op.create_table(
        "receipt",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("attempt_id", sa.String(length=36), nullable=True),
        sa.Column("callback_id", sa.String(length=36), nullable=False),
        sa.Column("sid", sa.String(length=34), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("error_code", sa.String(length=32), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["attempt_id"], ["attempt.id"], name=op.f("fk_receipt_attempt_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_receipt")),
        sa.UniqueConstraint(
            "callback_id",
            "sid",
            "status",
            "error_code",
            name=op.f("uq_receipt_callback_id_sid_status_error_code"),
        ),
    )
    with op.batch_alter_table("receipt", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_receipt_attempt_id"), ["attempt_id"], unique=False)

    op.bulk_insert(
        sa.table(
            "shop",
            *map(sa.column, ("id", "name", "locale", "count_from")),
            sa.column("opens_at", sa.Time()),
            sa.column("closes_at", sa.Time()),
        ),
        [
            {
                "id": 1,
                "name": "The barbershop",
                "locale": "en_US",
                "count_from": "booking",
                "opens_at": time(9),
                "closes_at": time(19),
            }
        ],
    )
    op.bulk_insert(
        sa.table("sending", sa.column("id"), sa.column("probes")), [{"id": 1, "probes": 0}]
    )
    columns = map(sa.column, ("id", "name", "minutes", "position", "active"))
    op.bulk_insert(
        sa.table("service", *columns),
        [
            dict(zip(("id", "name", "minutes", "position", "active"), row, strict=True))
            for row in (
                ("haircut", "Haircut", 30, 1, True),
                ("beard-trim", "Beard trim", 20, 2, True),
                ("cut-and-shave", "Cut and shave", 60, 3, True),
                ("kids-cut", "Kids cut", 30, 4, True),
            )
        ],
    )
    op.bulk_insert(
        sa.table("barber", *map(sa.column, ("id", "name", "position", "active"))),
        [
            {"id": f"barber_{number}", "name": name, "position": number, "active": True}
            for number, name in enumerate(("Sam", "Alex", "Robin"), start=1)
        ],
    )


def downgrade() -> None:
    for table in (
        "receipt",
        "attempt",
        "message",
        "idempotency_key",
        "booking",
        "worker",
        "staff_user",
        "shop",
        "service",
        "sending",
        "daily_sent",
        "barber",
        "audit_event",
        "api_token",
    ):
        op.drop_table(table)
