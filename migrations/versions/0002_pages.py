"""What the web pages need: limits that all processes share, sign-ups on their way, new addresses.

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def moment():
    return sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "hit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("bucket", sa.Text(), nullable=False),
        sa.Column("at", moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hit")),
    )
    op.create_index(op.f("ix_hit_bucket_at"), "hit", ["bucket", "at"], unique=False)
    op.create_index(op.f("ix_hit_at"), "hit", ["at"], unique=False)
    op.create_table(
        "signup",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", moment(), nullable=False),
        sa.Column("form", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signup")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "move",
        sa.Column("subscriber_id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("from_id", sa.Integer(), nullable=False),
        sa.Column("asked_at", moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscriber.id"],
            name=op.f("fk_move_subscriber_id_subscriber"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["from_id"],
            ["subscriber.id"],
            name=op.f("fk_move_from_id_subscriber"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("subscriber_id", name=op.f("pk_move")),
    )
    op.create_index(op.f("ix_move_from_id"), "move", ["from_id"], unique=False)
    # charts of the last month must not read years
    op.create_index(op.f("ix_consent_at"), "consent", ["at"], unique=False)
    # how many there are of each status, also among a million
    op.create_index(op.f("ix_subscriber_status"), "subscriber", ["status"], unique=False)
    # a day's or a source's archive, newest first
    op.create_index(
        op.f("ix_standing_source_first_seen_at"), "standing", ["source", "first_seen_at"]
    )
    op.create_index(op.f("ix_standing_first_seen_at"), "standing", ["first_seen_at"])


def downgrade() -> None:
    raise NotImplementedError("migrations go forwards; restore the copy made before the upgrade")
