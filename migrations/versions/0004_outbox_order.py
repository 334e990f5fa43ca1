"""The outbox: what waits is found in the order it leaves, however much has been sent.

Revision ID: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

WAITING = sa.text("state IN ('queued', 'deferred')")
OPEN = sa.text("state IN ('queued', 'deferred', 'sending', 'uncertain')")


def upgrade() -> None:
    op.drop_index(op.f("ix_outbox_state_not_before"), table_name="outbox")
    op.create_index(
        "ix_outbox_waiting",
        "outbox",
        ["not_before", "message_id"],
        sqlite_where=WAITING,
        postgresql_where=WAITING,
    )
    op.create_index("ix_outbox_open", "outbox", ["state"], sqlite_where=OPEN, postgresql_where=OPEN)


def downgrade() -> None:
    raise NotImplementedError("migrations go forwards; restore the copy made before the upgrade")
