"""Vectors of texts: each stored once under what it says, found by every item that says it.

Revision ID: 0005
"""

import hashlib

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_BATCH = 1000


def upgrade() -> None:
    # never filled by any release
    op.drop_column("item", "embedding")
    op.drop_column("item", "embedded_by")
    op.add_column("item", sa.Column("text_key", sa.Text(), nullable=False, server_default=""))
    _fill()
    op.create_index(op.f("ix_item_changed_at_text_key"), "item", ["changed_at", "text_key"])
    op.create_index(op.f("ix_item_text_key"), "item", ["text_key"])
    op.create_table(
        "embedding",
        sa.Column("text_key", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("text_key", "model", name=op.f("pk_embedding")),
    )


def _fill() -> None:
    item = sa.table("item", *map(sa.column, ("id", "title", "abstract", "text_key")))
    set_key = (
        sa.update(item)
        .where(item.c.id == sa.bindparam("row_id"))
        .values(text_key=sa.bindparam("key"))
    )
    tx, last = op.get_bind(), 0
    while True:
        page = sa.select(item).where(item.c.id > last).order_by(item.c.id).limit(_BATCH)
        rows = tx.execute(page).all()
        if not rows:
            return
        tx.execute(set_key, [{"row_id": r.id, "key": _key(r.title, r.abstract)} for r in rows])
        last = rows[-1].id


def _key(title: str, abstract: str) -> str:
    words = f"{title}\n{abstract}".encode("utf-8", "surrogatepass")
    return hashlib.sha256(words).hexdigest()[:32]


def downgrade() -> None:
    raise NotImplementedError("migrations go forwards; restore the copy made before the upgrade")
