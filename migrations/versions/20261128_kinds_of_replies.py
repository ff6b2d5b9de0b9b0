"""What a customer sent is kept as what it is, and what is no work for anybody as that."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

KINDS = (
    "kind IN ('text', 'media', 'location', 'contact', 'reaction', 'help', 'edited', 'deleted',"
    " 'unsupported')"
)
FORMER_EFFECTS = (
    "'cancelled', 'already_cancelled', 'too_late', 'no_booking', 'which_booking', 'opted_out',"
    " 'opted_in', 'for_staff'"
)


def upgrade() -> None:
    kind = sa.Column("kind", sa.String(length=20), nullable=False, server_default="text")
    with op.batch_alter_table("reply") as reply:
        reply.drop_constraint(op.f("ck_reply_effect"), type_="check")
        reply.add_column(kind)
        reply.add_column(sa.Column("media_types", sa.String(length=160), nullable=True))
    op.execute("UPDATE reply SET kind = 'media' WHERE media > 0")
    op.execute("UPDATE reply SET kind = 'unsupported' WHERE media = 0 AND body = ''")
    with op.batch_alter_table("reply") as reply:
        reply.alter_column("kind", server_default=None)
        reply.create_check_constraint(op.f("ck_reply_kind"), KINDS)
        reply.create_check_constraint(
            op.f("ck_reply_effect"), f"effect IN ({FORMER_EFFECTS}, 'noted')"
        )


def downgrade() -> None:
    with op.batch_alter_table("reply") as reply:
        reply.drop_constraint(op.f("ck_reply_effect"), type_="check")
        reply.drop_constraint(op.f("ck_reply_kind"), type_="check")
        reply.drop_column("media_types")
        reply.drop_column("kind")
    op.execute("UPDATE reply SET effect = 'for_staff' WHERE effect = 'noted'")
    with op.batch_alter_table("reply") as reply:
        reply.create_check_constraint(op.f("ck_reply_effect"), f"effect IN ({FORMER_EFFECTS})")
