"""What a mail tells of its items stands in its edition: read back for each message, in one row.

Revision ID: 0006
"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_BATCH = 500
_TREND = "trend"
#: a line that cannot be read back: what was damaged before stays damaged, and spoils no other
_DAMAGED = ("null", "null")


def upgrade() -> None:
    for name in ("reasons", "shown"):
        op.add_column("edition", sa.Column(name, sa.Text(), nullable=False, server_default=""))
    _fill()
    with op.batch_alter_table("pick") as pick:
        pick.drop_column("wording_id")
        pick.drop_column("shown")


def _fill() -> None:
    edition = sa.table("edition", *map(sa.column, ("id", "reasons", "shown")))
    names = ("edition_id", "section", "position", "wording_id")
    pick = sa.table("pick", *map(sa.column, names))
    shown = sa.cast(sa.literal_column("pick.shown"), sa.Text()).label("shown")
    set_told = (
        sa.update(edition)
        .where(edition.c.id == sa.bindparam("row_id"))
        .values(reasons=sa.bindparam("own"), shown=sa.bindparam("all"))
    )
    tx, last = op.get_bind(), 0
    while True:
        page = sa.select(edition.c.id).where(edition.c.id > last).order_by(edition.c.id)
        ids = tx.execute(page.limit(_BATCH)).scalars().all()
        if not ids:
            return
        rows = tx.execute(
            sa.select(pick, shown)
            .where(pick.c.edition_id.between(ids[0], ids[-1]))
            .order_by(pick.c.edition_id, pick.c.section, pick.c.position)
        )
        told = {id_: {"pick": [], "rising": []} for id_ in ids}
        for row in rows:
            told[row.edition_id][row.section].append(_lines(row.wording_id, row.shown))
        tx.execute(
            set_told,
            [
                {"row_id": id_, "own": _text(lists, 0), "all": _text(lists, 1)}
                for id_, lists in told.items()
            ],
        )
        last = ids[-1]


def _lines(wording_id: int, shown: str) -> tuple[str, str]:
    """The reader's own reasons of a pick, and the item as all saw it."""
    try:
        own, *numbers = json.loads(shown)
        has_trend = bool(own) and own[-1][0] == _TREND
        trend = own.pop() if has_trend else None
        lines = _json(own), _json([wording_id, trend, *numbers])
        "".join(lines).encode()
    except (ValueError, TypeError, LookupError, AttributeError):
        return _DAMAGED
    return lines


def _text(lists: dict[str, list[tuple[str, str]]], which: int) -> str:
    picks, rising = ("\n".join(line[which] for line in lists[s]) for s in ("pick", "rising"))
    return f"{picks}\n\n{rising}" if rising else picks


def _json(value: list) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def downgrade() -> None:
    raise NotImplementedError("migrations go forwards; restore the copy made before the upgrade")
